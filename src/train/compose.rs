//! Steps made of steps.

use crate::error::{Error, Result};
use crate::random::Key;

use super::run::Step;
use crate::neural::{Readings, State};

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
