//! Unbalanced transport as a change of the minibatch, arXiv:2209.15621 and 2311.14878.
//!
//! The plan of unbalanced transport is the balanced plan between its own two marginals. So each batch is
//! transported with relaxed marginals, both of its sides are drawn again by the marginals of the plan, and a
//! balanced estimator sees the result. The ratios of marginals and weights, which say where mass is lost and
//! made, are learned by two networks: E|η(xᵢ) − n uᵢ|² and E|ξ(yⱼ) − m vⱼ|² for marginals u and v of n and m
//! points, in the sense of least squares.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::function::{AdamConfig, Descent, Learner, Persist, Positive, Potential, Record};
use crate::geometry::{RowCost, SqEuclidean};
use crate::neural::{Mapped, Slowed, State};
use crate::ops::{Engine, Real};
use crate::problem::{Batch, Discrete, Relaxation};
use crate::random::Key;
use crate::solver::{sinkhorn, Epsilon, SinkhornConfig, Status};
use crate::tensor::{rows, Points, Taped};

/// What is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct UnbalancedConfig<C = SqEuclidean> {
    /// The ground cost c, usually that of the estimator.
    pub cost: C,
    /// τ = λ / (λ + ε) of the source and of the target, in (0, 1]; at 1 a marginal binds.
    pub tau: [f64; 2],
    /// ε and when to stop.
    pub sinkhorn: SinkhornConfig,
    /// Optimiser of the rescaling networks.
    pub rescaling: AdamConfig,
}

impl<C: Default> Default for UnbalancedConfig<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> UnbalancedConfig<C> {
    /// τ = 0.95 on both sides and ε = 0.01 of the mean cost, those of arXiv:2311.15100, with this cost.
    pub fn with_cost(cost: C) -> Self {
        let sinkhorn =
            SinkhornConfig { epsilon: Epsilon::RelativeToMean(0.01), ..Default::default() };
        Self { cost, tau: [0.95; 2], sinkhorn, rescaling: AdamConfig::with_rate(1e-3) }
    }
}

/// A batch that was transported with relaxed marginals.
#[derive(Clone, Debug)]
pub struct Resampled<const N: usize, E: Real = f32, D: Engine<E> = Cpu> {
    /// As many points of both sides, drawn with replacement by the marginals of the plan.
    pub batch: Batch<N, E, D>,
    /// n uᵢ of each source point: its mass in the plan relative to that before.
    pub source_ratio: Vec<f64>,
    /// m vⱼ of each target point.
    pub target_ratio: Vec<f64>,
    /// Mass of the plan; 1 if a side is balanced.
    pub mass: f64,
    /// Iterations of the solver.
    pub iterations: usize,
}

/// Transports a batch with relaxed marginals and draws both sides again by the marginals of the plan.
///
/// # Errors
/// Those of [`sinkhorn()`](crate::solver::sinkhorn()), and [`Error::NonFinite`] if it diverged.
///
/// ```
/// use brenier::neural::{resampled, UnbalancedConfig};
/// use brenier::prelude::*;
/// // A third of the source is far from everything: little of it is transported.
/// let batch = Batch::new(points::<1>(vec![0.0, 1.0, 30.0])?, points(vec![0.1, 0.9, 1.1])?)?;
/// let config: UnbalancedConfig = UnbalancedConfig { tau: [0.9, 1.0], ..Default::default() };
/// let drawn = resampled(&config, &batch, Key::new(0))?;
/// assert!(drawn.source_ratio[2] < 0.1 && drawn.source_ratio[0] > 1.0);
/// # Ok::<(), Error>(())
/// ```
pub fn resampled<const N: usize, E, D, C>(
    config: &UnbalancedConfig<C>,
    batch: &Batch<N, E, D>,
    key: Key,
) -> Result<Resampled<N, E, D>>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
{
    let (x, y) = (rows(&batch.source), rows(&batch.target));
    let [source, target] = config.tau.map(|tau| Relaxation::Kl { tau });
    let problem = Discrete::clouds(&config.cost, &x, &y, N)?.relaxed(source, target)?;
    let solution = sinkhorn(&config.sinkhorn, &problem, None)?;
    if solution.status == Status::Diverged {
        return Err(Error::NonFinite {
            what: "the plan of a batch".into(),
            value: solution.marginal_error,
            step: None,
            remedy: "raise epsilon or tau, or look for outliers in the batch",
        });
    }
    let (u, v) = solution.plan(&problem)?.marginals();
    let [of_source, of_target] = key.split();
    let ratio = |marginal: &[E]| {
        let n = marginal.len() as f64;
        marginal.iter().map(|w| n * w.double()).collect::<Vec<f64>>()
    };
    let (source_ratio, target_ratio) = (ratio(&u), ratio(&v));
    let batch = Batch {
        source: drawn(&batch.source, &source_ratio, of_source),
        target: drawn(&batch.target, &target_ratio, of_target),
    };
    let mass = u.iter().map(|w| w.double()).sum();
    let iterations = solution.iterations;
    Ok(Resampled { batch, source_ratio, target_ratio, mass, iterations })
}

