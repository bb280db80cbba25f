//! What goes between the tape and the host: gradients as they pass, results from outside.

use dfdx::prelude::*;

use super::super::attach::Input;
use super::super::device::{is_constant, Recorded, Tap};
use super::super::Real;

/// The gradient of a contiguous tensor in row-major order, zero if it was not there. A copy to the host.
pub(super) fn gradient<S: Shape, E: Real, D: Device<E>>(
    gradients: &mut Gradients<E, D>,
    t: &Tensor<S, E, D>,
) -> Result<Vec<E>, <D as HasErr>::Err> {
    gradients.try_alloc_for(t)?;
    Ok(gradients.get(t).as_vec())
}

/// Adds numbers of the host to the gradient of a contiguous tensor: the gradient moves to a store of its
/// own, where the backward pass of ⟨t, slope⟩ adds them on the device, and back.
fn add<S: Shape, E: Real, D: Device<E>>(
    gradients: &mut Gradients<E, D>,
    t: &Tensor<S, E, D>,
    slope: Vec<E>,
) -> Result<(), <D as HasErr>::Err> {
    let slope = t.device().try_tensor_from_vec(slope, *t.shape())?;
    let mut own = Gradients::leaky();
    std::mem::swap(own.get_or_alloc_mut(t)?, gradients.get_or_alloc_mut(t)?);
    let product: Tensor<Rank0, E, D, _> = t.clone().traced(own).try_mul(slope)?.try_sum()?;
    let mut own = product.try_backward()?;
    std::mem::swap(own.get_or_alloc_mut(t)?, gradients.get_or_alloc_mut(t)?);
    Ok(())
}

/// [`AttachOp::input`](super::super::AttachOp::input): its gradient comes from the host.
pub(crate) fn input<S: Shape, E: Real, D: Device<E>>(t: &Tensor<S, E, D>) -> Input<E, D> {
    if is_constant(t) {
        return Input::none();
    }
    let t = t.clone();
    Input::new(move |gradients, slope| add(gradients, &t, slope.to_vec()))
}

/// [`AttachOp::attach`](super::super::AttachOp::attach): the gradient of the output goes to the host.
pub(crate) fn attach<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    output: Tensor<S, E, D>,
    inputs: Vec<Input<E, D>>,
    mut tape: T,
    backward: impl FnOnce(&[E]) -> Vec<Vec<E>> + 'static,
) -> Tensor<S, E, D, T> {
    if T::OWNS_TAPE && inputs.iter().any(Input::wanted) {
        let kept = output.clone();
        tape.add_backward_op(move |gradients| {
            let slopes = backward(&gradient(gradients, &kept)?);
            inputs
                .into_iter()
                .zip(slopes)
                .try_for_each(|(input, slope)| input.add(gradients, &slope))
        });
    }
    output.put_tape(tape)
}

/// [`Engine::tapped`](super::super::Engine::tapped): a copy to the host in the backward pass.
pub(crate) fn tapped<S: Shape, E: Real, D: Device<E>>(
    t: Recorded<S, E, D>,
) -> (Recorded<S, E, D>, Tap<E>) {
    let tap = Tap::default();
    let (t, mut tape) = t.split_tape();
    let (of, to) = (t.clone(), tap.clone());
    // Recorded before every use of the tensor, hence run after the gradients of all of them.
    tape.add_backward_op(move |gradients| {
        to.put(gradient(gradients, &of)?);
        Ok(())
    });
    (t.put_tape(tape), tap)
}
