//! Expectile-regularised neural optimal transport, arXiv:2403.03777.
//!
//! Learns a target potential g and a source network that gives the map T, from
//!
//! ```text
//! g:  max  mean[ g(y) + g*(x) ] − λ mean[ L_τ(g*(x) + g(y) − c(x, y)) ],   g*(x) = c(x, T(x)) − g(T(x))
//! T:  min  mean[ c(x, T(x)) − g(T(x)) ]
//! ```
//!
//! with the expectile loss L_τ(d) = τ d² for d > 0, (1 − τ) d² else. The bracket d is positive exactly
//! where the pair (g*, g) breaks the constraint of the dual problem, so that with τ near 1 the
//! regulariser keeps g* an upper bound of a feasible conjugate, without solving for conjugates: the
//! map and the potential take one step each, at once. (The paper's code has the regulariser twice, once
//! as a function of g(y) and once of g*(x), the other held: the slopes are those of one.)
//!
//! The source network is a potential whose gradient is the map ([`PotentialMap`]) or a map of its own
//! ([`FreeMap`]). With potentials on both sides, [`back_and_forth`](crate::train::back_and_forth) lets
//! source and target change places from step to step, as the paper's results on the Wasserstein-2
//! benchmark do.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, readings, Reversible};
use super::enot_descents::{in_turn, together, Seen};
use crate::error::{check_count, Error, Result};
use crate::function::{AdamConfig, Learner, MapNetwork, Potential};
#[cfg(doc)]
use crate::function::{FreeMap, PotentialMap};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::rows;

/// What is chosen. The default is the paper's λ = 0.3 and τ = 0.9, and Adam with rate 3e-4 and
/// betas (0.9, 0.9) for both networks, as in its code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct EnotConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// τ, in (0, 1]; above ½ it punishes what breaks the constraint more.
    pub expectile: f64,
    /// λ, the weight of the regulariser; it has the dimension of 1 / cost.
    pub regularisation: f64,
    /// K, the map steps before each potential step, each on its part of the source; at least 1.
    pub map_steps: usize,
    /// Optimiser of the source network.
    pub source: AdamConfig,
    /// Optimiser of the target potential.
    pub target: AdamConfig,
}

impl<C: Default> Default for EnotConfig<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> EnotConfig<C> {
    /// The defaults with the given cost.
    pub fn with_cost(cost: C) -> Self {
        let adam = AdamConfig { betas: (0.9, 0.9), ..AdamConfig::with_rate(3e-4) };
        Self {
            cost,
            expectile: 0.9,
            regularisation: 0.3,
            map_steps: 1,
            source: adam.clone(),
            target: adam,
        }
    }
}

/// What has become: the two networks with their optimisers.
#[derive(Clone, Debug)]
pub struct EnotState<F, G, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// The network of the source, from which the map is read.
    pub source: Learner<F, E, D>,
    /// g.
    pub target: Learner<G, E, D>,
}

/// What is seen of a step; each value is from before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnotMetrics {
    /// mean c(x, T(x)) − mean g(T(x)), of the last map step.
    pub map_loss: f64,
    /// −mean[g(y) + g*(x)] + λ mean L_τ.
    pub potential_loss: f64,
    /// mean[g(y) + g*(x)]: an estimate of the optimal cost.
    pub dual_value: f64,
    /// λ mean L_τ.
    pub regulariser: f64,
    /// mean c(x, T(x)).
    pub transport_cost: f64,
    /// Norm of the gradient in the parameters of the source network, of the last map step.
    pub map_gradient_norm: f64,
    /// Norm of the gradient in the parameters of g.
    pub potential_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn enot_init<C, E, D, F, G>(
    config: &EnotConfig<C>,
    source: F,
    target: G,
) -> Result<EnotState<F, G, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    G: TensorCollection<E, D>,
{
    if !(config.expectile > 0.0 && config.expectile <= 1.0) {
        return Err(Error::config("expectile", config.expectile, "must be in (0, 1]"));
    }
    if !(config.regularisation >= 0.0 && config.regularisation.is_finite()) {
        let rule = "must be finite and not negative";
        return Err(Error::config("regularisation", config.regularisation, rule));
    }
    check_count("map_steps", config.map_steps)?;
    Ok(EnotState {
        step: 0,
        source: Learner::new(source, config.source.clone())?,
        target: Learner::new(target, config.target.clone())?,
    })
}

