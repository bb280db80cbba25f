//! The methods, each a function from training cells to a map.

use brenier::data::Samples;
use brenier::function::pretrain_affine;
use brenier::geometry::{Elastic, L1};
use brenier::neural::{monge_gap_plain_step, MongeGapState};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{sinkhorn, DivergenceLoss, Epsilon, Gaussian, SinkhornConfig, Stop};
use clap::ValueEnum;

use crate::cells::Part;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// T(x) = x.
    Identity,
    /// The difference of the means added.
    MeanShift,
    /// The optimal map between Gaussians with the moments of the cells (Bures).
    Linear,
    /// The entropic map of the training cells, ε = 0.05 of the mean cost.
    Entropic,
    /// A perceptron with the fitting loss only.
    Mlp,
    /// The Monge gap with the distance as cost.
    MgEuclidean,
    /// The Monge gap with the squared distance.
    MgSquared,
    /// The Monge gap with one minus the cosine.
    MgCosine,
    /// The Monge gap with an elastic cost, ½|x − y|² + 0.1 Σ|xᵢ − yᵢ|.
    MgElastic,
    /// The Monge gap with the squared distance on unbalanced batches.
    Umg,
    /// The dual of input-convex networks, minimax.
    Icnn,
    /// The same on unbalanced batches.
    UotIcnn,
}

/// How long, and from which seed.
#[derive(Clone, Copy)]
pub struct Training {
    pub steps: Option<u64>,
    pub quick: bool,
    pub seed: u64,
}

/// τ of both sides for the unbalanced methods, with ε = 0.05 of the mean cost.
pub const TAU: f64 = 0.9;

/// A map of cells, row by row.
pub type Learned = Box<dyn Fn(&[f32]) -> Result<Vec<f32>>>;

type Map<const N: usize> = Displacement<Mlp<N, 64, 3, N, Gelu>>;
type Icnn<const N: usize> = DenseIcnn<N, 64, 1, 32>;
type Ratio<const N: usize> = Mlp<N, 32, 1, 1, Silu>;

impl Method {
    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |v| v.get_name().into())
    }

    /// The map of these training cells.
    pub fn fit<const N: usize>(self, part: &Part<N>, t: Training) -> Result<Learned> {
        match self {
            Self::Identity => Ok(Box::new(|x| Ok(x.to_vec()))),
            Self::MeanShift | Self::Linear => {
                let (p, q) = (Gaussian::fit(&part.source, N)?, Gaussian::fit(&part.target, N)?);
                let mut map = p.optimal_map(&q)?;
                if self == Self::MeanShift {
                    map.matrix.fill_with_identity();
                    map.offset = &q.mean - &p.mean;
                }
                Ok(Box::new(move |x| Ok(map.apply(x))))
            }
            Self::Entropic => {
                let problem = Discrete::clouds(&SqEuclidean, &part.source, &part.target, N)?;
                let config =
                    SinkhornConfig { epsilon: Epsilon::RelativeToMean(0.05), ..Default::default() };
                let map =
                    sinkhorn(&config, &problem, None)?.entropic_map(&problem, &SqEuclidean)?;
                Ok(Box::new(move |x| map.forward(x)))
            }
            Self::Mlp => gap(part, t, SqEuclidean, 0.0, false),
            Self::MgEuclidean => gap(part, t, Euclidean, 1.0, false),
            Self::MgSquared => gap(part, t, SqEuclidean, 1.0, false),
            Self::MgCosine => gap(part, t, Cosine, 10.0, false),
            Self::MgElastic => gap(part, t, Elastic(L1::new(0.1)?), 1.0, false),
            Self::Umg => gap(part, t, SqEuclidean, 1.0, true),
            Self::Icnn => icnn(part, t, false),
            Self::UotIcnn => icnn(part, t, true),
        }
    }
}

fn unbalanced() -> UnbalancedConfig {
    let mut config: UnbalancedConfig = UnbalancedConfig { tau: [TAU; 2], ..Default::default() };
    config.sinkhorn.epsilon = Epsilon::RelativeToMean(0.05);
    config.sinkhorn.stop = Stop::Tolerance { tolerance: 1e-2, limit: 500 };
    config
}

type Batches<const N: usize> =
    std::iter::Take<brenier::problem::Batches<N, Samples<N>, Samples<N>>>;

