//! From a job to a contender: networks, estimator, and the map that is scored.

use std::path::Path;

use brenier::data::w2_benchmark_pair;
use brenier::function::pretrain_affine;
use brenier::prelude::*;
use brenier::solver::{AffineMap, DivergenceLoss, Epsilon, Gaussian, SinkhornConfig};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::contest::{Finished, Run, MOMENTS};
use crate::plan::{Job, Plan};
use crate::recipe::{Convexity, Network, Recipe, Solver, Start};

/// Trains one job; state and scores are kept in `folder`.
pub fn train(plan: &Plan, job: &Job, folder: &Path) -> anyhow::Result<Finished> {
    match job.dimension {
        2 => at::<2, 64, 32, 128, 64>(plan, job, folder),
        4 => at::<4, 64, 32, 128, 64>(plan, job, folder),
        8 => at::<8, 64, 32, 128, 64>(plan, job, folder),
        16 => at::<16, 64, 32, 128, 64>(plan, job, folder),
        32 => at::<32, 64, 32, 128, 64>(plan, job, folder),
        64 => at::<64, 128, 64, 256, 128>(plan, job, folder),
        128 => at::<128, 256, 128, 512, 256>(plan, job, folder),
        256 => at::<256, 512, 256, 1024, 512>(plan, job, folder),
        other => anyhow::bail!("no pair of dimension {other}; try 2, 4, 8, 16, 32, 64, 128 or 256"),
    }
}

/// The networks by their widths: `H` and `L` as published, and twice as wide.
fn at<const N: usize, const H: usize, const L: usize, const H2: usize, const L2: usize>(
    plan: &Plan,
    job: &Job,
    folder: &Path,
) -> anyhow::Result<Finished> {
    let run = Run::<N> { plan, job, folder, pair: w2_benchmark_pair::<N>(&plan.data)? };
    let network = (job.recipe.network, job.recipe.width);
    match (job.solver, network) {
        (Solver::Not, (Network::Mlp, 1)) => run.not_mlp::<128>(),
        (Solver::Not, (Network::Mlp, 2)) => run.not_mlp::<256>(),
        (Solver::Not, (Network::Icnn, 1)) => run.not_icnn::<H, L>(),
        (Solver::Not, (Network::Icnn, 2)) => run.not_icnn::<H2, L2>(),
        (Solver::Enot, (Network::Mlp, 1)) => run.enot_mlp::<128>(),
        (Solver::Enot, (Network::Mlp, 2)) => run.enot_mlp::<256>(),
        (Solver::Enot, (Network::Icnn, 1)) => run.enot_icnn::<H, L>(),
        (Solver::Enot, (Network::Icnn, 2)) => run.enot_icnn::<H2, L2>(),
        (Solver::W2Dual, (Network::Icnn, 1)) => run.w2_dual::<H, L>(),
        (Solver::W2Dual, (Network::Icnn, 2)) => run.w2_dual::<H2, L2>(),
        (Solver::MongeGap, (Network::Mlp, 1)) => run.monge_gap::<128>(),
        (Solver::MongeGap, (Network::Mlp, 2)) => run.monge_gap::<256>(),
        (Solver::W2Dual, (Network::Mlp, _)) => {
            anyhow::bail!("the networks of w2-dual are DenseICNNs: set its network to \"icnn\"")
        }
        (Solver::MongeGap, (Network::Icnn, _)) => {
            anyhow::bail!("the map of monge-gap is a perceptron: set its network to \"mlp\"")
        }
        (_, (_, width)) => anyhow::bail!("no networks of width {width}; try 1 or 2"),
    }
}

