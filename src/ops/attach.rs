//! Results that were computed outside of the tape, put on it with their derivatives.

use dfdx::prelude::*;

use super::dense::add;
use super::device::{gradient_mut, is_constant, take_gradient};
use super::Real;

type AddTo<E, D> =
    Box<dyn FnOnce(&mut Gradients<E, D>, &[E]) -> Result<(), <D as HasErr>::Err> + 'static>;

/// A tensor that a result depends on; constant ones ([`Constants`](super::Constants)) are not wanted.
pub struct Input<E: Real, D: Device<E>>(Option<AddTo<E, D>>);

impl<E: Real, D: Device<E>> Input<E, D> {
    /// One whose gradient is not wanted.
    pub fn none() -> Self {
        Self(None)
    }

    /// Whether its gradient is wanted.
    pub fn wanted(&self) -> bool {
        self.0.is_some()
    }

    /// One whose gradient `add` adds to.
    pub(super) fn new(
        add: impl FnOnce(&mut Gradients<E, D>, &[E]) -> Result<(), <D as HasErr>::Err> + 'static,
    ) -> Self {
        Self(Some(Box::new(add)))
    }

    /// Adds to its gradient, if that is wanted.
    pub(super) fn add(
        self,
        gradients: &mut Gradients<E, D>,
        slope: &[E],
    ) -> Result<(), <D as HasErr>::Err> {
        self.0.map_or(Ok(()), |add| add(gradients, slope))
    }
}

/// Results from outside of the tape as a capability of a device.
pub trait AttachOp<E: Real>: Device<E> {
    /// The tensor `t` as an input. It must be contiguous, and stay so for its gradient.
    fn input<S: Shape>(t: &Tensor<S, E, Self>) -> Input<E, Self>;

    /// `output` on the tape: `backward` turns the gradient of the output, row by row, into those of
    /// the inputs, in their order. It may leave those that are not wanted empty.
    fn attach<S: Shape, T: Tape<E, Self>>(
        output: Tensor<S, E, Self>,
        inputs: Vec<Input<E, Self>>,
        tape: T,
        backward: impl FnOnce(&[E]) -> Vec<Vec<E>> + 'static,
    ) -> Tensor<S, E, Self, T>;
}

impl<E: Real> AttachOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn input<S: Shape>(t: &Tensor<S, E, Self>) -> Input<E, Self> {
        if is_constant(t) {
            return Input::none();
        }
        let t = t.clone();
        Input::new(move |gradients, slope| {
            add::<E>(gradient_mut(gradients, &t)?, slope);
            Ok(())
        })
    }

    fn attach<S: Shape, T: Tape<E, Self>>(
        output: Tensor<S, E, Self>,
        inputs: Vec<Input<E, Self>>,
        mut tape: T,
        backward: impl FnOnce(&[E]) -> Vec<Vec<E>> + 'static,
    ) -> Tensor<S, E, Self, T> {
        if T::OWNS_TAPE && inputs.iter().any(Input::wanted) {
            let kept = output.clone();
            tape.add_backward_op(move |gradients| {
                let slopes = backward(&take_gradient(gradients, &kept)?);
                let mut both = inputs.into_iter().zip(slopes);
                both.try_for_each(|(input, slope)| input.add(gradients, &slope))
            });
        }
        output.put_tape(tape)
    }
}
