//! What is learned, as bounds: potentials, maps, and gradients of potentials.

use dfdx::prelude::*;

use super::wrapped::wrapped;
use crate::geometry::HalfSqEuclidean;
use crate::ops::{Engine, Real};
use crate::tensor::{rows, Points, Taped};

/// A potential f: any module `[n, N] -> [n, 1]`, on plain and on taped points.
pub trait Potential<const N: usize, E: Real = f32, D: Engine<E> = Cpu>:
    TensorCollection<E, D>
    + Module<Points<N, E, D>, Output = Points<1, E, D>>
    + Module<Points<N, E, D, Taped<E, D>>, Output = Points<1, E, D, Taped<E, D>>>
{
}
impl<const N: usize, E: Real, D: Engine<E>, F> Potential<N, E, D> for F where
    F: TensorCollection<E, D>
        + Module<Points<N, E, D>, Output = Points<1, E, D>>
        + Module<Points<N, E, D, Taped<E, D>>, Output = Points<1, E, D, Taped<E, D>>>
{
}

/// A transport map T: any module `[n, N] -> [n, N]`, on plain and on taped points, whose image of a
/// point does not depend on the other points.
pub trait TransportMap<const N: usize, E: Real = f32, D: Engine<E> = Cpu>:
    TensorCollection<E, D>
    + Module<Points<N, E, D>, Output = Points<N, E, D>>
    + Module<Points<N, E, D, Taped<E, D>>, Output = Points<N, E, D, Taped<E, D>>>
{
}
impl<const N: usize, E: Real, D: Engine<E>, F> TransportMap<N, E, D> for F where
    F: TensorCollection<E, D>
        + Module<Points<N, E, D>, Output = Points<N, E, D>>
        + Module<Points<N, E, D, Taped<E, D>>, Output = Points<N, E, D, Taped<E, D>>>
{
}

/// A potential whose input gradient is itself a differentiable expression.
///
/// `dfdx` records first derivatives only. A network with this trait writes ∇f as forward operations,
/// so that a loss on ∇f reaches the parameters.
pub trait InputGradient<const N: usize, E: Real = f32, D: Engine<E> = Cpu>:
    Potential<N, E, D>
{
    /// ∇f at each point: `[n, N] -> [n, N]`, differentiable in the points and the parameters.
    fn input_gradient<T: Tape<E, D>>(&self, x: Points<N, E, D, T>) -> Points<N, E, D, T>;

    /// The function from points, row by row, to the values and gradients of f at them. It holds what it
    /// needs of the parameters, and is for solvers that evaluate often
    /// ([`conjugates`](crate::solver::conjugates)).
    fn slopes(&self) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        let device = D::default();
        move |x| {
            let x: Points<N, E, D> = device.tensor_from_vec(x.to_vec(), (x.len() / N, Const));
            (rows(&self.forward(x.clone())), rows(&self.input_gradient(x)))
        }
    }
}

/// The map T = ∇f of a potential f.
#[derive(Clone, Debug)]
pub struct GradientMap<F>(pub F);

/// The map T(x) = x + M(x) of a module M: `[n, N] -> [n, N]`.
#[derive(Clone, Debug)]
pub struct Displacement<M>(pub M);

/// The potential ½|x|² + f(x) of a potential f, whose gradient map x + ∇f(x) starts near the identity.
#[derive(Clone, Debug)]
pub struct PlusHalfSquare<F>(pub F);

/// The potential −f of a potential f: with an input-convex f, a concave one.
#[derive(Clone, Debug)]
pub struct Negated<F>(pub F);

wrapped!(GradientMap);
wrapped!(Displacement);
wrapped!(Negated);
wrapped!(PlusHalfSquare);

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, F: InputGradient<N, E, D>>
    Module<Points<N, E, D, T>> for GradientMap<F>
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        Ok(self.0.input_gradient(x))
    }
}

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, M> Module<Points<N, E, D, T>>
    for Displacement<M>
where
    M: Module<Points<N, E, D, T>, Output = Points<N, E, D, T>>,
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        let (x, tape) = x.split_tape();
        self.0.forward(x.clone().put_tape(tape)).try_add(x)
    }
}

/// T(x, z) = x + M(x, z) of a stochastic module M.
impl<const N: usize, const Z: usize, E: Real, D: Engine<E>, T: Tape<E, D>, M>
    Module<(Points<N, E, D, T>, Points<Z, E, D>)> for Displacement<M>
where
    M: Module<(Points<N, E, D, T>, Points<Z, E, D>), Output = Points<N, E, D, T>>,
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(
        &self,
        (x, z): (Points<N, E, D, T>, Points<Z, E, D>),
    ) -> Result<Self::Output, Self::Error> {
        let (x, tape) = x.split_tape();
        self.0.forward((x.clone().put_tape(tape), z)).try_add(x)
    }
}

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, F> Module<Points<N, E, D, T>>
    for Negated<F>
where
    F: Module<Points<N, E, D, T>, Output = Points<1, E, D, T>>,
{
    type Output = Points<1, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        self.0.forward(x).try_negate()
    }
}

impl<const N: usize, E: Real, D: Engine<E>, F: InputGradient<N, E, D>> InputGradient<N, E, D>
    for Negated<F>
{
    fn input_gradient<T: Tape<E, D>>(&self, x: Points<N, E, D, T>) -> Points<N, E, D, T> {
        self.0.input_gradient(x).negate()
    }
}

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, F> Module<Points<N, E, D, T>>
    for PlusHalfSquare<F>
where
    F: Module<Points<N, E, D, T>, Output = Points<1, E, D, T>>,
{
    type Output = Points<1, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        let (x, tape) = x.split_tape();
        let value = self.0.forward(x.clone().put_tape(tape));
        let n = x.shape().0;
        let origin = x.device().try_zeros_like(&x)?;
        let half = D::paired(&HalfSqEuclidean, &origin, x.retaped::<T>());
        half.try_reshape_like(&(n, Const))?.try_add(value)
    }
}

impl<const N: usize, E: Real, D: Engine<E>, F: InputGradient<N, E, D>> InputGradient<N, E, D>
    for PlusHalfSquare<F>
{
    fn input_gradient<T: Tape<E, D>>(&self, x: Points<N, E, D, T>) -> Points<N, E, D, T> {
        let (x, tape) = x.split_tape();
        self.0.input_gradient(x.clone().put_tape(tape)) + x
    }
    fn slopes(&self) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>) {
        let slopes = self.0.slopes();
        move |x| {
            let (mut values, mut gradients) = slopes(x);
            for (v, x) in values.iter_mut().zip(x.chunks_exact(N)) {
                let square: f64 = x.iter().map(|x| x.double() * x.double()).sum();
                *v = E::of(v.double() + 0.5 * square);
            }
            gradients.iter_mut().zip(x).for_each(|(g, x)| *g += *x);
            (values, gradients)
        }
    }
}
