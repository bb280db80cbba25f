//! Rows of the kernel, and their products with a vector.
//!
//! A number is computed in registers, from coordinates or from a sum over them to the power of two; it
//! is multiplied while it is there and written once.

use std::marker::PhantomData;

use pulp::{Arch, Simd, WithSimd};

use super::shape::{Product, Root, Shape, Square};
use crate::ops::Real;

/// Rows that share the coordinates of the targets.
const TOGETHER: usize = 2;
/// The largest dimension that rows are computed from.
pub(super) const MOST: usize = 4;

/// What rows are computed from.
pub(super) struct Origin<'a, E> {
    /// Coordinates of a point, at most [`MOST`]; none if the rows hold the sums over them.
    pub(super) d: usize,
    /// Coordinates of the sources, row by row, and their potentials.
    pub(super) x: &'a [E],
    pub(super) p: &'a [E],
    /// Coordinates of all targets, `[d, m]`, and the potentials of those from number `start`.
    pub(super) y: &'a [E],
    pub(super) start: usize,
    pub(super) q: &'a [E],
}

/// A vector, and where the products with it go.
pub(super) type Dots<'a, E> = Option<(&'a [E], &'a mut [E])>;

impl<E: Real> Origin<'_, E> {
    /// Writes the rows to `out`, and their products.
    pub(super) fn write<C: InRegisters>(&self, dots: Dots<'_, E>, out: &mut [E]) {
        match self.d {
            1 => self.write_from::<C, 1>(dots, out),
            2 => self.write_from::<C, 2>(dots, out),
            3 => self.write_from::<C, 3>(dots, out),
            MOST => self.write_from::<C, MOST>(dots, out),
            _ => self.write_from::<C, 0>(dots, out),
        }
    }

    /// From the sums that `out` holds if `D` = 0.
    fn write_from<C: InRegisters, const D: usize>(&self, dots: Dots<'_, E>, out: &mut [E]) {
        let (origin, shape) = (self, PhantomData::<C>);
        match dots {
            Some(dots) => Arch::new().dispatch(Rows::<E, C, D, true> { origin, dots, out, shape }),
            None => {
                let dots = (self.q, &mut [][..]);
                Arch::new().dispatch(Rows::<E, C, D, false> { origin, dots, out, shape });
            }
        }
    }
}

struct Rows<'a, E, C, const D: usize, const DOTS: bool> {
    origin: &'a Origin<'a, E>,
    dots: (&'a [E], &'a mut [E]),
    out: &'a mut [E],
    shape: PhantomData<C>,
}

impl<E: Real, C: InRegisters, const D: usize, const DOTS: bool> WithSimd
    for Rows<'_, E, C, D, DOTS>
{
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { origin, dots: (w, r), out, .. } = self;
        let m = origin.q.len();
        let mut from = 0;
        let mut blocks = out.chunks_exact_mut(TOGETHER * m);
        for out in &mut blocks {
            let dots = origin.rows::<S, C, D, DOTS, TOGETHER>(simd, from, w, out);
            if DOTS {
                r[from..from + TOGETHER].copy_from_slice(&dots);
            }
            from += TOGETHER;
        }
        for out in blocks.into_remainder().chunks_exact_mut(m) {
            let [dot] = origin.rows::<S, C, D, DOTS, 1>(simd, from, w, out);
            if DOTS {
                r[from] = dot;
            }
            from += 1;
        }
    }
}

