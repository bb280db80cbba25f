//! Multilayer perceptrons, plain and residual.

use dfdx::nn::modules::{Linear, Repeated};
use dfdx::prelude::*;

use super::module::module;
use super::potential::InputGradient;
use crate::ops::{linear, residual_linear, Activation, Engine, Identity, Real, Relu};
use crate::tensor::Points;

module! {
    /// A multilayer perceptron `[n, I] -> [n, O]` with `K + 1` hidden layers of width `H`: σ after each
    /// of them, none at the end. As a potential `O = 1`, as a map `O = I`.
    ///
    /// Weights and biases start uniform on ±1/√(fan in). Forward costs
    /// n·(I·H + K·H² + H·O) multiply-adds, backward twice that; the whole network is one operation.
    ///
    /// ```
    /// use brenier::{function::{build, Mlp}, random::Key, tensor::points};
    /// use dfdx::prelude::*;
    /// let map: Mlp<2, 64, 2, 2> = build(Key::new(0)); // 2-64-64-64-2, ReLU
    /// assert_eq!(map.num_trainable_params(), 2 * 64 + 64 + 2 * (64 * 64 + 64) + 64 * 2 + 2);
    /// assert_eq!(map.forward(points(vec![0.0; 6])?).shape().0, 3);
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub struct Mlp<const I, const H, const K, const O; A = Relu> {
        /// `I -> H`.
        module first: Linear<I, H, E, D>,
        /// `K` layers `H -> H`.
        module hidden: Repeated<Linear<H, H, E, D>, K>,
        /// `H -> O`, without activation.
        module last: Linear<H, O, E, D>,
    }
}

module! {
    /// A residual perceptron `[n, I] -> [n, O]`: h₀ = σ(W₀x + b₀), hₖ₊₁ = hₖ + σ(Wₖhₖ + bₖ) for `K`
    /// blocks of width `H`, then a linear layer.
    pub struct ResidualMlp<const I, const H, const K, const O; A = Relu> {
        /// `I -> H`.
        module first: Linear<I, H, E, D>,
        /// `K` residual blocks `H -> H`.
        module hidden: Repeated<Linear<H, H, E, D>, K>,
        /// `H -> O`, without activation.
        module last: Linear<H, O, E, D>,
    }
}

impl<const I: usize, const H: usize, const K: usize, const O: usize, A, E, D, T>
    Module<Points<I, E, D, T>> for Mlp<I, H, K, O, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
{
    type Output = Points<O, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<I, E, D, T>) -> Result<Self::Output, Self::Error> {
        Ok(D::mlp::<I, H, O, A, T>(x, &self.first, &self.hidden.modules, &self.last))
    }
}

impl<const I: usize, const H: usize, const K: usize, A, E, D> InputGradient<I, E, D>
    for Mlp<I, H, K, 1, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
{
    fn input_gradient<T: Tape<E, D>>(&self, x: Points<I, E, D, T>) -> Points<I, E, D, T> {
        D::mlp_gradient::<I, H, A, T>(x, &self.first, &self.hidden.modules, &self.last)
    }
    fn slopes(&self) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        D::mlp_slopes::<I, H, A>(&self.first, &self.hidden.modules, &self.last)
    }
}

impl<const I: usize, const H: usize, const K: usize, const O: usize, A, E, D, T>
    Module<Points<I, E, D, T>> for ResidualMlp<I, H, K, O, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
{
    type Output = Points<O, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<I, E, D, T>) -> Result<Self::Output, Self::Error> {
        let mut h = linear::<I, H, E, D, A, T>(x, &self.first);
        for block in &self.hidden.modules {
            h = residual_linear::<H, E, D, A, T>(h, block);
        }
        Ok(linear::<H, O, E, D, Identity, T>(h, &self.last))
    }
}
