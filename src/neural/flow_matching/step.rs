//! State, metrics and step.

use dfdx::prelude::*;

use super::config::FlowMatchingConfig;
use super::pairs::{pairs, Classes, Pairs};
use crate::error::{Error, Result};
use crate::function::{Condition, Learner, Velocity};
use crate::geometry::{Cost, SqEuclidean};
use crate::neural::contract::{learners, readings};
use crate::ops::{Dropouts, Engine, Real, RowCost};
use crate::problem::Batch;
use crate::random::Key;
use crate::solver::Coupling;
use crate::tensor::{Points, Taped, Values};

/// What has become: the velocity with its optimiser.
#[derive(Clone, Debug)]
pub struct FlowMatchingState<V, E: Real = f32, D: Engine<E> = Cpu> {
    /// Steps made.
    pub step: u64,
    /// v.
    pub velocity: Learner<V, E, D>,
}

/// What is seen of a step; each value is from before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowMatchingMetrics {
    /// mean |v(t, xₜ) − u|² / N.
    pub loss: f64,
    /// mean c(x₀, x₁) of the pairs.
    pub pair_cost: f64,
    /// mean |u|² of the pairs: what the energy of the flow would be if no paths crossed.
    pub pair_energy: f64,
    /// Part of the source points that are in a pair.
    pub sources_used: f64,
    /// Part of the target points that are in a pair.
    pub targets_used: f64,
    /// Norm of the gradient in the parameters.
    pub gradient_norm: f64,
}

/// A batch whose targets have classes and conditions.
#[derive(Clone, Debug)]
pub struct ConditionedBatch<const N: usize, Q, E: Real = f32, D: Engine<E> = Cpu> {
    /// The points.
    pub batch: Batch<N, E, D>,
    /// Classes of the sources, where they have any. Sources without (noise) are dealt to the classes of
    /// the targets at random, so that the law of a source is the same for each class.
    pub source_classes: Option<Vec<u32>>,
    /// Classes of the targets. Pairs are made within a class.
    pub target_classes: Vec<u32>,
    /// What the velocity is told of each target.
    pub conditions: Q,
}

/// The state before the first step.
///
/// # Errors
/// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if a
/// parameter is not finite.
pub fn flow_matching_init<C, K, E, D, V>(
    config: &FlowMatchingConfig<C, K>,
    velocity: V,
) -> Result<FlowMatchingState<V, E, D>>
where
    E: Real,
    D: Engine<E>,
    V: TensorCollection<E, D>,
{
    config.check()?;
    Ok(FlowMatchingState { step: 0, velocity: Learner::new(velocity, config.velocity.clone())? })
}

