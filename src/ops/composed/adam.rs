//! Updates of parameters on the host, where the moments are: a tensor and its gradient are copied there and
//! the tensor back, in every step.

use dfdx::prelude::*;

use super::super::adam::{sum_of_chunks, update_all};
use super::super::{AdamUpdate, Moments, Real};
use super::tape::gradient;

/// [`AdamOp::square_norm`](super::super::AdamOp::square_norm).
pub(crate) fn square_norm<S: Shape, E: Real, D: Device<E>>(
    parameter: &Tensor<S, E, D>,
    gradients: &mut Gradients<E, D>,
) -> f64 {
    sum_of_chunks(&gradient(gradients, parameter).expect("memory for a gradient"))
}

/// [`AdamOp::adam`](super::super::AdamOp::adam).
pub(crate) fn adam<S: Shape, E: Real, D: Device<E>>(
    parameter: &mut Tensor<S, E, D>,
    gradients: &mut Gradients<E, D>,
    moments: &mut Moments<E>,
    update: &AdamUpdate,
) {
    let mut values = parameter.as_vec();
    let mut slopes = gradient(gradients, parameter).expect("memory for a gradient");
    update_all(&mut values, &mut slopes, moments, update);
    parameter.copy_from(&values);
    // A buffer of zeros in place of the old one.
    let zeros = <D as Storage<E>>::try_alloc_len(parameter.device(), values.len());
    *gradients.get_or_alloc_mut(parameter).expect("memory for a gradient") =
        zeros.expect("memory for a gradient");
}
