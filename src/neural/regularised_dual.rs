//! The regularised dual at large scale, arXiv:1711.02283: LS of the Wasserstein-2 benchmark.
//!
//! Learns two potentials from  max  mean f(x) + mean g(y) − mean R(f(x) + g(y) − c(x, y)), where R
//! punishes what breaks the constraint f(x) + g(y) ≤ c(x, y). A baseline: the regularisation blurs the
//! map ([`PotentialMap`](crate::function::PotentialMap) of f), the more so the higher the dimension.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, readings};
use super::losses::mean;
use crate::error::{check_positive, Error, Result};
use crate::function::{AdamConfig, Learner, Potential};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{rows, Points, Taped};

/// What is chosen. The default is the benchmark's: the quadratic penalty with ε = 0.03, Adam with rate
/// 1e-3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct RegularisedDualConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// R.
    pub penalty: Penalty,
    /// ε, in the units of the cost; positive.
    pub epsilon: f64,
    /// Optimiser of the source potential.
    pub source: AdamConfig,
    /// Optimiser of the target potential.
    pub target: AdamConfig,
}

/// What breaking the constraint by d costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Penalty {
    /// max(d, 0)² / 4ε.
    #[default]
    Quadratic,
    /// ε exp(d / ε): the dual of entropic transport.
    Entropic,
}

impl<C: Default> Default for RegularisedDualConfig<C> {
    fn default() -> Self {
        let adam = AdamConfig::default();
        Self {
            cost: C::default(),
            penalty: Penalty::default(),
            epsilon: 0.03,
            source: adam.clone(),
            target: adam,
        }
    }
}

/// What has become: the two potentials with their optimisers.
#[derive(Clone, Debug)]
pub struct RegularisedDualState<F, G, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// f.
    pub source: Learner<F, E, D>,
    /// g.
    pub target: Learner<G, E, D>,
}

/// What is seen of a step, from before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegularisedDualMetrics {
    /// mean f(x) + mean g(y) − mean R: an estimate of the regularised optimal cost.
    pub dual_value: f64,
    /// mean R.
    pub penalty: f64,
    /// Norm of the gradient in the parameters of f.
    pub source_gradient_norm: f64,
    /// Norm of the gradient in the parameters of g.
    pub target_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn regularised_dual_init<C, E, D, F, G>(
    config: &RegularisedDualConfig<C>,
    source: F,
    target: G,
) -> Result<RegularisedDualState<F, G, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    G: TensorCollection<E, D>,
{
    check_positive("epsilon", config.epsilon)?;
    Ok(RegularisedDualState {
        step: 0,
        source: Learner::new(source, config.source.clone())?,
        target: Learner::new(target, config.target.clone())?,
    })
}

/// One ascent of both potentials, with the penalty over all pairs of `[n, N]` source and `[m, N]` target
/// points.
///
/// Deterministic: the key is not used. Costs a forward and backward pass of each potential and n·m
/// costs, in n·m numbers of memory.
///
/// # Errors
/// [`Error::NonFinite`] if a loss or a gradient is (the entropic penalty overflows where ε is small).
pub fn regularised_dual_step<const N: usize, E, D, C, F, G>(
    config: &RegularisedDualConfig<C>,
    state: RegularisedDualState<F, G, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(RegularisedDualState<F, G, E, D>, RegularisedDualMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: Potential<N, E, D>,
    G: Potential<N, E, D>,
{
    let RegularisedDualState { step, mut source, mut target } = state;
    let at = |e: Error| e.at_step(step);
    let (n, m) = (batch.source.shape().0, batch.target.shape().0);
    let f: Points<1, E, D, Taped<E, D>> = source.traced(&batch.source);
    let g: Points<1, E, D, Taped<E, D>> = target.traced(&batch.target);
    let costs = rows(&config.cost.pairwise(&batch.source, &batch.target));
    let (f_values, g_values) = (f.as_vec(), g.as_vec());
    let slopes = Slopes::at((config.penalty, config.epsilon), &f_values, &g_values, &costs);

    // Each value of f has the slope 1/n of the objective, less that of the penalty; the descent is of
    // the negative.
    let device = batch.source.device().clone();
    let seeds = |slopes: Vec<f64>| -> Points<1, E, D> {
        let (pairs, count) = ((n * m) as f64, slopes.len());
        let seeds = slopes.iter().map(|s| E::of(s / pairs - 1.0 / count as f64)).collect();
        device.tensor_from_vec(seeds, (count, Const))
    };
    let source_descent = source.descend((f * seeds(slopes.source)).sum()).map_err(at)?;
    let target_descent = target.descend((g * seeds(slopes.target)).sum()).map_err(at)?;

    let penalty = slopes.penalty / (n * m) as f64;
    let metrics = RegularisedDualMetrics {
        dual_value: mean(&f_values) + mean(&g_values) - penalty,
        penalty,
        source_gradient_norm: source_descent.gradient_norm,
        target_gradient_norm: target_descent.gradient_norm,
    };
    Ok((RegularisedDualState { step: step + 1, source, target }, metrics))
}

/// Σ R over all pairs, and its slopes in each value of f and g.
struct Slopes {
    penalty: f64,
    source: Vec<f64>,
    target: Vec<f64>,
}

/// Rows of a part. The parts are added in order: sums do not depend on the number of threads.
const ROWS: usize = 64;

impl Slopes {
    fn at<E: Real>(rule: (Penalty, f64), f: &[E], g: &[E], costs: &[E]) -> Self {
        let ((penalty, epsilon), m) = (rule, g.len());
        let value_and_slope = |d: f64| match penalty {
            Penalty::Quadratic => {
                let d = d.max(0.0);
                (d * d / (4.0 * epsilon), d / (2.0 * epsilon))
            }
            Penalty::Entropic => {
                let e = (d / epsilon).exp();
                (epsilon * e, e)
            }
        };
        let part = |(costs, f): (&[E], &[E])| {
            let mut part = Self { penalty: 0.0, source: vec![0.0; f.len()], target: vec![0.0; m] };
            for (i, (costs, f)) in costs.chunks_exact(m).zip(f).enumerate() {
                for (j, (c, g)) in costs.iter().zip(g).enumerate() {
                    let (value, slope) = value_and_slope(f.double() + g.double() - c.double());
                    part.penalty += value;
                    part.source[i] += slope;
                    part.target[j] += slope;
                }
            }
            part
        };
        let parts: Vec<Self> =
            costs.par_chunks(ROWS * m).zip(f.par_chunks(ROWS)).map(part).collect();
        let mut all = Self { penalty: 0.0, source: Vec::new(), target: vec![0.0; m] };
        for part in parts {
            all.penalty += part.penalty;
            all.source.extend(part.source);
            all.target.iter_mut().zip(part.target).for_each(|(a, p)| *a += p);
        }
        all
    }
}

learners!(RegularisedDualState<F, G> { source, target }, map: source of F);
readings!(RegularisedDualMetrics {
    dual_value,
    penalty,
    source_gradient_norm,
    target_gradient_norm,
});