/// One descent of the velocity on a batch of `[n, N]` source and `[m, N]` target points, which are paired
/// as the configuration says. The key draws the pairs, the times and the noise of the path. Costs one
/// forward and backward pass of the velocity at m points, and the coupling.
///
/// # Errors
/// Those of the coupling; [`Error::Shape`] if n is not m and pairs are as drawn; [`Error::NonFinite`] if
/// a point, the loss or its gradient is (then training has diverged: go on from a checkpoint with a
/// lower rate).
///
/// ```
/// use brenier::neural::flow;
/// use brenier::prelude::*;
/// use brenier::solver::OdeConfig;
/// let (source, target) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let config = FlowMatchingConfig::exact();
/// let [velocity, data, training, score] = Key::new(0).split();
/// let v: VelocityMlp<3, 32, 1, 2> = build(velocity);
/// let state = flow_matching_init(&config, v)?;
/// let batches = Sampled::new(source.clone(), target, 64)?.batches(data).take(3);
/// let step = |s, b: &Batch<2>, k| flow_matching_step(&config, s, b, k);
/// let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?;
/// assert_eq!(state.step, 3);
/// // Where 5 points are at t = 1.
/// let x = source.sample(score, 5)?;
/// let path = flow(state.velocity.params(), &OdeConfig::default(), &x, &(), &[0.0, 1.0])?;
/// assert_eq!(path.end().len(), 10);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn flow_matching_step<const N: usize, E, D, C, K, V>(
    config: &FlowMatchingConfig<C, K>,
    state: FlowMatchingState<V, E, D>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<(FlowMatchingState<V, E, D>, FlowMatchingMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    K: Coupling<E>,
    V: Velocity<N, (), E, D>,
{
    let [choice, noise] = key.split();
    let at = |e: Error| e.at_step(state.step);
    let pairs = pairs(config, batch, None, choice).map_err(at)?;
    descend(config, state, batch, (pairs, ()), noise)
}

/// [`flow_matching_step`] for a velocity that is told a condition, with pairs that know the classes: a
/// coupling of the whole batch would send each class its own part of the source, and at the end of
/// training a source point and a condition that are drawn independently, as samplers do, would be off.
/// Here, sources of a class have the law of all sources.
///
/// # Errors
/// As [`flow_matching_step`], and [`Error::Shape`] if classes or conditions are not as many as points, or a
/// class has no source.
pub fn conditional_flow_matching_step<const N: usize, Q, E, D, C, K, V>(
    config: &FlowMatchingConfig<C, K>,
    state: FlowMatchingState<V, E, D>,
    batch: &ConditionedBatch<N, Q, E, D>,
    key: Key,
) -> Result<(FlowMatchingState<V, E, D>, FlowMatchingMetrics)>
where
    E: Real,
    D: Engine<E>,
    Q: Condition<E, D>,
    C: RowCost<E>,
    K: Coupling<E>,
    V: Velocity<N, Q, E, D>,
{
    let [choice, noise] = key.split();
    let at = |e: Error| e.at_step(state.step);
    let source = batch.source_classes.as_deref();
    let classes = Classes { source, target: &batch.target_classes };
    let pairs = pairs(config, &batch.batch, Some(classes), choice).map_err(at)?;
    let targets: Vec<usize> = pairs.indices.iter().map(|p| p.1).collect();
    let conditions = batch.conditions.of_points(&targets)?;
    descend(config, state, &batch.batch, (pairs, conditions), noise)
}

fn descend<const N: usize, Q, E, D, C, K, V>(
    config: &FlowMatchingConfig<C, K>,
    state: FlowMatchingState<V, E, D>,
    batch: &Batch<N, E, D>,
    (pairs, conditions): (Pairs<E>, Q),
    key: Key,
) -> Result<(FlowMatchingState<V, E, D>, FlowMatchingMetrics)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    V: Velocity<N, Q, E, D>,
{
    let FlowMatchingState { step, mut velocity } = state;
    let at = |e: Error| e.at_step(step);
    let Pairs { x0, x1, indices } = pairs;
    let [times, noise, dropout] = key.split();
    let k = indices.len();
    let times = config.times.draw(&config.path, k, times);
    let noise: Vec<E> = if config.path.is_noisy() {
        noise.normal(k * N).into_iter().map(|v| E::of(v.into())).collect()
    } else {
        vec![E::zero(); k * N]
    };
    let (x, u) = config.path.points(&x0, &x1, &noise, &times, N)?;
    let pair_energy = u.iter().map(|v| v.double() * v.double()).sum::<f64>() / k as f64;
    let costs = x0.chunks_exact(N).zip(x1.chunks_exact(N));
    let pair_cost = costs.map(|(x, y)| config.cost.value(x, y).double()).sum::<f64>() / k as f64;

    let device = batch.source.device();
    let x: Points<N, E, D> = device.tensor_from_vec(x, (k, Const));
    let u: Points<N, E, D> = device.tensor_from_vec(u, (k, Const));
    let times: Vec<E> = times.into_iter().map(E::of).collect();
    let times: Values<E, D> = device.tensor_from_vec(times, (k,));
    let v: Points<N, E, D, Taped<E, D>> = Dropouts::scope(dropout, || {
        velocity.traced_by(&x, |v, x| v.forward((x, times, conditions)))
    });
    let loss = SqEuclidean.paired(&u, v)?.mean() / E::of(N as f64);
    let descent = velocity.descend(loss).map_err(at)?;

    let metrics = FlowMatchingMetrics {
        loss: descent.loss,
        pair_cost,
        pair_energy,
        sources_used: used(indices.iter().map(|p| p.0), batch.source.shape().0),
        targets_used: used(indices.iter().map(|p| p.1), batch.target.shape().0),
        gradient_norm: descent.gradient_norm,
    };
    Ok((FlowMatchingState { step: step + 1, velocity }, metrics))
}

/// Part of `n` points that occur.
fn used(indices: impl Iterator<Item = usize>, n: usize) -> f64 {
    let mut seen = vec![false; n];
    indices.for_each(|i| seen[i] = true);
    seen.iter().filter(|s| **s).count() as f64 / n as f64
}

learners!(FlowMatchingState<V> { velocity }, map: velocity of V);
readings!(FlowMatchingMetrics {
    loss,
    pair_cost,
    pair_energy,
    sources_used,
    targets_used,
    gradient_norm,
});
