//! The gradients of a convolution of few inputs, all of them in one pass over those of its outputs.

use pulp::{Simd, WithSimd};

use super::super::super::dense::add;
use super::super::super::parallel::for_each_chunk;
use super::super::super::{Aligned, Real, Scratch};
use super::super::panels::lanes;
use super::super::{arch, kernel, Convolution, PARTS};
use super::frame::{registers, Frame, Register};
use super::multiply::Multiply;
use super::weights::Products;

/// Outputs whose gradients are worked on together: those of a few rows stay in the first-level cache.
const GROUP: usize = 8;

/// Which gradients are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    /// Those of the weights and the bias.
    pub(crate) parameters: bool,
    /// That of the input.
    pub(crate) input: bool,
}

/// What is the same for all samples.
struct Plan {
    wanted: Wanted,
    inputs: usize,
    /// Taps of an input.
    kernel: usize,
    /// Numbers of an input and an output of a sample.
    lens: [usize; 2],
    /// Of the inputs; with the taps of all of them, and where registers of output positions begin.
    frame: Frame,
    taps: Vec<usize>,
    places: Vec<usize>,
    /// Of the gradients of [`GROUP`] outputs, with the taps of the adjoint, and where registers of output and
    /// of input positions begin.
    adjoint: Frame,
    adjoint_taps: Vec<usize>,
    slope_places: Vec<usize>,
    input_places: Vec<usize>,
    registers: Vec<Register>,
}

impl Plan {
    fn new(c: &Convolution, wanted: Wanted, lanes: usize) -> Self {
        let to = c.output_size();
        // The adjoint is the convolution with the reversed kernel.
        let padding = std::array::from_fn(|a| c.dilation[a] * (c.kernel[a] - 1) - c.padding[a]);
        let (frame, reversed) = (Frame::of(c, lanes), Convolution { size: to, padding, ..*c });
        let adjoint = Frame::of(&reversed, lanes);
        Self {
            wanted,
            inputs: c.inputs,
            kernel: kernel(c),
            lens: [c.input_len(), c.output_len() / c.outputs],
            taps: frame.taps(c, c.inputs),
            places: frame.places(to, [0; 3], lanes),
            adjoint_taps: adjoint.taps(c, GROUP),
            slope_places: adjoint.places(to, padding, lanes),
            input_places: adjoint.places(c.size, [0; 3], lanes),
            registers: registers(c.size, lanes).collect(),
            frame,
            adjoint,
        }
    }

    /// The weights of each group of outputs: `[group, input, output, reversed tap]`.
    fn reversed<E: Real>(&self, weights: &[E], scale: E) -> Scratch<E> {
        let (mut out, row) = (Scratch::new(weights.len()), self.inputs * self.kernel);
        for (group, to) in weights.chunks(GROUP * row).zip(out.chunks_mut(GROUP * row)) {
            let outputs = group.len() / row;
            for (o, weights) in group.chunks_exact(row).enumerate() {
                for (i, weights) in weights.chunks_exact(self.kernel).enumerate() {
                    let to = &mut to[(i * outputs + o) * self.kernel..][..self.kernel];
                    to.iter_mut().zip(weights.iter().rev()).for_each(|(to, w)| *to = *w * scale);
                }
            }
        }
        out
    }
}

