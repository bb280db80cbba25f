//! The guarded step.

use super::config::GuardConfig;
use super::state::{Divergence, Guarded, Rollback};
use crate::error::{Error, Result};
use crate::neural::{Readings, Slowed, State};
use crate::random::Key;
use crate::train::Step;

/// What a guarded step saw.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardMetrics<M> {
    /// The metrics of the step; none where it failed and was rolled back.
    pub inner: Option<M>,
    /// What was done, if something was.
    pub rollback: Option<Rollback>,
    /// The value of the proxy, at the steps where it was computed.
    pub proxy: Option<f64>,
}

/// A step that detects divergence, goes back to the last good snapshot, lowers the learning rates and
/// goes on.
///
/// Signs of divergence are a NaN or infinity, in an error of the step or in its readings (losses,
/// norms of gradients); readings far outside the range of the last steps, several steps in a row; and
/// `proxy`, a number that falls as training gets better (the error at held-out points, say), much
/// above its best, that of the first state included. Every [`every`](GuardConfig::every) steps the proxy
/// is computed, and a snapshot is taken if there is no sign. A rollback is reported in the metrics and kept in
/// [`Guarded::history`]. The count of steps goes back too, and with it the keys of a run, but not its
/// batches. Learning rates do not rise again.
///
/// The guard changes nothing in a run that does not diverge. It costs a copy of the state for each
/// snapshot and now and then the sorting of a window.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range. The step: its errors
/// other than [`Error::NonFinite`], those of the proxy, and [`Error::Diverged`] after too many
/// rollbacks.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::train::{guard, GuardConfig, GuardMetrics, Guarded};
/// type Net = PotentialMap<Mlp<2, 16, 0, 1, Celu>>;
/// // Much too fast: the networks are lost at once.
/// let adam = AdamConfig::with_rate(1e12);
/// let config: EnotConfig =
///     EnotConfig { source: adam.clone(), target: adam, ..EnotConfig::default() };
/// let [f, g, data, training] = Key::new(1).split();
/// let (f, g): (Net, Net) = (build(f), build(g));
/// let state = Guarded::new(enot_init(&config, f, g)?);
/// let slower = GuardConfig { slow_down: 1e-5, ..GuardConfig::default() };
/// let no_proxy = |_: &EnotState<Net, Net>| Ok(0.0);
/// let step = guard(slower, no_proxy, |s, b: &Batch<2>, k| enot_step(&config, s, b, k))?;
/// let (p, q) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let batches = Sampled::new(p, q, 64)?.batches(data).take(50);
/// let state = run(&step, state, batches, training, &mut |_: &_, m: &GuardMetrics<_>| {
///     if let Some(back) = &m.rollback {
///         println!("step {}: back to {}: {}", back.at, back.to, back.cause);
///     }
///     Ok(())
/// })?;
/// assert!(state.rollbacks() > 0 && state.step() > 40);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn guard<S, B, St>(
    config: GuardConfig,
    proxy: impl Fn(&S) -> Result<f64>,
    step: St,
) -> Result<impl Step<Guarded<S>, B, Metrics = GuardMetrics<St::Metrics>>>
where
    S: State + Slowed + Clone,
    St: Step<S, B>,
    St::Metrics: Readings,
{
    config.check()?;
    Ok(move |guarded: Guarded<S>, batch: &B, key: Key| {
        let Guarded { state, snapshot, mut memory, rate_factor, count, history } = guarded;
        let at = state.step();
        let (cause, inner, seen) = match step.step(state, batch, key) {
            Err(Error::NonFinite { what, .. }) => (Divergence::NonFinite { what }, None, None),
            Err(other) => return Err(other),
            Ok((state, metrics)) => {
                let mut cause = memory.judge(&config, &metrics.readings());
                let due = state.step().is_multiple_of(config.every) && memory.signs == 0;
                let mut seen = None;
                if due && cause.is_none() {
                    if memory.best_proxy == f64::INFINITY {
                        // The first time: what the run started from.
                        memory.best_proxy = proxy(&snapshot)?;
                    }
                    let value = proxy(&state)?;
                    seen = Some(value);
                    cause = memory.judge_proxy(&config, value);
                }
                let inner = Some(metrics);
                match cause {
                    Some(cause) => (cause, inner, seen),
                    None => {
                        let snapshot = if due { state.clone() } else { snapshot };
                        let guarded =
                            Guarded { state, snapshot, memory, rate_factor, count, history };
                        return Ok((guarded, GuardMetrics { inner, rollback: None, proxy: seen }));
                    }
                }
            }
        };

        if count >= u64::from(config.rollbacks) {
            let (rollbacks, cause) = (config.rollbacks, cause.to_string());
            return Err(Error::Diverged { step: at, rollbacks, cause });
        }
        let mut state = snapshot;
        state.slow_down(config.slow_down);
        memory.signs = 0;
        let rate_factor = rate_factor * config.slow_down;
        let back = Rollback { at, to: state.step(), cause, rate_factor };
        let mut history = history;
        history.push(back.clone());
        let snapshot = state.clone();
        let guarded = Guarded { state, snapshot, memory, rate_factor, count: count + 1, history };
        Ok((guarded, GuardMetrics { inner, rollback: Some(back), proxy: seen }))
    })
}
