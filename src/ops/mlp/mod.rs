//! Values and input gradients of a perceptron, each as one operation: nothing between its layers
//! leaves scratch memory.
//!
//! `dfdx` records first derivatives only. A loss on ∇f therefore needs ∇f as a forward expression;
//! its formulas, and those of its backward pass, are in `pass.rs`.

mod gradient;
mod net;
mod pass;
mod value;

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::{Activation, Real};
use crate::tensor::Points;

/// Multilayer perceptrons as a capability of a device.
pub trait MlpOp<E: Real>: Device<E> {
    /// `[n, I] -> [n, H] -> … -> [n, H] -> [n, O]`, σ after every layer but the last.
    fn mlp<const I: usize, const H: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, O, E, Self>,
    ) -> Points<O, E, Self, T>;

    /// The gradient of a perceptron with one output in its input: `[n, I] -> [n, I]`, differentiable
    /// in the points and the parameters.
    fn mlp_gradient<const I: usize, const H: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, 1, E, Self>,
    ) -> Points<I, E, Self, T>;

    /// A function from points, row by row, to the values and gradients of a perceptron with one output.
    fn mlp_slopes<const I: usize, const H: usize, A: Activation>(
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, 1, E, Self>,
    ) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>);
}

impl<E: Real> MlpOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn mlp<const I: usize, const H: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, O, E, Self>,
    ) -> Points<O, E, Self, T> {
        value::on_cpu::<I, H, O, E, A, T>(x, first, hidden, last)
    }

    fn mlp_gradient<const I: usize, const H: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, 1, E, Self>,
    ) -> Points<I, E, Self, T> {
        gradient::on_cpu::<I, H, E, A, T>(x, first, hidden, last)
    }

    fn mlp_slopes<const I: usize, const H: usize, A: Activation>(
        first: &Linear<I, H, E, Self>,
        hidden: &[Linear<H, H, E, Self>],
        last: &Linear<H, 1, E, Self>,
    ) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        let net = gradient::net(first, hidden, last);
        move |x| net.slopes::<A>(x)
    }
}
