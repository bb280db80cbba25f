//! How networks are trained, on balanced or on unbalanced batches.

use brenier::data::Samples;
use brenier::function::pretrain_affine;
use brenier::neural::{flow, monge_gap_plain_step, MongeGapState};
use brenier::prelude::*;
use brenier::solver::{
    DivergenceLoss, EnergyLoss, Epsilon, Gaussian, OdeConfig, SinkhornConfig, Stop,
};
use clap::{Args, ValueEnum};

use crate::cells::Part;
use crate::methods::{Growth, Learned};

/// How long and with what.
#[derive(Clone, Args)]
pub struct Training {
    /// Steps of training, instead of those of the method.
    #[arg(long)]
    pub steps: Option<u64>,
    /// Cells of a batch.
    #[arg(long, default_value_t = 256)]
    pub batch: usize,
    /// What the maps with and without a Monge gap are fitted by.
    #[arg(long, value_enum, default_value_t = FittedBy::Divergence)]
    pub fitted_by: FittedBy,
    /// ε of the fitting loss, as a share of the mean cost.
    #[arg(long, default_value_t = 0.05)]
    pub fit_epsilon: f64,
    /// Factor on the weight of the Monge gap.
    #[arg(long, default_value_t = 1.0)]
    pub gap_factor: f64,
    /// τ of both sides of unbalanced batches.
    #[arg(long, default_value_t = 0.9)]
    pub tau: f64,
    /// Train for seconds.
    #[arg(long)]
    pub quick: bool,
    #[arg(skip)]
    pub seed: u64,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum FittedBy {
    /// The Sinkhorn divergence of batches.
    Divergence,
    /// The energy distance of halves of batches, with entropic costs.
    Energy,
}

type Map<const N: usize> = Displacement<Mlp<N, 64, 3, N, Gelu>>;
type Icnn<const N: usize> = DenseIcnn<N, 64, 1, 32>;
type Ratio<const N: usize> = Mlp<N, 32, 1, 1, Silu>;
type Field<const I: usize, const N: usize> = VelocityMlp<I, 64, 2, N>;

impl Training {
    fn steps(&self, usual: u64) -> u64 {
        self.steps.unwrap_or(if self.quick { 5 } else { usual })
    }

    /// ε is 0.05 of the mean cost.
    fn unbalanced(&self) -> UnbalancedConfig {
        let mut config: UnbalancedConfig =
            UnbalancedConfig { tau: [self.tau; 2], ..Default::default() };
        config.sinkhorn.epsilon = Epsilon::RelativeToMean(0.05);
        config.sinkhorn.stop = Stop::Tolerance { tolerance: 1e-2, limit: 500 };
        config
    }
}

fn falling(rate: f64, steps: u64) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 };
    AdamConfig { schedule, ..AdamConfig::with_rate(rate) }
}

/// Trains a state on batches, and the rescaling functions where they are unbalanced.
fn train<const N: usize, S, St>(
    part: &Part<N>,
    (t, steps): (&Training, u64),
    is_unbalanced: bool,
    state: S,
    step: St,
) -> Result<(S, Option<Growth>)>
where
    S: State,
    St: Step<S, Batch<N>>,
{
    let [data, training, a, b] = Key::new(t.seed).fold_in(2000).split();
    let (p, q) = (Samples::new(part.source.clone())?, Samples::new(part.target.clone())?);
    let batches = Sampled::new(p, q, t.batch)?.batches(data).take(steps as usize);
    if !is_unbalanced {
        let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?;
        return Ok((state, None));
    }
    let config = t.unbalanced();
    let (eta, xi): (Ratio<N>, Ratio<N>) = (build(a), build(b));
    let state = Unbalanced::new(&config, state, eta, xi)?;
    let step = with_unbalanced(config, step);
    let end = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?;
    let (eta, xi) = (end.eta.params().clone(), end.xi.params().clone());
    // P has the mass η P of the plan at its start, Q has ξ Q at its end: x becomes η(x) / ξ(T(x)) cells.
    let growth = move |x: &[f32], y: &[f32]| {
        let of = |net: &Positive<Ratio<N>>, at: &[f32]| -> Result<Vec<f32>> {
            Ok(rows(&net.forward(points::<N>(at.to_vec())?)))
        };
        let log = |v: f32| f64::from(v.max(1e-3)).ln();
        Ok(of(&eta, x)?.into_iter().zip(of(&xi, y)?).map(|(e, x)| log(e) - log(x)).collect())
    };
    Ok((end.state, Some(Box::new(growth))))
}

