//! Loops over rows of the kernel, compiled for each instruction set.

use super::shape::{Contract, Finish, Shape};
use crate::ops::simd::vectorised;
use crate::ops::Real;

/// Calls a kernel whose first type argument after the number type is the [`Contract`].
macro_rules! contracted {
    ($f:ident::<$e:ty $(, $g:ty)*>($($arg:expr),* $(,)?)) => {
        if crate::ops::simd::level() == crate::ops::simd::Level::Portable {
            $crate::solver::sinkhorn::kernels::$f::<$e, $crate::solver::sinkhorn::shape::Separate $(, $g)*>($($arg),*)
        } else {
            $crate::solver::sinkhorn::kernels::$f::<$e, $crate::solver::sinkhorn::shape::Fused $(, $g)*>($($arg),*)
        }
    };
}
pub(super) use contracted;

vectorised! {
    /// A row of the kernel in two dimensions: `ys` holds one row per coordinate.
    pub(super) fn row_of_2<E: Real, T: Contract, S: Shape>(
        x: &[E], ys: &[E], p: E, q: &[E], out: &mut [E],
    ) {
        let m = out.len();
        let (y0, y1, q) = (&ys[..m], &ys[m..2 * m], &q[..m]);
        let (x0, x1) = (x[0], x[1]);
        for j in 0..m {
            let sum = S::add::<E, T>(x1, y1[j], S::add::<E, T>(x0, y0[j], E::zero()));
            out[j] = T::exp2(S::exponent(p + q[j], sum));
        }
    }
}

vectorised! {
    /// The same in three dimensions.
    pub(super) fn row_of_3<E: Real, T: Contract, S: Shape>(
        x: &[E], ys: &[E], p: E, q: &[E], out: &mut [E],
    ) {
        let m = out.len();
        let (y0, y1, y2, q) = (&ys[..m], &ys[m..2 * m], &ys[2 * m..3 * m], &q[..m]);
        let (x0, x1, x2) = (x[0], x[1], x[2]);
        for j in 0..m {
            let sum = S::add::<E, T>(x1, y1[j], S::add::<E, T>(x0, y0[j], E::zero()));
            let sum = S::add::<E, T>(x2, y2[j], sum);
            out[j] = T::exp2(S::exponent(p + q[j], sum));
        }
    }
}

vectorised! {
    /// Adds the terms of four coordinates to a row of sums.
    pub(super) fn add_4<E: Real, T: Contract, S: Shape>(x: &[E], ys: &[E], out: &mut [E]) {
        let m = out.len();
        let (y0, y1) = (&ys[..m], &ys[m..2 * m]);
        let (y2, y3) = (&ys[2 * m..3 * m], &ys[3 * m..4 * m]);
        let (x0, x1, x2, x3) = (x[0], x[1], x[2], x[3]);
        for j in 0..m {
            let sum = S::add::<E, T>(x1, y1[j], S::add::<E, T>(x0, y0[j], out[j]));
            out[j] = S::add::<E, T>(x3, y3[j], S::add::<E, T>(x2, y2[j], sum));
        }
    }
}

vectorised! {
    /// Adds the terms of one coordinate.
    pub(super) fn add_1<E: Real, T: Contract, S: Shape>(x: E, y: &[E], out: &mut [E]) {
        for (out, y) in out.iter_mut().zip(y) {
            *out = S::add::<E, T>(x, *y, *out);
        }
    }
}

vectorised! {
    /// From sums to exponents or their powers.
    pub(super) fn finish<E: Real, T: Contract, S: Shape, M: Finish>(p: E, q: &[E], out: &mut [E]) {
        for (out, q) in out.iter_mut().zip(q) {
            *out = M::of::<E, T>(S::exponent(p + *q, *out));
        }
    }
}

/// Numbers summed side by side: a register of the widest kind in single precision.
const LANES: usize = 16;

/// The sum of the lanes, pairwise.
#[inline(always)]
fn fold<E: Real>(mut lanes: [E; LANES]) -> E {
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
        width /= 2;
    }
    lanes[0]
}

vectorised! {
    /// Adds `from` to `to`.
    pub(super) fn add<E: Real>(from: &[E], to: &mut [E]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += *from;
        }
    }
}

vectorised! {
    /// Raises `best` to the numbers of `row` where these are larger.
    pub(super) fn raise<E: Real>(row: &[E], best: &mut [E]) {
        for (best, v) in best.iter_mut().zip(row) {
            *best = if *v > *best { *v } else { *best };
        }
    }
}

vectorised! {
    /// Σⱼ kⱼ cⱼ wⱼ.
    pub(super) fn triple<E: Real>(k: &[E], c: &[E], w: &[E]) -> E {
        let mut lanes = [E::zero(); LANES];
        let full = k.len() - k.len() % LANES;
        let rest = full..k.len();
        let parts = k[..full].chunks_exact(LANES).zip(c[..full].chunks_exact(LANES));
        for ((k, c), w) in parts.zip(w[..full].chunks_exact(LANES)) {
            for l in 0..LANES {
                lanes[l] += k[l] * c[l] * w[l];
            }
        }
        rest.fold(fold(lanes), |sum, j| sum + k[j] * c[j] * w[j])
    }
}

vectorised! {
    /// The largest number, and 0 if all are finite (else NaN).
    pub(super) fn peak<E: Real>(row: &[E]) -> (E, E) {
        let (mut best, mut poison) = ([E::min_value(); LANES], [E::zero(); LANES]);
        let mut parts = row.chunks_exact(LANES);
        for part in &mut parts {
            for l in 0..LANES {
                best[l] = if part[l] > best[l] { part[l] } else { best[l] };
                poison[l] += part[l] * E::zero();
            }
        }
        for (l, v) in parts.remainder().iter().enumerate() {
            best[l] = if *v > best[l] { *v } else { best[l] };
            poison[l] += *v * E::zero();
        }
        let best = best.iter().fold(E::min_value(), |b, v| if *v > b { *v } else { b });
        (best, poison.iter().fold(E::zero(), |s, v| s + *v))
    }
}

vectorised! {
    /// 2^(v + shift) in place.
    pub(super) fn powers<E: Real, T: Contract>(shift: E, row: &mut [E]) {
        for v in row {
            *v = T::exp2(*v + shift);
        }
    }
}
