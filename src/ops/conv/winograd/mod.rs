//! Kernels of sides 3 and 2 with less than half of the multiplications (Winograd's F(2×2, 3×3) and F(3×3, 2×2),
//! arXiv:1509.09308).
//!
//! A tile of 2 × 2 outputs is a sum over the 4 × 4 inputs d that it reads: Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A.
//! The products ∘ are 16 instead of 36; over many tiles and channels they are 16 products of matrices,
//! one for each point of the 4 × 4. The gradient in the weights is Gᵀ [(A Ȳ Aᵀ) ∘ (Bᵀ d B)] G, and that in the
//! input a convolution with the reversed kernel. B, A and G hold 0, ±1 and ½ only, so results are as
//! exact as sums over taps, up to a small factor.
//!
//! A tile of 3 × 3 outputs of a kernel of side 2 is a sum over 4 × 4 inputs as well, with the same B: 16 products
//! again instead of 36.
//!
//! The taps of depth stay as they are: they are summed within the products of matrices.

/// Work of which the number of a side, 2 or 3, becomes a constant.
macro_rules! by_side {
    ($of:ident, $($side:ident).+) => {
        impl<E: Real> WithSimd for $of<'_, E> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                match self.$($side).+ {
                    2 => self.run::<S, 2>(simd),
                    _ => self.run::<S, 3>(simd),
                }
            }
        }
    };
}

mod grid;
mod kernels;
mod multiply;
mod transform;

use super::super::dense::add;
use super::super::parallel::for_each_chunk;
use super::super::{Aligned, Real};
use super::panels::{Panels, Strides, Tiling};
use super::{arch, kernel, Convolution, Extra, PARTS};
use grid::{Block, Grid};
use multiply::{positions, AddProducts, Multiply};
use rayon::current_num_threads as threads;
use transform::{Gather, Scatter, Slopes};

/// Points of a transformed tile.
const POINTS: usize = 16;

/// Numbers at most that the parts of a gradient in kernels have, if there is more than one.
const ROOM: usize = 1 << 21;

/// Channels below which transforming costs more than it spares.
const FEW: usize = 16;

/// Whether a convolution goes this way. That does not depend on the number of samples.
pub(super) fn by_tiles(c: &Convolution) -> bool {
    let flat = c.kernel[1] == c.kernel[2] && matches!(c.kernel[1], 2 | 3);
    let plain = c.groups == 1 && c.stride == [1; 3] && c.dilation == [1; 3];
    let overlap = (0..3).all(|a| c.padding[a] < c.kernel[a]);
    if !(flat && plain && overlap) {
        return false;
    }
    let grid = Grid::of(c);
    // The kernels are transformed once for all tiles.
    let many = grid.columns() * c.output_size()[0] >= 16 || c.inputs * c.outputs <= 128 * 128;
    let wide = c.inputs >= FEW && c.outputs >= FEW;
    wide && many
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
    apply(&Grid::of(c), x, &kernels::spread(&panels, c.kernel[1], false), y, extra);
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
    apply(&Grid::adjoint(c), y, &kernels::spread(&panels, c.kernel[1], true), x, extra);
}

/// The convolution of a grid with transformed kernels `[tile, point, depth, input, output]`, volumes in bands
/// of depths if there are fewer of them than threads.
fn apply<E: Real>(grid: &Grid, x: &[E], kernels: &[E], y: &mut [E], extra: Extra<E>) {
    let ([len_in, len_out], depths) = (grid.lens(), grid.to[0]);
    let bands = threads().div_ceil((y.len() / len_out).max(1)).min(depths);
    if bands == 1 {
        return by_strips(grid, x, kernels, y, extra);
    }
    let band = depths.div_ceil(bands);
    for (x, y) in x.chunks_exact(len_in).zip(y.chunks_exact_mut(len_out)) {
        for_each_chunk(y, band * (len_out / depths), |i, y| {
            let (grid, from) = grid.band(i * band..depths.min((i + 1) * band));
            by_strips(&grid, &x[from..], kernels, y, extra);
        });
    }
}

