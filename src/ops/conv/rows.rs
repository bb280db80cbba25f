//! Inputs of few channels: with the padding stored, the taps of a row and their channels lie together
//! and are one long run, where a tap alone would be a run of three.

use super::super::parallel::for_each_chunk;
use super::super::{Real, Scratch};
use super::panels::Strides;
use super::{Convolution, Extra};

/// Channels below which rows are worth a copy of the input.
const FEW: usize = 8;

/// Whether a convolution goes by rows.
pub(super) fn by_rows(c: &Convolution) -> bool {
    c.groups == 1 && c.dilation[2] == 1 && c.inputs <= FEW && c.kernel[2] > 1
}

/// The size of an input with its padding.
pub(super) fn padded_size(c: &Convolution) -> [usize; 3] {
    std::array::from_fn(|a| c.size[a] + 2 * c.padding[a])
}

/// Inputs with their padding.
pub(super) fn padded<E: Real>(c: &Convolution, x: &[E]) -> Scratch<E> {
    let size = padded_size(c);
    let (width, padded_width) = (c.size[2] * c.inputs, size[2] * c.inputs);
    let samples = x.len() / c.input_len();
    let mut out = Scratch::new(samples * size.iter().product::<usize>() * c.inputs);
    out.fill(E::zero());
    for (row, from) in x.chunks_exact(width).enumerate() {
        let (sample, z, y) =
            (row / (c.size[0] * c.size[1]), row / c.size[1] % c.size[0], row % c.size[1]);
        let to = ((sample * size[0] + z + c.padding[0]) * size[1] + y + c.padding[1])
            * padded_width
            + c.padding[2] * c.inputs;
        out[to..to + width].copy_from_slice(from);
    }
    out
}

/// Weights as `[output, place of a row, row]`, in the layout that [`strides`] describes.
pub(super) fn regrouped<E: Real>(c: &Convolution, weights: &[E]) -> Scratch<E> {
    let mut out = Scratch::new(weights.len());
    for_each(c, |here, there| out[there] = weights[here]);
    out
}

/// The reverse of [`regrouped`], added.
pub(super) fn add_regrouped<E: Real>(c: &Convolution, regrouped: &[E], weights: &mut [E]) {
    for_each(c, |here, there| weights[here] += regrouped[there]);
}

/// Number of rows of taps, and places of a row.
pub(super) fn taps_and_run(c: &Convolution) -> (usize, usize) {
    (c.kernel[0] * c.kernel[1], c.kernel[2] * c.inputs)
}

/// Where regrouped weights lie.
pub(super) fn strides(c: &Convolution) -> Strides {
    let (taps, run) = taps_and_run(c);
    Strides { output: taps * run, run: taps }
}

/// The adjoint where the input has few channels: the products of each output position with all taps and
/// channels, which fill registers as the channels alone would not, are added to the rows they belong to.
pub(super) fn adjoint<E: Real>(
    c: &Convolution,
    y: &[E],
    weights: &[E],
    x: &mut [E],
    extra: Extra<E>,
) {
    let ((taps, run), positions) = (taps_and_run(c), c.output_len() / c.outputs);
    // `[row and place, output]`.
    let (own, mut flipped) = (regrouped(c, weights), Scratch::new(weights.len()));
    for o in 0..c.outputs {
        for r in 0..run {
            for t in 0..taps {
                flipped[(t * run + r) * c.outputs + o] = own[(o * run + r) * taps + t];
            }
        }
    }
    let products = Convolution::image(c.outputs, taps * run, [1, positions], [1, 1]);
    let mut patches = Scratch::new(y.len() / c.outputs * taps * run);
    let scaled = Extra { scale: extra.scale, ..Extra::none(E::one()) };
    super::convolve(&products, y, &flipped, &mut patches, scaled);
    let (table, size) = (super::table(super::Way::Rows, c), padded_size(c));
    for_each_chunk(x, c.input_len(), |sample, x| {
        let mut padded = Scratch::new(size.iter().product::<usize>() * c.inputs);
        padded.fill(E::zero());
        let patches = &patches[sample * positions * taps * run..][..positions * taps * run];
        for (column, position) in table.order.iter().enumerate() {
            let patch = &patches[*position as usize * taps * run..][..taps * run];
            for (t, patch) in patch.chunks_exact(run).enumerate() {
                let to = &mut padded[table.row(t)[column] as usize * c.inputs..][..run];
                to.iter_mut().zip(patch).for_each(|(to, p)| *to += *p);
            }
        }
        crop(c, &padded, x, extra);
    });
}

/// The inside of a padded sample, finished as `extra` says.
fn crop<E: Real>(c: &Convolution, padded: &[E], x: &mut [E], extra: Extra<E>) {
    let (size, width) = (padded_size(c), c.size[2] * c.inputs);
    for (row, x) in x.chunks_exact_mut(width).enumerate() {
        let (z, y) = (row / c.size[1] + c.padding[0], row % c.size[1] + c.padding[1]);
        let from = ((z * size[1] + y) * size[2] + c.padding[2]) * c.inputs;
        for (i, (x, sum)) in x.iter_mut().zip(&padded[from..from + width]).enumerate() {
            let bias = if extra.bias.is_empty() { E::zero() } else { extra.bias[i % c.inputs] };
            let v = *sum + bias + if extra.onto { *x } else { E::zero() };
            *x = if v < E::zero() { v * extra.slope } else { v };
        }
    }
}

fn for_each(c: &Convolution, mut each: impl FnMut(usize, usize)) {
    let ((taps, run), width) = (taps_and_run(c), c.kernel[2]);
    for o in 0..c.outputs {
        for i in 0..c.inputs {
            for t in 0..taps {
                for k in 0..width {
                    let here = ((o * c.inputs + i) * taps + t) * width + k;
                    each(here, (o * run + k * c.inputs + i) * taps + t);
                }
            }
        }
    }
}
