//! Potentials of one sign, and the one that is 0.

use dfdx::prelude::*;

use super::potential::Potential;
use super::wrapped::wrapped;
use crate::ops::{Activation, Engine, Real, Softplus};
use crate::tensor::{rows, Points};

/// A potential that is nowhere positive, by construction.
pub trait NonPositive<const N: usize, E: Real = f32, D: Engine<E> = Cpu>:
    Potential<N, E, D>
{
}

/// The potential −|f(x)| of a potential f; its gradient where f = 0 is that of −f.
///
/// ```
/// use brenier::function::{build, NegativeAbs};
/// use brenier::prelude::*;
/// let f: NegativeAbs<Mlp<2, 16, 0, 1>> = build(Key::new(0));
/// let x = points(Key::new(1).normal(64))?;
/// let inner = rows(&f.0.forward(x.clone()));
/// assert!(rows(&f.forward(x)).iter().zip(inner).all(|(f, v)| *f == -v.abs()));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NegativeAbs<F>(pub F);

/// The potential −log(1 + exp f(x)) of a potential f, which is smooth.
#[derive(Clone, Debug)]
pub struct NegativeSoftplus<F>(pub F);

/// The function log(1 + exp m(x)), which is positive: a rescaling of masses, say.
#[derive(Clone, Debug)]
pub struct Positive<F>(pub F);

/// The potential that is 0 everywhere: there is nothing to learn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ZeroPotential;

wrapped!(NegativeAbs);
wrapped!(NegativeSoftplus);
wrapped!(Positive);

impl<const N: usize, E: Real, D: Engine<E>, F: Potential<N, E, D>> NonPositive<N, E, D>
    for NegativeAbs<F>
{
}
impl<const N: usize, E: Real, D: Engine<E>, F: Potential<N, E, D>> NonPositive<N, E, D>
    for NegativeSoftplus<F>
{
}
impl<const N: usize, E: Real, D: Engine<E>> NonPositive<N, E, D> for ZeroPotential {}

/// `value(v)` of each number, whose derivative is `slope(v)`.
fn each<E: Real, D: Engine<E>, T: Tape<E, D>>(
    v: Points<1, E, D, T>,
    value: impl Fn(E) -> E,
    slope: impl Fn(E) -> E + 'static,
) -> Points<1, E, D, T> {
    let (v, tape) = v.contiguous().split_tape();
    let inner = rows(&v);
    let outer = inner.iter().map(|v| value(*v)).collect();
    let outer = v.device().tensor_from_vec(outer, *v.shape());
    D::attach(outer, vec![D::input(&v)], tape, move |seed| {
        vec![seed.iter().zip(&inner).map(|(s, v)| *s * slope(*v)).collect()]
    })
}

macro_rules! outer {
    ($name:ident, $value:expr, $slope:expr) => {
        impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, F> Module<Points<N, E, D, T>>
            for $name<F>
        where
            F: Module<Points<N, E, D, T>, Output = Points<1, E, D, T>>,
        {
            type Output = Points<1, E, D, T>;
            type Error = F::Error;
            fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
                Ok(each(self.0.try_forward(x)?, $value, $slope))
            }
        }
    };
}

outer!(NegativeAbs, |v: E| -v.abs(), |v: E| if v < E::zero() { E::one() } else { -E::one() });
outer!(NegativeSoftplus, |v: E| -Softplus::value(v), |v: E| -logistic(v));
outer!(Positive, Softplus::value, logistic);

/// σ(v), the derivative of log(1 + exp v).
fn logistic<E: Real>(v: E) -> E {
    (E::one() + (-v).exp()).recip()
}

impl NonMutableModule for ZeroPotential {}

impl<E: Dtype, D: Device<E>> TensorCollection<E, D> for ZeroPotential {
    type To<E2: Dtype, D2: Device<E2>> = Self;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(visitor: &mut V) -> Result<Option<Self>, V::Err> {
        visitor.visit_fields((), |()| Self)
    }
}

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>> Module<Points<N, E, D, T>>
    for ZeroPotential
{
    type Output = Points<1, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        let (x, tape) = x.split_tape();
        Ok(x.device().try_zeros_like(&(x.shape().0, Const::<1>))?.put_tape(tape))
    }
}
