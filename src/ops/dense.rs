//! Fused dense layers on slices: σ(x Wᵀ + b), forward and backward, for [`super::linear`] and
//! [`super::mlp`].

use rayon::prelude::*;

use super::gemm::{multiply, Into, Matrix};
use super::simd::vectorised;
use super::{Activation, Real, Scratch};

/// Numbers below which an elementwise pass stays on the calling thread.
const SERIAL: usize = 1 << 16;

/// The parameters of one layer: weight `[outputs, inputs]` and bias `[outputs]`.
pub(crate) struct Layer<E: Real> {
    pub(crate) weight: Scratch<E>,
    pub(crate) bias: Scratch<E>,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

/// What a layer keeps for its backward pass: its output and, if the activation wants it, its input.
pub(crate) struct Kept<E: Real> {
    pub(crate) output: Scratch<E>,
    before: Option<Scratch<E>>,
}

impl<E: Real> Kept<E> {
    /// The numbers that the derivatives of the activation are functions of.
    fn for_slope(&self) -> &[E] {
        self.before.as_deref().unwrap_or(&self.output)
    }
}

impl<E: Real> Layer<E> {
    /// σ(x Wᵀ + b) for `x` of shape `[n, inputs]`.
    pub(crate) fn forward<A: Activation>(&self, x: &[E], n: usize) -> Kept<E> {
        let mut output = Scratch::new(n * self.outputs);
        multiply(self.x(x, n), self.w().transposed(), &mut output, Into::Overwrite);
        let mut before = (!A::FROM_OUTPUT).then(|| Scratch::new(output.len()));
        let pitch = chunk(n, self.outputs) * self.outputs;
        match &mut before {
            None if output.len() < SERIAL => bias_activate::<E, A>(&mut output, &self.bias),
            None => output.par_chunks_mut(pitch).for_each(|y| bias_activate::<E, A>(y, &self.bias)),
            Some(z) => output
                .par_chunks_mut(pitch)
                .zip(z.par_chunks_mut(pitch))
                .for_each(|(y, z)| bias_keep_activate::<E, A>(y, z, &self.bias)),
        }
        Kept { output, before }
    }

    /// Turns the gradient of the output, in `delta`, into that of the pre-activation, and returns its
    /// sum over rows, the gradient of the bias.
    pub(crate) fn backward_activation<A: Activation>(
        &self,
        kept: &Kept<E>,
        delta: &mut [E],
        n: usize,
    ) -> Scratch<E> {
        let mut bias = Scratch::new(self.outputs);
        bias.fill(E::zero());
        if delta.len() < SERIAL {
            slope_and_sum::<E, A>(delta, kept.for_slope(), &mut bias);
            return bias;
        }
        // The partial sums are over a fixed partition of the rows, added up in order.
        let pitch = chunk(n, self.outputs) * self.outputs;
        let parts: Vec<Scratch<E>> = delta
            .par_chunks_mut(pitch)
            .zip(kept.for_slope().par_chunks(pitch))
            .map(|(delta, kept)| {
                let mut part = Scratch::new(self.outputs);
                part.fill(E::zero());
                slope_and_sum::<E, A>(delta, kept, &mut part);
                part
            })
            .collect();
        parts.iter().for_each(|part| add::<E>(&mut bias, part));
        bias
    }

    /// dW += δᵀ x.
    pub(crate) fn backward_weight(&self, delta: &[E], x: &[E], n: usize, dw: &mut [E]) {
        multiply(self.delta(delta, n).transposed(), self.x(x, n), dw, Into::Add);
    }

    /// dx = δ W or dx += δ W.
    pub(crate) fn backward_input(&self, delta: &[E], n: usize, dx: &mut [E], into: Into) {
        multiply(self.delta(delta, n), self.w(), dx, into);
    }

    fn w(&self) -> Matrix<'_, E> {
        Matrix::new(&self.weight, self.outputs, self.inputs)
    }
    fn x<'a>(&self, x: &'a [E], n: usize) -> Matrix<'a, E> {
        Matrix::new(x, n, self.inputs)
    }
    fn delta<'a>(&self, delta: &'a [E], n: usize) -> Matrix<'a, E> {
        Matrix::new(delta, n, self.outputs)
    }
}

/// Rows of a chunk: a quarter of a large batch, whatever the number of threads.
fn chunk(n: usize, width: usize) -> usize {
    if n * width < SERIAL {
        n
    } else {
        n.div_ceil(4)
    }
}

vectorised! {
    fn bias_activate<E: Real, A: Activation>(y: &mut [E], bias: &[E]) {
        for row in y.chunks_exact_mut(bias.len()) {
            for (y, b) in row.iter_mut().zip(bias) {
                *y = A::value(*y + *b);
            }
        }
    }
}
vectorised! {
    fn bias_keep_activate<E: Real, A: Activation>(y: &mut [E], z: &mut [E], bias: &[E]) {
        for (y, z) in y.chunks_exact_mut(bias.len()).zip(z.chunks_exact_mut(bias.len())) {
            for ((y, z), b) in y.iter_mut().zip(z).zip(bias) {
                *z = *y + *b;
                *y = A::value(*z);
            }
        }
    }
}
vectorised! {
    fn slope_and_sum<E: Real, A: Activation>(delta: &mut [E], kept: &[E], sum: &mut [E]) {
        let width = sum.len();
        for (delta, kept) in delta.chunks_exact_mut(width).zip(kept.chunks_exact(width)) {
            for ((d, k), s) in delta.iter_mut().zip(kept).zip(sum.iter_mut()) {
                *d *= A::slope(*k);
                *s += *d;
            }
        }
    }
}
vectorised! {
    /// to += from
    pub(crate) fn add<E: Real>(to: &mut [E], from: &[E]) {
        for (t, f) in to.iter_mut().zip(from) {
            *t += *f;
        }
    }
}
