//! Any step in its unbalanced form.

use dfdx::prelude::*;

use super::run::Step;
use crate::error::Error;
use crate::function::{Positive, Potential};
use crate::geometry::RowCost;
use crate::neural::{fit_ratio, resampled, Readings, State, Unbalanced, UnbalancedConfig};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;

/// What a step on a resampled batch saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnbalancedMetrics<M> {
    /// The metrics of the step.
    pub inner: M,
    /// Mass of the plan of the batch.
    pub mass: f64,
    /// Iterations of its solver.
    pub iterations: usize,
    /// Mean square error of η on the batch, before its update.
    pub eta_loss: f64,
    /// That of ξ.
    pub xi_loss: f64,
}

/// A minibatch step in its unbalanced form (arXiv:2209.15621): the batch is transported with relaxed
/// marginals, both sides are drawn again by the marginals of the plan ([`resampled`]), `step` sees the
/// result, and the rescaling networks η and ξ learn the ratios of the marginals.
///
/// Costs one Sinkhorn problem of the size of the batch, and a forward and backward pass of η and ξ.
///
/// # Errors
/// Those of [`resampled`] and of the step; [`Error::NonFinite`] if a rescaling network diverges.
///
/// ```
/// use brenier::neural::{Unbalanced, UnbalancedConfig};
/// use brenier::prelude::*;
/// use brenier::train::with_unbalanced;
/// let (p, q) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let config = UnbalancedConfig { tau: [0.9, 0.9], ..UnbalancedConfig::with_cost(SqEuclidean) };
/// let not = NotConfig::<SqEuclidean> { map_steps: 1, ..Default::default() };
/// type F = Mlp<2, 16, 0, 1>;
/// let [a, b, c, d, data] = Key::new(0).split();
/// let (f, t): (F, Mlp<2, 16, 0, 2>) = (build(a), build(b));
/// let (eta, xi): (F, F) = (build(c), build(d));
/// let state = Unbalanced::new(&config, not_init(&not, f, t)?, eta, xi)?;
/// let step = with_unbalanced(config, |s, b: &Batch<2>, k| not_step(&not, s, b, k));
/// let batches = Sampled::new(p, q, 32)?.with_source_parts(2)?.batches(data);
/// let (state, seen) = step.step(state, &batches.batch(0)?, Key::new(1))?;
/// assert!(seen.mass < 1.0 && state.step() == 1);
/// # Ok::<(), Error>(())
/// ```
pub fn with_unbalanced<const N: usize, S, G, H, E, D, C, St>(
    config: UnbalancedConfig<C>,
    step: St,
) -> impl Step<Unbalanced<S, G, H, E, D>, Batch<N, E, D>, Metrics = UnbalancedMetrics<St::Metrics>>
where
    S: State,
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    G: TensorCollection<E, D>,
    H: TensorCollection<E, D>,
    Positive<G>: Potential<N, E, D>,
    Positive<H>: Potential<N, E, D>,
    St: Step<S, Batch<N, E, D>>,
{
    move |state: Unbalanced<S, G, H, E, D>, batch: &Batch<N, E, D>, key: Key| {
        let Unbalanced { state, mut eta, mut xi } = state;
        let at = state.step();
        let late = |e: Error| e.at_step(at);
        let [of_batch, of_step] = key.split();
        let drawn = resampled(&config, batch, of_batch).map_err(late)?;
        let eta_loss = fit_ratio(&mut eta, &batch.source, &drawn.source_ratio).map_err(late)?.loss;
        let xi_loss = fit_ratio(&mut xi, &batch.target, &drawn.target_ratio).map_err(late)?.loss;
        let (state, inner) = step.step(state, &drawn.batch, of_step)?;
        let (mass, iterations) = (drawn.mass, drawn.iterations);
        let metrics = UnbalancedMetrics { inner, mass, iterations, eta_loss, xi_loss };
        Ok((Unbalanced { state, eta, xi }, metrics))
    }
}

impl<M: Readings> Readings for UnbalancedMetrics<M> {
    fn readings(&self) -> Vec<(&'static str, f64)> {
        let mut readings = self.inner.readings();
        readings.extend([
            ("plan_mass", self.mass),
            ("plan_iterations", self.iterations as f64),
            ("eta_loss", self.eta_loss),
            ("xi_loss", self.xi_loss),
        ]);
        readings
    }
}