fn batches<const N: usize>(part: &Part<N>, key: Key, steps: u64) -> Result<Batches<N>> {
    let (p, q) = (Samples::new(part.source.clone())?, Samples::new(part.target.clone())?);
    Ok(Sampled::new(p, q, 256)?.batches(key).take(steps as usize))
}

fn falling(rate: f64, steps: u64) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 };
    AdamConfig { schedule, ..AdamConfig::with_rate(rate) }
}

/// Trains a state on balanced or unbalanced batches.
fn train<const N: usize, S, St>(
    part: &Part<N>,
    (t, steps): (Training, u64),
    is_unbalanced: bool,
    state: S,
    step: St,
) -> Result<S>
where
    S: State,
    St: Step<S, Batch<N>>,
{
    let [data, training, a, b] = Key::new(t.seed).fold_in(2000).split();
    let batches = batches(part, data, steps)?;
    if !is_unbalanced {
        return run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()));
    }
    let config = unbalanced();
    let (eta, xi): (Ratio<N>, Ratio<N>) = (build(a), build(b));
    let state = Unbalanced::new(&config, state, eta, xi)?;
    let step = with_unbalanced(config, step);
    Ok(run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?.state)
}

/// The Monge gap with a cost and a weight λ; fitted by the Sinkhorn divergence with ε = 0.05 of the mean
/// cost.
fn gap<const N: usize, C: RowCost<f32>>(
    part: &Part<N>,
    t: Training,
    cost: C,
    weight: f64,
    is_unbalanced: bool,
) -> Result<Learned> {
    let steps = t.steps.unwrap_or(if t.quick { 5 } else { 1000 });
    let sinkhorn = |share| SinkhornConfig {
        epsilon: Epsilon::RelativeToMean(share),
        stop: Stop::Tolerance { tolerance: 1e-2, limit: 300 },
        ..Default::default()
    };
    let fitting = DivergenceLoss {
        sinkhorn: sinkhorn(0.05),
        target_term: false,
        ..DivergenceLoss::with_cost(SqEuclidean)
    };
    let config = MongeGapConfig {
        fitting: Fitting::Divergence(fitting),
        gap: MongeGap { cost, sinkhorn: sinkhorn(0.01) },
        gap_weight: weight,
        conservative_weight: 0.0,
        map: falling(1e-3, steps),
    };
    let map: Map<N> = build(Key::new(t.seed).fold_in(3000));
    let state = monge_gap_init(&config, map)?;
    let step = |s, b: &Batch<N>, k| monge_gap_plain_step(&config, s, b, k);
    let state: MongeGapState<Map<N>> = train(part, (t, steps), is_unbalanced, state, step)?;
    let map = state.map.params().clone();
    Ok(Box::new(move |x| Ok(rows(&map.forward(points::<N>(x.to_vec())?)))))
}

/// The dual of two input-convex networks that start at the optimal affine maps of the moments.
fn icnn<const N: usize>(part: &Part<N>, t: Training, is_unbalanced: bool) -> Result<Learned> {
    let steps = t.steps.unwrap_or(if t.quick { 5 } else { 2000 });
    let [a, b, c, d] = Key::new(t.seed).fold_in(3000).split();
    let (p, q) = (Gaussian::fit(&part.source, N)?, Gaussian::fit(&part.target, N)?);
    let fitted = if t.quick { 20 } else { 1000 };
    let pretrained = |key, of: &[f32], to, fit| {
        let net = GradientMap(build::<Icnn<N>, f32, Cpu>(key));
        pretrain_affine(net, to, &Samples::<N>::new(of.to_vec())?, fit, fitted)
    };
    let (there, back) = (p.optimal_map(&q)?, q.optimal_map(&p)?);
    let psi = pretrained(a, &part.source, &there, b)?.0;
    let inverse = pretrained(c, &part.target, &back, d)?;
    let adam = AdamConfig { betas: (0.5, 0.9), ..falling(3e-4, steps) };
    let config = W2DualConfig {
        conjugation: Conjugation::Minimax { map_steps: 5 },
        potential: adam.clone(),
        conjugate: AdamConfig { schedule: Schedule::Constant, ..adam },
    };
    let state = w2_dual_init(&config, psi, inverse)?;
    let step = |s, b: &Batch<N>, k| w2_dual_step(&config, s, b, k);
    let state = train(part, (t, steps), is_unbalanced, state, step)?;
    let psi = state.potential.params().clone();
    Ok(Box::new(move |x| Ok(rows(&psi.input_gradient(points::<N>(x.to_vec())?)))))
}
