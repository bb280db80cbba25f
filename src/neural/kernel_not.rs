//! Kernel neural optimal transport, arXiv:2205.15269.
//!
//! [`weak_not_step`](super::weak_not_step()) with the weak cost of a kernel ([`KernelCost`]): for a
//! characteristic kernel the law of T(x, ·) is the only minimiser where for the weak quadratic cost every law
//! of the right mean is, among which training may drift.
//!
//! A step costs what one of weak transport does, and O(n |Z|² N) for the pairs of images.

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
use crate::geometry::{DistanceKernel, Kernel, KernelCost};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;

/// What is chosen. The defaults are the paper's: the distance kernel, γ from 0 to 1/3 in 25 000 steps, four
/// images a point from standard normal noise, and its turns and rates.
///
/// In the reference code the cost of the distance kernel is twice this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "K: Default + Deserialize<'de>"))]
pub struct KernelNotConfig<K = DistanceKernel> {
    /// k: [`DistanceKernel`], [`GaussianKernel`](crate::geometry::GaussianKernel),
    /// [`LaplacianKernel`](crate::geometry::LaplacianKernel), or the bilinear one,
    /// [`HalfSqEuclidean`](crate::geometry::HalfSqEuclidean).
    pub kernel: K,
    /// γ ≥ 0.
    pub gamma: Ramp,
    /// z.
    pub noise: Noise,
    /// How map and potential take turns, and their optimisers.
    pub turns: Turns,
}

impl<K: Default> Default for KernelNotConfig<K> {
    fn default() -> Self {
        Self::with_kernel(K::default())
    }
}

impl<K> KernelNotConfig<K> {
    /// The defaults with the given kernel.
    pub fn with_kernel(kernel: K) -> Self {
        let gamma = Ramp { from: 0.0, to: 1.0 / 3.0, steps: 25_000 };
        Self { kernel, gamma, noise: Noise::default(), turns: Turns::default() }
    }
}

/// What has become: potential and stochastic map with their optimisers.
pub type KernelNotState<F, T, E = f32, D = Cpu> = NotState<F, T, E, D>;

/// What is seen of a step.
pub type KernelNotMetrics = WeakNotMetrics;

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range (fewer than two images of a
/// point, say), [`Error::NonFinite`] if a parameter is not finite.
pub fn kernel_not_init<K, E, D, F, T>(
    config: &KernelNotConfig<K>,
    potential: F,
    map: T,
) -> Result<KernelNotState<F, T, E, D>>
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

/// One step of kernel neural optimal transport: K_T descents of the map, one of the potential.
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
/// let turns = Turns::with_rates(2, 1e-3, 1e-3);
/// let config = KernelNotConfig { turns, ..KernelNotConfig::with_kernel(GaussianKernel::new(2.0)?) };
/// let [potential, map, data, training] = Key::new(0).split();
/// let f: Mlp<2, 32, 1, 1> = build(potential);
/// let t: Displacement<Joined<1, 3, Mlp<3, 32, 1, 2>>> = build(map);
/// let state = kernel_not_init(&config, f, t)?;
/// let batches = Sampled::new(source, target, 64)?.with_source_parts(config.turns.source_parts())?;
/// let (state, _) = kernel_not_step(&config, state, &batches.batches(data).batch(0)?, training)?;
/// assert_eq!(state.step, 1);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn kernel_not_step<const N: usize, const Z: usize, E, D, K, F, T>(
    config: &KernelNotConfig<K>,
    state: KernelNotState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<(KernelNotState<F, T, E, D>, KernelNotMetrics)>
where
    E: Real,
    D: Engine<E>,
    K: Kernel<E>,
    F: Potential<N, E, D>,
    T: StochasticMap<N, Z, E, D>,
{
    let gamma = config.gamma.at(state.step);
    let turns = (config.turns.map_steps, config.turns.source);
    let cost = KernelCost(config.kernel.clone());
    step((&cost, gamma, &config.noise), turns, state, batch, key)
}
