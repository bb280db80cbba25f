//! The Wasserstein-2 dual whose conjugates are maxima over the batch: MM-B of the Wasserstein-2
//! benchmark (arXiv:2106.01954; the estimator of arXiv:1906.09691). A baseline: a batch is a poor
//! stand-in for the whole space, the more so the higher its dimension.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, readings};
use crate::error::{Error, Result};
use crate::function::{AdamConfig, Learner, Potential};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{rows, Points, Taped};

/// What is chosen. The default is the benchmark's: Adam with rate 1e-3.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct BatchDualConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// Optimiser of the potential.
    pub potential: AdamConfig,
}

/// What has become: the source potential f with its optimiser.
#[derive(Clone, Debug)]
pub struct BatchDualState<F, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// f.
    pub potential: Learner<F, E, D>,
}

/// What is seen of a step, from before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchDualMetrics {
    /// mean f(x) + mean minᵢ[c(xᵢ, y) − f(xᵢ)]: an upper estimate of the dual value at f.
    pub dual_value: f64,
    /// Norm of the gradient in the parameters.
    pub potential_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn batch_dual_init<C, E, D, F>(
    config: &BatchDualConfig<C>,
    potential: F,
) -> Result<BatchDualState<F, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
{
    let potential = Learner::new(potential, config.potential.clone())?;
    Ok(BatchDualState { step: 0, potential })
}

/// One ascent of mean f(x) + mean minᵢ[c(xᵢ, y) − f(xᵢ)] on `[n, N]` source and `[m, N]` target points.
///
/// The map of f is that of [`PotentialMap`](crate::function::PotentialMap). Deterministic: the key is
/// not used. Costs a forward and backward pass of f and n·m costs, in n·m numbers of memory.
///
/// # Errors
/// [`Error::NonFinite`] if the loss or a gradient is.
pub fn batch_dual_step<const N: usize, E, D, C, F>(
    config: &BatchDualConfig<C>,
    state: BatchDualState<F, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(BatchDualState<F, E, D>, BatchDualMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: Potential<N, E, D>,
{
    let BatchDualState { step, mut potential } = state;
    let (n, m) = (batch.source.shape().0, batch.target.shape().0);
    let values: Points<1, E, D, Taped<E, D>> = potential.traced(&batch.source);
    let f = values.as_vec();
    // Costs from the target's side: a row holds those of one target point.
    let costs = rows(&config.cost.pairwise(&batch.source, &batch.target));
    let least = |j: usize| {
        let mut best = (0, E::infinity());
        for (i, f) in f.iter().enumerate() {
            let value = costs[i * m + j] - *f;
            // NaN is no minimum.
            if value < best.1 {
                best = (i, value);
            }
        }
        best
    };
    let minima: Vec<(usize, E)> = (0..m).into_par_iter().map(least).collect();

    if let Some((_, value)) = minima.iter().find(|(_, value)| !value.is_finite()) {
        return Err(Error::NonFinite {
            what: "least c(x, y) − f(x) of a target point".into(),
            value: value.double(),
            step: Some(step),
            remedy: "clean the data, or go on from a checkpoint with a lower rate",
        });
    }

    // The ascent direction: each source point has 1/n, less 1/m for each target it is the nearest of.
    let mut seeds = vec![-1.0 / n as f64; n];
    minima.iter().for_each(|(i, _)| seeds[*i] += 1.0 / m as f64);
    let seeds = seeds.into_iter().map(E::of).collect();
    let seeds: Points<1, E, D> = batch.source.device().tensor_from_vec(seeds, (n, Const));
    let descent = potential.descend((values * seeds).sum()).map_err(|e: Error| e.at_step(step))?;

    let conjugates: f64 = minima.iter().map(|(_, v)| v.double()).sum();
    let metrics = BatchDualMetrics {
        dual_value: super::losses::mean(&f) + conjugates / m as f64,
        potential_gradient_norm: descent.gradient_norm,
    };
    Ok((BatchDualState { step: step + 1, potential }, metrics))
}

learners!(BatchDualState<F> { potential }, map: potential of F);
readings!(BatchDualMetrics { dual_value, potential_gradient_norm });
