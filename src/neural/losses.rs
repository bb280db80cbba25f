//! Pieces of losses that several estimators share.

use dfdx::prelude::*;

use crate::function::{Learner, Potential};
use crate::ops::{Engine, Real};
use crate::tensor::{Points, Scalar, Taped};

/// mean f(plus) − mean f(minus), recorded for a gradient in the parameters of f: one pass on both.
pub(super) fn mean_difference<const N: usize, E, D, F>(
    f: &Learner<F, E, D>,
    plus: &Points<N, E, D>,
    minus: &Points<N, E, D>,
) -> Scalar<E, D, Taped<E, D>>
where
    E: Real,
    D: Engine<E>,
    F: Potential<N, E, D>,
{
    weighted_difference(f, plus, (minus, 1.0))
}

/// mean f(plus) − w mean f(minus), recorded in the same way.
pub(super) fn weighted_difference<const N: usize, E, D, F>(
    f: &Learner<F, E, D>,
    plus: &Points<N, E, D>,
    (minus, weight): (&Points<N, E, D>, f64),
) -> Scalar<E, D, Taped<E, D>>
where
    E: Real,
    D: Engine<E>,
    F: Potential<N, E, D>,
{
    let signs = signs(plus.device(), plus.shape().0, (minus.shape().0, weight));
    let values: Points<1, E, D, Taped<E, D>> = f.traced(&stacked(plus, minus));
    (values * signs).sum()
}

/// 1/n for each of n points, then −w/m for each of m.
pub(super) fn signs<E: Real, D: Engine<E>>(
    device: &D,
    n: usize,
    (m, weight): (usize, f64),
) -> Points<1, E, D> {
    let mut signs = vec![E::of(1.0 / n as f64); n + m];
    signs[n..].fill(E::of(-weight / m as f64));
    device.tensor_from_vec(signs, (n + m, Const))
}

/// The rows of `first`, then those of `second`.
pub(super) fn stacked<const N: usize, E: Real, D: Engine<E>>(
    first: &Points<N, E, D>,
    second: &Points<N, E, D>,
) -> Points<N, E, D> {
    let (n, m) = (first.shape().0, second.shape().0);
    let mut both = vec![E::zero(); (n + m) * N];
    let (above, below) = both.split_at_mut(n * N);
    first.clone().contiguous().copy_into(above);
    second.clone().contiguous().copy_into(below);
    first.device().tensor_from_vec(both, (n + m, Const))
}

/// The number of a scalar.
pub(super) fn value<E: Real, D: Engine<E>>(scalar: &Scalar<E, D, Taped<E, D>>) -> f64 {
    scalar.as_vec()[0].double()
}

/// The mean of numbers, in double precision.
pub(super) fn mean<E: Real>(values: &[E]) -> f64 {
    values.iter().map(|v| v.double()).sum::<f64>() / values.len() as f64
}
