//! Convolutions of few inputs, channel by channel as images lie outside of a network: `[sample, channel,
//! position]`.
//!
//! Registers hold neighbouring positions of a row, and the numbers of a tap are at a fixed distance from
//! them, for which the planes of a sample are copied into frames of zeros ([`frame`](self::frame)). The
//! outputs of a sample, or its gradients, pass through the caches once.

mod backward;
mod frame;
mod multiply;
mod weights;

use pulp::{Simd, WithSimd};
use rayon::current_num_threads as threads;

use super::super::parallel::for_each_chunk;
use super::super::{Aligned, Real, Scratch};
use super::panels::lanes;
use super::{arch, kernel, Convolution, Extra};
pub(crate) use backward::{gradients, Wanted};
use frame::{registers, Frame};
use multiply::Multiply;

/// Most taps, of all inputs.
const TAPS: usize = 48;
/// Least width of an output: below, registers would be half empty.
const WIDE: usize = 8;

/// Whether a convolution of images that lie channel by channel goes this way.
pub(crate) fn by_planes(c: &Convolution) -> bool {
    let few = c.groups == 1 && c.inputs * kernel(c) <= TAPS && c.output_size()[2] >= WIDE;
    let overlap = (0..3).all(|a| c.padding[a] <= c.dilation[a] * (c.kernel[a] - 1));
    few && overlap && c.stride == [1; 3]
}

/// [`convolve`](super::convolve) of images that lie channel by channel.
pub(crate) fn convolve<E: Real>(
    c: &Convolution,
    x: &[E],
    weights: &[E],
    y: &mut [E],
    extra: Extra<E>,
) {
    let (frame, size, taps) = (Frame::of(c, lanes::<E>()), c.output_size(), c.inputs * kernel(c));
    let (places, positions) =
        (frame.places(size, [0; 3], lanes::<E>()), c.output_len() / c.outputs);
    let registers: Vec<_> = registers(size, lanes::<E>()).collect();
    let mut scaled = Scratch::copy_of(weights);
    scaled.iter_mut().for_each(|w| *w *= extra.scale);
    // Some outputs of a sample, if there are fewer samples than threads.
    let parts = threads().div_ceil((y.len() / c.output_len()).max(1));
    let divides = |outputs: &usize| c.outputs.is_multiple_of(*outputs);
    let outputs = (c.outputs.div_ceil(parts)..c.outputs).find(divides).unwrap_or(c.outputs);
    for_each_chunk(y, outputs * positions, |i, y| {
        let (sample, first) = (i * outputs / c.outputs, i * outputs % c.outputs);
        let mut framed = Aligned::new(frame.plane * c.inputs);
        framed.fill(E::zero());
        frame.fill(&x[sample * c.input_len()..][..c.input_len()], &mut framed);
        let multiply = Multiply {
            x: &framed,
            taps: &frame.taps(c, c.inputs),
            places: &places,
            registers: &registers,
            weights: &scaled[first * taps..(first + outputs) * taps],
            bias: extra.bias.get(first..first + outputs).unwrap_or(&[]),
            onto: extra.onto,
            slope: (extra.slope != E::one()).then_some(extra.slope),
        };
        arch().dispatch(Forward { multiply, y });
    });
}

struct Forward<'a, E> {
    multiply: Multiply<'a, E>,
    y: &'a mut [E],
}

impl<E: Real> WithSimd for Forward<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.multiply.run(simd, self.y);
    }
}

#[cfg(test)]
mod tests;