/// As many of the points, drawn by their weights: systematic draws (one uniform number, then equal steps
/// along the running sum) in random order, which keep the numbers of copies within one of their mean.
fn drawn<const N: usize, E: Real, D: Engine<E>>(
    points: &Points<N, E, D>,
    weights: &[f64],
    key: Key,
) -> Points<N, E, D> {
    let n = weights.len();
    let [of_start, of_order] = key.split();
    let start = f64::from(of_start.uniform(1)[0]);
    let step = weights.iter().sum::<f64>() / n as f64;
    let (mut index, mut sum) = (0, weights[0]);
    let mut chosen: Vec<usize> = (0..n)
        .map(|k| {
            let at = step * (start + k as f64);
            while sum <= at && index + 1 < n {
                index += 1;
                sum += weights[index];
            }
            index
        })
        .collect();
    let order = of_order.uniform(n);
    let mut places: Vec<usize> = (0..n).collect();
    places.sort_by(|a, b| order[*a].total_cmp(&order[*b]).then(a.cmp(b)));
    chosen = places.into_iter().map(|p| chosen[p]).collect();
    let values = rows(points);
    let values = chosen.iter().flat_map(|i| &values[i * N..(i + 1) * N]).copied().collect();
    points.device().tensor_from_vec(values, (n, Const))
}

/// A state together with the networks of the rescaling functions.
#[derive(Clone, Debug)]
pub struct Unbalanced<S, G, H, E: Real = f32, D: Engine<E> = Cpu> {
    /// The state that is trained on resampled batches.
    pub state: S,
    /// η: the ratio of the source marginal, positive.
    pub eta: Learner<Positive<G>, E, D>,
    /// ξ: the ratio of the target marginal, positive.
    pub xi: Learner<Positive<H>, E, D>,
}

impl<S, G, H, E, D> Unbalanced<S, G, H, E, D>
where
    E: Real,
    D: Engine<E>,
    G: TensorCollection<E, D>,
    H: TensorCollection<E, D>,
{
    /// A state with networks `[n, N] -> [n, 1]` for the two rescaling functions, which become
    /// log(1 + exp ·) of them.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if a field of the configuration is out of range, [`Error::NonFinite`] if
    /// a parameter is not finite.
    pub fn new<C>(config: &UnbalancedConfig<C>, state: S, eta: G, xi: H) -> Result<Self> {
        for tau in config.tau {
            if !(tau > 0.0 && tau <= 1.0) {
                let rule = "must be in (0, 1]: 1 for a marginal that binds, smaller to relax it";
                return Err(Error::config("tau", tau, rule));
            }
        }
        let eta = Learner::new(Positive(eta), config.rescaling.clone())?;
        let xi = Learner::new(Positive(xi), config.rescaling.clone())?;
        Ok(Self { state, eta, xi })
    }
}

/// One descent of a rescaling network towards the ratios at these points.
pub(crate) fn fit_ratio<const N: usize, E, D, G>(
    network: &mut Learner<Positive<G>, E, D>,
    x: &Points<N, E, D>,
    ratio: &[f64],
) -> Result<Descent>
where
    E: Real,
    D: Engine<E>,
    Positive<G>: Potential<N, E, D>,
    G: TensorCollection<E, D>,
{
    let wanted = ratio.iter().map(|r| E::of(*r)).collect();
    let wanted: Points<1, E, D> = x.device().tensor_from_vec(wanted, (ratio.len(), Const));
    let found: Points<1, E, D, Taped<E, D>> = network.traced(x);
    network.descend((found - wanted).square().mean())
}

impl<S: State, G, H, E: Real, D: Engine<E>> State for Unbalanced<S, G, H, E, D> {
    fn step(&self) -> u64 {
        self.state.step()
    }
}

impl<S: Mapped, G, H, E: Real, D: Engine<E>> Mapped for Unbalanced<S, G, H, E, D> {
    type Map = S::Map;
    fn map(&self) -> &Self::Map {
        self.state.map()
    }
}

impl<S, G, H, E, D> Slowed for Unbalanced<S, G, H, E, D>
where
    S: Slowed,
    G: TensorCollection<E, D>,
    H: TensorCollection<E, D>,
    E: Real,
    D: Engine<E>,
{
    fn slow_down(&mut self, factor: f64) {
        self.state.slow_down(factor);
        self.eta.scale_rate(factor);
        self.xi.scale_rate(factor);
    }
}

impl<S, G, H, E, D> Persist for Unbalanced<S, G, H, E, D>
where
    S: Persist,
    G: TensorCollection<E, D>,
    H: TensorCollection<E, D>,
    E: Real,
    D: Engine<E>,
{
    fn save(&self, record: &mut Record, path: &str) {
        self.state.save(record, path);
        self.eta.save(record, &format!("{path}eta."));
        self.xi.save(record, &format!("{path}xi."));
    }
    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        self.state.load(record, path, problems);
        self.eta.load(record, &format!("{path}eta."), problems);
        self.xi.load(record, &format!("{path}xi."), problems);
    }
}