impl<const N: usize> Run<'_, N> {
    /// Perceptrons, the map as a displacement; the cost is ½|x − y|².
    fn not_mlp<const H: usize>(&self) -> anyhow::Result<Finished> {
        let [f, t] = self.init().split();
        let (f, t): (Mlp<N, H, 2, 1>, Displacement<Mlp<N, H, 2, N>>) = (build(f), build(t));
        self.not::<HalfSqEuclidean, _, _>(f, t)
    }

    /// The form MM of the benchmark: the cost −⟨x, y⟩, minus a DenseICNN as potential, the gradient of
    /// another as map.
    fn not_icnn<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let [u, v] = self.convex::<H, L>()?;
        self.not::<NegDot, _, _>(Negated(v), GradientMap(u))
    }

    fn not<C, F, T>(&self, f: F, t: T) -> anyhow::Result<Finished>
    where
        C: Cost<N> + Default + PartialEq + Serialize + DeserializeOwned,
        F: Potential<N> + Clone,
        T: TransportMap<N> + Clone,
    {
        let r = &self.job.recipe;
        let config = NotConfig::<C> {
            map_steps: r.map_steps,
            map: adam(r, r.rate, r.steps * r.map_steps as u64),
            potential: adam(r, r.potential_rate, r.steps),
            ..NotConfig::default()
        };
        let step = |s, b: &Batch<N>, k| not_step(&config, s, b, k);
        let parts = config.source_parts();
        let (finished, state) =
            self.contest(parts, not_init(&config, f, t)?, step, |t: &T, x| t.forward(x))?;
        if let Some(state) = state {
            weights::save(&self.folder.join("potential.safetensors"), state.potential.params())?;
        }
        Ok(finished)
    }

    /// Smooth perceptrons as potentials of both sides; the cost is ½|x − y|².
    fn enot_mlp<const H: usize>(&self) -> anyhow::Result<Finished> {
        let [f, g] = self.init().split();
        let (f, g): (Mlp<N, H, 2, 1, Celu>, Mlp<N, H, 2, 1, Celu>) = (build(f), build(g));
        self.enot::<HalfSqEuclidean, _>(f, g, |_| ())
    }

    /// Minus DenseICNNs as potentials of both sides; the cost is −⟨x, y⟩.
    fn enot_icnn<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let [u, v] = self.convex::<H, L>()?;
        self.enot::<NegDot, _>(Negated(u), Negated(v), |f| f.0 .0.make_convex())
    }

    fn enot<C, F>(&self, f: F, g: F, convex: fn(&mut PotentialMap<F>)) -> anyhow::Result<Finished>
    where
        C: Cost<N> + brenier::geometry::TwistCost<f32> + Default,
        F: InputGradient<N> + Clone,
    {
        let r = &self.job.recipe;
        // Each network takes map_steps + 1 updates in two steps.
        let adam = adam(r, r.rate, r.steps * (r.map_steps as u64 + 1) / 2);
        let config = EnotConfig::<C> {
            expectile: r.expectile,
            regularisation: r.regularisation,
            map_steps: r.map_steps,
            source: adam.clone(),
            target: adam,
            ..EnotConfig::default()
        };
        let mut state = enot_init(&config, PotentialMap(f), PotentialMap(g))?;
        if r.convexity == Convexity::Kept {
            state.source = state.source.projected(convex);
            state.target = state.target.projected(convex);
        }
        let forward = |s, b: &Batch<N>, k| enot_step(&config, s, b, k);
        let backward = |s, b: &Batch<N>, k| enot_step(&config, s, b, k);
        let step = back_and_forth(forward, backward);
        let image = |f: &PotentialMap<F>, x| f.images(&config.cost, x);
        let (finished, state) = self.contest(1, state, step, image)?;
        if let Some(state) = state {
            weights::save(&self.folder.join("potential.safetensors"), state.target.params())?;
        }
        Ok(finished)
    }

    /// Conjugates by L-BFGS from the gradient of a second network, which learns them by regression.
    fn w2_dual<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        type Psi<const N: usize, const H: usize, const L: usize> = DenseIcnn<N, H, 1, L>;
        let r = &self.job.recipe;
        let [u, v] = self.convex::<H, L>()?;
        let config = W2DualConfig {
            potential: adam(r, r.potential_rate, r.steps),
            conjugate: adam(r, r.rate, r.steps),
            ..W2DualConfig::default()
        };
        let mut state = w2_dual_init(&config, u, GradientMap(v))?;
        if r.convexity == Convexity::Kept {
            state.potential = state.potential.projected(Psi::<N, H, L>::make_convex);
        }
        let step = |s, b: &Batch<N>, k| w2_dual_step(&config, s, b, k);
        let image = |psi: &Psi<N, H, L>, x| psi.input_gradient(x);
        Ok(self.contest(1, state, step, image)?.0)
    }

    /// A perceptron as displacement; the cost of the gap and of the fitting loss is |x − y|².
    fn monge_gap<const H: usize>(&self) -> anyhow::Result<Finished> {
        let r = &self.job.recipe;
        let sinkhorn = |epsilon| SinkhornConfig {
            epsilon: Epsilon::RelativeToMean(epsilon),
            ..SinkhornConfig::default()
        };
        let fitting = DivergenceLoss {
            sinkhorn: sinkhorn(r.fitting_epsilon),
            target_term: false,
            ..DivergenceLoss::with_cost(SqEuclidean)
        };
        let config = MongeGapConfig {
            fitting: Fitting::Divergence(fitting),
            gap: MongeGap { sinkhorn: sinkhorn(r.gap_epsilon), cost: SqEuclidean },
            gap_weight: r.gap_weight,
            conservative_weight: r.conservative_weight,
            map: adam(r, r.rate, r.steps),
        };
        let [init, fit, moments] = self.init().split();
        let mut map: Displacement<Mlp<N, H, 2, N, Gelu>> = build(init);
        if r.start == Start::Affine {
            let [there, _] = self.affine(moments)?;
            map = pretrain_affine(map, &there, self.pair.source(), fit, self.fit_steps())?;
        }
        let step = |s, b: &Batch<N>, k| monge_gap_step(&config, s, b, k);
        let image = |t: &Displacement<Mlp<N, H, 2, N, Gelu>>, x| t.forward(x);
        Ok(self.contest(1, monge_gap_init(&config, map)?, step, image)?.0)
    }

    /// Two DenseICNNs whose gradients start as maps from P to Q and back.
    fn convex<const H: usize, const L: usize>(&self) -> anyhow::Result<[DenseIcnn<N, H, 1, L>; 2]> {
        let [u, v, fit_u, fit_v, moments] = self.init().split();
        let (u, v): (DenseIcnn<N, H, 1, L>, DenseIcnn<N, H, 1, L>) = (build(u), build(v));
        let steps = self.fit_steps();
        if self.job.recipe.start == Start::Identity {
            return Ok([pretrain_identity(u, fit_u, steps)?, pretrain_identity(v, fit_v, steps)?]);
        }
        let (p, q) = (self.pair.source(), self.pair.target());
        let [there, back] = self.affine(moments)?;
        Ok([
            pretrain_affine(GradientMap(u), &there, p, fit_u, steps)?.0,
            pretrain_affine(GradientMap(v), &back, &q, fit_v, steps)?.0,
        ])
    }

    /// The optimal maps between the Gaussians with the moments of samples, from P to Q and back.
    fn affine(&self, key: Key) -> Result<[AffineMap; 2]> {
        let [source, target] = key.split();
        let source = Gaussian::fit(&rows(&self.pair.source().sample(source, MOMENTS)?), N)?;
        let target = Gaussian::fit(&rows(&self.pair.target().sample(target, MOMENTS)?), N)?;
        Ok([source.optimal_map(&target)?, target.optimal_map(&source)?])
    }

    /// Steps of fitting a network before training; more than enough for both kinds of start.
    fn fit_steps(&self) -> u64 {
        if self.plan.quick {
            100
        } else {
            1500
        }
    }

    fn init(&self) -> Key {
        Key::new(self.job.seed).fold_in(1)
    }
}

/// Adam with a rate that falls along half a cosine.
fn adam(r: &Recipe, rate: f64, updates: u64) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: updates.max(1), floor: r.floor };
    AdamConfig { betas: (r.beta1, r.beta2), schedule, ..AdamConfig::with_rate(rate) }
}
