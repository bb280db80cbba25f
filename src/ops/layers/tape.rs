//! Programs on the tape.

use std::sync::Arc;

use dfdx::prelude::*;

use super::super::device::{gradient_mut, is_constant, read, take_gradient, write};
use super::super::{Real, Scratch};
use super::program::Program;
use super::run::Machine;
use crate::tensor::Points;

/// Programs as a capability of a device.
pub trait LayerOp<E: Real>: Device<E> {
    /// A parameter of any shape.
    type Held;

    /// A tensor as a parameter. It must be contiguous, as parameters are.
    fn hold<S: Shape>(t: &Tensor<S, E, Self>) -> Self::Held;

    /// Runs a program on points, each of which holds the inputs one after another: `[n, N] -> [n, M]`,
    /// differentiable in the points and the parameters that are not
    /// [constant](crate::ops::Constants). Nothing is computed for constants.
    ///
    /// # Panics
    /// If the inputs of the program do not have `N` numbers together, or its output not `M`.
    fn run<const N: usize, const M: usize, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        program: Program<E, Self>,
    ) -> Points<M, E, Self, T>;

    /// Subtracts what a program left as the gradient of a running mean or variance, and clears it: see
    /// [`Running`](super::Running).
    fn settle<S: Shape>(t: &mut Tensor<S, E, Self>, gradients: &mut Gradients<E, Self>);
}

/// A parameter on the host.
pub struct Held<E: Real> {
    tensor: Arc<dyn Parameter<E>>,
    wanted: bool,
}

type Store<E> = Gradients<E, Cpu>;

/// A tensor whose shape is forgotten.
trait Parameter<E: Real>: Send + Sync {
    fn read(&self) -> Scratch<E>;
    fn add(
        &self,
        gradients: &mut Store<E>,
        write: &mut dyn FnMut(&mut [E]),
    ) -> Result<(), CpuError>;
}

impl<S: Shape, E: Real> Parameter<E> for Tensor<S, E, Cpu>
where
    Cpu: Device<E>,
{
    fn read(&self) -> Scratch<E> {
        read(self)
    }
    fn add(
        &self,
        gradients: &mut Store<E>,
        write: &mut dyn FnMut(&mut [E]),
    ) -> Result<(), CpuError> {
        write(gradient_mut(gradients, self)?);
        Ok(())
    }
}

impl<E: Real> LayerOp<E> for Cpu
where
    Cpu: Device<E>,
{
    type Held = Held<E>;

    fn hold<S: Shape>(t: &Tensor<S, E, Self>) -> Held<E> {
        Held { tensor: Arc::new(t.clone()), wanted: !is_constant(t) }
    }

    fn run<const N: usize, const M: usize, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        program: Program<E, Self>,
    ) -> Points<M, E, Self, T> {
        program.check(N, M);
        let wants_points = T::OWNS_TAPE && !is_constant(&x);
        let (x, mut tape) = x.contiguous().split_tape();
        let (samples, device) = (x.shape().0, x.device().clone());
        let wanted: Vec<bool> =
            program.parameters.iter().map(|p| T::OWNS_TAPE && p.wanted).collect();
        let (y, trace) = {
            let machine = machine(&program, samples, &wanted, wants_points);
            machine.forward(read(&x), T::OWNS_TAPE, &|p| program.parameters[p].tensor.read())
        };
        let y = device.tensor_from_vec(y, (samples, Const::<M>));
        if T::OWNS_TAPE {
            let (output, x) = (y.clone(), wants_points.then_some(x));
            tape.add_backward_op(move |gradients| {
                let slopes = Scratch::from_vec(take_gradient(gradients, &output)?);
                let machine = machine(&program, samples, &wanted, wants_points);
                let mut failed = None;
                let read = |p: usize| program.parameters[p].tensor.read();
                let inputs = machine.backward(trace, slopes, &read, &mut |p, write| {
                    if let Err(e) = program.parameters[p].tensor.add(gradients, write) {
                        failed.get_or_insert(e);
                    }
                });
                if let Some(error) = failed {
                    return Err(error);
                }
                if let Some(x) = x {
                    machine.add_to_points(&inputs, gradient_mut(gradients, &x)?);
                }
                Ok(())
            });
        }
        y.put_tape(tape)
    }

    fn settle<S: Shape>(t: &mut Tensor<S, E, Self>, gradients: &mut Gradients<E, Self>) {
        let Ok(change) = gradient_mut(gradients, t) else { return };
        let mut values = read(t);
        values.iter_mut().zip(change.iter()).for_each(|(v, c)| *v -= *c);
        change.fill(E::zero());
        write(t, &values);
    }
}

fn machine<'a, E: Real>(
    program: &'a Program<E, Cpu>,
    samples: usize,
    wanted: &'a [bool],
    wants_points: bool,
) -> Machine<'a, E>
where
    Cpu: Device<E>,
{
    let (extents, inputs, steps) = (&program.extents[..], program.inputs, &program.steps[..]);
    Machine { extents, inputs, steps, samples, wanted, wants_points }
}
