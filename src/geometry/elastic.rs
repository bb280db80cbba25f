//! Half the squared distance plus a regulariser that makes displacements sparse.

use serde::{Deserialize, Serialize};

use super::sum;
use super::translation::{each, of_difference, TranslationInvariant};
use crate::error::{check_positive, Error, Result};
use crate::ops::{Real, RowCost};

/// A function r for which ½|z|² + r(z) is strictly convex, with its proximal operator.
pub trait Regulariser<E: Real>: Clone + Send + Sync + 'static {
    /// r(z).
    fn value(&self, z: &[E]) -> E;
    /// Writes ∇r(z), or a subgradient, to `out`.
    fn gradient(&self, z: &[E], out: &mut [E]);
    /// Writes prox(p), the z that minimises ½|z − p|² + r(z), to `out`.
    fn prox(&self, p: &[E], out: &mut [E]);
}

/// c(x, y) = h(x − y) with h(z) = ½|z|² + r(z), hence ∇h\*(p) = prox(p): the elastic costs of
/// arXiv:2302.04953. Under an entropic map with [`L1`] or [`Stvs`], points move along few
/// coordinates.
///
/// ```
/// use brenier::geometry::{Elastic, RowCost, TranslationInvariant, L1};
/// let cost = Elastic(L1::new(0.5)?);
/// assert_eq!(cost.value(&[1.0, 0.0], &[0.0, 2.0]), 2.5 + 0.5 * 3.0);
/// let mut z = [0.0; 2];
/// cost.h_star_gradient(&[0.4, -2.0], &mut z);
/// assert_eq!(z, [0.0, -1.5]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elastic<R>(pub R);

impl<E: Real, R: Regulariser<E>> RowCost<E> for Elastic<R> {
    fn value(&self, x: &[E], y: &[E]) -> E {
        of_difference(x, y, |z| self.h(z))
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        of_difference(x, y, |z| {
            self.h_gradient(z, dy);
            dy.iter_mut().for_each(|d| *d = -*d);
            self.h(z)
        })
    }
}

impl<E: Real, R: Regulariser<E>> TranslationInvariant<E> for Elastic<R> {
    fn h(&self, z: &[E]) -> E {
        E::of(0.5) * sum(z.len(), |i| z[i] * z[i]) + self.0.value(z)
    }
    fn h_gradient(&self, z: &[E], out: &mut [E]) {
        self.0.gradient(z, out);
        out.iter_mut().zip(z).for_each(|(o, z)| *o += *z);
    }
    fn h_star_gradient(&self, p: &[E], out: &mut [E]) {
        self.0.prox(p, out);
    }
}

/// r(z) = γ Σ|zᵢ|; its proximal operator is soft thresholding, sign(p) max(|p| − γ, 0).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct L1(f64);

/// r(z) = γ² Σ (asinh uᵢ + uᵢ / (√(uᵢ² + 1) + uᵢ)) with uᵢ = |zᵢ| / 2γ: soft thresholding whose shrinkage
/// vanishes for large p, prox(p) = p max(1 − γ² / p², 0).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Stvs(f64);

macro_rules! strength {
    ($name:ident) => {
        impl $name {
            /// The regulariser of strength γ.
            ///
            /// # Errors
            /// [`Error::InvalidConfig`] unless γ is positive and finite.
            pub fn new(gamma: f64) -> Result<Self> {
                check_positive("gamma", gamma).map(|()| Self(gamma))
            }
        }

        impl TryFrom<f64> for $name {
            type Error = Error;
            fn try_from(gamma: f64) -> Result<Self> {
                Self::new(gamma)
            }
        }

        impl From<$name> for f64 {
            fn from(regulariser: $name) -> f64 {
                regulariser.0
            }
        }
    };
}
strength!(L1);
strength!(Stvs);

/// sign z, 0 at 0.
#[inline(always)]
fn sign<E: Real>(z: E) -> E {
    if z == E::zero() {
        z
    } else {
        z.signum()
    }
}

impl<E: Real> Regulariser<E> for L1 {
    fn value(&self, z: &[E]) -> E {
        E::of(self.0) * sum(z.len(), |i| z[i].abs())
    }
    fn gradient(&self, z: &[E], out: &mut [E]) {
        let gamma = E::of(self.0);
        each(z, out, |z| gamma * sign(z));
    }
    fn prox(&self, p: &[E], out: &mut [E]) {
        let gamma = E::of(self.0);
        each(p, out, |p| sign(p) * (p.abs() - gamma).max(E::zero()));
    }
}

impl<E: Real> Regulariser<E> for Stvs {
    fn value(&self, z: &[E]) -> E {
        let (gamma, one) = (E::of(self.0), E::one());
        let term = |z: E| {
            let u = z.abs() / (gamma + gamma);
            let root = (u * u + one).sqrt();
            u.asinh() + u / (root + u)
        };
        gamma * gamma * sum(z.len(), |i| term(z[i]))
    }
    fn gradient(&self, z: &[E], out: &mut [E]) {
        let square = E::of(self.0 * self.0);
        let (two, four) = (E::of(2.0), E::of(4.0));
        // 2γ² / (√(z² + 4γ²) + |z|) sign z.
        each(z, out, |z| sign(z) * two * square / ((z * z + four * square).sqrt() + z.abs()));
    }
    fn prox(&self, p: &[E], out: &mut [E]) {
        let gamma = E::of(self.0);
        each(p, out, |p| {
            let ratio = gamma / p;
            if p.abs() > gamma {
                p * (E::one() - ratio * ratio)
            } else {
                E::zero()
            }
        });
    }
}
