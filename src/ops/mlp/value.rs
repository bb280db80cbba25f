//! The values of a perceptron, layer by layer over the whole batch.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::super::dense::{Kept, Layer};
use super::super::device::{gradient_mut, is_constant, read, take_gradient};
use super::super::gemm::Into;
use super::super::linear::{accumulate, layer, Wanted};
use super::super::{Activation, Identity, Real, Scratch};
use crate::tensor::Points;

/// σ after every layer but the last: `[n, I] -> [n, H] -> … -> [n, H] -> [n, O]`.
pub(super) fn on_cpu<const I: usize, const H: usize, const O: usize, E, A, T>(
    x: Points<I, E, Cpu, T>,
    first: &Linear<I, H, E, Cpu>,
    hidden: &[Linear<H, H, E, Cpu>],
    last: &Linear<H, O, E, Cpu>,
) -> Points<O, E, Cpu, T>
where
    E: Real,
    A: Activation,
    T: Tape<E, Cpu>,
    Cpu: Device<E>,
{
    let needs_x = !is_constant(&x);
    let (x, mut tape) = x.contiguous().split_tape();
    let n = x.shape().0;
    let device = x.device().clone();
    let values = read(&x);

    let mut inner: Vec<(Layer<E>, Kept<E>)> = Vec::with_capacity(hidden.len() + 1);
    let first_layer = layer(first, n);
    let kept = first_layer.forward::<A>(&values, n);
    inner.push((first_layer, kept));
    for h in hidden.iter().map(|h| layer(h, n)) {
        let kept = h.forward::<A>(&inner[inner.len() - 1].1.output, n);
        inner.push((h, kept));
    }
    let last_layer = layer(last, n);
    let out = last_layer.forward::<Identity>(&inner[inner.len() - 1].1.output, n);
    let y = device.tensor_from_vec(out.output.to_vec(), (n, Const::<O>));

    if T::OWNS_TAPE {
        let first = (first.clone(), Wanted::of(first));
        let hidden: Vec<_> = hidden.iter().map(|h| (h.clone(), Wanted::of(h))).collect();
        let last = (last.clone(), Wanted::of(last));
        let output = y.clone();
        tape.add_backward_op(move |gradients| {
            let mut delta = take_gradient(gradients, &output)?;
            let mut deeper = Scratch::new(n * H);
            let below = |i: usize| -> &[E] { &inner[i].1.output };
            let bias = last_layer.backward_activation::<Identity>(&out, &mut delta, n);
            let at = (&delta[..], below(inner.len() - 1), n);
            accumulate(gradients, (&last.0, last.1), &last_layer, at, &bias)?;
            last_layer.backward_input(&delta, n, &mut deeper, Into::Overwrite);

            let mut delta = Scratch::new(n * H);
            for i in (0..hidden.len()).rev() {
                std::mem::swap(&mut delta, &mut deeper);
                let (layer, kept) = &inner[i + 1];
                let bias = layer.backward_activation::<A>(kept, &mut delta, n);
                let at = (&delta[..], below(i), n);
                accumulate(gradients, (&hidden[i].0, hidden[i].1), layer, at, &bias)?;
                layer.backward_input(&delta, n, &mut deeper, Into::Overwrite);
            }

            let (layer, kept) = &inner[0];
            let bias = layer.backward_activation::<A>(kept, &mut deeper, n);
            let at = (&deeper[..], &values[..], n);
            accumulate(gradients, (&first.0, first.1), layer, at, &bias)?;
            if needs_x {
                layer.backward_input(&deeper, n, gradient_mut(gradients, &x)?, Into::Add);
            }
            Ok(())
        });
    }
    y.put_tape(tape)
}
