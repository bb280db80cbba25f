//! The structure of optimal maps: Jacobians that are symmetric, and displacements through ∇h*.

use dfdx::prelude::*;

use super::mlp::Mlp;
use super::potential::{Displacement, TransportMap};
use super::wrapped::wrapped;
use crate::ops::{Activation, Engine, Real};
use crate::tensor::Points;

/// A map whose Jacobian J can be asked how far it is from symmetric, in a differentiable expression.
///
/// Vector fields with a symmetric Jacobian everywhere are gradients. `dfdx` records first derivatives
/// only; a map with this trait writes the products with its Jacobian as forward operations.
pub trait Asymmetry<const N: usize, E: Real = f32, D: Engine<E> = Cpu>:
    TransportMap<N, E, D>
{
    /// (J − Jᵀ) v at each point: `[n, N], [n, N] -> [n, N]`, differentiable in the points and the
    /// parameters. The mean of its square over standard normal v is |J − Jᵀ|², the sum of the squares of
    /// the entries.
    fn asymmetry<T: Tape<E, D>>(
        &self,
        x: Points<N, E, D, T>,
        v: &Points<N, E, D>,
    ) -> Points<N, E, D, T>;
}

impl<const N: usize, const H: usize, const K: usize, A, E, D> Asymmetry<N, E, D>
    for Mlp<N, H, K, N, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
{
    fn asymmetry<T: Tape<E, D>>(
        &self,
        x: Points<N, E, D, T>,
        v: &Points<N, E, D>,
    ) -> Points<N, E, D, T> {
        D::mlp_asymmetry::<N, H, A, T>(x, v, &self.first, &self.hidden.modules, &self.last)
    }
}

/// That of M: the identity is symmetric.
impl<const N: usize, E: Real, D: Engine<E>, M: Asymmetry<N, E, D>> Asymmetry<N, E, D>
    for Displacement<M>
{
    fn asymmetry<T: Tape<E, D>>(
        &self,
        x: Points<N, E, D, T>,
        v: &Points<N, E, D>,
    ) -> Points<N, E, D, T> {
        self.0.asymmetry(x, v)
    }
}

/// T(x) = x − ∇h*(M(x)) of a module M: `[n, N] -> [n, N]`, for the cost c(x, y) = h(x − y) with
/// h(z) = Σᵢ |zᵢ|ᵖ / p ([`PNorm`](crate::geometry::PNorm); p = 2 is
/// [`HalfSqEuclidean`](crate::geometry::HalfSqEuclidean)).
///
/// Optimal maps for this cost are of this form with M the gradient of a potential
/// (arXiv:2302.04953), which [`asymmetry`](Asymmetry::asymmetry), that of M, measures. ∇h* acts on each
/// coordinate, w ↦ sign(w) |w|^(1/(p − 1)), whose slope is infinite at 0 for p > 2; there the gradient
/// counts as 0.
#[derive(Clone, Debug)]
pub struct ConjugateMap<M> {
    /// M.
    pub inner: M,
    /// p > 1; not learned.
    pub exponent: f64,
}

wrapped!(ConjugateMap { inner, exponent: 2.0 });

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, M> Module<Points<N, E, D, T>>
    for ConjugateMap<M>
where
    M: Module<Points<N, E, D, T>, Output = Points<N, E, D, T>>,
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        let (x, tape) = x.split_tape();
        let moved = self.inner.forward(x.clone().put_tape(tape));
        if self.exponent == 2.0 {
            return moved.try_negate()?.try_add(x);
        }
        let power = 1.0 / (self.exponent - 1.0);
        let (moved, tape) = moved.contiguous().split_tape();
        let w = crate::tensor::rows(&moved);
        let step = |w: &E| E::of(-w.double().abs().powf(power).copysign(w.double()));
        let steps = w.iter().map(step).collect();
        let steps = moved.device().tensor_from_vec(steps, *moved.shape());
        let output = D::attach(steps, vec![D::input(&moved)], tape, move |seed| {
            let slope = |w: f64| match power * w.abs().powf(power - 1.0) {
                slope if slope.is_finite() => -slope,
                _ => 0.0,
            };
            vec![seed.iter().zip(&w).map(|(s, w)| *s * E::of(slope(w.double()))).collect()]
        });
        output.try_add(x)
    }
}

impl<const N: usize, E: Real, D: Engine<E>, M: Asymmetry<N, E, D>> Asymmetry<N, E, D>
    for ConjugateMap<M>
{
    fn asymmetry<T: Tape<E, D>>(
        &self,
        x: Points<N, E, D, T>,
        v: &Points<N, E, D>,
    ) -> Points<N, E, D, T> {
        self.inner.asymmetry(x, v)
    }
}
