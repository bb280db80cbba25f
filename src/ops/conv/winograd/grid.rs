//! The tiles of a convolution, and which of them are worked on together.

use super::super::panels::Tiling;
use super::super::Convolution;
use super::multiply::positions;
use crate::ops::Real;

/// Tiles that are worked on together: at least so many that kernels are not read too often, and at most
/// as many as go with the transformed numbers of that many channels into the second-level cache.
const LEAST: usize = 48;
const MOST: usize = 96;
const FIT: usize = 8192;
/// Numbers by which rows and planes are apart that would else be a power of two apart and fall into the same
/// sets of the first-level cache: a cache line.
const APART: usize = 16;
/// Numbers of rows from which so few of them fill a set that it matters.
const LONG: usize = 128;

/// A convolution of stride 1, cut into tiles of outputs that are sums over 4 × 4 inputs.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Numbers from the transformed inputs of a position to those of the next.
    pub(super) pitch: usize,
    /// Depth, height and width of the input.
    pub(super) from: [usize; 3],
    /// Of the output.
    pub(super) to: [usize; 3],
    pub(super) padding: [usize; 3],
    /// Of the kernel.
    pub(super) depth: usize,
    /// Outputs of a side of a tile: 2 for kernels of side 3, 3 for those of side 2.
    pub(super) side: usize,
    /// Rows and columns of tiles.
    tiles: [usize; 2],
}

impl Grid {
    pub(super) fn of(c: &Convolution) -> Self {
        let (to, side) = (c.output_size(), 5 - c.kernel[1]);
        let tiles = [to[1].div_ceil(side), to[2].div_ceil(side)];
        let (from, padding, depth) = (c.size, c.padding, c.kernel[0]);
        let (inputs, outputs) = (c.inputs, c.outputs);
        let pitch = inputs + if inputs.is_multiple_of(LONG) { APART } else { 0 };
        Self { inputs, outputs, pitch, from, to, padding, depth, side, tiles }
    }

    /// Of the adjoint, a convolution with the reversed kernel.
    pub(super) fn adjoint(c: &Convolution) -> Self {
        let padding = std::array::from_fn(|a| c.kernel[a] - 1 - c.padding[a]);
        let (inputs, outputs, size) = (c.outputs, c.inputs, c.output_size());
        Self::of(&Convolution { inputs, outputs, size, padding, ..*c })
    }

    /// Numbers of an input and an output.
    pub(super) fn lens(&self) -> [usize; 2] {
        let positions = |size: [usize; 3]| size.iter().product::<usize>();
        [positions(self.from) * self.inputs, positions(self.to) * self.outputs]
    }

    /// The part that gives some depths of the output, and where what it reads of the input begins.
    pub(super) fn band(&self, depths: std::ops::Range<usize>) -> (Self, usize) {
        let ([depth, height, width], padding) = (self.from, self.padding[0]);
        let first = depths.start.saturating_sub(padding).min(depth);
        let last = (depths.end + self.depth - 1).saturating_sub(padding).clamp(first, depth);
        let mut band = *self;
        band.to[0] = depths.len();
        band.from[0] = last - first;
        band.padding[0] = padding + first - depths.start;
        (band, first * height * width * self.inputs)
    }

    /// Columns of a sample: tiles of all depths.
    pub(super) fn columns(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Columns of a block.
    pub(super) fn block<E: Real>(&self, tiling: &Tiling) -> usize {
        let tiles = (FIT / (self.inputs + self.outputs)).clamp(LEAST, MOST);
        tiles.div_ceil(self.to[0]).next_multiple_of(positions::<E>(tiling))
    }

    /// Outputs that lie together: a row of tiles, or a sample. Their number, and that of their columns.
    pub(super) fn strip(&self, samples: usize) -> (usize, usize) {
        let row = self.to[2] * self.outputs;
        // The last row may be cut off, but not in the midst of images.
        if self.to[0] == 1 && (samples == 1 || self.to[1].is_multiple_of(self.side)) {
            (self.side * row, self.tiles[1])
        } else {
            (self.to[0] * self.to[1] * row, self.columns())
        }
    }
}

/// Neighbouring columns.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) grid: &'a Grid,
    /// Number of the first, counted over all samples.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Columns that a buffer has room for; those past the last hold zeros.
    pub(super) pitch: usize,
}

impl Block<'_> {
    /// Sample, row and column of the first output of a column.
    #[inline(always)]
    pub(super) fn place(&self, column: usize) -> [usize; 3] {
        let [rows, columns] = self.grid.tiles;
        let (at, side) = (self.first + column, self.grid.side);
        [at / (rows * columns), at / columns % rows * side, at % columns * side]
    }

    /// Rows of the transformed inputs, and of the outputs.
    pub(super) fn rows(&self) -> [usize; 2] {
        [self.pitch * self.grid.from[0], self.pitch * self.grid.to[0]]
    }

    /// Numbers from a point of the transformed inputs to the next.
    pub(super) fn plane_in(&self) -> usize {
        self.rows()[0] * self.grid.pitch + APART
    }

    /// Of the transformed outputs, with rows of `width` numbers.
    pub(super) fn plane_out(&self, width: usize) -> usize {
        self.rows()[1] * width + APART
    }
}