impl<E: Real> Origin<'_, E> {
    /// `R` rows, and their products with `w`.
    #[inline(always)]
    fn rows<S: Simd, C: InRegisters, const D: usize, const DOTS: bool, const R: usize>(
        &self,
        simd: S,
        from: usize,
        w: &[E],
        out: &mut [E],
    ) -> [E; R] {
        let (m, all) = (self.q.len(), self.y.len().checked_div(D).unwrap_or(0));
        let (q, rest_q) = E::split::<S>(self.q);
        let (w, rest_w) = E::split::<S>(w);
        let w = &w[..q.len()];
        let y: [_; D] = std::array::from_fn(|k| {
            let from = k * all + self.start;
            E::split::<S>(&self.y[from..from + m])
        });
        let heads: [_; D] = std::array::from_fn(|k| &y[k].0[..q.len()]);
        let x: [[_; D]; R] = std::array::from_fn(|i| {
            std::array::from_fn(|k| E::splat(simd, self.x[(from + i) * D + k]))
        });
        let p: [_; R] = std::array::from_fn(|i| E::splat(simd, self.p[from + i]));
        let mut rows = out.chunks_exact_mut(m);
        let rows: [_; R] =
            std::array::from_fn(|_| E::split_mut::<S>(rows.next().unwrap_or_default()));
        let rows = rows.map(|(head, rest)| (&mut head[..q.len()], rest));
        let mut sums = [E::splat(simd, E::zero()); R];
        for j in 0..q.len() {
            let at: [_; D] = std::array::from_fn(|k| heads[k][j]);
            for i in 0..R {
                let base = E::plus(simd, p[i], q[j]);
                let sum = if D == 0 { rows[i].0[j] } else { base };
                let power = power::<E, S, C, D>(simd, x[i], at, base, sum);
                rows[i].0[j] = power;
                if DOTS {
                    sums[i] = E::fma(simd, power, w[j], sums[i]);
                }
            }
        }
        if !rest_q.is_empty() {
            let at: [_; D] = std::array::from_fn(|k| E::load_rest(simd, y[k].1));
            let (q, w) = (E::load_rest(simd, rest_q), E::load_rest(simd, rest_w));
            for i in 0..R {
                let base = E::plus(simd, p[i], q);
                let sum = if D == 0 { E::load_rest(simd, rows[i].1) } else { base };
                let power = power::<E, S, C, D>(simd, x[i], at, base, sum);
                E::store_rest(simd, rows[i].1, power);
                if DOTS {
                    sums[i] = E::fma(simd, power, w, sums[i]);
                }
            }
        }
        let mut dots = [E::zero(); R];
        for i in 0..R {
            dots[i] = E::sum(simd, sums[i]);
        }
        dots
    }
}

/// 2 to the power of `base` and what the points, or the sum over their coordinates, contribute.
#[inline(always)]
fn power<E: Real, S: Simd, C: InRegisters, const D: usize>(
    simd: S,
    x: [E::Of<S>; D],
    y: [E::Of<S>; D],
    base: E::Of<S>,
    sum: E::Of<S>,
) -> E::Of<S> {
    let exponent = if D == 0 {
        C::exponent_of::<E, S>(simd, base, sum)
    } else {
        C::exponent_at::<E, S, D>(simd, base, x, y)
    };
    E::power_of_two(simd, exponent)
}

/// Shapes in registers.
pub(super) trait InRegisters: Shape {
    /// `base` and what the sum contributes to the exponent.
    fn exponent_of<E: Real, S: Simd>(simd: S, base: E::Of<S>, sum: E::Of<S>) -> E::Of<S>;

    /// `base` and what pairs of points contribute; the sum is that of squares unless said otherwise.
    #[inline(always)]
    fn exponent_at<E: Real, S: Simd, const D: usize>(
        simd: S,
        base: E::Of<S>,
        x: [E::Of<S>; D],
        y: [E::Of<S>; D],
    ) -> E::Of<S> {
        Self::exponent_of::<E, S>(simd, base, squares::<E, S, D>(simd, x, y))
    }
}

impl InRegisters for Square {
    #[inline(always)]
    fn exponent_of<E: Real, S: Simd>(simd: S, base: E::Of<S>, sum: E::Of<S>) -> E::Of<S> {
        E::minus(simd, base, sum)
    }
}

impl InRegisters for Root {
    #[inline(always)]
    fn exponent_of<E: Real, S: Simd>(simd: S, base: E::Of<S>, sum: E::Of<S>) -> E::Of<S> {
        E::minus(simd, base, E::root(simd, sum))
    }
}

impl InRegisters for Product {
    #[inline(always)]
    fn exponent_of<E: Real, S: Simd>(simd: S, base: E::Of<S>, sum: E::Of<S>) -> E::Of<S> {
        E::plus(simd, base, sum)
    }
    #[inline(always)]
    fn exponent_at<E: Real, S: Simd, const D: usize>(
        simd: S,
        base: E::Of<S>,
        x: [E::Of<S>; D],
        y: [E::Of<S>; D],
    ) -> E::Of<S> {
        let mut sum = base;
        for (x, y) in x.into_iter().zip(y) {
            sum = E::fma(simd, x, y, sum);
        }
        sum
    }
}

/// |x − y|².
#[inline(always)]
fn squares<E: Real, S: Simd, const D: usize>(
    simd: S,
    x: [E::Of<S>; D],
    y: [E::Of<S>; D],
) -> E::Of<S> {
    let mut sum = E::splat(simd, E::zero());
    for (x, y) in x.into_iter().zip(y) {
        let v = E::minus(simd, x, y);
        sum = E::fma(simd, v, v, sum);
    }
    sum
}
