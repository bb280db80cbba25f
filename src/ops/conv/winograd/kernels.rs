//! Kernels from taps to points, and their gradients back.

use pulp::{Simd, WithSimd};

use super::super::arch;
use super::super::memory::{load, store};
use super::super::panels::Panels;
use super::transform::transposed;
use super::POINTS;
use crate::ops::parallel::for_each_chunk;
use crate::ops::{Aligned, Real};

/// G g Gᵀ of kernels of a side `[tile, depth and tap, input, width]`: `[tile, point, depth, input,
/// width]`; of the kernels in reversed order, if that is asked for.
pub(super) fn spread<E: Real>(taps: &Panels<E>, side: usize, reversed: bool) -> Aligned<E> {
    let depth = taps.taps / (side * side);
    let len = depth * taps.run * taps.tiling.width;
    let mut points = Aligned::new(taps.tiling.tiles * POINTS * len);
    for_each_chunk(&mut points, POINTS * len, |tile, points| {
        arch().dispatch(Spread { taps: taps.tile(tile), depth, side, reversed, points });
    });
    points
}

/// Gᵀ w G of sums `[tile, point, depth, input, width]`: panels of taps.
pub(super) fn collect<E: Real>(points: &[E], mut taps: Panels<E>, side: usize) -> Panels<E> {
    let (depth, len) = (taps.taps / (side * side), taps.tile_len());
    let all = len / (side * side) * POINTS;
    for_each_chunk(&mut taps.numbers, len, |tile, taps| {
        arch().dispatch(Collect { points: &points[tile * all..][..all], depth, side, taps });
    });
    taps
}

struct Spread<'a, E> {
    taps: &'a [E],
    depth: usize,
    side: usize,
    reversed: bool,
    points: &'a mut [E],
}

struct Collect<'a, E> {
    points: &'a [E],
    depth: usize,
    side: usize,
    taps: &'a mut [E],
}

/// ½ v.
#[inline(always)]
fn half<E: Real, S: Simd>(simd: S, v: E::Of<S>) -> E::Of<S> {
    E::times(simd, v, E::splat(simd, E::of(0.5)))
}

/// G g along one axis.
#[inline(always)]
fn spread_axis<E: Real, S: Simd, const R: usize>(simd: S, g: [E::Of<S>; R]) -> [E::Of<S>; 4] {
    let last = g[R - 1];
    let outer = half::<E, S>(simd, if R == 3 { E::plus(simd, g[0], last) } else { g[0] });
    let inner = half::<E, S>(simd, g[1]);
    [g[0], E::plus(simd, outer, inner), E::minus(simd, outer, inner), last]
}

/// Gᵀ w along one axis.
#[inline(always)]
fn collect_axis<E: Real, S: Simd, const R: usize>(simd: S, w: [E::Of<S>; 4]) -> [E::Of<S>; R] {
    let [a, b, c, d] = w;
    let sum = half::<E, S>(simd, E::plus(simd, b, c));
    let mut taps = [half::<E, S>(simd, E::minus(simd, b, c)); R];
    taps[0] = E::plus(simd, a, sum);
    taps[R - 1] = E::plus(simd, if R == 3 { sum } else { taps[1] }, d);
    taps
}

by_side!(Spread, side);
by_side!(Collect, side);

impl<E: Real> Spread<'_, E> {
    /// For kernels of side `R`.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn run<S: Simd, const R: usize>(self, simd: S) {
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let len = self.points.len() / POINTS / self.depth;
        for z in 0..self.depth {
            for at in (0..len).step_by(lanes) {
                let mut columns = [[E::splat(simd, E::zero()); 4]; R];
                for j in 0..R {
                    let mut column = [E::splat(simd, E::zero()); R];
                    for i in 0..R {
                        let tap = (z * R + i) * R + j;
                        let tap = if self.reversed { R * R * self.depth - 1 - tap } else { tap };
                        [column[i]] = load(&self.taps[tap * len + at..][..lanes]);
                    }
                    columns[j] = spread_axis::<E, S, R>(simd, column);
                }
                let rows = transposed(columns);
                for i in 0..4 {
                    let row = spread_axis::<E, S, R>(simd, rows[i]);
                    for j in 0..4 {
                        let to = ((4 * i + j) * self.depth + z) * len + at;
                        store([row[j]], &mut self.points[to..to + lanes]);
                    }
                }
            }
        }
    }
}

impl<E: Real> Collect<'_, E> {
    /// For kernels of side `R`.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn run<S: Simd, const R: usize>(self, simd: S) {
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let len = self.points.len() / POINTS / self.depth;
        for z in 0..self.depth {
            for at in (0..len).step_by(lanes) {
                let mut columns = [[E::splat(simd, E::zero()); R]; 4];
                for j in 0..4 {
                    let mut column = [E::splat(simd, E::zero()); 4];
                    for i in 0..4 {
                        let from = ((4 * i + j) * self.depth + z) * len + at;
                        [column[i]] = load(&self.points[from..from + lanes]);
                    }
                    columns[j] = collect_axis::<E, S, R>(simd, column);
                }
                let rows = transposed(columns);
                for i in 0..R {
                    let row = collect_axis::<E, S, R>(simd, rows[i]);
                    for j in 0..R {
                        let to = ((z * R + i) * R + j) * len + at;
                        store([row[j]], &mut self.taps[to..to + lanes]);
                    }
                }
            }
        }
    }
}
