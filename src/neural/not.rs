//! Strong neural optimal transport, arXiv:2201.12220 (Algorithm 1 with a deterministic map).
//!
//! Solves max_f min_T  E_P[c(x, T(x))] − E_P[f(T(x))] + E_Q[f(y)], whose saddle points are an optimal
//! map T from P to Q (where one exists) and a Kantorovich potential f of Q: f(y) = min_x c(x, y) − g(x)
//! up to a constant, in the sign convention g(x) + f(y) ≤ c(x, y).
//!
//! A step costs K_T forward and backward passes of the map, K_T forward and input-gradient passes of
//! the potential, and one forward and backward pass of the potential on source and target together.
//! The maximin estimators of the Wasserstein-2 benchmark (arXiv:2106.01954) are this step with the
//! cost −⟨x, y⟩, the potential −φ ([`Negated`]) and the map ∇ψ ([`GradientMap`]) of two networks:
//!
//! | estimator | networks | measures | map from P to Q |
//! |---|---|---|---|
//! | MM | as they are | as they are | ∇ψ |
//! | MM:R | as they are | [`reversed`](crate::train::reversed) | ∇φ |
//! | MMv2, MMv2:R | kept convex, [`Learner::projected`] | either | either |

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, readings};
use super::maximin::{strong, SourceUse, Turns};
#[cfg(doc)]
use crate::error::Error;
use crate::error::{check_count, Result};
use crate::function::{AdamConfig, Learner, Potential, TransportMap};
#[cfg(doc)]
use crate::function::{GradientMap, Negated};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;

/// What is chosen. The default is the paper's: ten map steps a potential step on fresh points, Adam
/// with rate 1e-4 and an L2 penalty of 1e-10 for both networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct NotConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// K_T, the map steps before each potential step; at least 1.
    pub map_steps: usize,
    /// Which source points the inner steps see.
    pub source: SourceUse,
    /// Optimiser of the map.
    pub map: AdamConfig,
    /// Optimiser of the potential.
    pub potential: AdamConfig,
}

impl<C: Default> Default for NotConfig<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> NotConfig<C> {
    /// The defaults with the given cost, which may be a closure
    /// ([`FnCost`](crate::geometry::FnCost)).
    pub fn with_cost(cost: C) -> Self {
        let Turns { map_steps, source, map, potential } = Turns::default();
        Self { cost, map_steps, source, map, potential }
    }

    /// Parts that the source of a batch is cut into.
    pub fn source_parts(&self) -> usize {
        self.source.parts(self.map_steps)
    }
}

/// What has become: potential and map with their optimisers.
#[derive(Clone, Debug)]
pub struct NotState<F, T, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// f.
    pub potential: Learner<F, E, D>,
    /// T.
    pub map: Learner<T, E, D>,
}

/// What is seen of a step; each value is from before the update that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotMetrics {
    /// mean c(x, T(x)) − mean f(T(x)), of the last map step.
    pub map_loss: f64,
    /// mean f(T(x)) − mean f(y).
    pub potential_loss: f64,
    /// mean c(x, T(x)), of the last map step.
    pub transport_cost: f64,
    /// mean c(x, T(x)) − mean f(T(x)) + mean f(y): the saddle value, an estimate of the optimal cost.
    pub saddle_value: f64,
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
pub fn not_init<C, E, D, F, T>(
    config: &NotConfig<C>,
    potential: F,
    map: T,
) -> Result<NotState<F, T, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    T: TensorCollection<E, D>,
{
    check_count("map_steps", config.map_steps)?;
    Ok(NotState {
        step: 0,
        potential: Learner::new(potential, config.potential.clone())?,
        map: Learner::new(map, config.map.clone())?,
    })
}

/// One step of strong neural optimal transport: K_T descents of the map, one of the potential.
///
/// The batch holds `[n, N]` source and `[m, N]` target points; see [`SourceUse`] for n. Deterministic:
/// the key is not used.
///
/// # Errors
/// [`Error::Shape`] if the source cannot be cut as the configuration says, [`Error::NonFinite`] if a
/// loss or a gradient is (training has diverged: go on from a checkpoint with lower rates).
///
/// ```
/// use brenier::prelude::*;
/// let (source, target) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let config: NotConfig = NotConfig { map_steps: 4, ..Default::default() };
/// let [potential, map, data, training] = Key::new(0).split();
/// let (f, t): (Mlp<2, 32, 1, 1>, Mlp<2, 32, 1, 2>) = (build(potential), build(map));
/// let mut state = not_init(&config, f, t)?;
/// let batches = Sampled::new(source, target, 64)?.with_source_parts(config.source_parts())?;
/// for batch in batches.batches(data).take(3) {
///     let (next, metrics) = not_step(&config, state, &batch?, training)?;
///     assert!(metrics.transport_cost.is_finite());
///     state = next;
/// }
/// assert_eq!(state.step, 3);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn not_step<const N: usize, E, D, C, F, T>(
    config: &NotConfig<C>,
    state: NotState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(NotState<F, T, E, D>, NotMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: Potential<N, E, D>,
    T: TransportMap<N, E, D>,
{
    let turns = (config.map_steps, config.source);
    let (state, played) = strong(&config.cost, turns, 1.0, state, batch)?;
    let metrics = NotMetrics {
        map_loss: played.map.loss,
        potential_loss: played.potential.loss,
        transport_cost: played.transport_cost,
        saddle_value: played.transport_cost - played.potential.loss,
        map_gradient_norm: played.map.gradient_norm,
        potential_gradient_norm: played.potential.gradient_norm,
    };
    Ok((state, metrics))
}

learners!(NotState<F, T> { potential, map }, map: map of T);
readings!(NotMetrics {
    map_loss,
    potential_loss,
    transport_cost,
    saddle_value,
    map_gradient_norm,
    potential_gradient_norm,
});
