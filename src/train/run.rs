//! The contract of a step, and the loop.

use crate::error::Result;
use crate::neural::State;
use crate::random::Key;

use super::observe::Observe;

/// A pure training step on states `S` and batches `B`.
///
/// Implemented for every `Fn(S, &B, Key) -> Result<(S, M)>`. Laws: equal arguments give equal results,
/// and a clone of the state made before the step is left as it was.
pub trait Step<S, B> {
    /// What a step reports.
    type Metrics;
    /// The next state and what was seen on the way.
    ///
    /// # Errors
    /// Those of the estimator.
    fn step(&self, state: S, batch: &B, key: Key) -> Result<(S, Self::Metrics)>;
}

impl<S, B, M, F: Fn(S, &B, Key) -> Result<(S, M)>> Step<S, B> for F {
    type Metrics = M;
    fn step(&self, state: S, batch: &B, key: Key) -> Result<(S, M)> {
        self(state, batch, key)
    }
}

/// Folds `step` over `batches`, showing every new state and its metrics to `observe`.
///
/// The key of a step is `key.fold_in(state.step())`: together with batches that are a function of their
/// index, a run that goes on from a saved state is bit for bit the run that was never interrupted.
///
/// # Errors
/// The first error of a batch, of the step or of an observer. The state is then lost: an observer that
/// saves checkpoints keeps it.
pub fn run<S, B, St>(
    step: &St,
    mut state: S,
    batches: impl IntoIterator<Item = Result<B>>,
    key: Key,
    observe: &mut impl Observe<S, St::Metrics>,
) -> Result<S>
where
    S: State,
    St: Step<S, B>,
{
    for batch in batches {
        let (next, metrics) = {
            let key = key.fold_in(state.step());
            step.step(state, &batch?, key)?
        };
        state = next;
        observe.observe(&state, &metrics)?;
    }
    Ok(state)
}
