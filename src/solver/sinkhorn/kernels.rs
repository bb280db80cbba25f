//! Loops over rows of the kernel, compiled for each instruction set.

use super::shape::{Contract, Shape};
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
    /// Adds the terms of four coordinates to a row of sums.
    pub(super) fn add_4<E: Real, T: Contract, S: Shape>(x: &[E], ys: [&[E]; 4], out: &mut [E]) {
        let m = out.len();
        let [y0, y1, y2, y3] = ys.map(|y| &y[..m]);
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
    /// From sums to exponents.
    pub(super) fn finish<E: Real, T: Contract, S: Shape>(p: E, q: &[E], out: &mut [E]) {
        for (out, q) in out.iter_mut().zip(q) {
            *out = S::exponent(p + *q, *out);
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
    /// Σⱼ kⱼ wⱼ log₂ kⱼ.
    pub(super) fn entropy<E: Real>(k: &[E], w: &[E]) -> E {
        let mut lanes = [E::zero(); LANES];
        let whole = k.len() - k.len() % LANES;
        let w = &w[..k.len()];
        for (k, w) in k[..whole].chunks_exact(LANES).zip(w[..whole].chunks_exact(LANES)) {
            for l in 0..LANES {
                lanes[l] += k[l] * w[l] * k[l].fast_log2();
            }
        }
        let rest = k[whole..].iter().zip(&w[whole..]);
        rest.fold(fold(lanes), |sum, (k, w)| sum + *k * *w * k.fast_log2())
    }
}

vectorised! {
    /// The largest vⱼ + wⱼ, or NaN if a v is not finite.
    pub(super) fn peak<E: Real>(v: &[E], w: &[E]) -> E {
        let (mut best, mut poison) = ([E::min_value(); LANES], [E::zero(); LANES]);
        let w = &w[..v.len()];
        let whole = v.len() - v.len() % LANES;
        for (v, w) in v[..whole].chunks_exact(LANES).zip(w[..whole].chunks_exact(LANES)) {
            for l in 0..LANES {
                let sum = v[l] + w[l];
                best[l] = if sum > best[l] { sum } else { best[l] };
                poison[l] += v[l] * E::zero();
            }
        }
        for (l, (v, w)) in v[whole..].iter().zip(&w[whole..]).enumerate() {
            best[l] = if *v + *w > best[l] { *v + *w } else { best[l] };
            poison[l] += *v * E::zero();
        }
        let best = best.iter().fold(E::min_value(), |b, v| if *v > b { *v } else { b });
        poison.iter().fold(best, |s, v| s + *v)
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