/// The Monge gap with a cost and a weight λ.
pub fn gap<const N: usize, C: RowCost<f32>>(
    part: &Part<N>,
    t: &Training,
    cost: C,
    weight: f64,
    is_unbalanced: bool,
) -> Result<Learned> {
    let steps = t.steps(1000);
    let sinkhorn = |share| SinkhornConfig {
        epsilon: Epsilon::RelativeToMean(share),
        stop: Stop::Tolerance { tolerance: 1e-2, limit: 300 },
        ..Default::default()
    };
    let (of_fit, target_term) = (sinkhorn(t.fit_epsilon), false);
    let fitting = match t.fitted_by {
        FittedBy::Divergence => Fitting::Divergence(DivergenceLoss {
            sinkhorn: of_fit,
            target_term,
            ..DivergenceLoss::with_cost(SqEuclidean)
        }),
        FittedBy::Energy => {
            Fitting::Energy(EnergyLoss { cost: SqEuclidean, sinkhorn: of_fit, target_term })
        }
    };
    let config = MongeGapConfig {
        fitting,
        gap: MongeGap { cost, sinkhorn: sinkhorn(0.01) },
        gap_weight: weight * t.gap_factor,
        conservative_weight: 0.0,
        map: falling(1e-3, steps),
    };
    let map: Map<N> = build(Key::new(t.seed).fold_in(3000));
    let state = monge_gap_init(&config, map)?;
    let step = |s, b: &Batch<N>, k| monge_gap_plain_step(&config, s, b, k);
    let (state, growth): (MongeGapState<Map<N>>, _) =
        train(part, (t, steps), is_unbalanced, state, step)?;
    let map = state.map.params().clone();
    let learned = Learned::map(move |x| Ok(rows(&map.forward(points::<N>(x.to_vec())?))));
    Ok(Learned { growth, ..learned })
}

/// The dual of two input-convex networks that start at the optimal affine maps of the moments.
pub fn icnn<const N: usize>(part: &Part<N>, t: &Training, is_unbalanced: bool) -> Result<Learned> {
    let steps = t.steps(2000);
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
    let (state, growth) = train(part, (t, steps), is_unbalanced, state, step)?;
    let psi = state.potential.params().clone();
    let learned = Learned::map(move |x| Ok(rows(&psi.input_gradient(points::<N>(x.to_vec())?))));
    Ok(Learned { growth, ..learned })
}

/// OT-FM with exact pairs; an average of the velocity, integrated to a tolerance of 1e-5.
pub fn flow_between<const N: usize, const I: usize>(
    part: &Part<N>,
    t: &Training,
    is_unbalanced: bool,
) -> Result<Learned> {
    let steps = t.steps(5000);
    let config = FlowMatchingConfig {
        velocity: AdamConfig { clip: Clip::Norm(10.0), ..falling(1e-3, steps) },
        ..FlowMatchingConfig::exact()
    };
    let v: Field<I, N> = build(Key::new(t.seed).fold_in(3000));
    let state = Averaged::new(flow_matching_init(&config, v)?);
    let step = with_ema(0.999, |s, b: &Batch<N>, k| flow_matching_step(&config, s, b, k))?;
    let (state, growth) = train(part, (t, steps), is_unbalanced, state, step)?;
    let v = state.average;
    let way = move |x: &[f32], share: f64| {
        let x = points::<N>(x.to_vec())?;
        let path = flow(&v, &OdeConfig::default(), &x, &(), &[0.0, share])?.into_reached()?;
        Ok(path.end().to_vec())
    };
    Ok(Learned { way: Box::new(way), growth })
}