/// One step: K descents of the source network, one of g at the images that they were given.
///
/// The batch holds `[n, N]` source and `[n, N]` target points, paired at random by their order; K
/// divides n. Deterministic: the key is not used. Costs a pass of the source network and its backward
/// pass, and one forward and backward pass of g on both measures. With K = 1 both losses are at the
/// same parameters, and that pass of g also gives its slopes at T(x); with more, those cost a forward
/// and an input-gradient pass of g.
///
/// # Errors
/// [`Error::Shape`] unless there are as many source as target points and K divides their number,
/// [`Error::NonFinite`] if a loss
/// or a gradient is (training has diverged: go on from a checkpoint with lower rates).
///
/// ```
/// use brenier::function::{MapNetwork, PotentialMap};
/// use brenier::prelude::*;
/// type Net = PotentialMap<Mlp<2, 32, 1, 1, Celu>>;
/// let config = EnotConfig::<HalfSqEuclidean>::default();
/// let pair = KnownPair::<2>::random(Key::new(0))?;
/// let [f, g, data, training] = Key::new(1).split();
/// let (f, g): (Net, Net) = (build(f), build(g));
/// let batches = Sampled::new(pair.source().clone(), pair.target(), 128)?.batches(data).take(20);
/// // Source and target change places from step to step.
/// let step = back_and_forth(
///     |s, b: &Batch<2>, k| enot_step(&config, s, b, k),
///     |s, b: &Batch<2>, k| enot_step(&config, s, b, k),
/// );
/// let state = enot_init(&config, f, g)?;
/// let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?;
/// let moved = state.source.params().map_for(&config.cost).forward(points(vec![0.5, -1.0])?);
/// assert!(state.step == 20 && rows(&moved).iter().all(|v| v.is_finite()));
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn enot_step<const N: usize, E, D, C, F, G>(
    config: &EnotConfig<C>,
    state: EnotState<F, G, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(EnotState<F, G, E, D>, EnotMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: MapNetwork<N, C, E, D>,
    G: Potential<N, E, D>,
{
    let EnotState { step, mut source, mut target } = state;
    let at = |e: Error| e.at_step(step);
    let (x, y) = (&batch.source, &batch.target);
    let paired = rows(&config.cost.paired(x, y.clone())?);
    let both = (&mut source, &mut target);
    let seen = if config.map_steps == 1 {
        together(config, both, batch, &paired)
    } else {
        in_turn(config, both, batch, &paired)
    };
    let Seen { map, potential, loss, transport_cost } = seen.map_err(at)?;
    let metrics = EnotMetrics {
        map_loss: map.loss,
        potential_loss: loss.regulariser - loss.dual_value,
        dual_value: loss.dual_value,
        regulariser: loss.regulariser,
        transport_cost,
        map_gradient_norm: map.gradient_norm,
        potential_gradient_norm: potential.gradient_norm,
    };
    Ok((EnotState { step: step + 1, source, target }, metrics))
}

impl<F, G, E: Real, D: Engine<E>> Reversible for EnotState<F, G, E, D> {
    type Reversed = EnotState<G, F, E, D>;
    fn reversed(self) -> Self::Reversed {
        EnotState { step: self.step, source: self.target, target: self.source }
    }
}

learners!(EnotState<F, G> { source, target }, map: source of F);
readings!(EnotMetrics {
    map_loss,
    potential_loss,
    dual_value,
    regulariser,
    transport_cost,
    map_gradient_norm,
    potential_gradient_norm,
});
