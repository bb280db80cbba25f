//! Kernels of side 3 with less than half of the multiplications (Winograd's F(2×2, 3×3), arXiv:1509.09308).
//!
//! A tile of 2 × 2 outputs is a sum over the 4 × 4 inputs d that it reads: Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A.
//! The products ∘ are 16 instead of 36; over many tiles and channels they are 16 products of matrices,
//! one for each point of the 4 × 4. The gradient in the weights is Gᵀ [(A Ȳ Aᵀ) ∘ (Bᵀ d B)] G, and that in the
//! input a convolution with the reversed kernel. B, A and G hold 0, ±1 and ½ only, so results are as
//! exact as sums over taps, up to a small factor.
//!
//! The taps of depth stay as they are: they are summed within the products of matrices.

mod grid;
mod kernels;
mod multiply;
mod transform;

use pulp::Arch;

use super::super::dense::add;
use super::super::parallel::for_each_chunk;
use super::super::{Aligned, Real};
use super::panels::{Panels, Strides, Tiling};
use super::{kernel, Convolution, Extra, PARTS};
use grid::{Block, Grid};
use multiply::{positions, AddProducts, Multiply};
use rayon::current_num_threads as threads;
use transform::{Gather, Scatter, Slopes};

/// Points of a transformed tile.
const POINTS: usize = 16;

/// Channels below which transforming costs more than it spares.
const FEW: usize = 16;

/// Whether a convolution goes this way. That does not depend on the number of samples.
pub(super) fn by_tiles(c: &Convolution) -> bool {
    let flat = [1, 2].iter().all(|&a| c.kernel[a] == 3 && c.padding[a] <= 2);
    let plain = c.groups == 1 && c.stride == [1; 3] && c.dilation == [1; 3];
    let grid = Grid::of(c);
    // The kernels are transformed once for all tiles.
    let many = grid.columns() * c.output_size()[0] >= 16 || c.inputs * c.outputs <= 128 * 128;
    let wide = c.inputs >= FEW && c.outputs >= FEW;
    flat && plain && wide && many && c.padding[0] < c.kernel[0]
}

/// [`convolve`](super::convolve).
pub(super) fn convolve<E: Real>(
    c: &Convolution,
    x: &[E],
    weights: &[E],
    y: &mut [E],
    extra: Extra<E>,
) {
    let strides = Strides { output: c.inputs * kernel(c), run: kernel(c) };
    let panels = Panels::pack(weights, (c.outputs, kernel(c), c.inputs), strides, extra.scale);
    apply(&Grid::of(c), x, &kernels::spread(&panels, false), y, extra);
}

/// [`convolve_adjoint`](super::convolve_adjoint).
pub(super) fn adjoint<E: Real>(
    c: &Convolution,
    y: &[E],
    weights: &[E],
    x: &mut [E],
    extra: Extra<E>,
) {
    let strides = Strides { output: kernel(c), run: c.inputs * kernel(c) };
    let panels = Panels::pack(weights, (c.inputs, kernel(c), c.outputs), strides, extra.scale);
    apply(&Grid::adjoint(c), y, &kernels::spread(&panels, true), x, extra);
}

/// The convolution of a grid with transformed kernels `[tile, point, depth, input, output]`.
fn apply<E: Real>(grid: &Grid, x: &[E], kernels: &[E], y: &mut [E], extra: Extra<E>) {
    let tiling = Tiling::of::<E>(grid.outputs);
    let (columns, (len, strip)) = (grid.block::<E>(&tiling), grid.strip());
    let strips = columns.div_ceil(strip).min((y.len() / len).div_ceil(threads())).max(1);
    for_each_chunk(y, strips * len, |i, y| {
        let (first, all) = (i * strips * strip, y.len() / len * strip);
        let size = Block { grid, first: 0, count: 0, pitch: columns }.rows();
        let mut inner = Aligned::new(POINTS * size[0] * grid.inputs);
        let mut outer = Aligned::new(POINTS * size[1] * tiling.tiles * tiling.width);
        for from in (0..all).step_by(columns) {
            let count = columns.min(all - from);
            let pitch = count.next_multiple_of(positions::<E>(&tiling));
            let block = Block { grid, first: first + from, count, pitch };
            let [rows_in, rows_out] = block.rows();
            let inner = &mut inner[..POINTS * rows_in * grid.inputs];
            let outer = &mut outer[..POINTS * rows_out * tiling.tiles * tiling.width];
            let arch = Arch::new();
            arch.dispatch(Scatter { block, x, to: inner });
            arch.dispatch(Multiply { block, tiling, x: inner, kernels, y: outer });
            let (origin, bias, onto) = (i * strips * len, extra.bias, extra.onto);
            let slope = (extra.slope != E::one()).then_some(extra.slope);
            arch.dispatch(Gather { block, tiling, from: outer, y, origin, bias, onto, slope });
        }
    });
}

/// [`add_weight_gradient`](super::add_weight_gradient). The columns are cut into parts that depend on the
/// sizes alone, which are added in order.
pub(super) fn add_weight_gradient<E: Real>(
    c: &Convolution,
    x: &[E],
    slopes: &[E],
    scale: E,
    gradient: &mut [E],
) {
    let (grid, tiling) = (&Grid::of(c), Tiling::of::<E>(c.outputs));
    let all = slopes.len() / c.output_len() * grid.columns();
    let columns = grid.block::<E>(&tiling);
    let blocks = all.div_ceil(columns);
    let part = blocks.div_ceil(PARTS.div_ceil(tiling.tiles)).max(1);
    let parts = blocks.div_ceil(part).max(1);
    let len = POINTS * grid.depth * c.inputs * tiling.width;
    let mut sums = Aligned::new(parts * tiling.tiles * len);
    for_each_chunk(&mut sums, len, |i, sums| {
        sums.fill(E::zero());
        let (tile, first) = (i % tiling.tiles, i / tiling.tiles * part);
        let size = Block { grid, first: 0, count: 0, pitch: columns }.rows();
        let mut inner = Aligned::new(POINTS * size[0] * grid.inputs);
        let mut outer = Aligned::new(POINTS * size[1] * tiling.width);
        for first in (first..blocks.min(first + part)).map(|block| block * columns) {
            let block = Block { grid, first, count: columns.min(all - first), pitch: columns };
            let (channels, width) = (tiling.outputs(tile, c.outputs), tiling.width);
            let arch = Arch::new();
            arch.dispatch(Scatter { block, x, to: &mut inner });
            arch.dispatch(Slopes { block, slopes, channels, width, to: &mut outer });
            arch.dispatch(AddProducts { block, tiling, x: &inner, slopes: &outer, sums });
        }
    });
    let (head, others) = sums.split_at_mut(tiling.tiles * len);
    for part in others.chunks_exact(tiling.tiles * len) {
        add::<E>(head, part);
    }
    let panels = kernels::collect(head, Panels::new(c.outputs, kernel(c), c.inputs));
    let strides = Strides { output: c.inputs * kernel(c), run: kernel(c) };
    panels.add_to(gradient, c.outputs, strides, scale);
}
