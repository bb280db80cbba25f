//! What an update does to the tensors of a module, one after the other.

use dfdx::nn::tensor_collection::*;
use dfdx::optim::UnusedTensors;
use dfdx::prelude::*;

use crate::ops::{AdamUpdate, Engine, Moments, Real};

/// Memory is all that a walk may lack.
pub(super) fn walk<M, X: std::fmt::Debug>(walked: std::result::Result<Option<M>, X>) {
    walked.expect("memory for the parameters");
}

/// The tensors that are not trained.
pub(super) struct Running(pub(super) UnusedTensors);

impl<E: Real, D: Engine<E>> TensorVisitor<E, D> for Running {
    type Viewer = ViewTensorRef;
    type Err = <D as HasErr>::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, E, D>,
        t: &Tensor<S, E, D>,
    ) -> std::result::Result<Option<Tensor<S, E, D>>, Self::Err> {
        if !options.do_gradient_update {
            self.0.add(t);
        }
        Ok(None)
    }
}

/// Sums the squares of the gradients of the trained tensors.
pub(super) struct Norm<'a, E: Real, D: Engine<E>> {
    pub(super) gradients: &'a mut Gradients<E, D>,
    pub(super) sum: f64,
}

impl<E: Real, D: Engine<E>> TensorVisitor<E, D> for Norm<'_, E, D> {
    type Viewer = ViewTensorRef;
    type Err = <D as HasErr>::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, E, D>,
        t: &Tensor<S, E, D>,
    ) -> std::result::Result<Option<Tensor<S, E, D>>, Self::Err> {
        if options.do_gradient_update {
            self.sum += D::square_norm(t, self.gradients);
        }
        Ok(None)
    }
}

/// Updates the trained tensors, and the running statistics of a batch norm.
pub(super) struct Step<'a, E: Real, D: Engine<E>> {
    pub(super) gradients: &'a mut Gradients<E, D>,
    pub(super) moments: &'a mut Vec<Moments<E>>,
    pub(super) index: usize,
    pub(super) update: AdamUpdate,
}

impl<E: Real, D: Engine<E>> TensorVisitor<E, D> for Step<'_, E, D> {
    type Viewer = ViewTensorMut;
    type Err = <D as HasErr>::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, E, D>,
        t: &mut Tensor<S, E, D>,
    ) -> std::result::Result<Option<Tensor<S, E, D>>, Self::Err> {
        if options.do_gradient_update {
            if self.moments.len() == self.index {
                self.moments.push(Moments::default());
            }
            D::adam(t, self.gradients, &mut self.moments[self.index], &self.update);
            self.index += 1;
        } else {
            // Running statistics of a batch norm; what else is not trained has no gradient.
            D::settle(t, self.gradients);
        }
        Ok(None)
    }
}
