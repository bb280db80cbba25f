//! The operations on `dfdx`'s `Cuda`.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;
use dfdx::tensor::Cuda;

use super::device::Recorded;
use super::{
    composed, layers::hosted, Activation, AdamOp, AdamUpdate, AttachOp, Engine, IcnnOp,
    IcnnParameters, Input, JacobianOp, LayerOp, LinearOp, MlpOp, Moments, Program, Real, RowCost,
    RowCostOp, Tap, TwistCost,
};
use crate::tensor::{Points, Values};

impl<E: Real> Engine<E> for Cuda
where
    Cuda: Device<E>,
{
    fn seeded(seed: u64) -> Self {
        Cuda::seed_from_u64(seed)
    }

    fn tapped<S: Shape>(t: Recorded<S, E, Self>) -> (Recorded<S, E, Self>, Tap<E>) {
        composed::tapped(t)
    }
}

impl<E: Real> AdamOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn square_norm<S: Shape>(
        parameter: &Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
    ) -> f64 {
        composed::square_norm(parameter, gradients)
    }

    fn adam<S: Shape>(
        parameter: &mut Tensor<S, E, Self>,
        gradients: &mut Gradients<E, Self>,
        moments: &mut Moments<E>,
        update: &AdamUpdate,
    ) {
        composed::adam(parameter, gradients, moments, update);
    }
}

impl<E: Real> AttachOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn input<S: Shape>(t: &Tensor<S, E, Self>) -> Input<E, Self> {
        composed::input(t)
    }

    fn attach<S: Shape, T: Tape<E, Self>>(
        output: Tensor<S, E, Self>,
        inputs: Vec<Input<E, Self>>,
        tape: T,
        backward: impl FnOnce(&[E]) -> Vec<Vec<E>> + 'static,
    ) -> Tensor<S, E, Self, T> {
        composed::attach(output, inputs, tape, backward)
    }
}

impl<E: Real> LinearOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn linear<const I: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        layer: &Linear<I, O, E, Self>,
    ) -> Points<O, E, Self, T> {
        composed::linear::<I, O, E, Self, A, T>(x, layer)
    }

    fn residual_linear<const N: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        layer: &Linear<N, N, E, Self>,
    ) -> Points<N, E, Self, T> {
        composed::residual_linear::<N, E, Self, A, T>(x, layer)
    }
}

impl<E: Real> MlpOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn mlp<const I: usize, const H: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, O, E, Self>,
    ) -> Points<O, E, Self, T> {
        composed::mlp::<I, H, O, E, Self, A, T>(x, first, hidden, last)
    }

    fn mlp_gradient<const I: usize, const H: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, 1, E, Self>,
    ) -> Points<I, E, Self, T> {
        composed::mlp_gradient::<I, H, E, Self, A, T>(x, first, hidden, last)
    }

    fn mlp_slopes<const I: usize, const H: usize, A: Activation>(
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, 1, E, Self>,
    ) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        composed::mlp_slopes::<I, H, E, Self, A>(first, hidden, last)
    }
}

impl<E: Real> JacobianOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn mlp_asymmetry<const N: usize, const H: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        v: &Points<N, E, Self>,
        first: &Linear<N, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, N, E, Self>,
    ) -> Points<N, E, Self, T> {
        composed::mlp_asymmetry::<N, H, E, Self, A, T>(x, v, first, hidden, last)
    }
}

impl<E: Real> IcnnOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn icnn_value<const N: usize, A: Activation, P: IcnnParameters<E, Self>, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        parameters: &P,
        strong_convexity: f64,
    ) -> Points<1, E, Self, T> {
        composed::icnn_value::<N, E, Self, A, P, T>(x, parameters, strong_convexity)
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
        composed::icnn_gradient::<N, E, Self, A, P, T>(x, parameters, strong_convexity)
    }

    fn icnn_slopes<const N: usize, A: Activation, P: IcnnParameters<E, Self>>(
        parameters: &P,
        strong_convexity: f64,
    ) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        composed::icnn_slopes::<N, E, Self, A, P>(parameters, strong_convexity)
    }
}

impl<E: Real> RowCostOp<E> for Cuda
where
    Cuda: Device<E>,
{
    fn paired<const N: usize, C: RowCost<E>, T: Tape<E, Self>>(
        cost: &C,
        x: &Points<N, E, Self>,
        y: Points<N, E, Self, T>,
    ) -> Values<E, Self, T> {
        composed::paired(cost, x, y)
    }

    fn pairwise<const N: usize, C: RowCost<E>>(
        cost: &C,
        x: &Points<N, E, Self>,
        y: &Points<N, E, Self>,
    ) -> Tensor<(usize, usize), E, Self> {
        composed::pairwise(cost, x, y)
    }

    fn twist<const N: usize, C: TwistCost<E>, T: Tape<E, Self>>(
        cost: &C,
        x: &Points<N, E, Self>,
        slope: Points<N, E, Self, T>,
    ) -> Points<N, E, Self, T> {
        composed::twist(cost, x, slope)
    }
}

impl<E: Real> LayerOp<E> for Cuda
where
    Cuda: Device<E>,
{
    type Held = hosted::Hosted<E, Self>;

    fn hold<S: Shape>(t: &Tensor<S, E, Self>) -> Self::Held {
        hosted::hold(t)
    }

    fn run<const N: usize, const M: usize, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        program: Program<E, Self>,
    ) -> Points<M, E, Self, T> {
        hosted::run(x, program)
    }

    fn settle<S: Shape>(t: &mut Tensor<S, E, Self>, gradients: &mut Gradients<E, Self>) {
        hosted::settle(t, gradients);
    }
}