/// The same in strips of outputs.
fn by_strips<E: Real>(grid: &Grid, x: &[E], kernels: &[E], y: &mut [E], extra: Extra<E>) {
    let tiling = Tiling::of::<E>(grid.outputs);
    let (len, strip) = grid.strip(y.len() / grid.lens()[1]);
    let (columns, all_strips) = (grid.block::<E>(&tiling), y.len().div_ceil(len));
    let strips = columns.div_ceil(strip).min(all_strips.div_ceil(threads())).max(1);
    for_each_chunk(y, strips * len, |i, y| {
        let (first, all) = (i * strips * strip, y.len().div_ceil(len) * strip);
        let (most, width) = (Block { grid, first: 0, count: 0, pitch: columns }, tiling.width);
        let mut inner = Aligned::new(POINTS * most.plane_in());
        let mut outer = Aligned::new(POINTS * most.plane_out(tiling.tiles * width));
        for from in (0..all).step_by(columns) {
            let count = columns.min(all - from);
            let pitch = count.next_multiple_of(positions::<E>(&tiling));
            let block = Block { grid, first: first + from, count, pitch };
            let inner = &mut inner[..POINTS * block.plane_in()];
            let outer = &mut outer[..POINTS * block.plane_out(tiling.tiles * width)];
            let arch = arch();
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
    let (columns, width) = (grid.block::<E>(&tiling), tiling.width);
    let blocks = all.div_ceil(columns);
    let len = POINTS * grid.depth * c.inputs * width;
    let [parts, groups] = parts_and_groups(tiling.tiles * len, x.len() + slopes.len(), &tiling);
    let part = blocks.div_ceil(parts).max(1);
    let (parts, together) = (blocks.div_ceil(part).max(1), tiling.tiles / groups);
    let mut sums = Aligned::new(parts * tiling.tiles * len);
    for_each_chunk(&mut sums, together * len, |i, sums| {
        sums.fill(E::zero());
        let (group, first) = (i % groups, i / groups * part);
        let most = Block { grid, first: 0, count: 0, pitch: columns };
        let mut inner = Aligned::new(POINTS * most.plane_in());
        let mut outer = Aligned::new(POINTS * most.plane_out(width));
        for first in (first..blocks.min(first + part)).map(|block| block * columns) {
            let block = Block { grid, first, count: columns.min(all - first), pitch: columns };
            let arch = arch();
            arch.dispatch(Scatter { block, x, to: &mut inner });
            for (tile, sums) in (group * together..).zip(sums.chunks_exact_mut(len)) {
                let channels = tiling.outputs(tile, c.outputs);
                arch.dispatch(Slopes { block, slopes, channels, width, to: &mut outer });
                arch.dispatch(AddProducts { block, tiling, x: &inner, slopes: &outer, sums });
            }
        }
    });
    let (head, others) = sums.split_at_mut(tiling.tiles * len);
    for part in others.chunks_exact(tiling.tiles * len) {
        add::<E>(head, part);
    }
    let panels = Panels::new(c.outputs, kernel(c), c.inputs);
    let panels = kernels::collect(head, panels, c.kernel[1]);
    let strides = Strides { output: c.inputs * kernel(c), run: kernel(c) };
    panels.add_to(gradient, c.outputs, strides, scale);
}

/// Into how many parts the columns are cut, and into how many groups the tiles of outputs: each group
/// transforms the inputs anew, and each part has sums of its own, of `len` numbers. They take no more room than
/// the images, of `images` numbers.
fn parts_and_groups(len: usize, images: usize, tiling: &Tiling) -> [usize; 2] {
    let parts = (images.min(ROOM) / len).clamp(1, PARTS);
    let groups = PARTS.div_ceil(parts).min(tiling.tiles);
    let divides = |groups: &usize| tiling.tiles.is_multiple_of(*groups);
    [parts, (groups..tiling.tiles).find(divides).unwrap_or(tiling.tiles)]
}
