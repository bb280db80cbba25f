//! Kernels from taps to points, and their gradients back.

use pulp::{Arch, Simd, WithSimd};

use super::super::panels::Panels;
use super::super::sweep::{load, store};
use super::transform::transposed;
use super::POINTS;
use crate::ops::parallel::for_each_chunk;
use crate::ops::{Aligned, Real};

/// Taps of a kernel of side 3.
const TAPS: usize = 9;

/// G g Gᵀ of kernels `[tile, depth and tap, input, width]`: `[tile, point, depth, input, width]`; of the
/// kernels in reversed order, if that is asked for.
pub(super) fn spread<E: Real>(taps: &Panels<E>, reversed: bool) -> Aligned<E> {
    let depth = taps.taps / TAPS;
    let len = depth * taps.run * taps.tiling.width;
    let mut points = Aligned::new(taps.tiling.tiles * POINTS * len);
    for_each_chunk(&mut points, POINTS * len, |tile, points| {
        Arch::new().dispatch(Spread { taps: taps.tile(tile), depth, reversed, points });
    });
    points
}

/// Gᵀ w G of sums `[tile, point, depth, input, width]`: panels of taps.
pub(super) fn collect<E: Real>(points: &[E], mut taps: Panels<E>) -> Panels<E> {
    let (depth, len) = (taps.taps / TAPS, taps.tile_len());
    let all = len / TAPS * POINTS;
    for_each_chunk(&mut taps.numbers, len, |tile, taps| {
        Arch::new().dispatch(Collect { points: &points[tile * all..][..all], depth, taps });
    });
    taps
}

struct Spread<'a, E> {
    taps: &'a [E],
    depth: usize,
    reversed: bool,
    points: &'a mut [E],
}

struct Collect<'a, E> {
    points: &'a [E],
    depth: usize,
    taps: &'a mut [E],
}

/// ½ v.
#[inline(always)]
fn half<E: Real, S: Simd>(simd: S, v: E::Of<S>) -> E::Of<S> {
    E::times(simd, v, E::splat(simd, E::of(0.5)))
}

/// G g along one axis.
#[inline(always)]
fn spread_axis<E: Real, S: Simd>(simd: S, [a, b, c]: [E::Of<S>; 3]) -> [E::Of<S>; 4] {
    let (outer, inner) = (half::<E, S>(simd, E::plus(simd, a, c)), half::<E, S>(simd, b));
    [a, E::plus(simd, outer, inner), E::minus(simd, outer, inner), c]
}

/// Gᵀ w along one axis.
#[inline(always)]
fn collect_axis<E: Real, S: Simd>(simd: S, [a, b, c, d]: [E::Of<S>; 4]) -> [E::Of<S>; 3] {
    let sum = half::<E, S>(simd, E::plus(simd, b, c));
    let difference = half::<E, S>(simd, E::minus(simd, b, c));
    [E::plus(simd, a, sum), difference, E::plus(simd, sum, d)]
}

impl<E: Real> WithSimd for Spread<'_, E> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let len = self.points.len() / POINTS / self.depth;
        for z in 0..self.depth {
            for at in (0..len).step_by(lanes) {
                let mut columns = [[E::splat(simd, E::zero()); 4]; 3];
                for j in 0..3 {
                    let mut column = [E::splat(simd, E::zero()); 3];
                    for i in 0..3 {
                        let tap = (z * 3 + i) * 3 + j;
                        let tap = if self.reversed { TAPS * self.depth - 1 - tap } else { tap };
                        [column[i]] = load(&self.taps[tap * len + at..][..lanes]);
                    }
                    columns[j] = spread_axis::<E, S>(simd, column);
                }
                let rows = transposed(columns);
                for i in 0..4 {
                    let row = spread_axis::<E, S>(simd, rows[i]);
                    for j in 0..4 {
                        let to = ((4 * i + j) * self.depth + z) * len + at;
                        store([row[j]], &mut self.points[to..to + lanes]);
                    }
                }
            }
        }
    }
}

impl<E: Real> WithSimd for Collect<'_, E> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let len = self.points.len() / POINTS / self.depth;
        for z in 0..self.depth {
            for at in (0..len).step_by(lanes) {
                let mut columns = [[E::splat(simd, E::zero()); 3]; 4];
                for j in 0..4 {
                    let mut column = [E::splat(simd, E::zero()); 4];
                    for i in 0..4 {
                        let from = ((4 * i + j) * self.depth + z) * len + at;
                        [column[i]] = load(&self.points[from..from + lanes]);
                    }
                    columns[j] = collect_axis::<E, S>(simd, column);
                }
                let rows = transposed(columns);
                for i in 0..3 {
                    let row = collect_axis::<E, S>(simd, rows[i]);
                    for j in 0..3 {
                        let to = ((z * 3 + i) * 3 + j) * len + at;
                        store([row[j]], &mut self.taps[to..to + lanes]);
                    }
                }
            }
        }
    }
}
