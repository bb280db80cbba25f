//! The game of stochastic maps with a weak cost, for `weak_not.rs` and `kernel_not.rs`.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::readings;
use super::losses::{mean_difference, value};
use super::maximin::{play, SourceUse};
use super::not::NotState;
use crate::error::{check_positive, Result};
use crate::function::{Learner, Potential, StochasticMap};
use crate::geometry::{check_samples, conditional_variance, weak_costs, WeakCost};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{rows, Points, Taped};

/// The noise z ~ N(0, s² I) of a stochastic map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noise {
    /// |Z|, the images of each point in a map step; at least 2.
    pub samples: usize,
    /// s, positive.
    pub deviation: f64,
}

impl Default for Noise {
    /// Four images a point, s = 1.
    fn default() -> Self {
        Self { samples: 4, deviation: 1.0 }
    }
}

impl Noise {
    pub(super) fn check(&self) -> Result<()> {
        check_samples(self.samples)?;
        check_positive("deviation", self.deviation)
    }

    /// `[n, Z]` numbers.
    pub fn draw<const Z: usize, E: Real, D: Engine<E>>(
        &self,
        device: &D,
        key: Key,
        n: usize,
    ) -> Points<Z, E, D> {
        let scaled = |v: f32| E::of(self.deviation * f64::from(v));
        device.tensor_from_vec(key.normal(n * Z).into_iter().map(scaled).collect(), (n, Const))
    }
}

/// What is seen of a step of a stochastic map; each value is from before the update that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeakNotMetrics {
    /// mean C(x, T(x, ·)) − mean f(T(x, z)), of the last map step.
    pub map_loss: f64,
    /// mean f(T(x, z)) − mean f(y), one z a point.
    pub potential_loss: f64,
    /// mean C(x, T(x, ·)), of the last map step.
    pub transport_cost: f64,
    /// mean C(x, T(x, ·)) − mean f(T(x, z)) + mean f(y): an estimate of the optimal cost.
    pub saddle_value: f64,
    /// γ.
    pub gamma: f64,
    /// mean Var T(x, ·), the sum over coordinates of the unbiased variance, of the last map step.
    pub conditional_variance: f64,
    /// Norm of the gradient in the map's parameters, of the last map step.
    pub map_gradient_norm: f64,
    /// Norm of the gradient in the potential's parameters.
    pub potential_gradient_norm: f64,
}

/// K_T descents of the map on mean C(x, T(x, ·)) − mean f(T(x, z)) with |Z| images a point, then one of the
/// potential with one image a point.
pub(super) fn step<const N: usize, const Z: usize, E, D, C, F, T>(
    (cost, gamma, noise): (&C, f64, &Noise),
    turns: (usize, SourceUse),
    state: NotState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<(NotState<F, T, E, D>, WeakNotMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: WeakCost<E>,
    F: Potential<N, E, D>,
    T: StochasticMap<N, Z, E, D>,
{
    let [many, one] = key.split();
    let samples = noise.samples;
    let mut variance = f64::NAN;
    let map_loss = |map: &Learner<T, E, D>, f: &Learner<F, E, D>, x: &Points<N, E, D>, i: u64| {
        let n = x.shape().0;
        let z = noise.draw::<Z, E, D>(x.device(), many.fold_in(i), n * samples);
        let moved: Points<N, E, D, Taped<E, D>> =
            map.traced_by(&repeated(x, samples), |t, x| t.forward((x, z)));
        variance = conditional_variance(&rows(&moved.retaped::<NoneTape>()), N, samples);
        let images = moved.retaped::<Taped<E, D>>();
        let cost = weak_costs(cost, gamma, x, images, samples)?.mean();
        let seen = value(&cost);
        let gain: Points<1, E, D, Taped<E, D>> = f.frozen(moved);
        Ok((cost - gain.mean(), seen))
    };
    let (state, played) = play(turns, state, &batch.source, map_loss, |map, f, x| {
        let z = noise.draw::<Z, E, D>(x.device(), one, x.shape().0);
        let moved: Points<N, E, D> = map.params().forward((x.clone(), z));
        Ok(mean_difference(f, &moved, &batch.target))
    })?;
    let metrics = WeakNotMetrics {
        map_loss: played.map.loss,
        potential_loss: played.potential.loss,
        transport_cost: played.transport_cost,
        saddle_value: played.transport_cost - played.potential.loss,
        gamma,
        conditional_variance: variance,
        map_gradient_norm: played.map.gradient_norm,
        potential_gradient_norm: played.potential.gradient_norm,
    };
    Ok((state, metrics))
}

/// Every point `times` times, one after the other.
fn repeated<const N: usize, E: Real, D: Engine<E>>(
    x: &Points<N, E, D>,
    times: usize,
) -> Points<N, E, D> {
    let values: Vec<E> = rows(x).chunks_exact(N).flat_map(|row| row.repeat(times)).collect();
    let n = x.shape().0 * times;
    x.device().tensor_from_vec(values, (n, Const))
}

readings!(WeakNotMetrics {
    map_loss,
    potential_loss,
    transport_cost,
    saddle_value,
    gamma,
    conditional_variance,
    map_gradient_norm,
    potential_gradient_norm,
});
