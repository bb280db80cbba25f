//! Steps made of steps.

use crate::error::{Error, Result};
use crate::random::Key;

use super::run::Step;
use crate::neural::{Readings, Reversible, State};
use crate::ops::{Engine, Real};
use crate::problem::Batch;

/// `n` steps on one batch, each with a key of its own; the metrics are those of the last.
///
/// # Errors
/// Those of the step; [`Error::InvalidConfig`] for `n = 0`, when the step is made.
pub fn repeat<S, B, St: Step<S, B>>(n: usize, step: St) -> impl Step<S, B, Metrics = St::Metrics> {
    move |state: S, batch: &B, key: Key| {
        let mut done = step_or_count_error(n, &step, state, batch, key.fold_in(0))?;
        for i in 1..n as u64 {
            done = step.step(done.0, batch, key.fold_in(i))?;
        }
        Ok(done)
    }
}

fn step_or_count_error<S, B, St: Step<S, B>>(
    n: usize,
    step: &St,
    state: S,
    batch: &B,
    key: Key,
) -> Result<(S, St::Metrics)> {
    crate::error::check_count("repetitions of a step", n)?;
    step.step(state, batch, key)
}

/// A step whose non-finite readings are errors that name the step and the quantity.
///
/// # Errors
/// Those of the step, and [`Error::NonFinite`].
pub fn guard_finite<S: State, B, St>(step: St) -> impl Step<S, B, Metrics = St::Metrics>
where
    St: Step<S, B>,
    St::Metrics: Readings,
{
    move |state: S, batch: &B, key: Key| {
        let at = state.step();
        let (state, metrics) = step.step(state, batch, key)?;
        match metrics.readings().into_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok((state, metrics)),
            Some((what, value)) => Err(Error::NonFinite {
                what: what.into(),
                value,
                step: Some(at),
                remedy:
                    "training has diverged: lower the learning rates, clip the gradient, or go \
                         on from an earlier checkpoint",
            }),
        }
    }
}

/// At even steps `forward`, at odd steps `backward` with source and target exchanged (arXiv:1905.12154):
/// both potentials of a dual estimator are trained in both roles. The cost must be symmetric. Usually
/// both closures are the same step; they see different types.
///
/// # Errors
/// Those of the steps.
pub fn back_and_forth<const N: usize, S, E, D, St, Back>(
    forward: St,
    backward: Back,
) -> impl Step<S, Batch<N, E, D>, Metrics = St::Metrics>
where
    S: State + Reversible,
    E: Real,
    D: Engine<E>,
    St: Step<S, Batch<N, E, D>>,
    Back: Step<S::Reversed, Batch<N, E, D>, Metrics = St::Metrics>,
{
    move |state: S, batch: &Batch<N, E, D>, key: Key| {
        if state.step().is_multiple_of(2) {
            return forward.step(state, batch, key);
        }
        let (state, metrics) = backward.step(state.reversed(), &exchanged(batch), key)?;
        Ok((state.reversed(), metrics))
    }
}

/// A step that sees the source as target and the target as source.
///
/// # Errors
/// Those of the step.
pub fn reversed<const N: usize, S, E, D, St>(
    step: St,
) -> impl Step<S, Batch<N, E, D>, Metrics = St::Metrics>
where
    E: Real,
    D: Engine<E>,
    St: Step<S, Batch<N, E, D>>,
{
    move |state: S, batch: &Batch<N, E, D>, key: Key| step.step(state, &exchanged(batch), key)
}

fn exchanged<const N: usize, E: Real, D: Engine<E>>(batch: &Batch<N, E, D>) -> Batch<N, E, D> {
    Batch { source: batch.target.clone(), target: batch.source.clone() }
}
