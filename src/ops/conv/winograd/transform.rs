//! From tiles to points, and back.

use pulp::{Simd, WithSimd};

use super::super::panels::Tiling;
use super::super::sweep::{load, store};
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

/// As many numbers as a register holds, or the rest.
#[inline(always)]
fn get<E: Real, S: Simd>(simd: S, v: &[E]) -> E::Of<S> {
    let lanes = size_of::<E::Of<S>>() / size_of::<E>();
    if v.len() >= lanes {
        let [v] = load(&v[..lanes]);
        v
    } else {
        E::load_rest(simd, v)
    }
}

#[inline(always)]
fn put<E: Real, S: Simd>(simd: S, to: &mut [E], v: E::Of<S>) {
    let lanes = size_of::<E::Of<S>>() / size_of::<E>();
    if to.len() >= lanes {
        store([v], &mut to[..lanes]);
    } else {
        E::store_rest(simd, to, v);
    }
}

/// Bᵀ d along one axis.
#[inline(always)]
fn inputs<E: Real, S: Simd>(simd: S, d: [E::Of<S>; 4]) -> [E::Of<S>; 4] {
    let [a, b, c, d] = d;
    [E::minus(simd, a, c), E::plus(simd, b, c), E::minus(simd, c, b), E::minus(simd, b, d)]
}

/// Aᵀ m along one axis.
#[inline(always)]
fn outputs<E: Real, S: Simd>(simd: S, m: [E::Of<S>; 4]) -> [E::Of<S>; 2] {
    let [a, b, c, d] = m;
    let (sum, difference) = (E::plus(simd, b, c), E::minus(simd, b, c));
    [E::plus(simd, a, sum), E::minus(simd, difference, d)]
}

/// A y along one axis.
#[inline(always)]
fn slopes<E: Real, S: Simd>(simd: S, [a, b]: [E::Of<S>; 2]) -> [E::Of<S>; 4] {
    let zero = E::splat(simd, E::zero());
    [a, E::plus(simd, a, b), E::minus(simd, a, b), E::minus(simd, zero, b)]
}

impl<E: Real> WithSimd for Scatter<'_, E> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn with_simd<S: Simd>(self, simd: S) {
        let (grid, channels) = (self.block.grid, self.block.grid.inputs);
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let plane = self.block.rows()[0] * channels;
        assert_eq!(self.to.len(), POINTS * plane);
        let [_, height, width] = grid.from;
        for z in 0..grid.from[0] {
            for column in 0..self.block.pitch {
                let to = (z * self.block.pitch + column) * channels;
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

/// The places of the four outputs of a tile, channel 0.
#[inline(always)]
fn of_tile(block: &Block, z: usize, column: usize) -> [[usize; 2]; 2] {
    let ([depth, height, width], [sample, y, x]) = (block.grid.to, block.place(column));
    let mut places = [[NONE; 2]; 2];
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

impl<E: Real> WithSimd for Slopes<'_, E> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = size_of::<E::Of<S>>() / size_of::<E>();
        let plane = self.block.rows()[1] * self.width;
        assert_eq!(self.to.len(), POINTS * plane);
        for z in 0..self.block.grid.to[0] {
            for column in 0..self.block.pitch {
                let to = (z * self.block.pitch + column) * self.width;
                let places = match column < self.block.count {
                    true => of_tile(&self.block, z, column),
                    false => [[NONE; 2]; 2],
                };
                for c in (0..self.width).step_by(lanes) {
                    let from = self.channels.start + c;
                    let end = self.channels.end.min(from + lanes);
                    let mut y = [[E::splat(simd, E::zero()); 2]; 2];
                    for i in 0..2 {
                        for j in 0..2 {
                            let place = places[i][j];
                            if place != NONE && from < end {
                                y[i][j] = get(simd, &self.slopes[place + from..place + end]);
                            }
                        }
                    }
                    let [left, right] = transposed(y);
                    let columns = [slopes::<E, S>(simd, left), slopes::<E, S>(simd, right)];
                    let rows = transposed(columns);
                    for i in 0..4 {
                        let row = slopes::<E, S>(simd, rows[i]);
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

impl<E: Real> WithSimd for Gather<'_, E> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn with_simd<S: Simd>(self, simd: S) {
        let (grid, lanes) = (self.block.grid, size_of::<E::Of<S>>() / size_of::<E>());
        let (channels, pitch) = (grid.outputs, self.tiling.tiles * self.tiling.width);
        let plane = self.block.rows()[1] * pitch;
        for z in 0..grid.to[0] {
            for column in 0..self.block.count {
                let from = (z * self.block.pitch + column) * pitch;
                let places = of_tile(&self.block, z, column);
                for c in (0..channels).step_by(lanes) {
                    let end = channels.min(c + lanes);
                    let mut halves = [[E::splat(simd, E::zero()); 2]; 4];
                    for i in 0..4 {
                        let mut m = [E::splat(simd, E::zero()); 4];
                        for j in 0..4 {
                            let at = (4 * i + j) * plane + from + c;
                            [m[j]] = load(&self.from[at..at + lanes]);
                        }
                        halves[i] = outputs::<E, S>(simd, m);
                    }
                    let [left, right] = transposed(halves);
                    let y = [outputs::<E, S>(simd, left), outputs::<E, S>(simd, right)];
                    for i in 0..2 {
                        for j in 0..2 {
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
