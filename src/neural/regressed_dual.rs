//! A Brenier potential regressed on the exact duals of batches: QC of the Wasserstein-2 benchmark
//! (arXiv:2106.01954; the critic of WGAN-QC, Liu, Gu and Samaras, ICCV 2019).
//!
//! The batch is assigned exactly for the cost ½|x − y|², with potentials f and g and partners y(x). With
//! h(x) = ψ(x) − ½|x|², which is −f at the optimum, ψ descends
//!
//! ```text
//! ½ mean (h(x) + f(x))² + ½ (mean h(y) − mean g(y))² + w/2 mean (|∇h(x)| − |y(x) − x|)²
//! ```
//!
//! where f and g are shifted so that g − f has the mean 0. The map is ∇ψ. A baseline: the assignment of a
//! batch is far from the map, the more so the higher the dimension.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, readings};
use super::losses::{mean, stacked};
use crate::error::{Error, Result};
use crate::function::{AdamConfig, InputGradient, Learner};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::solver::assignment;
use crate::tensor::{points_on, rows, Points, Taped};

/// What is chosen. The default is the benchmark's: w = 0.1, Adam with rate 1e-3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegressedDualConfig {
    /// w ≥ 0.
    pub slope_weight: f64,
    /// Optimiser of ψ.
    pub potential: AdamConfig,
}

impl Default for RegressedDualConfig {
    fn default() -> Self {
        Self { slope_weight: 0.1, potential: AdamConfig::default() }
    }
}

/// What has become: ψ with its optimiser.
#[derive(Clone, Debug)]
pub struct RegressedDualState<F, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// ψ, whose gradient is the map.
    pub potential: Learner<F, E, D>,
}

/// What is seen of a step, from before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegressedDualMetrics {
    /// The least mean of ½|x − y|² over assignments of the batch.
    pub dual_value: f64,
    /// The first two terms of the loss.
    pub regression: f64,
    /// w/2 mean (|∇h(x)| − |y(x) − x|)².
    pub slope_penalty: f64,
    /// Norm of the gradient in the parameters.
    pub potential_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn regressed_dual_init<E, D, F>(
    config: &RegressedDualConfig,
    potential: F,
) -> Result<RegressedDualState<F, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
{
    if !(config.slope_weight >= 0.0 && config.slope_weight.is_finite()) {
        let rule = "must be finite and not negative";
        return Err(Error::config("slope_weight", config.slope_weight, rule));
    }
    let potential = Learner::new(potential, config.potential.clone())?;
    Ok(RegressedDualState { step: 0, potential })
}

/// One descent of ψ on `[n, N]` source and `[n, N]` target points.
///
/// Deterministic: the key is not used. Costs a forward and backward pass of ψ on both measures, one of ∇ψ
/// on the source, and an assignment: up to O(n³) on one thread, with n² numbers of memory.
///
/// # Errors
/// [`Error::Shape`] unless there are as many source as target points; [`Error::NonFinite`] for such a
/// point, or if the loss or a gradient is.
///
/// ```
/// use brenier::prelude::*;
/// type Psi = PlusHalfSquare<Mlp<2, 32, 0, 1, Celu>>;
/// let pair = KnownPair::<2>::random(Key::new(0))?;
/// let batches = Sampled::new(pair.source().clone(), pair.target(), 64)?.batches(Key::new(1));
/// let config = RegressedDualConfig::default();
/// let state = regressed_dual_init(&config, build::<Psi, _, _>(Key::new(2)))?;
/// let step = |s, b: &Batch<2>, k| regressed_dual_step(&config, s, b, k);
/// let state = run(&step, state, batches.take(5), Key::new(3), &mut |_: &_, _: &_| Ok(()))?;
/// let map = GradientMap(state.potential.params().clone());
/// assert!(map_error(&pair, &map, Key::new(4), 1000)?.l2_uvp < 100.0);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn regressed_dual_step<const N: usize, E, D, F>(
    config: &RegressedDualConfig,
    state: RegressedDualState<F, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(RegressedDualState<F, E, D>, RegressedDualMetrics)>
where
    E: Real,
    D: Engine<E>,
    F: InputGradient<N, E, D>,
{
    let RegressedDualState { step, mut potential } = state;
    let at = |e: Error| e.at_step(step);
    let (x, y) = (&batch.source, &batch.target);
    let n = x.shape().0;
    let costs = rows(&HalfSqEuclidean.pairwise(x, y));
    let assigned = assignment(&costs, n).map_err(at)?;
    let (sources, targets) = (rows(x), rows(y));

    // h at x, then at y, and what it should be.
    let values: Points<1, E, D, Taped<E, D>> = potential.traced(&stacked(x, y));
    let points = sources.chunks_exact(N).chain(targets.chunks_exact(N));
    let half = |p: &[E]| 0.5 * p.iter().map(|v| v.double() * v.double()).sum::<f64>();
    let h: Vec<f64> =
        values.as_vec().iter().zip(points).map(|(value, p)| value.double() - half(p)).collect();
    let shift = 0.5 * (mean(&assigned.target_potential) - mean(&assigned.source_potential));
    let misses: Vec<f64> =
        h.iter().zip(&assigned.source_potential).map(|(h, f)| h + f + shift).collect();
    let miss = mean(&h[n..]) - mean(&assigned.target_potential) + shift;
    let regression = 0.5 * (mean_square(&misses) + miss * miss);
    let mut seeds: Vec<E> = misses.iter().map(|miss| E::of(miss / n as f64)).collect();
    seeds.resize(2 * n, E::of(miss / n as f64));
    let seeds: Points<1, E, D> = x.device().tensor_from_vec(seeds, (2 * n, Const));

    // |∇h| against the lengths of the assigned displacements.
    let images: Points<N, E, D, Taped<E, D>> =
        potential.traced_by(x, |psi, x| psi.input_gradient(x));
    let (mut slopes, mut excesses) = (Vec::with_capacity(n * N), Vec::with_capacity(n));
    let moved = images.as_vec();
    for ((x, moved), &j) in
        sources.chunks_exact(N).zip(moved.chunks_exact(N)).zip(&assigned.targets)
    {
        let distance = |to: &[E]| {
            to.iter().zip(x).map(|(t, x)| (t.double() - x.double()).powi(2)).sum::<f64>().sqrt()
        };
        let length = distance(moved);
        let excess = length - distance(&targets[j * N..][..N]);
        // A displacement of length zero has no direction in which to grow.
        let factor = config.slope_weight * excess / (n as f64 * length.max(f64::MIN_POSITIVE));
        slopes.extend(moved.iter().zip(x).map(|(m, x)| E::of(factor * (m.double() - x.double()))));
        excesses.push(excess);
    }
    let slopes: Points<N, E, D> = points_on(x.device(), slopes).map_err(at)?;
    let slope_penalty = 0.5 * config.slope_weight * mean_square(&excesses);

    let loss = (values * seeds).sum() + (images * slopes).sum();
    let descent = potential.descend(loss).map_err(at)?;
    let metrics = RegressedDualMetrics {
        dual_value: assigned.cost / n as f64,
        regression,
        slope_penalty,
        potential_gradient_norm: descent.gradient_norm,
    };
    Ok((RegressedDualState { step: step + 1, potential }, metrics))
}

fn mean_square(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64
}

learners!(RegressedDualState<F> { potential }, map: potential of F);
readings!(RegressedDualMetrics { dual_value, regression, slope_penalty, potential_gradient_norm });
