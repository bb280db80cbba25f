//! Incomplete and extremal transport, arXiv:2301.12874 (Algorithm 1).
//!
//! Transports P into w times Q: of all maps with T#P ≤ w Q, the one of least cost. At w = 1 that is optimal
//! transport; for growing w the cost falls, and in the limit every point goes to its nearest point of the
//! support of Q (extremal transport). Solves
//!
//! max_{f ≤ 0} min_T  E_P[c(x, T(x))] − E_P[f(T(x))] + w E_Q[f(y)].
//!
//! The inequality is in the sign of f alone, which is that of its type ([`NonPositive`]). The optimal f is 0
//! on the part of Q that receives less than it could: see [`used_share`](crate::score::used_share()).
//!
//! A step costs what one of [`not_step`](super::not_step()) does. The state is the same too: a run goes
//! on from the state of a smaller w.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::readings;
use super::maximin::{strong, Turns};
use super::not::NotState;
use super::ramp::Ramp;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::function::{NonPositive, TransportMap};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;

/// What is chosen. The defaults are the turns and rates of the paper with w = 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct ItConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// w ≥ 1; the paper raises it from 1 in the first 20 000 steps of a run from scratch.
    pub weight: Ramp,
    /// How map and potential take turns, and their optimisers.
    pub turns: Turns,
}

impl<C: Default> Default for ItConfig<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> ItConfig<C> {
    /// The defaults with the given cost.
    pub fn with_cost(cost: C) -> Self {
        Self { cost, weight: Ramp::constant(1.0), turns: Turns::default() }
    }
}

/// What has become: potential and map with their optimisers.
pub type ItState<F, T, E = f32, D = Cpu> = NotState<F, T, E, D>;

/// What is seen of a step; each value is from before the update that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItMetrics {
    /// mean c(x, T(x)) − mean f(T(x)), of the last map step.
    pub map_loss: f64,
    /// mean f(T(x)) − w mean f(y).
    pub potential_loss: f64,
    /// mean c(x, T(x)), of the last map step.
    pub transport_cost: f64,
    /// mean c(x, T(x)) − mean f(T(x)) + w mean f(y): an estimate of the least cost.
    pub saddle_value: f64,
    /// w.
    pub weight: f64,
    /// Norm of the gradient in the map's parameters, of the last map step.
    pub map_gradient_norm: f64,
    /// Norm of the gradient in the potential's parameters.
    pub potential_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn it_init<C, E, D, F, T>(
    config: &ItConfig<C>,
    potential: F,
    map: T,
) -> Result<ItState<F, T, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    T: TensorCollection<E, D>,
{
    config.weight.check(
        "weight",
        1.0,
        "must be finite and at least 1: Q takes w times its mass",
    )?;
    config.turns.start(potential, map)
}

/// One step of incomplete transport: K_T descents of the map, one of the potential.
///
/// The batch holds `[n, N]` source and `[m, N]` target points; see
/// [`SourceUse`](super::SourceUse) for n. Deterministic: the key is not used.
///
/// # Errors
/// [`Error::Shape`] if the source cannot be cut as the configuration says, [`Error::NonFinite`] if a
/// loss or a gradient is (training has diverged: go on from a checkpoint with lower rates).
///
/// ```
/// use brenier::prelude::*;
/// let (source, target) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let config = ItConfig::<HalfSqEuclidean> {
///     weight: Ramp { from: 1.0, to: 4.0, steps: 100 },
///     turns: Turns::with_rates(2, 1e-3, 1e-3),
///     ..Default::default()
/// };
/// let [potential, map, data, training] = Key::new(0).split();
/// let f: NegativeAbs<Mlp<2, 32, 1, 1>> = build(potential);
/// let t: Mlp<2, 32, 1, 2> = build(map);
/// let mut state = it_init(&config, f, t)?;
/// let batches = Sampled::new(source, target, 64)?.with_source_parts(config.turns.source_parts())?;
/// for batch in batches.batches(data).take(3) {
///     let (next, metrics) = it_step(&config, state, &batch?, training)?;
///     assert!(metrics.weight >= 1.0);
///     state = next;
/// }
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn it_step<const N: usize, E, D, C, F, T>(
    config: &ItConfig<C>,
    state: ItState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(ItState<F, T, E, D>, ItMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: NonPositive<N, E, D>,
    T: TransportMap<N, E, D>,
{
    let weight = config.weight.at(state.step);
    let turns = (config.turns.map_steps, config.turns.source);
    let (state, played) = strong(&config.cost, turns, weight, state, batch)?;
    let metrics = ItMetrics {
        map_loss: played.map.loss,
        potential_loss: played.potential.loss,
        transport_cost: played.transport_cost,
        saddle_value: played.transport_cost - played.potential.loss,
        weight,
        map_gradient_norm: played.map.gradient_norm,
        potential_gradient_norm: played.potential.gradient_norm,
    };
    Ok((state, metrics))
}

readings!(ItMetrics {
    map_loss,
    potential_loss,
    transport_cost,
    saddle_value,
    weight,
    map_gradient_norm,
    potential_gradient_norm,
});
