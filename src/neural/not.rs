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
use super::losses::{mean_difference, value};
use crate::error::{check_count, Error, Result};
use crate::function::{AdamConfig, Decay, Descent, Learner, Potential, TransportMap};
#[cfg(doc)]
use crate::function::{GradientMap, Negated};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{points_on, rows, Points, Taped};

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

/// Which source points the K_T map steps and the potential step see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceUse {
    /// The source of the batch is cut into K_T + 1 equal parts, one for each: fresh points every time,
    /// as in the paper. Its number of points must be a multiple of K_T + 1
    /// ([`Sampled::with_source_parts`](crate::problem::Sampled::with_source_parts)).
    #[default]
    Fresh,
    /// Every one of them sees the whole source of the batch.
    Whole,
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
        let adam = AdamConfig { decay: Decay::Coupled(1e-10), ..AdamConfig::with_rate(1e-4) };
        Self {
            cost,
            map_steps: 10,
            source: SourceUse::default(),
            map: adam.clone(),
            potential: adam,
        }
    }

    /// Parts that the source of a batch is cut into.
    pub fn source_parts(&self) -> usize {
        match self.source {
            SourceUse::Fresh => self.map_steps + 1,
            SourceUse::Whole => 1,
        }
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
    let NotState { step, mut potential, mut map } = state;
    let at = |e: Error| e.at_step(step);
    let mut parts = cut(config, &batch.source)?;
    let last = parts.pop().ok_or_else(|| Error::shape("source points", "at least one", 0))?;

    // K_T descents of the map, with the potential frozen.
    let mut map_descent = Descent { loss: f64::NAN, gradient_norm: f64::NAN };
    let mut transport_cost = f64::NAN;
    for i in 0..config.map_steps {
        let source = parts.get(i).unwrap_or(&last);
        let moved: Points<N, E, D, Taped<E, D>> = map.traced(source);
        let cost = config.cost.paired(source, moved.retaped::<Taped<E, D>>())?.mean();
        transport_cost = value(&cost);
        let gain: Points<1, E, D, Taped<E, D>> = potential.frozen(moved);
        map_descent = map.descend(cost - gain.mean()).map_err(at)?;
    }

    // One ascent of the potential, on both measures at once.
    let moved = map.params().forward(last);
    let loss = mean_difference(&potential, &moved, &batch.target);
    let potential_descent = potential.descend(loss).map_err(at)?;

    let metrics = NotMetrics {
        map_loss: map_descent.loss,
        potential_loss: potential_descent.loss,
        transport_cost,
        saddle_value: transport_cost - potential_descent.loss,
        map_gradient_norm: map_descent.gradient_norm,
        potential_gradient_norm: potential_descent.gradient_norm,
    };
    Ok((NotState { step: step + 1, potential, map }, metrics))
}

/// The parts of the source for the map steps and, last, for the potential step.
fn cut<const N: usize, C, E: Real, D: Engine<E>>(
    config: &NotConfig<C>,
    source: &Points<N, E, D>,
) -> Result<Vec<Points<N, E, D>>> {
    let (n, parts) = (source.shape().0, config.source_parts());
    if n == 0 || n % parts != 0 {
        let expected = format!(
            "a positive multiple of map_steps + 1 = {parts} (draw them with `with_source_parts`, or \
             set `source` to `SourceUse::Whole`)"
        );
        return Err(Error::shape("source points", expected, n));
    }
    let values = rows(source);
    values
        .chunks_exact(n / parts * N)
        .map(|part| points_on(source.device(), part.to_vec()))
        .collect()
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
