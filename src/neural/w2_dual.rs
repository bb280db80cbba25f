//! The Wasserstein-2 dual on Brenier potentials, with a network for the conjugate's maximiser.
//!
//! Learns ψ on the source and a map G of the target, from
//!
//! ```text
//! ψ:  min  mean ψ(x) + mean[ ⟨x̂, y⟩ − ψ(x̂) ],      x̂ ≈ argmaxₓ ⟨x, y⟩ − ψ(x) = ∇ψ*(y)
//! ```
//!
//! where x̂ and the loss of G depend on [`Conjugation`]. The map from P to Q is ∇ψ, that from Q to P
//! is G. In the convention of Kantorovich, for the cost ½|x − y|², the source potential is
//! ½|x|² − ψ(x).
//!
//! ψ is any potential with an input gradient: a [`DenseIcnn`], kept convex by
//! [`Learner::projected`], or [`PlusHalfSquare`] of a perceptron; G is any map, such as the gradient
//! map of another. Both may start from [`pretrain_identity`](crate::function::pretrain_identity).

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::contract::{learners, readings};
use super::losses::{mean, mean_difference};
use super::w2_conjugates::answer;
pub use super::w2_conjugates::{Amortisation, Conjugation};
use crate::error::{Error, Result};
use crate::function::{AdamConfig, InputGradient, Learner, TransportMap};
#[cfg(doc)]
use crate::function::{DenseIcnn, PlusHalfSquare};
use crate::geometry::{Cost, NegDot};
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{rows, Points};

/// What is chosen. The default is that of arXiv:2210.12153: conjugates by L-BFGS, regression of G,
/// Adam with rate 5e-4 and betas (0.5, 0.5) for both networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct W2DualConfig {
    /// Where x̂ comes from and what G learns.
    pub conjugation: Conjugation,
    /// Optimiser of ψ.
    pub potential: AdamConfig,
    /// Optimiser of G.
    pub conjugate: AdamConfig,
}

impl Default for W2DualConfig {
    fn default() -> Self {
        let adam = AdamConfig { betas: (0.5, 0.5), ..AdamConfig::with_rate(5e-4) };
        Self { conjugation: Conjugation::default(), potential: adam.clone(), conjugate: adam }
    }
}

/// What has become: the two networks with their optimisers.
#[derive(Clone, Debug)]
pub struct W2DualState<F, G, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// ψ, whose gradient is the map.
    pub potential: Learner<F, E, D>,
    /// G.
    pub conjugate: Learner<G, E, D>,
}

/// What is seen of a step; each value is from before the update that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct W2DualMetrics {
    /// The loss of ψ, without the terms that do not depend on it: mean ψ(x) − mean ψ(x̂), and the
    /// regulariser if there is one.
    pub potential_loss: f64,
    /// The loss of G, in the last of its descents.
    pub conjugate_loss: f64,
    /// mean ½|x|² + mean ½|y|² − mean ψ(x) − mean[⟨x̂, y⟩ − ψ(x̂)]: an estimate of the optimal ½|x − y|².
    pub dual_value: f64,
    /// Mean iterations of the solver; 0 without one.
    pub solver_iterations: f64,
    /// Share of points whose iteration did not converge; 0 without a solver.
    pub solver_unconverged: f64,
    /// Norm of the gradient in the parameters of ψ.
    pub potential_gradient_norm: f64,
    /// Norm of the gradient in the parameters of G.
    pub conjugate_gradient_norm: f64,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn w2_dual_init<E, D, F, G>(
    config: &W2DualConfig,
    potential: F,
    conjugate: G,
) -> Result<W2DualState<F, G, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    G: TensorCollection<E, D>,
{
    config.conjugation.check()?;
    Ok(W2DualState {
        step: 0,
        potential: Learner::new(potential, config.potential.clone())?,
        conjugate: Learner::new(conjugate, config.conjugate.clone())?,
    })
}

/// One step: x̂ for the target points, one descent of ψ, and one of G (several in the minimax form).
///
/// The batch holds `[n, N]` source and `[m, N]` target points. Deterministic: the key is not used.
///
/// # Errors
/// [`Error::NonFinite`] if a loss, a gradient or the start of a conjugate is (training has diverged:
/// go on from a checkpoint with lower rates). A conjugate that does not converge is no error; its
/// share is in the metrics.
///
/// ```
/// use brenier::neural::{w2_dual_init, w2_dual_step, W2DualConfig};
/// use brenier::prelude::*;
/// type Psi = DenseIcnn<2, 32, 0, 32>;
/// let pair = KnownPair::<2>::random(Key::new(0))?;
/// let [init, fit, data, training] = Key::new(1).split();
/// let psi: Psi = pretrain_identity(build(init), fit, 300)?;
/// let config = W2DualConfig::default();
/// let mut state = w2_dual_init(&config, psi.clone(), GradientMap(psi))?;
/// state.potential = state.potential.projected(Psi::make_convex);
/// let batches = Sampled::new(pair.source().clone(), pair.target(), 128)?.batches(data).take(5);
/// let step = |s, b: &Batch<2>, k| w2_dual_step(&config, s, b, k);
/// let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?;
/// let map = GradientMap(state.potential.params().clone());
/// assert!(map_error(&pair, &map, Key::new(2), 1000)?.l2_uvp < 100.0);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn w2_dual_step<const N: usize, E, D, F, G>(
    config: &W2DualConfig,
    state: W2DualState<F, G, E, D>,
    batch: &Batch<N, E, D>,
    _key: Key,
) -> Result<(W2DualState<F, G, E, D>, W2DualMetrics)>
where
    E: Real,
    D: Engine<E>,
    F: InputGradient<N, E, D>,
    G: TransportMap<N, E, D>,
{
    let W2DualState { step, mut potential, mut conjugate } = state;
    let at = |e: Error| e.at_step(step);
    let (x, y) = (&batch.source, &batch.target);

    let answers = (&potential, &mut conjugate);
    let found = answer(&config.conjugation, answers, [x, y]).map_err(at)?;
    let products = NegDot.paired(y, found.best.clone())?.as_vec();
    let loss = mean_difference(&potential, x, &found.best);
    let dual = loss.as_vec()[0].double() - mean(&products);
    let loss = match found.regulariser {
        Some(more) => loss + more,
        None => loss,
    };
    let potential_descent = potential.descend(loss).map_err(at)?;

    let metrics = W2DualMetrics {
        potential_loss: potential_descent.loss,
        conjugate_loss: found.descent.loss,
        dual_value: half_square(x) + half_square(y) - dual,
        solver_iterations: found.iterations,
        solver_unconverged: found.unconverged,
        potential_gradient_norm: potential_descent.gradient_norm,
        conjugate_gradient_norm: found.descent.gradient_norm,
    };
    Ok((W2DualState { step: step + 1, potential, conjugate }, metrics))
}

fn half_square<const N: usize, E: Real, D: Engine<E>>(x: &Points<N, E, D>) -> f64 {
    let values = rows(x);
    0.5 * values.iter().map(|v| v.double() * v.double()).sum::<f64>() / x.shape().0 as f64
}

learners!(W2DualState<F, G> { potential, conjugate }, map: potential of F);
readings!(W2DualMetrics {
    potential_loss,
    conjugate_loss,
    dual_value,
    solver_iterations,
    solver_unconverged,
    potential_gradient_norm,
    conjugate_gradient_norm,
});
