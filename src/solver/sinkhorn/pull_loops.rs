//! Loops of gradients in points, compiled for each instruction set.

use super::shape::Contract;
use crate::ops::simd::vectorised;
use crate::ops::Real;

vectorised! {
    /// out = z k w; 0 without weight, whatever the kernel.
    pub(super) fn scale<E: Real>(k: &[E], w: &[E], z: E, out: &mut [E]) {
        for ((out, k), w) in out.iter_mut().zip(k).zip(w) {
            *out = if *w > E::zero() { z * *k * *w } else { E::zero() };
        }
    }
}

vectorised! {
    /// Divides the weights by the distances of the row `x` to the columns; 0 where a distance is 0.
    pub(super) fn per_distance<E: Real, T: Contract>(
        x: &[E], ys: &[E], squares: &mut [E], weights: &mut [E],
    ) {
        let m = weights.len();
        squares.fill(E::zero());
        for (x, ys) in x.iter().zip(ys.chunks_exact(m)) {
            for (s, y) in squares.iter_mut().zip(ys) {
                *s = T::fma(*x - *y, *x - *y, *s);
            }
        }
        for (w, s) in weights.iter_mut().zip(&*squares) {
            *w = if *s > E::zero() { *w / s.sqrt() } else { E::zero() };
        }
    }
}

vectorised! {
    /// Adds Σⱼ wⱼ (x − yⱼ) to `of_row` and takes wⱼ (x − yⱼ) from column j of `of_columns`; either may be
    /// empty. Columns are by coordinate.
    pub(super) fn pull_row<E: Real, T: Contract>(
        x: &[E], ys: &[E], weights: &[E], of_row: &mut [E], of_columns: &mut [E],
    ) {
        const LANES: usize = 16;
        let m = weights.len();
        for (k, (x, y)) in x.iter().zip(ys.chunks_exact(m)).enumerate() {
            if !of_columns.is_empty() {
                let out = &mut of_columns[k * m..][..m];
                for ((out, w), y) in out.iter_mut().zip(weights).zip(y) {
                    *out = T::fma(*w, *y - *x, *out);
                }
            }
            if of_row.is_empty() {
                continue;
            }
            let mut lanes = [E::zero(); LANES];
            let full = m - m % LANES;
            for (w, y) in weights[..full].chunks_exact(LANES).zip(y[..full].chunks_exact(LANES)) {
                for l in 0..LANES {
                    lanes[l] = T::fma(w[l], *x - y[l], lanes[l]);
                }
            }
            let rest = weights[full..].iter().zip(&y[full..]);
            let rest = rest.fold(E::zero(), |s, (w, y)| T::fma(*w, *x - *y, s));
            of_row[k] += lanes.iter().fold(rest, |s, v| s + *v);
        }
    }
}

/// Calls a kernel of this file, with products and sums rounded once where that is quick.
macro_rules! fuse {
    ($f:ident($($arg:expr),*)) => {
        if $crate::ops::simd::level() == $crate::ops::simd::Level::Portable {
            $crate::solver::sinkhorn::pull_loops::$f::<E, $crate::solver::sinkhorn::shape::Separate>($($arg),*)
        } else {
            $crate::solver::sinkhorn::pull_loops::$f::<E, $crate::solver::sinkhorn::shape::Fused>($($arg),*)
        }
    };
}
pub(super) use fuse;
