//! From tiles to points, and back.

use pulp::{Simd, WithSimd};

use super::super::memory::{get, load, put, store};
use super::super::panels::Tiling;
use super::grid::Block;
use super::POINTS;
use crate::ops::Real;

/// No position: outside of an image.
const NONE: usize = usize::MAX;

/// Bᵀ d B of every input tile of a block: `[point, depth, column, channel]`.
pub(super) struct Scatter<'a, E> {
    pub(super) block: Block<'a>,
    /// `[sample, position, channel]`.
    pub(super) x: &'a [E],
    pub(super) to: &'a mut [E],
}

/// A Ȳ Aᵀ of the gradients of every output tile of a block, for a tile of channels:
/// `[point, depth, column, width]`.
pub(super) struct Slopes<'a, E> {
    pub(super) block: Block<'a>,
    pub(super) slopes: &'a [E],
    pub(super) channels: std::ops::Range<usize>,
    pub(super) width: usize,
    pub(super) to: &'a mut [E],
}

/// λ(onto + Aᵀ M A + bias) of every output tile of a block.
pub(super) struct Gather<'a, E> {
    pub(super) block: Block<'a>,
    pub(super) tiling: Tiling,
    /// `[point, depth, column, tiles · width]`.
    pub(super) from: &'a [E],
    /// A part of `[sample, position, channel]`, and where it begins.
    pub(super) y: &'a mut [E],
    pub(super) origin: usize,
    /// One for each channel, or none.
    pub(super) bias: &'a [E],
    pub(super) onto: bool,
    /// Of the activation below zero, if there is one.
    pub(super) slope: Option<E>,
}

/// Bᵀ d along one axis.
#[inline(always)]
fn inputs<E: Real, S: Simd>(simd: S, d: [E::Of<S>; 4]) -> [E::Of<S>; 4] {
    let [a, b, c, d] = d;
    [E::minus(simd, a, c), E::plus(simd, b, c), E::minus(simd, c, b), E::minus(simd, b, d)]
}

/// Aᵀ m along one axis.
#[inline(always)]
fn outputs<E: Real, S: Simd, const M: usize>(simd: S, m: [E::Of<S>; 4]) -> [E::Of<S>; M] {
    let [a, b, c, d] = m;
    let sum = E::plus(simd, b, c);
    let mut y = [E::minus(simd, b, c); M];
    y[0] = E::plus(simd, a, sum);
    y[M - 1] = E::minus(simd, if M == 3 { sum } else { y[1] }, d);
    y
}

/// A y along one axis.
#[inline(always)]
fn slopes<E: Real, S: Simd, const M: usize>(simd: S, y: [E::Of<S>; M]) -> [E::Of<S>; 4] {
    let (zero, last) = (E::splat(simd, E::zero()), y[M - 1]);
    let even = if M == 3 { E::plus(simd, y[0], last) } else { y[0] };
    [y[0], E::plus(simd, even, y[1]), E::minus(simd, even, y[1]), E::minus(simd, zero, last)]
}

impl<E: Real> WithSimd for Scatter<'_, E> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn with_simd<S: Simd>(self, simd: S) {
        let (grid, channels) = (self.block.grid, self.block.grid.inputs);
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let plane = self.block.plane_in();
        assert_eq!(self.to.len(), POINTS * plane);
        let [_, height, width] = grid.from;
        for z in 0..grid.from[0] {
            for column in 0..self.block.pitch {
                let to = (z * self.block.pitch + column) * grid.pitch;
                if column >= self.block.count {
                    (0..POINTS).for_each(|p| self.to[p * plane + to..][..channels].fill(E::zero()));
                    continue;
                }
                let [sample, y, x] = self.block.place(column);
                let mut places = [[NONE; 4]; 4];
                for i in 0..4 {
                    let y = (y + i).wrapping_sub(grid.padding[1]);
                    for j in 0..4 {
                        let x = (x + j).wrapping_sub(grid.padding[2]);
                        if y < height && x < width {
                            let row = (sample * grid.from[0] + z) * height + y;
                            places[i][j] = (row * width + x) * channels;
                        }
                    }
                }
                let inside = places.iter().flatten().all(|p| *p != NONE);
                for c in (0..channels).step_by(lanes) {
                    let end = channels.min(c + lanes);
                    let mut d = [[E::splat(simd, E::zero()); 4]; 4];
                    for i in 0..4 {
                        for j in 0..4 {
                            let place = places[i][j];
                            if inside || place != NONE {
                                d[i][j] = get(simd, &self.x[place + c..place + end]);
                            }
                        }
                    }
                    let mut columns = transposed(d);
                    for j in 0..4 {
                        columns[j] = inputs::<E, S>(simd, columns[j]);
                    }
                    let mut points = transposed(columns);
                    for i in 0..4 {
                        points[i] = inputs::<E, S>(simd, points[i]);
                    }
                    for i in 0..4 {
                        for j in 0..4 {
                            let at = (4 * i + j) * plane + to;
                            put(simd, &mut self.to[at + c..at + end], points[i][j]);
                        }
                    }
                }
            }
        }
    }
}

