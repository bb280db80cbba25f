//! Contenders of the dual on Brenier potentials, all with DenseICNNs: `w2_dual_step` in its three forms,
//! and the baselines `batch_dual_step`, `regularised_dual_step` and `regressed_dual_step`.

use brenier::neural::{
    batch_dual_init, batch_dual_step, regressed_dual_init, regressed_dual_step,
    regularised_dual_init, regularised_dual_step, BatchDualConfig, RegressedDualConfig,
    RegularisedDualConfig,
};
use brenier::prelude::*;

use crate::contest::{Finished, Run};
use crate::recipe::Convexity;
use crate::solver::Solver;
use crate::start::{adam, Icnn};

/// Minus a DenseICNN as the potential of the cost −⟨x, y⟩; its map is the gradient.
type Minus<const N: usize, const H: usize, const L: usize> = PotentialMap<Negated<Icnn<N, H, L>>>;

impl<const N: usize> Run<'_, N> {
    /// A potential on P and a map of Q. Of the amortised dual, only the potential is kept convex: its map
    /// is no more than the start of a solver.
    pub fn w2_dual<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let (r, solver) = (&self.job.recipe, self.job.solver);
        let [u, v]: [Icnn<N, H, L>; 2] = self.convex()?;
        let (conjugation, updates) = match solver {
            Solver::MmR => (Conjugation::Minimax { map_steps: r.map_steps }, r.map_steps as u64),
            Solver::W2Dual => (Conjugation::Cycle { weight: N as f64 }, 1),
            _ => (Conjugation::default(), 1),
        };
        let config = W2DualConfig {
            conjugation,
            potential: adam(r, r.potential_rate, r.steps),
            conjugate: adam(r, r.rate, r.steps * updates),
        };
        let mut state = w2_dual_init(&config, u, GradientMap(v))?;
        if r.convexity == Convexity::Kept {
            state.potential = state.potential.projected(Icnn::<N, H, L>::make_convex);
            if solver != Solver::AmortisedDual {
                state.conjugate = state.conjugate.projected(|g| g.0.make_convex());
            }
        }
        let step = |s, b: &Batch<N>, k| w2_dual_step(&config, s, b, k);
        let image = |psi: &Icnn<N, H, L>, x| psi.input_gradient(x);
        Ok(self.contest(1, state, step, image)?.0)
    }

    /// Conjugates over the batch.
    pub fn batch_dual<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let r = &self.job.recipe;
        let [u, _]: [Icnn<N, H, L>; 2] = self.convex()?;
        let config =
            BatchDualConfig { cost: NegDot, potential: adam(r, r.potential_rate, r.steps) };
        let mut state = batch_dual_init(&config, PotentialMap(Negated(u)))?;
        if r.convexity == Convexity::Kept {
            state.potential = state.potential.projected(|f| f.0 .0.make_convex());
        }
        let step = |s, b: &Batch<N>, k| batch_dual_step(&config, s, b, k);
        let image = |f: &Minus<N, H, L>, x| f.images(&config.cost, x);
        Ok(self.contest(1, state, step, image)?.0)
    }

    /// Potentials on both sides, with the quadratic penalty.
    pub fn regularised_dual<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let r = &self.job.recipe;
        let [u, v]: [Icnn<N, H, L>; 2] = self.convex()?;
        let adam = adam(r, r.potential_rate, r.steps);
        let config = RegularisedDualConfig {
            cost: NegDot,
            epsilon: r.penalty,
            source: adam.clone(),
            target: adam,
            ..RegularisedDualConfig::default()
        };
        let (f, g) = (PotentialMap(Negated(u)), PotentialMap(Negated(v)));
        let mut state = regularised_dual_init(&config, f, g)?;
        if r.convexity == Convexity::Kept {
            state.source = state.source.projected(|f| f.0 .0.make_convex());
            state.target = state.target.projected(|f| f.0 .0.make_convex());
        }
        let step = |s, b: &Batch<N>, k| regularised_dual_step(&config, s, b, k);
        let image = |f: &Minus<N, H, L>, x| f.images(&config.cost, x);
        Ok(self.contest(1, state, step, image)?.0)
    }

    /// A potential that is regressed on the exact duals of the batches.
    pub fn regressed_dual<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let r = &self.job.recipe;
        let [u, _]: [Icnn<N, H, L>; 2] = self.convex()?;
        let potential = adam(r, r.potential_rate, r.steps);
        let config = RegressedDualConfig { potential, ..RegressedDualConfig::default() };
        let mut state = regressed_dual_init(&config, u)?;
        if r.convexity == Convexity::Kept {
            state.potential = state.potential.projected(Icnn::<N, H, L>::make_convex);
        }
        let step = |s, b: &Batch<N>, k| regressed_dual_step(&config, s, b, k);
        let image = |psi: &Icnn<N, H, L>, x| psi.input_gradient(x);
        Ok(self.contest(1, state, step, image)?.0)
    }
}
