//! UOTM: the semi-dual of unbalanced transport, arXiv:2305.14777 (Algorithm 1), with the scheduled
//! divergence of arXiv:2310.02611.
//!
//! Solves  min_f max_T  E_P[αψ((f(T(x)) − c(x, T(x))) / α)] + E_Q[αψ(−f(y) / α)]  with the conjugate
//! ψ(u) = 2 softplus(u) − 2 log 2 of a divergence that lets marginals give way. It is almost linear for
//! large α, where the problem becomes the balanced one: α rises along a run.

use brenier::neural::{learners, readings};
use brenier::ops::{Engine, Real};
use brenier::prelude::*;
use dfdx::prelude::Axis;
use serde::{Deserialize, Serialize};

/// What is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UotmConfig<C = HalfSqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// Map steps before each potential step.
    pub map_steps: usize,
    /// α; positive.
    pub alpha: Ramp,
    /// Optimiser of the map.
    pub map: AdamConfig,
    /// Optimiser of the potential.
    pub potential: AdamConfig,
}

impl<C: Default> Default for UotmConfig<C> {
    fn default() -> Self {
        let adam = AdamConfig { betas: (0.5, 0.9), ..AdamConfig::with_rate(1e-4) };
        let alpha = Ramp::constant(1.0);
        Self { cost: C::default(), map_steps: 1, alpha, map: adam.clone(), potential: adam }
    }
}

/// What has become.
#[derive(Clone, Debug)]
pub struct UotmState<F, T, E: Real = f32, D: Engine<E> = Cpu> {
    pub step: u64,
    pub potential: Learner<F, E, D>,
    pub map: Learner<T, E, D>,
}

/// What is seen of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UotmMetrics {
    /// mean c(x, T(x)) − mean f(T(x)), of the last map step.
    pub map_loss: f64,
    /// The objective in f.
    pub potential_loss: f64,
    /// mean c(x, T(x)).
    pub transport_cost: f64,
}

learners!(UotmState<F, T> { potential, map }, map: map of T);
readings!(UotmMetrics { map_loss, potential_loss, transport_cost });

/// The state before the first step.
pub fn uotm_init<C, F, T>(config: &UotmConfig<C>, potential: F, map: T) -> Result<UotmState<F, T>>
where
    F: TensorCollection<f32, Cpu>,
    T: TensorCollection<f32, Cpu>,
{
    let potential = Learner::new(potential, config.potential.clone())?;
    Ok(UotmState { step: 0, potential, map: Learner::new(map, config.map.clone())? })
}

/// `map_steps` descents of the map, one of the potential, on `[n, N]` source and `[m, N]` target points.
pub fn uotm_step<const N: usize, C, F, T>(
    config: &UotmConfig<C>,
    state: UotmState<F, T>,
    batch: &Batch<N>,
    _key: Key,
) -> Result<(UotmState<F, T>, UotmMetrics)>
where
    C: Cost<N>,
    F: Potential<N>,
    T: TransportMap<N>,
{
    let UotmState { step, mut potential, mut map } = state;
    let (x, y, alpha) = (&batch.source, &batch.target, config.alpha.at(step));
    let at = |e: Error| e.at_step(step);

    let mut map_loss = f64::NAN;
    for _ in 0..config.map_steps {
        let moved: Points<N, f32, Cpu, Taped> = map.traced(x);
        let cost = config.cost.paired(x, moved.retaped::<Taped>())?.mean();
        let gain: Points<1, f32, Cpu, Taped> = potential.frozen(moved);
        map_loss = map.descend(cost - gain.mean()).map_err(at)?.loss;
    }

    let moved = map.params().forward(x.clone());
    let cost = config.cost.paired(x, moved.clone())?;
    let transport_cost = f64::from(cost.clone().mean().as_vec()[0]);
    let on_source: Points<1, f32, Cpu, Taped> = potential.traced(&moved);
    let on_target: Points<1, f32, Cpu, Taped> = potential.traced(y);
    let loss = psi(on_source.sum::<_, Axis<1>>() - cost, alpha)
        + psi(on_target.sum::<_, Axis<1>>().negate(), alpha);
    let potential_loss = potential.descend(loss).map_err(at)?.loss;
    let metrics = UotmMetrics { map_loss, potential_loss, transport_cost };
    Ok((UotmState { step: step + 1, potential, map }, metrics))
}

/// mean αψ(u / α), without overflow: softplus(u) = max(u, 0) + log(1 + exp(−|u|)).
fn psi(u: Values<f32, Cpu, Taped>, alpha: f64) -> Scalar<f32, Cpu, Taped> {
    let u = u / alpha as f32;
    let small = (u.retaped::<Taped>().abs().negate().exp() + 1.0).ln();
    ((u.relu() + small).mean() - std::f32::consts::LN_2) * (2.0 * alpha as f32)
}
