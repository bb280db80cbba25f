//! The Monge gap as a regulariser, arXiv:2302.04953, with its conservative term.
//!
//! Minimises over maps T
//!
//! Δ(T#P, Q) + λ M(T) + μ E|J − Jᵀ|²,   M(T) = E_P c(x, T(x)) − W(P, T#P),
//!
//! with a fitting loss Δ, the Monge gap M, which is 0 exactly for maps that are optimal between P and T#P,
//! and J the Jacobian of the map (of M for a [`ConjugateMap`](crate::function::ConjugateMap)).
//!
//! A step costs one forward and backward pass of the map, two to three Sinkhorn problems between the
//! points of the batch and, if μ > 0, about three more passes of the map. Potentials are no part of the
//! state: those of one batch say nothing about the points of the next, and a step stays a function of the
//! state and the batch.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, Readings};
use super::gap_loss::{fitting_loss, monge_gap_loss, Fitting, FittingTerms, MongeGap};
use crate::error::{Error, Result};
use crate::function::{AdamConfig, Asymmetry, Learner, TransportMap};
use crate::geometry::{RowCost, SqEuclidean};
use crate::ops::{Constants, Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{Points, Scalar, Taped};

/// What is chosen. The defaults are those of the paper on the Wasserstein-2 benchmark up to dimension 64,
/// λ = 1 and μ = 0.01 ((10, 0.1) from 128 on), with the rate and the ε of the authors' tutorial.
///
/// The divergence contracts the images of small batches, more so in higher dimension; where that matters,
/// [`Fitting::Energy`] with a smaller ε (0.02 of the mean cost) fits better.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    bound(deserialize = "C: Default + Deserialize<'de>, F: Default + Deserialize<'de>")
)]
pub struct MongeGapConfig<C = SqEuclidean, F = SqEuclidean> {
    /// Δ.
    pub fitting: Fitting<F>,
    /// M.
    pub gap: MongeGap<C>,
    /// λ ≥ 0.
    pub gap_weight: f64,
    /// μ ≥ 0.
    pub conservative_weight: f64,
    /// Optimiser of the map.
    pub map: AdamConfig,
}

impl<C: Default, F: Default> Default for MongeGapConfig<C, F> {
    fn default() -> Self {
        Self {
            fitting: Fitting::default(),
            gap: MongeGap::default(),
            gap_weight: 1.0,
            conservative_weight: 0.01,
            map: AdamConfig::with_rate(1e-3),
        }
    }
}

/// What has become: the map with its optimiser.
#[derive(Clone, Debug)]
pub struct MongeGapState<T, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// T.
    pub map: Learner<T, E, D>,
}

/// What is seen of a step; each value is from before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MongeGapMetrics {
    /// Δ + λ M + μ |J − Jᵀ|².
    pub loss: f64,
    /// Δ.
    pub fitting: FittingTerms,
    /// M.
    pub gap: f64,
    /// ε log n, the least value of M.
    pub gap_floor: f64,
    /// (1/n) Σ c(xᵢ, T(xᵢ)).
    pub transport_cost: f64,
    /// Iterations of the problem between points and images.
    pub gap_iterations: usize,
    /// Its marginal error.
    pub gap_marginal_error: f64,
    /// The estimate of E|J − Jᵀ|²; 0 if μ is 0, when it is not computed.
    pub conservative: f64,
    /// Norm of the gradient in the parameters.
    pub gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn monge_gap_init<C, F, E, D, T>(
    config: &MongeGapConfig<C, F>,
    map: T,
) -> Result<MongeGapState<T, E, D>>
where
    E: Real,
    D: Engine<E>,
    T: TensorCollection<E, D>,
{
    for (field, weight) in
        [("gap_weight", config.gap_weight), ("conservative_weight", config.conservative_weight)]
    {
        if !(weight >= 0.0 && weight.is_finite()) {
            return Err(Error::config(field, weight, "must be finite and not negative"));
        }
    }
    Ok(MongeGapState { step: 0, map: Learner::new(map, config.map.clone())? })
}

