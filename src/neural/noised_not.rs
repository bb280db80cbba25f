//! Strong neural optimal transport whose potential sees noised points.
//!
//! For a law of noise levels σ with weights λ(σ) and z ~ N(0, I), solves
//!
//! max_f min_T  E λ(σ) [ c(x, T(x)) − f(T(x) + σz, σ) + f(y + σz, σ) ],
//!
//! with f conditioned on log σ / 4. T#P and Q are equal where their convolutions with the noise are, at one
//! level or at all; noise fills the space between the supports of both, where f without noise tells the map
//! nothing. Each sample has a level and a weight of its own, which multiplies its terms alone; images and
//! targets of the same index get the same noise.
//!
//! A step costs what one of [`not_step`](super::not_step()) does.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::readings;
use super::losses::{mean, stacked};
use super::maximin::{play, Turns};
use super::noise_law::{NoiseLaw, NoiseWeight};
use super::not::NotState;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::function::{ConditionalPotential, Learner, TransportMap};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{Points, Taped};

/// What is chosen. The defaults are the noise and the weights of EDM for data of deviation ½, and the turns
/// and rates of the strong estimator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct NoisedNotConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// The law of σ.
    pub noise: NoiseLaw,
    /// λ.
    pub weight: NoiseWeight,
    /// How map and potential take turns, and their optimisers.
    pub turns: Turns,
}

impl<C: Default> Default for NoisedNotConfig<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> NoisedNotConfig<C> {
    /// The defaults with the given cost.
    pub fn with_cost(cost: C) -> Self {
        let weight = NoiseWeight::Edm { data_deviation: 0.5 };
        Self { cost, noise: NoiseLaw::EDM, weight, turns: Turns::default() }
    }
}

/// What has become: potential and map with their optimisers.
pub type NoisedNotState<F, T, E = f32, D = Cpu> = NotState<F, T, E, D>;

/// What is seen of a step; each value is from before the update that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoisedNotMetrics {
    /// mean λ (c(x, T(x)) − f(T(x) + σz, σ)), of the last map step.
    pub map_loss: f64,
    /// mean λ f(T(x) + σz, σ) − mean λ f(y + σz, σ).
    pub potential_loss: f64,
    /// mean c(x, T(x)) without weights, of the last map step.
    pub transport_cost: f64,
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
pub fn noised_not_init<C, E, D, F, T>(
    config: &NoisedNotConfig<C>,
    potential: F,
    map: T,
) -> Result<NoisedNotState<F, T, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    T: TensorCollection<E, D>,
{
    config.noise.check()?;
    config.weight.check()?;
    config.turns.start(potential, map)
}

