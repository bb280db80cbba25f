//! Kernels of side 4 at stride 2 by phases: inputs whose rows and columns are even or odd are images of
//! their own, over which the kernel is one of side 2 and stride 1.
//!
//! With k = 2a + b, y\[p\] = Σ w\[k\] x\[2p + k − pad\] is Σ over b and a of w\[2a + b\] X_b\[p + a\] for the phases
//! X_b\[q\] = x\[2q + b − pad\]. The four phases of an image are channels of one of about half the size, and its
//! convolution goes by Winograd's tiles.

use super::super::parallel::for_each_chunk;
use super::super::{Real, Scratch};
use super::{winograd, Convolution, Extra};

/// Channels below which a copy of the input costs more than it spares.
const FEW: usize = 16;
/// Outputs of a side from which few of the tiles are outside.
const LONG: usize = 6;

/// Whether a convolution goes by phases.
pub(super) fn by_phases(c: &Convolution) -> bool {
    let image = c.size[0] == 1 && c.kernel[0] == 1 && c.padding[0] == 0;
    let halving = c.kernel[1..] == [4, 4] && c.stride[1..] == [2, 2] && c.dilation[1..] == [1, 1];
    let wide = c.inputs >= FEW && c.outputs >= FEW;
    image && halving && c.groups == 1 && wide && c.output_size()[1..].iter().all(|n| *n >= LONG)
}

/// The convolution over the phases.
fn of_phases(c: &Convolution) -> Convolution {
    let [_, height, width] = c.output_size();
    Convolution::image(4 * c.inputs, c.outputs, [height + 1, width + 1], [2, 2])
}

/// [`convolve`](super::convolve).
pub(super) fn convolve<E: Real>(
    c: &Convolution,
    x: &[E],
    weights: &[E],
    y: &mut [E],
    extra: Extra<E>,
) {
    winograd::convolve(&of_phases(c), &split(c, x), &regrouped(c, weights), y, extra);
}

/// [`convolve_adjoint`](super::convolve_adjoint).
pub(super) fn adjoint<E: Real>(
    c: &Convolution,
    y: &[E],
    weights: &[E],
    x: &mut [E],
    extra: Extra<E>,
) {
    let halved = of_phases(c);
    let mut phases = Scratch::new(x.len() / c.input_len() * halved.input_len());
    let scaled = Extra { scale: extra.scale, ..Extra::none(E::one()) };
    winograd::adjoint(&halved, y, &regrouped(c, weights), &mut phases, scaled);
    let n = c.inputs;
    let plain = extra.bias.is_empty() && !extra.onto && extra.slope == E::one();
    for_each_chunk(x, c.input_len(), |sample, x| {
        let phases = &phases[sample * halved.input_len()..][..halved.input_len()];
        for (position, x) in x.chunks_exact_mut(n).enumerate() {
            match place(c, &halved, position).map(|p| &phases[p..p + n]) {
                Some(sums) if plain => x.copy_from_slice(sums),
                sums => finish(x, sums, extra),
            }
        }
    });
}

/// λ(onto + sums + bias) of the channels of a position; the sums are zero if there are none.
fn finish<E: Real>(x: &mut [E], sums: Option<&[E]>, extra: Extra<E>) {
    for (i, x) in x.iter_mut().enumerate() {
        let sum = sums.map_or(E::zero(), |sums| sums[i]);
        let bias = if extra.bias.is_empty() { E::zero() } else { extra.bias[i] };
        let v = sum + bias + if extra.onto { *x } else { E::zero() };
        *x = if v < E::zero() { v * extra.slope } else { v };
    }
}

/// [`add_weight_gradient`](super::add_weight_gradient).
pub(super) fn add_weight_gradient<E: Real>(
    c: &Convolution,
    x: &[E],
    slopes: &[E],
    scale: E,
    gradient: &mut [E],
) {
    let mut regrouped = Scratch::new(gradient.len());
    regrouped.fill(E::zero());
    winograd::add_weight_gradient(&of_phases(c), &split(c, x), slopes, scale, &mut regrouped);
    for_each_weight(c, |here, there| gradient[here] += regrouped[there]);
}

/// Where the channels of a position of the input begin in the phases, if an output reads it.
fn place(c: &Convolution, halved: &Convolution, position: usize) -> Option<usize> {
    let [_, height, width] = halved.size;
    let y = position / c.size[2] + c.padding[1];
    let x = position % c.size[2] + c.padding[2];
    let at = (y / 2 * width + x / 2) * 4 + y % 2 * 2 + x % 2;
    (y / 2 < height && x / 2 < width).then_some(at * c.inputs)
}

/// The phases of images: `[sample, position, phase, channel]`.
fn split<E: Real>(c: &Convolution, x: &[E]) -> Scratch<E> {
    let (halved, n) = (of_phases(c), c.inputs);
    let len = halved.input_len();
    let mut phases = Scratch::new(x.len() / c.input_len() * len);
    for_each_chunk(&mut phases, len, |sample, phases| {
        phases.fill(E::zero());
        let x = &x[sample * c.input_len()..][..c.input_len()];
        for (position, x) in x.chunks_exact(n).enumerate() {
            if let Some(place) = place(c, &halved, position) {
                phases[place..place + n].copy_from_slice(x);
            }
        }
    });
    phases
}

/// Weights of the phases: `[output, phase, input, tap]`.
fn regrouped<E: Real>(c: &Convolution, weights: &[E]) -> Scratch<E> {
    let mut out = Scratch::new(weights.len());
    for_each_weight(c, |here, there| out[there] = weights[here]);
    out
}

fn for_each_weight(c: &Convolution, mut each: impl FnMut(usize, usize)) {
    for o in 0..c.outputs {
        for i in 0..c.inputs {
            for k in 0..16 {
                let ([y, x], here) = ([k / 4, k % 4], (o * c.inputs + i) * 16 + k);
                let (phase, tap) = (y % 2 * 2 + x % 2, y / 2 * 2 + x / 2);
                each(here, ((o * 4 + phase) * c.inputs + i) * 4 + tap);
            }
        }
    }
}