/// One descent of the map on a batch of `[n, N]` source and `[m, N]` target points. The key draws the
/// directions of the conservative term, one for each point.
///
/// # Errors
/// Those of [`fitting_loss`] and [`monge_gap_loss`]; [`Error::NonFinite`] if the loss or its gradient is
/// (training has diverged: go on from a checkpoint with a lower rate).
///
/// ```
/// use brenier::prelude::*;
/// let (source, target) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let config: MongeGapConfig = MongeGapConfig::default();
/// let [map, data, training] = Key::new(0).split();
/// let t: Displacement<Mlp<2, 32, 1, 2, Gelu>> = build(map);
/// let mut state = monge_gap_init(&config, t)?;
/// for (i, batch) in Sampled::new(source, target, 64)?.batches(data).take(3).enumerate() {
///     let key = training.fold_in(i as u64);
///     let (next, metrics) = monge_gap_step(&config, state, &batch?, key)?;
///     assert!(metrics.gap > 0.9 * metrics.gap_floor);
///     state = next;
/// }
/// assert_eq!(state.step, 3);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn monge_gap_step<const N: usize, E, D, C, F, T>(
    config: &MongeGapConfig<C, F>,
    state: MongeGapState<T, E, D>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<(MongeGapState<T, E, D>, MongeGapMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    F: RowCost<E>,
    T: Asymmetry<N, E, D>,
{
    descend(config, state, batch, |map, x| {
        let n = x.shape().0;
        let directions = key.normal(n * N).into_iter().map(|v| E::of(v.into())).collect();
        let v: Points<N, E, D> = x.device().tensor_from_vec(directions, (n, Const));
        let start = x.retaped::<Taped<E, D>>();
        let skew = Constants::default().tensor(x).scope(|| map.asymmetry(start, &v));
        Ok(skew.square().mean() * E::of(N as f64))
    })
}

/// [`monge_gap_step`] for maps that say nothing of their Jacobian: μ must be 0. Deterministic: the key is
/// not used.
///
/// # Errors
/// As [`monge_gap_step`], and [`Error::InvalidConfig`] if μ is not 0.
pub fn monge_gap_plain_step<const N: usize, E, D, C, F, T>(
    config: &MongeGapConfig<C, F>,
    state: MongeGapState<T, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(MongeGapState<T, E, D>, MongeGapMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    F: RowCost<E>,
    T: TransportMap<N, E, D>,
{
    descend(config, state, batch, |_, _| {
        let rule = "needs a map with `Asymmetry` and `monge_gap_step`, or must be 0";
        Err(Error::config("conservative_weight", config.conservative_weight, rule))
    })
}

/// A step with this estimate of E|J − Jᵀ|², which is asked for if μ is not 0.
fn descend<const N: usize, E, D, C, F, T>(
    config: &MongeGapConfig<C, F>,
    state: MongeGapState<T, E, D>,
    batch: &Batch<N, E, D>,
    penalty: impl Fn(&T, &Points<N, E, D>) -> Result<Scalar<E, D, Taped<E, D>>>,
) -> Result<(MongeGapState<T, E, D>, MongeGapMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    F: RowCost<E>,
    T: TransportMap<N, E, D>,
{
    let MongeGapState { step, mut map } = state;
    let at = |e: Error| e.at_step(step);
    let x = &batch.source;
    let moved: Points<N, E, D, Taped<E, D>> = map.traced(x);
    let images = moved.retaped::<Taped<E, D>>();
    let (fit, fitting) = fitting_loss(&config.fitting, moved, &batch.target).map_err(at)?;
    let (gap, terms) = monge_gap_loss(&config.gap, x, images).map_err(at)?;
    let mut loss = fit + gap * E::of(config.gap_weight);
    let mut conservative = 0.0;
    if config.conservative_weight > 0.0 {
        let penalty = penalty(map.params(), x)?;
        conservative = penalty.as_vec().first().map_or(f64::NAN, |v| v.double());
        loss = loss + penalty * E::of(config.conservative_weight);
    }
    let descent = map.descend(loss).map_err(at)?;
    let metrics = MongeGapMetrics {
        loss: descent.loss,
        fitting,
        gap: terms.gap,
        gap_floor: terms.solution.epsilon * (x.shape().0 as f64).ln(),
        transport_cost: terms.transport_cost,
        gap_iterations: terms.solution.iterations,
        gap_marginal_error: terms.solution.marginal_error,
        conservative,
        gradient_norm: descent.gradient_norm,
    };
    Ok((MongeGapState { step: step + 1, map }, metrics))
}

learners!(MongeGapState<T> { map }, map: map of T);

impl Readings for MongeGapMetrics {
    fn readings(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("loss", self.loss),
            ("fitting", self.fitting.value),
            ("fitting_iterations", self.fitting.iterations as f64),
            ("fitting_marginal_error", self.fitting.marginal_error),
            ("gap", self.gap),
            ("gap_floor", self.gap_floor),
            ("gap_iterations", self.gap_iterations as f64),
            ("gap_marginal_error", self.gap_marginal_error),
            ("transport_cost", self.transport_cost),
            ("conservative", self.conservative),
            ("gradient_norm", self.gradient_norm),
        ]
    }
}
