//! The input gradient of a perceptron with one output as an operation.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::super::dense::add;
use super::super::device::{gradient_mut, is_constant, read, take_gradient};
use super::super::linear::Wanted;
use super::super::parallel::map_each;
use super::super::{Activation, Real, Scratch};
use super::net::{zeros, Dense, Net, Slopes};
use super::pass::Pass;
use crate::tensor::Points;

/// Width from which more rows go through the network together: a wide weight is packed anew for them.
const WIDE: usize = 256;

/// Rows that go through the network together. The partition of a batch depends on nothing but the
/// sizes, so that sums over it do not depend on the number of threads.
fn rows_of_chunk(width: usize) -> usize {
    if width < WIDE {
        128
    } else {
        256
    }
}

/// The numbers of a module.
pub(super) fn net<const I: usize, const H: usize, E: Real>(
    first: &Linear<I, H, E, Cpu>,
    hidden: &[Linear<H, H, E, Cpu>],
    last: &Linear<H, 1, E, Cpu>,
) -> Net<E>
where
    Cpu: Device<E>,
{
    let mut layers = vec![Dense::new(read(&first.weight), read(&first.bias))];
    layers.extend(hidden.iter().map(|h| Dense::new(read(&h.weight), read(&h.bias))));
    Net { layers, head: read(&last.weight), shift: read(&last.bias)[0] }
}

impl<E: Real> Net<E> {
    /// v `[n]` and ∇v `[n, inputs]` at the rows of `x`.
    pub(super) fn slopes<A: Activation>(&self, x: &[E]) -> (Vec<E>, Vec<E>) {
        let parts = self.chunks(x, |x| {
            let rows = x.len() / self.inputs();
            let (mut values, mut gradients) = (Scratch::new(rows), Scratch::new(x.len()));
            let mut pass = Pass::forward::<A>(self, x);
            pass.write_value(self, &mut values);
            pass.write_gradient::<A>(self, &mut gradients);
            (values, gradients)
        });
        let (mut values, mut gradients) = (Vec::new(), Vec::with_capacity(x.len()));
        for (v, g) in parts {
            values.extend_from_slice(&v);
            gradients.extend_from_slice(&g);
        }
        (values, gradients)
    }

    fn chunks<V: Send>(&self, x: &[E], each: impl Fn(&[E]) -> V + Sync + Send) -> Vec<V> {
        let pitch = rows_of_chunk(self.width()) * self.inputs();
        map_each(x.len().div_ceil(pitch), |i| each(&x[i * pitch..x.len().min((i + 1) * pitch)]))
    }
}

pub(super) fn on_cpu<const I: usize, const H: usize, E, A, T>(
    x: Points<I, E, Cpu, T>,
    first: &Linear<I, H, E, Cpu>,
    hidden: &[Linear<H, H, E, Cpu>],
    last: &Linear<H, 1, E, Cpu>,
) -> Points<I, E, Cpu, T>
where
    E: Real,
    A: Activation,
    T: Tape<E, Cpu>,
    Cpu: Device<E>,
{
    let needs_x = !is_constant(&x);
    let (x, mut tape) = x.contiguous().split_tape();
    let (n, device) = (x.shape().0, x.device().clone());
    let (net, points) = (net(first, hidden, last), read(&x));
    let parts = net.chunks(&points, |x| {
        let mut out = Scratch::new(x.len());
        let mut pass = Pass::forward::<A>(&net, x);
        pass.write_gradient::<A>(&net, &mut out);
        (out, T::OWNS_TAPE.then_some(pass))
    });
    let mut out = Vec::with_capacity(points.len());
    parts.iter().for_each(|(part, _)| out.extend_from_slice(part));
    let passes: Vec<Pass<E>> = parts.into_iter().filter_map(|(_, pass)| pass).collect();
    let y = device.tensor_from_vec(out, (n, Const::<I>));
    if T::OWNS_TAPE {
        let first = (first.clone(), Wanted::of(first));
        let hidden: Vec<_> = hidden.iter().map(|h| (h.clone(), Wanted::of(h))).collect();
        let last = (last.clone(), Wanted::of(last));
        let output = y.clone();
        tape.add_backward_op(move |gradients| {
            let seeds = take_gradient(gradients, &output)?;
            let dx = if needs_x { gradient_mut(gradients, &x)? } else { &mut [] };
            let slopes = backward::<E, A>(&net, &passes, &points, &seeds, dx);
            let sums = slopes.weights.iter().zip(&slopes.biases).collect::<Vec<_>>();
            store(gradients, &first, sums[0])?;
            for (h, sum) in hidden.iter().zip(&sums[1..]) {
                store(gradients, h, *sum)?;
            }
            // ∇f does not depend on the bias of the output.
            store(gradients, &last, (&slopes.head, &zeros(1)))
        });
    }
    y.put_tape(tape)
}

/// Adds the gradients of a layer's parameters to the store, where they are wanted.
fn store<const I: usize, const O: usize, E: Real>(
    gradients: &mut Gradients<E, Cpu>,
    (to, wanted): &(Linear<I, O, E, Cpu>, Wanted),
    (weight, bias): (&Scratch<E>, &Scratch<E>),
) -> Result<(), CpuError>
where
    Cpu: Device<E>,
{
    if wanted.weight {
        add::<E>(gradient_mut(gradients, &to.weight)?, weight);
    }
    if wanted.bias {
        add::<E>(gradient_mut(gradients, &to.bias)?, bias);
    }
    Ok(())
}

/// The backward pass over the chunks of a batch; `dx` is empty if it is not wanted. The chunks are
/// summed in four groups at most, and these in order.
fn backward<E: Real, A: Activation>(
    net: &Net<E>,
    passes: &[Pass<E>],
    x: &[E],
    seeds: &[E],
    dx: &mut [E],
) -> Slopes<E> {
    let pitch = rows_of_chunk(net.width()) * net.inputs();
    let group = passes.len().div_ceil(4).max(1);
    let parts = map_each(passes.len().div_ceil(group), |g| {
        let mut slopes = Slopes::zero(net);
        let (from, to) = (g * group * pitch, x.len().min((g + 1) * group * pitch));
        let mut part = zeros(if dx.is_empty() { 0 } else { to - from });
        for (i, pass) in passes.iter().enumerate().skip(g * group).take(group) {
            let here = i * pitch..x.len().min((i + 1) * pitch);
            let (x, seed) = (&x[here.clone()], &seeds[here.clone()]);
            let part = (!part.is_empty()).then(|| &mut part[here.start - from..here.end - from]);
            pass.backward::<A>(net, x, seed, &mut slopes, part);
        }
        (slopes, part)
    });
    for (dx, (_, part)) in dx.chunks_mut(group * pitch).zip(&parts) {
        add::<E>(dx, part);
    }
    let mut parts = parts.into_iter().map(|(slopes, _)| slopes);
    let first = parts.next().unwrap_or_else(|| Slopes::zero(net));
    parts.fold(first, |mut sum, part| {
        sum.add(&part);
        sum
    })
}
