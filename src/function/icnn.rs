//! The DenseICNN of the Wasserstein-2 benchmark.

use dfdx::nn::modules::Repeated;
use dfdx::prelude::*;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::module::module;
use super::potential::InputGradient;
use crate::ops::{Activation, Celu, Engine, Real};
use crate::tensor::{rows, Points};

module! {
    /// q(x)ⱼ = (x·Aⱼ)² + Bⱼ·x + cⱼ: `[n, N] -> [n, H]`, convex in x for any parameters.
    pub struct ConvexQuadratic<const N, const H> {
        /// A, of rank one per unit.
        tensor factor: Tensor<Rank2<N, H>, E, D> = normal,
        /// B.
        tensor weight: Tensor<Rank2<H, N>, E, D> = normal,
        /// c.
        tensor bias: Tensor<Rank1<H>, E, D> = normal,
    }
}

module! {
    /// h ↦ σ(h Cᵀ + q(x)), with C ≥ 0 for convexity.
    pub struct ConvexLayer<const N, const H, const L> {
        /// C.
        tensor convex: Tensor<Rank2<L, H>, E, D> = positive,
        /// q.
        module quadratic: ConvexQuadratic<N, L, E, D>,
    }
}

module! {
    /// The input-convex network of arXiv:2106.01954 (DenseICNN with quadratic skips of rank one):
    ///
    /// h₀ = q₀(x) (no activation), hᵢ = σ(hᵢ₋₁Cᵢᵀ + qᵢ(x)), v(x) = w·h + β/2 |x|²,
    ///
    /// a potential `[n, N] -> [n, 1]` with `K + 1` layers of width `H` and a last one of width `L`.
    /// The benchmark has `K = 1`, `H = max(2N, 64)`, `L = max(N, 32)`, σ = CELU. v is convex while
    /// C ≥ 0 and w ≥ 0 ([`make_convex`](Self::make_convex)), and nothing in the network requires it.
    ///
    /// Value and gradient are one operation each; the activation must be one whose derivatives are
    /// functions of its output.
    ///
    /// ```
    /// use brenier::{function::{build, DenseIcnn, InputGradient}, random::Key, tensor::*};
    /// use dfdx::prelude::*;
    /// let v: DenseIcnn<2, 64, 1, 32> = build(Key::new(0));
    /// assert_eq!(v.num_trainable_params(), 6976); // the published size of the benchmark's D = 2
    /// // The gradient against a central difference.
    /// let g = rows(&v.input_gradient(points(vec![0.3, -0.2])?))[0];
    /// let at = |x: f32| rows(&v.forward(points(vec![x, -0.2]).unwrap()))[0];
    /// assert!((g - (at(0.31) - at(0.29)) / 0.02).abs() < 1e-3);
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub struct DenseIcnn<const N, const H, const K, const L; A = Celu> {
        /// q₀.
        module first: ConvexQuadratic<N, H, E, D>,
        /// `K` layers `H -> H`.
        module hidden: Repeated<ConvexLayer<N, H, H, E, D>, K>,
        /// The layer `H -> L`.
        module last: ConvexLayer<N, H, L, E, D>,
        /// w.
        tensor head: Tensor<Rank2<1, L>, E, D> = positive,
        /// β, the strong convexity; not learned.
        scalar strong_convexity: f64 = STRONG_CONVEXITY,
    }
}

/// β with which the networks of the benchmark are trained (they are evaluated with 0.01).
const STRONG_CONVEXITY: f64 = 1e-4;

/// N(0, 0.1²), as in the reference code.
fn normal<S: Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
) -> Result<(), <D as HasErr>::Err> {
    t.try_fill_with_distr(Normal)
}

struct Normal;
impl<E: Real> Distribution<E> for Normal {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> E {
        let z: f64 = StandardNormal.sample(rng);
        E::of(0.1 * z)
    }
}

/// Uniform on [0, 2 / fan in): convex from the start, and a row sums to about one.
fn positive<S: Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
) -> Result<(), <D as HasErr>::Err> {
    let fan_in = t.shape().concrete().into_iter().last().unwrap_or(1);
    t.try_fill_with_distr(Uniform::new(E::zero(), E::of(2.0 / fan_in as f64)))
}

/// Replaces negative numbers by zero; the tensor keeps its identity.
fn clamp<S: Shape, E: Real, D: Device<E>>(t: &mut Tensor<S, E, D>) {
    let mut values = rows(t);
    values.iter_mut().filter(|v| **v < E::zero()).for_each(|v| *v = E::zero());
    t.copy_from(&values);
}

impl<const N: usize, const H: usize, const K: usize, const L: usize, A, E, D>
    DenseIcnn<N, H, K, L, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
{
    /// Projects the convex weights and the head to ≥ 0, after which v is convex.
    pub fn make_convex(&mut self) {
        for layer in &mut self.hidden.modules {
            clamp(&mut layer.convex);
        }
        clamp(&mut self.last.convex);
        clamp(&mut self.head);
    }
}

impl<const N: usize, const H: usize, const K: usize, const L: usize, A, E, D, T>
    Module<Points<N, E, D, T>> for DenseIcnn<N, H, K, L, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
{
    type Output = Points<1, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        Ok(D::icnn_value::<N, A, Self, T>(x, self, self.strong_convexity))
    }
}

impl<const N: usize, const H: usize, const K: usize, const L: usize, A, E, D> InputGradient<N, E, D>
    for DenseIcnn<N, H, K, L, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
{
    fn input_gradient<T: Tape<E, D>>(&self, x: Points<N, E, D, T>) -> Points<N, E, D, T> {
        D::icnn_gradient::<N, A, Self, T>(x, self, self.strong_convexity)
    }
    fn slopes(&self) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        D::icnn_slopes::<N, A, Self>(self, self.strong_convexity)
    }
}
