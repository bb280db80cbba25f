//! Value and input gradient of a DenseICNN, each as one differentiable operation.
//!
//! `dfdx` records first derivatives only. A loss on the map ∇v therefore needs ∇v as a forward
//! expression; here that expression, and its backward pass (second derivatives of v), are written out.
//! The formulas are in `forward.rs`.

mod backward;
mod forward;
mod net;
mod parameters;

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use super::dense::add;
use super::device::{gradient_mut, is_constant, read, take_gradient};
use super::parallel::map_each;
use super::{Activation, Real, Scratch};
use crate::tensor::Points;
use backward::Seed;
use forward::Pass;
pub(crate) use net::Icnn;
use net::Slopes;
use parameters::{network, walk, Accumulate};

/// Rows that go through the network together. The partition of a batch depends on nothing else, so
/// that sums over it do not depend on the number of threads.
const ROWS: usize = 128;

/// Chunks of rows whose parameter gradients are summed in place before the sums are added.
const GROUP: usize = 2;

/// The module whose tensors are the parameters of the network, visited in the order: quadratic factor
/// `[N, H]`, weight `[H, N]` and bias `[H]` of the first layer; for each further layer its convex
/// weight `[H', H]` and then the same three; at last the head `[1, H']`.
pub trait IcnnParameters<E: Real, D: Device<E>>: TensorCollection<E, D> + Clone + 'static {}
impl<E: Real, D: Device<E>, P: TensorCollection<E, D> + Clone + 'static> IcnnParameters<E, D>
    for P
{
}

/// DenseICNNs as a capability of a device.
pub trait IcnnOp<E: Real>: Device<E> {
    /// v(x): `[n, N] -> [n, 1]`, differentiable in x and the parameters.
    fn icnn_value<const N: usize, A: Activation, P: IcnnParameters<E, Self>, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        parameters: &P,
        strong_convexity: f64,
    ) -> Points<1, E, Self, T>;

    /// ∇v(x): `[n, N] -> [n, N]`, differentiable in x and the parameters.
    fn icnn_gradient<const N: usize, A: Activation, P: IcnnParameters<E, Self>, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        parameters: &P,
        strong_convexity: f64,
    ) -> Points<N, E, Self, T>;

    /// A function from points, row by row, to the values and gradients of v.
    fn icnn_slopes<const N: usize, A: Activation, P: IcnnParameters<E, Self>>(
        parameters: &P,
        strong_convexity: f64,
    ) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>);
}

impl<E: Real> IcnnOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn icnn_value<const N: usize, A: Activation, P: IcnnParameters<E, Self>, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        parameters: &P,
        strong_convexity: f64,
    ) -> Points<1, E, Self, T> {
        on_cpu::<N, 1, E, A, P, T>(x, parameters, strong_convexity, Output::Value)
    }

    fn icnn_gradient<
        const N: usize,
        A: Activation,
        P: IcnnParameters<E, Self>,
        T: Tape<E, Self>,
    >(
        x: Points<N, E, Self, T>,
        parameters: &P,
        strong_convexity: f64,
    ) -> Points<N, E, Self, T> {
        on_cpu::<N, N, E, A, P, T>(x, parameters, strong_convexity, Output::Gradient)
    }

    fn icnn_slopes<const N: usize, A: Activation, P: IcnnParameters<E, Self>>(
        parameters: &P,
        strong_convexity: f64,
    ) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        let (net, _) = network::<N, E, P>(parameters, strong_convexity);
        move |x| {
            let rows = |i: usize| &x[i * ROWS * N..x.len().min((i + 1) * ROWS * N)];
            let parts = map_each((x.len() / N).div_ceil(ROWS), |i| {
                let x = rows(i);
                let mut pass = Pass::forward::<A>(&net, x);
                let (mut value, mut gradient) = (Scratch::new(x.len() / N), Scratch::new(x.len()));
                pass.write_value(&net, x, &mut value);
                pass.write_gradient::<A>(&net, x, &mut gradient);
                (value, gradient)
            });
            let (mut values, mut gradients) = (Vec::new(), Vec::with_capacity(x.len()));
            for (v, g) in parts {
                values.extend_from_slice(&v);
                gradients.extend_from_slice(&g);
            }
            (values, gradients)
        }
    }
}

impl<E: Real> Icnn<E> {
    /// ∇v at the rows of `x`, shape `[n, N]`.
    pub(crate) fn gradients<A: Activation>(&self, x: &[E]) -> Vec<E> {
        self.evaluate::<A>(x, self.inputs, Pass::write_gradient::<A>).0
    }

