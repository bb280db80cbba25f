//! A multilayer perceptron as one operation: nothing between its layers leaves scratch memory.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::dense::{Kept, Layer};
use super::device::{gradient_mut, is_constant, read, take_gradient};
use super::gemm::Into;
use super::linear::{accumulate, layer};
use super::{Activation, Identity, Real, Scratch};
use crate::tensor::Points;

/// Multilayer perceptrons as a capability of a device.
pub trait MlpOp<E: Real>: Device<E> {
    /// `[n, I] -> [n, H] -> … -> [n, H] -> [n, O]`, σ after every layer but the last.
    fn mlp<const I: usize, const H: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, O, E, Self>,
    ) -> Points<O, E, Self, T>;
}

impl<E: Real> MlpOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn mlp<const I: usize, const H: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, O, E, Self>,
    ) -> Points<O, E, Self, T> {
        let (x, mut tape) = x.split_tape();
        let n = x.shape().0;
        let device = x.device().clone();
        let values = read(&x);

        let mut inner: Vec<(Layer<E>, Kept<E>)> = Vec::with_capacity(hidden.len() + 1);
        let first_layer = layer(first);
        let kept = first_layer.forward::<A>(&values, n);
        inner.push((first_layer, kept));
        for h in hidden.iter().map(layer) {
            let kept = h.forward::<A>(&inner[inner.len() - 1].1.output, n);
            inner.push((h, kept));
        }
        let last_layer = layer(last);
        let out = last_layer.forward::<Identity>(&inner[inner.len() - 1].1.output, n);
        let y = device.tensor_from_vec(out.output.to_vec(), (n, Const::<O>));

        if T::OWNS_TAPE {
            let (needs_x, needs_parameters) = (!is_constant(&x), !is_constant(&last.weight));
            let (first, hidden, last) = (first.clone(), hidden.to_vec(), last.clone());
            let output = y.clone();
            tape.add_backward_op(move |gradients| {
                let mut delta = take_gradient(gradients, &output)?;
                let mut deeper = Scratch::new(n * H);
                let below = |i: usize| -> &[E] { &inner[i].1.output };
                let bias = last_layer.backward_activation::<Identity>(&out, &mut delta, n);
                if needs_parameters {
                    let at = (&delta[..], below(inner.len() - 1), n);
                    accumulate(gradients, &last, &last_layer, at, &bias)?;
                }
                last_layer.backward_input(&delta, n, &mut deeper, Into::Overwrite);

                let mut delta = Scratch::new(n * H);
                for i in (0..hidden.len()).rev() {
                    std::mem::swap(&mut delta, &mut deeper);
                    let (layer, kept) = &inner[i + 1];
                    let bias = layer.backward_activation::<A>(kept, &mut delta, n);
                    if needs_parameters {
                        let at = (&delta[..], below(i), n);
                        accumulate(gradients, &hidden[i], layer, at, &bias)?;
                    }
                    layer.backward_input(&delta, n, &mut deeper, Into::Overwrite);
                }

                let (layer, kept) = &inner[0];
                let bias = layer.backward_activation::<A>(kept, &mut deeper, n);
                if needs_parameters {
                    accumulate(gradients, &first, layer, (&deeper, &values, n), &bias)?;
                }
                if needs_x {
                    layer.backward_input(&deeper, n, gradient_mut(gradients, &x)?, Into::Add);
                }
                Ok(())
            });
        }
        y.put_tape(tape)
    }
}
