//! The products of matrices, one for each point.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::memory::{load, store};
use super::super::panels::Tiling;
use super::super::products;
use super::grid::{Block, Grid};
use super::POINTS;
use crate::ops::Real;

/// Rows of kernels that go over a block together: 32 KiB in `f32`.
const ROWS: usize = 128;
/// Positions of a sum of products: their gradients stay in the first-level cache.
const TOGETHER: usize = 96;

/// Positions that a tile of sums in registers has, for as many registers of outputs.
pub(super) fn positions<E: Real>(tiling: &Tiling) -> usize {
    let bytes = tiling.width / tiling.vectors * size_of::<E>();
    match tiling.vectors {
        2 if bytes < 64 => 6,
        1..=3 => 8,
        _ => 6,
    }
}

/// The transformed outputs of a block: for each point the sums over inputs and the depth of the kernel.
pub(super) struct Multiply<'a, E> {
    pub(super) block: Block<'a>,
    pub(super) tiling: Tiling,
    /// `[point, depth, column, input]`.
    pub(super) x: &'a [E],
    /// `[tile, point, depth, input, width]`.
    pub(super) kernels: &'a [E],
    /// `[point, depth, column, tiles · width]`.
    pub(super) y: &'a mut [E],
}

/// Adds the products of transformed inputs and slopes of a block, for a tile of outputs.
pub(super) struct AddProducts<'a, E> {
    pub(super) block: Block<'a>,
    pub(super) tiling: Tiling,
    /// `[point, depth, column, input]`.
    pub(super) x: &'a [E],
    /// `[point, depth, column, width]`.
    pub(super) slopes: &'a [E],
    /// `[point, depth, input, width]`.
    pub(super) sums: &'a mut [E],
}

macro_rules! by_tiles {
    ($of:ident) => {
        impl<E: Real> WithSimd for $of<'_, E> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                match self.tiling.vectors {
                    1 => self.run::<S, 8, 1>(simd),
                    2 if size_of::<E::Of<S>>() < 64 => self.run::<S, 6, 2>(simd),
                    2 => self.run::<S, 8, 2>(simd),
                    3 => self.run::<S, 8, 3>(simd),
                    _ => self.run::<S, 6, 4>(simd),
                }
            }
        }
    };
}
by_tiles!(Multiply);
by_tiles!(AddProducts);

/// Taps of the depth and rows of a kernel.
struct Piece {
    taps: Range<usize>,
    rows: Range<usize>,
}

/// Kernels of some depth and inputs in pieces.
fn pieces(depth: usize, inputs: usize) -> impl Iterator<Item = Piece> {
    let (taps, rows) = match depth * inputs <= ROWS {
        true => (depth, inputs),
        false => (1, inputs.div_ceil(inputs.div_ceil(ROWS))),
    };
    (0..depth).step_by(taps).flat_map(move |tap| {
        (0..inputs)
            .step_by(rows)
            .map(move |row| Piece { taps: tap..tap + taps, rows: row..inputs.min(row + rows) })
    })
}

impl<E: Real> Multiply<'_, E> {
    /// Tiles of `P` positions and `Q` registers.
    #[inline(always)]
    fn run<S: Simd, const P: usize, const Q: usize>(self, simd: S) {
        let (grid, width) = (self.block.grid, self.tiling.width);
        let (inputs, pitch) = (grid.inputs, self.tiling.tiles * width);
        let [plane_in, plane_out] = [self.block.plane_in(), self.block.plane_out(pitch)];
        let panel = grid.depth * inputs * width;
        assert!(self.block.pitch.is_multiple_of(P));
        for point in 0..POINTS {
            let x = &self.x[point * plane_in..][..plane_in];
            let y = &mut self.y[point * plane_out..][..plane_out];
            for tile in 0..self.tiling.tiles {
                let panel = &self.kernels[(tile * POINTS + point) * panel..][..panel];
                for (i, piece) in pieces(grid.depth, inputs).enumerate() {
                    for z in 0..grid.to[0] {
                        // z + tap − padding is a depth of the input.
                        let first = piece.taps.start.max(grid.padding[0].saturating_sub(z));
                        let last = piece.taps.end.min(grid.from[0] + grid.padding[0] - z);
                        for column in (0..self.block.pitch).step_by(P) {
                            let row = z * self.block.pitch + column;
                            let work = Work { grid, panel, x, rows: piece.rows.clone() };
                            let from =
                                |tap| (z + tap - grid.padding[0]) * self.block.pitch + column;
                            let to = &mut y[row * pitch + tile * width..];
                            work.tile::<S, P, Q>(simd, first..last, from, (to, pitch), i > 0);
                        }
                    }
                }
            }
        }
    }
}