    fn evaluate<A: Activation>(
        &self,
        x: &[E],
        width: usize,
        write: impl Fn(&mut Pass<E>, &Self, &[E], &mut [E]) + Sync,
    ) -> (Vec<E>, Vec<Pass<E>>) {
        let n = x.len() / self.inputs;
        let parts = map_each(n.div_ceil(ROWS), |i| {
            let rows = ROWS.min(n - i * ROWS);
            let x = &x[i * ROWS * self.inputs..][..rows * self.inputs];
            let mut pass = Pass::forward::<A>(self, x);
            let mut out = Scratch::new(rows * width);
            write(&mut pass, self, x, &mut out);
            (out, pass)
        });
        let mut out = Vec::with_capacity(n * width);
        parts.iter().for_each(|(part, _)| out.extend_from_slice(part));
        let passes = parts.into_iter().map(|(_, pass)| pass).collect();
        (out, passes)
    }
}

#[derive(Clone, Copy)]
enum Output {
    Value,
    Gradient,
}

fn on_cpu<const N: usize, const M: usize, E, A, P, T>(
    x: Points<N, E, Cpu, T>,
    parameters: &P,
    strong_convexity: f64,
    what: Output,
) -> Points<M, E, Cpu, T>
where
    E: Real,
    A: Activation,
    P: IcnnParameters<E, Cpu>,
    T: Tape<E, Cpu>,
    Cpu: Device<E>,
{
    let needs_x = !is_constant(&x);
    let (x, mut tape) = x.contiguous().split_tape();
    let (n, device) = (x.shape().0, x.device().clone());
    let (net, wanted) = network::<N, E, P>(parameters, strong_convexity);
    let points = read(&x);
    let (out, passes) = match what {
        Output::Value => net.evaluate::<A>(&points, M, Pass::write_value),
        Output::Gradient => net.evaluate::<A>(&points, M, Pass::write_gradient::<A>),
    };
    let y = device.tensor_from_vec(out, (n, Const::<M>));
    if T::OWNS_TAPE {
        let (parameters, output) = (parameters.clone(), y.clone());
        tape.add_backward_op(move |gradients| {
            let seeds = take_gradient(gradients, &output)?;
            let dx = if needs_x { gradient_mut(gradients, &x)? } else { &mut [] };
            let slopes = backward::<N, M, E, A>(&net, &passes, &points, &seeds, what, dx);
            if wanted.contains(&true) {
                let arrays = slopes.into_arrays(&net).into_iter().zip(wanted);
                walk(&parameters, &mut Accumulate { gradients, arrays });
            }
            Ok(())
        });
    }
    y.put_tape(tape)
}

/// The backward pass over the chunks of a batch; `dx` is empty if it is not wanted.
fn backward<const N: usize, const M: usize, E: Real, A: Activation>(
    net: &Icnn<E>,
    passes: &[Pass<E>],
    x: &[E],
    seeds: &[E],
    what: Output,
    dx: &mut [E],
) -> Slopes<E> {
    let parts = map_each(passes.len().div_ceil(GROUP), |g| {
        let (first, last) = (g * GROUP, passes.len().min((g + 1) * GROUP));
        let mut slopes = Slopes::zero(net);
        let here = x.len().min(last * ROWS * N) - first * ROWS * N;
        let mut part = Scratch::new(if dx.is_empty() { 0 } else { here });
        part.fill(E::zero());
        for i in first..last {
            let rows = ROWS.min(x.len() / N - i * ROWS);
            let seed = &seeds[i * ROWS * M..][..rows * M];
            let seed = match what {
                Output::Value => Seed::Value(seed),
                Output::Gradient => Seed::Gradient(seed),
            };
            let at = (i - first) * ROWS * N;
            let part = (!dx.is_empty()).then(|| &mut part[at..at + rows * N]);
            passes[i].backward::<A>(net, &x[i * ROWS * N..][..rows * N], seed, &mut slopes, part);
        }
        (slopes, part)
    });
    for (dx, (_, part)) in dx.chunks_mut(GROUP * ROWS * N).zip(&parts) {
        add::<E>(dx, part);
    }
    let mut parts = parts.into_iter().map(|(slopes, _)| slopes);
    let first = parts.next().unwrap_or_else(|| Slopes::zero(net));
    parts.fold(first, |mut sum, part| {
        sum.add(&part);
        sum
    })
}