/// The transpose of a matrix of registers. This and the loops below index by constants and call nothing
/// that is not inlined: else registers would live in memory.
#[inline(always)]
pub(super) fn transposed<V: Copy, const R: usize, const C: usize>(m: [[V; C]; R]) -> [[V; R]; C] {
    let mut out = [[m[0][0]; R]; C];
    for i in 0..R {
        for j in 0..C {
            out[j][i] = m[i][j];
        }
    }
    out
}

/// The places of the outputs of a tile, channel 0.
#[inline(always)]
fn of_tile<const M: usize>(block: &Block, z: usize, column: usize) -> [[usize; M]; M] {
    let ([depth, height, width], [sample, y, x]) = (block.grid.to, block.place(column));
    let mut places = [[NONE; M]; M];
    for (i, places) in places.iter_mut().enumerate() {
        for (j, place) in places.iter_mut().enumerate() {
            if y + i < height && x + j < width {
                let row = (sample * depth + z) * height + y + i;
                *place = (row * width + x + j) * block.grid.outputs;
            }
        }
    }
    places
}

by_side!(Slopes, block.grid.side);
by_side!(Gather, block.grid.side);

impl<E: Real> Slopes<'_, E> {
    /// For tiles of `M` × `M` outputs.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let plane = self.block.plane_out(self.width);
        assert_eq!(self.to.len(), POINTS * plane);
        for z in 0..self.block.grid.to[0] {
            for column in 0..self.block.pitch {
                let to = (z * self.block.pitch + column) * self.width;
                let places = match column < self.block.count {
                    true => of_tile(&self.block, z, column),
                    false => [[NONE; M]; M],
                };
                for c in (0..self.width).step_by(lanes) {
                    let from = self.channels.start + c;
                    let end = self.channels.end.min(from + lanes);
                    let mut y = [[E::splat(simd, E::zero()); M]; M];
                    for i in 0..M {
                        for j in 0..M {
                            let place = places[i][j];
                            if place != NONE && from < end {
                                y[i][j] = get(simd, &self.slopes[place + from..place + end]);
                            }
                        }
                    }
                    let from = transposed(y);
                    let mut columns = [[E::splat(simd, E::zero()); 4]; M];
                    for j in 0..M {
                        columns[j] = slopes::<E, S, M>(simd, from[j]);
                    }
                    let rows = transposed(columns);
                    for i in 0..4 {
                        let row = slopes::<E, S, M>(simd, rows[i]);
                        for j in 0..4 {
                            let at = (4 * i + j) * plane + to + c;
                            store([row[j]], &mut self.to[at..at + lanes]);
                        }
                    }
                }
            }
        }
    }
}

impl<E: Real> Gather<'_, E> {
    /// For tiles of `M` × `M` outputs.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let (grid, lanes) = (self.block.grid, size_of::<E::Of<S>>() / size_of::<E>());
        let (channels, pitch) = (grid.outputs, self.tiling.tiles * self.tiling.width);
        let plane = self.block.plane_out(pitch);
        for z in 0..grid.to[0] {
            for column in 0..self.block.count {
                let from = (z * self.block.pitch + column) * pitch;
                let places: [[usize; M]; M] = of_tile(&self.block, z, column);
                for c in (0..channels).step_by(lanes) {
                    let end = channels.min(c + lanes);
                    let mut halves = [[E::splat(simd, E::zero()); M]; 4];
                    for i in 0..4 {
                        let mut m = [E::splat(simd, E::zero()); 4];
                        for j in 0..4 {
                            let at = (4 * i + j) * plane + from + c;
                            [m[j]] = load(&self.from[at..at + lanes]);
                        }
                        halves[i] = outputs::<E, S, M>(simd, m);
                    }
                    let columns = transposed(halves);
                    let mut y = [[E::splat(simd, E::zero()); M]; M];
                    for j in 0..M {
                        y[j] = outputs::<E, S, M>(simd, columns[j]);
                    }
                    for i in 0..M {
                        for j in 0..M {
                            let place = places[i][j];
                            if place == NONE {
                                continue;
                            }
                            let at = place - self.origin;
                            let to = &mut self.y[at + c..at + end];
                            let mut v = y[j][i];
                            if self.onto {
                                v = E::plus(simd, v, get(simd, to));
                            }
                            if !self.bias.is_empty() {
                                v = E::plus(simd, v, get(simd, &self.bias[c..end]));
                            }
                            if let Some(slope) = self.slope {
                                // NaN stays NaN, the second operand being returned then.
                                let below = E::times(simd, v, E::splat(simd, slope));
                                v = E::most(simd, below, v);
                            }
                            put(simd, to, v);
                        }
                    }
                }
            }
        }
    }
}
