//! Programs for devices without kernels of this crate: through the host.

use dfdx::prelude::*;

use super::super::{AttachOp, Input, Real, Scratch};
use super::program::Program;
use super::run::Machine;
use super::tape::LayerOp;
use crate::tensor::{rows, Points};

/// A parameter: its numbers on the host, and the way back for its gradient.
pub struct Hosted<E: Real, D: Device<E>> {
    values: Vec<E>,
    input: Input<E, D>,
}

/// [`LayerOp::hold`].
pub(crate) fn hold<S: Shape, E: Real, D: AttachOp<E>>(t: &Tensor<S, E, D>) -> Hosted<E, D> {
    Hosted { values: rows(t), input: D::input(t) }
}

/// [`LayerOp::run`].
pub(crate) fn run<const N: usize, const M: usize, E, D, T>(
    x: Points<N, E, D, T>,
    program: Program<E, D>,
) -> Points<M, E, D, T>
where
    E: Real,
    D: LayerOp<E, Held = Hosted<E, D>> + AttachOp<E>,
    T: Tape<E, D>,
{
    program.check(N, M);
    let (x, tape) = x.contiguous().split_tape();
    let (samples, device) = (x.shape().0, x.device().clone());
    let mut to = vec![if T::OWNS_TAPE { D::input(&x) } else { Input::none() }];
    let Program { extents, inputs, steps, parameters } = program;
    let mut values = Vec::with_capacity(parameters.len());
    for Hosted { values: own, input } in parameters {
        values.push(own);
        to.push(input);
    }
    let wants_points = to[0].wanted();
    let wanted: Vec<bool> = to[1..].iter().map(|p| T::OWNS_TAPE && p.wanted()).collect();
    let (y, trace) = {
        let (extents, steps, wanted) = (&extents[..], &steps[..], &wanted[..]);
        let machine = Machine { extents, inputs, steps, samples, wanted, wants_points };
        let points = Scratch::from_vec(rows(&x));
        machine.forward(points, T::OWNS_TAPE, &|p| Scratch::copy_of(&values[p]))
    };
    let output = device.tensor_from_vec(y, (samples, Const::<M>));
    D::attach(output, to, tape, move |slopes| {
        let (extents, steps, wanted) = (&extents[..], &steps[..], &wanted[..]);
        let machine = Machine { extents, inputs, steps, samples, wanted, wants_points };
        let mut gradients: Vec<Vec<E>> = vec![Vec::new(); wanted.len()];
        let read = |p: usize| Scratch::copy_of(&values[p]);
        let inputs = machine.backward(trace, Scratch::copy_of(slopes), &read, &mut |p, write| {
            gradients[p].resize(values[p].len(), E::zero());
            write(&mut gradients[p]);
        });
        for (gradient, values) in gradients.iter_mut().zip(&values) {
            gradient.resize(values.len(), E::zero());
        }
        let mut points = vec![E::zero(); if wants_points { samples * N } else { 0 }];
        if wants_points {
            machine.add_to_points(&inputs, &mut points);
        }
        gradients.insert(0, points);
        gradients
    })
}

/// [`LayerOp::settle`].
pub(crate) fn settle<S: Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
    gradients: &mut Gradients<E, D>,
) {
    gradients.try_alloc_for(t).expect("memory for a gradient");
    let change = gradients.get(t).as_vec();
    let values = rows(t);
    t.copy_from(&values.iter().zip(&change).map(|(v, c)| *v - *c).collect::<Vec<_>>());
    // A buffer of zeros in place of the old one.
    let zeros = <D as Storage<E>>::try_alloc_len(t.device(), values.len());
    *gradients.get_or_alloc_mut(t).expect("memory for a gradient") =
        zeros.expect("memory for a gradient");
}
