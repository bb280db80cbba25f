//! Inputs of few channels: with the padding stored, the taps of a row and their channels lie together
//! and are one long run, where a tap alone would be a run of three.

use super::super::{Real, Scratch};
use super::panels::Strides;
use super::Convolution;

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
    for_each(c, |here, there| weights[here] = weights[here] + regrouped[there]);
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