/// The gradients of Σ slopes ∘ (scale · (w ∗ x + b)) in weights, bias and input, empty where they are not
/// wanted. The batch is cut into parts that depend on the sizes alone, and if it has few samples the
/// outputs are, too; what parts share is added in order.
pub(crate) fn gradients<E: Real>(
    c: &Convolution,
    x: &[E],
    slopes: &[E],
    (weights, scale): (&[E], E),
    wanted: Wanted,
) -> [Scratch<E>; 3] {
    let (lanes, samples) = (lanes::<E>(), slopes.len() / c.output_len());
    let plan = Plan::new(c, wanted, lanes);
    let reversed = plan.reversed(weights, scale);
    let (row, pitch) = (c.inputs * kernel(c), (c.inputs * kernel(c) + 1) * lanes);
    let part = samples.div_ceil(PARTS).max(1);
    let spans = PARTS.div_ceil(samples.div_ceil(part).max(1));
    let span = c.outputs.div_ceil(spans).next_multiple_of(GROUP);
    let spans = c.outputs.div_ceil(span);
    // Of each part the sums of its weights, and its share of the gradients of the input.
    let [own, shared] = [span * pitch, part * c.input_len()];
    let mut all = Aligned::new(samples.div_ceil(part) * spans * (own + shared));
    for_each_chunk(&mut all, own + shared, |i, all| {
        let (first, outputs) = (i / spans * part, i % spans * span);
        let last = (first + part).min(samples);
        let outputs = outputs..c.outputs.min(outputs + span);
        let (sums, gradient) = all.split_at_mut(own);
        let of = |v: &'_ [E], len: usize| v.len().min(first * len)..v.len().min(last * len);
        let work = Backward {
            plan: &plan,
            x: &x[of(x, c.input_len())],
            slopes: &slopes[of(slopes, c.output_len())],
            outputs: outputs.clone(),
            all_outputs: c.outputs,
            weights: &reversed[outputs.start * row..outputs.end * row],
            sums: &mut sums[..outputs.len() * pitch],
            gradient: &mut gradient[..(last - first) * c.input_len()],
        };
        arch().dispatch(work);
    });
    let many = |n: usize, wanted: bool| {
        let mut out = Scratch::new(if wanted { n } else { 0 });
        out.fill(E::zero());
        out
    };
    let (mut w, mut b) =
        (many(weights.len(), wanted.parameters), many(c.outputs, wanted.parameters));
    let mut input = many(samples * c.input_len(), wanted.input);
    for (i, all) in all.chunks_exact(own + shared).enumerate() {
        let (first, outputs) = (i / spans * part, i % spans * span);
        if wanted.parameters {
            let parameters = w[outputs * row..].chunks_exact_mut(row).zip(&mut b[outputs..]);
            for ((w, b), sums) in parameters.zip(all[..own].chunks_exact(pitch)) {
                let to = w.iter_mut().chain(std::iter::once(b)).zip(sums.chunks_exact(lanes));
                to.for_each(|(to, sums)| *to += scale * sums.iter().fold(E::zero(), |a, b| a + *b));
            }
        }
        if wanted.input {
            let here = &mut input[first * c.input_len()..];
            let len = shared.min(here.len());
            add::<E>(&mut here[..len], &all[own..own + len]);
        }
    }
    [w, b, input]
}

/// The share of some samples and outputs.
struct Backward<'a, E> {
    plan: &'a Plan,
    x: &'a [E],
    slopes: &'a [E],
    outputs: std::ops::Range<usize>,
    all_outputs: usize,
    /// As [`Plan::reversed`] has them.
    weights: &'a [E],
    /// `[output, tap and bias, lanes]`.
    sums: &'a mut [E],
    /// Of the inputs.
    gradient: &'a mut [E],
}

impl<E: Real> WithSimd for Backward<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (plan, [len, plane]) = (self.plan, self.plan.lens);
        let row = plan.inputs * plan.kernel;
        let mut framed = Aligned::new(plan.inputs * plan.frame.plane);
        let mut slopes = Aligned::new(GROUP * plan.adjoint.plane);
        framed.fill(E::zero());
        slopes.fill(E::zero());
        self.sums.fill(E::zero());
        for (sample, gradient) in self.gradient.chunks_exact_mut(len).enumerate() {
            if plan.wanted.parameters {
                plan.frame.fill(&self.x[sample * len..][..len], &mut framed);
            }
            for first in self.outputs.clone().step_by(GROUP) {
                let some = GROUP.min(self.outputs.end - first);
                let from = (sample * self.all_outputs + first) * plane;
                plan.adjoint.fill(&self.slopes[from..from + some * plane], &mut slopes);
                let group = first - self.outputs.start;
                if plan.wanted.parameters {
                    let products = Products {
                        x: &framed,
                        taps: &plan.taps,
                        places: &plan.places,
                        slopes: &slopes[..some * plan.adjoint.plane],
                        slope_places: &plan.slope_places,
                        plane: plan.adjoint.plane,
                    };
                    let sums = self.sums.len() / self.outputs.len();
                    products.add_to(simd, &mut self.sums[group * sums..(group + some) * sums]);
                }
                if plan.wanted.input {
                    let multiply = Multiply {
                        x: &slopes[..some * plan.adjoint.plane],
                        taps: &plan.adjoint_taps[..some * plan.kernel],
                        places: &plan.input_places,
                        registers: &plan.registers,
                        weights: &self.weights[group * row..(group + some) * row],
                        bias: &[],
                        onto: group > 0,
                        slope: None,
                    };
                    multiply.run(simd, gradient);
                }
            }
        }
    }
}
