//! Weak neural optimal transport with the γ-weak quadratic cost, arXiv:2201.12220 (Algorithm 1).
//!
//! The map takes noise z as well: x goes to the law of T(x, z). Solves
//!
//! max_f min_T  E_P C(x, T(x, ·)) − E_P,z f(T(x, z)) + E_Q f(y),   C = E ½|x − y|² − (γ/2) Var,
//!
//! with unbiased estimates from |Z| ≥ 2 images of each point. Diversity grows with γ; at γ = 0 the cost is
//! strong. In the reference code the cost is per coordinate and twice this one: its γ is the same, its
//! potential 2/N times ours.
//!
//! A step costs K_T forward and backward passes of map and potential on |Z| images a point, and one pass
//! of the potential forward and backward.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::conditional::{step, Noise, WeakNotMetrics};
use super::maximin::Turns;
use super::not::NotState;
use super::ramp::Ramp;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::function::{Potential, StochasticMap};
use crate::geometry::WeakQuadratic;
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;

/// What is chosen. The defaults are the paper's: γ from 0 to 0.66 in 25 000 steps, four images a point
/// from noise of deviation 0.1, and its turns and rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WeakNotConfig {
    /// γ ≥ 0. Above 1 the cost is not bounded below by that of the conditional mean.
    pub gamma: Ramp,
    /// z.
    pub noise: Noise,
    /// How map and potential take turns, and their optimisers.
    pub turns: Turns,
}

impl Default for WeakNotConfig {
    fn default() -> Self {
        Self {
            gamma: Ramp { from: 0.0, to: 0.66, steps: 25_000 },
            noise: Noise { samples: 4, deviation: 0.1 },
            turns: Turns::default(),
        }
    }
}

/// What has become: potential and stochastic map with their optimisers.
pub type WeakNotState<F, T, E = f32, D = Cpu> = NotState<F, T, E, D>;

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range (fewer than two images of a
/// point, say), [`Error::NonFinite`] if a parameter is not finite.
pub fn weak_not_init<E, D, F, T>(
    config: &WeakNotConfig,
    potential: F,
    map: T,
) -> Result<WeakNotState<F, T, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    T: TensorCollection<E, D>,
{
    config.gamma.check("gamma", 0.0, "must be finite and not negative")?;
    config.noise.check()?;
    config.turns.start(potential, map)
}

/// One step of weak neural optimal transport: K_T descents of the map, one of the potential.
///
/// The batch holds `[n, N]` source and `[m, N]` target points; see
/// [`SourceUse`](super::SourceUse) for n. The key draws the noise.
///
/// # Errors
/// [`Error::Shape`] if the source cannot be cut as the configuration says, [`Error::NonFinite`] if a
/// loss or a gradient is (training has diverged: go on from a checkpoint with lower rates).
///
/// ```
/// use brenier::prelude::*;
/// let (source, target) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let config = WeakNotConfig { turns: Turns::with_rates(2, 1e-3, 1e-3), ..Default::default() };
/// let [potential, map, data, training] = Key::new(0).split();
/// let f: Mlp<2, 32, 1, 1> = build(potential);
/// let t: Displacement<Joined<1, 3, Mlp<3, 32, 1, 2>>> = build(map);
/// let mut state = weak_not_init(&config, f, t)?;
/// let batches = Sampled::new(source, target, 64)?.with_source_parts(config.turns.source_parts())?;
/// for (i, batch) in batches.batches(data).take(3).enumerate() {
///     let key = training.fold_in(i as u64);
///     let (next, metrics) = weak_not_step(&config, state, &batch?, key)?;
///     assert!(metrics.conditional_variance > 0.0);
///     state = next;
/// }
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn weak_not_step<const N: usize, const Z: usize, E, D, F, T>(
    config: &WeakNotConfig,
    state: WeakNotState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<(WeakNotState<F, T, E, D>, WeakNotMetrics)>
where
    E: Real,
    D: Engine<E>,
    F: Potential<N, E, D>,
    T: StochasticMap<N, Z, E, D>,
{
    let gamma = config.gamma.at(state.step);
    let turns = (config.turns.map_steps, config.turns.source);
    step((&WeakQuadratic, gamma, &config.noise), turns, state, batch, key)
}