/// One step of strong neural optimal transport with noise: K_T descents of the map, one of the
/// potential.
///
/// The batch holds `[n, N]` source and `[m, N]` target points; see
/// [`SourceUse`](super::SourceUse) for n. The key draws levels and noise.
///
/// # Errors
/// [`Error::Shape`] if the source cannot be cut as the configuration says, [`Error::NonFinite`] if a
/// loss or a gradient is (training has diverged: go on from a checkpoint with lower rates).
///
/// ```
/// use brenier::prelude::*;
/// let (source, target) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let turns = Turns::with_rates(2, 1e-3, 1e-3);
/// let config = NoisedNotConfig::<HalfSqEuclidean> { turns, ..Default::default() };
/// let [potential, map, data, training] = Key::new(0).split();
/// // The potential has a third input, log σ / 4.
/// let f: Joined<1, 3, Mlp<3, 32, 1, 1>> = build(potential);
/// let t: Displacement<Mlp<2, 32, 1, 2>> = build(map);
/// let state = noised_not_init(&config, f, t)?;
/// let batches = Sampled::new(source, target, 64)?.with_source_parts(config.turns.source_parts())?;
/// let (state, metrics) = noised_not_step(&config, state, &batches.batches(data).batch(0)?, training)?;
/// assert!(metrics.potential_gradient_norm > 0.0);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn noised_not_step<const N: usize, E, D, C, F, T>(
    config: &NoisedNotConfig<C>,
    state: NoisedNotState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<(NoisedNotState<F, T, E, D>, NoisedNotMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: ConditionalPotential<N, 1, E, D>,
    T: TransportMap<N, E, D>,
{
    let turns = (config.turns.map_steps, config.turns.source);
    let [of_map, of_potential] = key.split();
    let map_loss = |map: &Learner<T, E, D>, f: &Learner<F, E, D>, x: &Points<N, E, D>, i: u64| {
        let noise = Noise::draw(config, of_map.fold_in(i), x);
        let moved: Points<N, E, D, Taped<E, D>> = map.traced(x);
        let costs = config.cost.paired(x, moved.retaped::<Taped<E, D>>())?;
        let seen = mean(&costs.as_vec());
        let n = x.shape().0;
        let costs = costs.reshape_like(&(n, Const::<1>)) * noise.weights.clone();
        let noised = moved + noise.shift;
        let gain: Points<1, E, D, Taped<E, D>> =
            f.frozen_by(noised, |f, y| f.forward((y, noise.condition)));
        Ok(((costs - gain * noise.weights).mean(), seen))
    };
    let (state, played) = play(turns, state, &batch.source, map_loss, |map, f, x| {
        let y = &batch.target;
        let (of_images, of_targets) =
            (Noise::draw(config, of_potential, x), Noise::draw(config, of_potential, y));
        let images = map.params().forward(x.clone()) + of_images.shift;
        let both = stacked(&images, &(y.clone() + of_targets.shift));
        let condition = stacked(&of_images.condition, &of_targets.condition);
        let plus = of_images.weights / E::of(x.shape().0 as f64);
        let minus = of_targets.weights / E::of(-(y.shape().0 as f64));
        let values: Points<1, E, D, Taped<E, D>> =
            f.traced_by(&both, |f, y| f.forward((y, condition)));
        Ok((values * stacked(&plus, &minus)).sum())
    })?;
    let metrics = NoisedNotMetrics {
        map_loss: played.map.loss,
        potential_loss: played.potential.loss,
        transport_cost: played.transport_cost,
        map_gradient_norm: played.map.gradient_norm,
        potential_gradient_norm: played.potential.gradient_norm,
    };
    Ok((state, metrics))
}

/// Noise for n points.
struct Noise<const N: usize, E: Real, D: Engine<E>> {
    /// σz.
    shift: Points<N, E, D>,
    /// log σ / 4.
    condition: Points<1, E, D>,
    /// λ(σ).
    weights: Points<1, E, D>,
}

impl<const N: usize, E: Real, D: Engine<E>> Noise<N, E, D> {
    /// For as many points as `like`; that for fewer points is the beginning of that for more.
    fn draw<C>(config: &NoisedNotConfig<C>, key: Key, like: &Points<N, E, D>) -> Self {
        let (n, device) = (like.shape().0, like.device());
        let [of_levels, of_noise] = key.split();
        let levels = config.noise.levels(of_levels, n);
        let one = |of: &dyn Fn(f64) -> f64| {
            device.tensor_from_vec(levels.iter().map(|s| E::of(of(*s))).collect(), (n, Const))
        };
        let normal = of_noise.normal(n * N);
        let shift = normal.chunks_exact(N).zip(&levels);
        let shift = shift.flat_map(|(z, s)| z.iter().map(move |z| E::of(s * f64::from(*z))));
        Self {
            condition: one(&|sigma| 0.25 * sigma.ln()),
            weights: one(&|sigma| config.weight.at(sigma)),
            shift: device.tensor_from_vec(shift.collect(), (n, Const)),
        }
    }
}

readings!(NoisedNotMetrics {
    map_loss,
    potential_loss,
    transport_cost,
    map_gradient_norm,
    potential_gradient_norm,
});
