//! Auto-encoders as transport of a measure to itself through a bottleneck.
//!
//! Solves max_f min_A  E_P[c(x, A(x))] − E_P[f(A(x))] + E_P[f(x)] for maps A that pass a space of fewer
//! dimensions: the potential asks that the images be distributed as the data, which averages are not.
//! With f ≡ 0 ([`ZeroPotential`](crate::function::ZeroPotential)) the same step trains a plain
//! auto-encoder. The published code never moves its potential; here the metrics hold the norm of its
//! gradient.
//!
//! An auto-encoder is any map; `(Encoder, Decoder)` of two modules `[n, N] -> [n, L] -> [n, N]` is one.
//! A step costs what one of [`not_step`](super::not_step()) does.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::readings;
use super::maximin::{strong, Turns};
use super::not::NotState;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::function::{AdamConfig, Clip, Decay, Potential, TransportMap};
use crate::geometry::{Cost, HalfSqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;

/// What is chosen. The defaults are those of the published runs: ten steps of the auto-encoder a step of
/// the potential, Adam with rate 1e-4, an L2 penalty of 1e-10 and gradients clipped at norm 10.
///
/// [`PNorm`](crate::geometry::PNorm) with p = 1 is the L1 cost; a perceptual one is any other [`Cost`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct NotAeConfig<C = HalfSqEuclidean> {
    /// The cost c of a reconstruction.
    pub cost: C,
    /// How auto-encoder and potential take turns, and their optimisers.
    pub turns: Turns,
}

impl<C: Default> Default for NotAeConfig<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> NotAeConfig<C> {
    /// The defaults with the given cost.
    pub fn with_cost(cost: C) -> Self {
        let adam = AdamConfig {
            decay: Decay::Coupled(1e-10),
            clip: Clip::Norm(10.0),
            ..AdamConfig::with_rate(1e-4)
        };
        let turns = Turns { map: adam.clone(), potential: adam, ..Turns::default() };
        Self { cost, turns }
    }
}

/// What has become: potential and auto-encoder (the map) with their optimisers.
pub type NotAeState<F, T, E = f32, D = Cpu> = NotState<F, T, E, D>;

/// What is seen of a step; each value is from before the update that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotAeMetrics {
    /// mean c(x, A(x)), of the last step of the auto-encoder.
    pub reconstruction: f64,
    /// mean c(x, A(x)) − mean f(A(x)), of the same step.
    pub map_loss: f64,
    /// mean f(A(x)) − mean f(x).
    pub potential_loss: f64,
    /// Norm of the gradient in the auto-encoder's parameters, of its last step.
    pub map_gradient_norm: f64,
    /// Norm of the gradient in the potential's parameters; 0 if it is constant.
    pub potential_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn not_ae_init<C, E, D, F, T>(
    config: &NotAeConfig<C>,
    potential: F,
    autoencoder: T,
) -> Result<NotAeState<F, T, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    T: TensorCollection<E, D>,
{
    config.turns.start(potential, autoencoder)
}

/// One step of an auto-encoder with a potential: K_T descents of the one, one of the other.
///
/// Source and target of the batch are points of the same measure; the target is what the images are
/// compared with. Deterministic: the key is not used.
///
/// # Errors
/// [`Error::Shape`] if the source cannot be cut as the configuration says, [`Error::NonFinite`] if a
/// loss or a gradient is.
///
/// ```
/// use brenier::function::ZeroPotential;
/// use brenier::prelude::*;
/// let data = GaussianMixture::<4>::standard();
/// let config: NotAeConfig = NotAeConfig { turns: Turns::with_rates(2, 1e-2, 1e-2), ..Default::default() };
/// // Four numbers through one, and back; a plain auto-encoder.
/// type Net<const I: usize, const O: usize> = Mlp<I, 16, 0, O>;
/// let autoencoder: (Net<4, 1>, Net<1, 4>) = build(Key::new(0));
/// let mut state = not_ae_init(&config, ZeroPotential, autoencoder)?;
/// let batches = Sampled::new(data.clone(), data, 64)?.with_source_parts(3)?;
/// for batch in batches.batches(Key::new(1)).take(3) {
///     let (next, metrics) = not_ae_step(&config, state, &batch?, Key::new(2))?;
///     assert_eq!(metrics.map_loss, metrics.reconstruction);
///     state = next;
/// }
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn not_ae_step<const N: usize, E, D, C, F, T>(
    config: &NotAeConfig<C>,
    state: NotAeState<F, T, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(NotAeState<F, T, E, D>, NotAeMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: Potential<N, E, D>,
    T: TransportMap<N, E, D>,
{
    let turns = (config.turns.map_steps, config.turns.source);
    let (state, played) = strong(&config.cost, turns, 1.0, state, batch)?;
    let metrics = NotAeMetrics {
        reconstruction: played.transport_cost,
        map_loss: played.map.loss,
        potential_loss: played.potential.loss,
        map_gradient_norm: played.map.gradient_norm,
        potential_gradient_norm: played.potential.gradient_norm,
    };
    Ok((state, metrics))
}

readings!(NotAeMetrics {
    reconstruction,
    map_loss,
    potential_loss,
    map_gradient_norm,
    potential_gradient_norm,
});
