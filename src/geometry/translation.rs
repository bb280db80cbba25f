//! Costs h(x − y) of the difference alone, with what an entropic map needs of h.

use super::{HalfSqEuclidean, PNorm, SqEuclidean};
use crate::ops::{Real, RowCost};

/// A cost c(x, y) = h(x − y) with a convex function h.
///
/// With it a dual potential f gives the map T(x) = x − ∇h\*(∇f(x)), where
/// h\*(p) = sup over z of ⟨p, z⟩ − h(z) (Gangbo and McCann, 1996). Laws, which the tests check for every
/// cost here: [`RowCost::value`] is h(x − y), `h_gradient` agrees with differences of h, and
/// ∇h\*(∇h(z)) = z where h is strictly convex.
pub trait TranslationInvariant<E: Real>: RowCost<E> {
    /// h(z).
    fn h(&self, z: &[E]) -> E;
    /// Writes ∇h(z), or a subgradient where there is no gradient, to `out`.
    fn h_gradient(&self, z: &[E], out: &mut [E]);
    /// Writes ∇h\*(p), the z that maximises ⟨p, z⟩ − h(z), to `out`.
    fn h_star_gradient(&self, p: &[E], out: &mut [E]);
    /// Whether h is strictly convex, so that ∇h\* is a function and maps exist.
    fn is_strictly_convex(&self) -> bool {
        true
    }
}

/// Writes term(zᵢ) to each number of `out`.
#[inline(always)]
pub(super) fn each<E: Real>(z: &[E], out: &mut [E], term: impl Fn(E) -> E) {
    for (out, z) in out.iter_mut().zip(z) {
        *out = term(*z);
    }
}

/// h(z) = |z|², ∇h(z) = 2 z, ∇h\*(p) = p / 2.
impl<E: Real> TranslationInvariant<E> for SqEuclidean {
    fn h(&self, z: &[E]) -> E {
        super::sum(z.len(), |i| z[i] * z[i])
    }
    fn h_gradient(&self, z: &[E], out: &mut [E]) {
        each(z, out, |z| z + z);
    }
    fn h_star_gradient(&self, p: &[E], out: &mut [E]) {
        each(p, out, |p| E::of(0.5) * p);
    }
}

/// h(z) = ½|z|², ∇h(z) = z, ∇h\*(p) = p.
impl<E: Real> TranslationInvariant<E> for HalfSqEuclidean {
    fn h(&self, z: &[E]) -> E {
        E::of(0.5) * super::sum(z.len(), |i| z[i] * z[i])
    }
    fn h_gradient(&self, z: &[E], out: &mut [E]) {
        out.copy_from_slice(z);
    }
    fn h_star_gradient(&self, p: &[E], out: &mut [E]) {
        out.copy_from_slice(p);
    }
}

/// h(z) = Σ|zᵢ|ᵖ / p, ∇h(z)ᵢ = |zᵢ|ᵖ⁻¹ sign zᵢ, ∇h\*(q)ᵢ = |qᵢ|^(1/(p−1)) sign qᵢ; strictly convex for p > 1.
impl<E: Real> TranslationInvariant<E> for PNorm {
    fn h(&self, z: &[E]) -> E {
        let p = E::of(f64::from(*self));
        super::sum(z.len(), |i| z[i].abs().powf(p)) / p
    }
    fn h_gradient(&self, z: &[E], out: &mut [E]) {
        let less = E::of(f64::from(*self) - 1.0);
        each(z, out, |z| signed_power(z, less));
    }
    fn h_star_gradient(&self, q: &[E], out: &mut [E]) {
        let inverse = E::of((f64::from(*self) - 1.0).recip());
        each(q, out, |q| signed_power(q, inverse));
    }
    fn is_strictly_convex(&self) -> bool {
        f64::from(*self) > 1.0
    }
}

/// |z|ᵏ sign z, 0 at z = 0.
#[inline(always)]
fn signed_power<E: Real>(z: E, power: E) -> E {
    if z == E::zero() {
        z
    } else {
        z.abs().powf(power) * z.signum()
    }
}

/// A cost h(x − y) given by three closures: h, ∇h and ∇h\*.
///
/// ```
/// use brenier::geometry::{FnDifference, RowCost};
/// // h(z) = ½ z₀² + 2 z₁², which is twice as expensive upwards as sideways.
/// let cost = FnDifference {
///     h: |z: &[f64]| 0.5 * z[0] * z[0] + 2.0 * z[1] * z[1],
///     gradient: |z: &[f64], out: &mut [f64]| out.copy_from_slice(&[z[0], 4.0 * z[1]]),
///     star_gradient: |p: &[f64], out: &mut [f64]| out.copy_from_slice(&[p[0], 0.25 * p[1]]),
/// };
/// assert_eq!(cost.value(&[1.0, 1.0], &[3.0, 0.0]), 4.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FnDifference<H, G, S> {
    /// z ↦ h(z).
    pub h: H,
    /// Writes ∇h(z): `|z, out|`.
    pub gradient: G,
    /// Writes ∇h\*(p): `|p, out|`.
    pub star_gradient: S,
}

impl<E: Real, H, G, S> RowCost<E> for FnDifference<H, G, S>
where
    H: Fn(&[E]) -> E + Clone + Send + Sync + 'static,
    G: Fn(&[E], &mut [E]) + Clone + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
{
    fn value(&self, x: &[E], y: &[E]) -> E {
        of_difference(x, y, |z| (self.h)(z))
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        of_difference(x, y, |z| {
            (self.gradient)(z, dy);
            dy.iter_mut().for_each(|d| *d = -*d);
            (self.h)(z)
        })
    }
}

impl<E: Real, H, G, S> TranslationInvariant<E> for FnDifference<H, G, S>
where
    H: Fn(&[E]) -> E + Clone + Send + Sync + 'static,
    G: Fn(&[E], &mut [E]) + Clone + Send + Sync + 'static,
    S: Fn(&[E], &mut [E]) + Clone + Send + Sync + 'static,
{
    fn h(&self, z: &[E]) -> E {
        (self.h)(z)
    }
    fn h_gradient(&self, z: &[E], out: &mut [E]) {
        (self.gradient)(z, out);
    }
    fn h_star_gradient(&self, p: &[E], out: &mut [E]) {
        (self.star_gradient)(p, out);
    }
}

/// `value(x − y)`, with the difference on the stack where it is short.
pub(super) fn of_difference<E: Real, V>(x: &[E], y: &[E], value: impl FnOnce(&[E]) -> V) -> V {
    const SHORT: usize = 64;
    let write = |z: &mut [E]| {
        for ((z, x), y) in z.iter_mut().zip(x).zip(y) {
            *z = *x - *y;
        }
    };
    if x.len() <= SHORT {
        let mut z = [E::zero(); SHORT];
        let z = &mut z[..x.len()];
        write(z);
        value(z)
    } else {
        let mut z = vec![E::zero(); x.len()];
        write(&mut z);
        value(&z)
    }
}