/// What the tiles of a piece have in common.
struct Work<'a, E> {
    grid: &'a Grid,
    panel: &'a [E],
    x: &'a [E],
    rows: Range<usize>,
}

impl<E: Real> Work<'_, E> {
    /// The sums of one tile, overwriting or added.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices, see `sweep.rs`")]
    fn tile<S: Simd, const P: usize, const Q: usize>(
        &self,
        simd: S,
        taps: Range<usize>,
        from: impl Fn(usize) -> usize,
        (to, pitch): (&mut [E], usize),
        onto: bool,
    ) {
        let width = Q * size_of::<E::Of<S>>() / size_of::<E>();
        let (inputs, row) = (self.grid.inputs, self.grid.pitch);
        let mut sums = [[E::splat(simd, E::zero()); Q]; P];
        if onto {
            for p in 0..P {
                sums[p] = load(&to[p * pitch..p * pitch + width]);
            }
        }
        for tap in taps {
            let at = from(tap) * row;
            // What the inner loop relies on.
            assert!(at + P * row <= self.x.len() && self.rows.end <= row);
            let weights = &self.panel[(tap * inputs + self.rows.start) * width..];
            let weights = &E::split::<S>(weights).0[..self.rows.len() * Q];
            for (k, weights) in weights.chunks_exact(Q).enumerate() {
                let at = at + self.rows.start + k;
                for p in 0..P {
                    // SAFETY: the rows of all P positions lie in `x`, as was checked.
                    let x = unsafe { *self.x.get_unchecked(at + p * row) };
                    let x = E::splat(simd, x);
                    for q in 0..Q {
                        sums[p][q] = E::fma(simd, x, weights[q], sums[p][q]);
                    }
                }
            }
        }
        for p in 0..P {
            store(sums[p], &mut to[p * pitch..p * pitch + width]);
        }
    }
}

impl<E: Real> AddProducts<'_, E> {
    /// Tiles of `R` inputs and `Q` registers.
    #[inline(always)]
    fn run<S: Simd, const R: usize, const Q: usize>(self, simd: S) {
        let (grid, width) = (self.block.grid, self.tiling.width);
        let (inputs, plane_in) = (grid.inputs, self.block.plane_in());
        let plane_out = self.block.plane_out(width);
        let mut at = [0; TOGETHER];
        for point in 0..POINTS {
            let x = &self.x[point * plane_in..][..plane_in];
            let slopes = &self.slopes[point * plane_out..][..plane_out];
            let sums = &mut self.sums[point * grid.depth * inputs * width..];
            for tap in 0..grid.depth {
                let sums = &mut sums[tap * inputs * width..][..inputs * width];
                // Depths z of the output for which z + tap − padding is one of the input.
                let first = grid.padding[0].saturating_sub(tap) * self.block.pitch;
                let last = grid.to[0].min(grid.from[0] + grid.padding[0] - tap) * self.block.pitch;
                let shift =
                    |row: usize| row + tap * self.block.pitch - grid.padding[0] * self.block.pitch;
                for from in (first..last).step_by(TOGETHER) {
                    let here = last.min(from + TOGETHER) - from;
                    for (i, at) in at[..here].iter_mut().enumerate() {
                        *at = shift(from + i) * grid.pitch;
                        assert!(*at + inputs <= x.len());
                    }
                    let slopes = &E::split::<S>(&slopes[from * width..]).0[..here * Q];
                    products::places::<E, S, R, Q>(simd, x, &at[..here], inputs, slopes, sums);
                }
            }
        }
    }
}
