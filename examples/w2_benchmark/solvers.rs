//! From a job to a contender: the networks of a dimension, and the solver that trains them.

use std::path::Path;

use brenier::data::w2_benchmark_pair;

use crate::contest::{Finished, Run};
use crate::plan::{Job, Plan};
use crate::recipe::Network;
use crate::solver::Solver;

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

/// The widths of DenseICNNs: `H` and `L` as published, and twice as wide.
fn at<const N: usize, const H: usize, const L: usize, const H2: usize, const L2: usize>(
    plan: &Plan,
    job: &Job,
    folder: &Path,
) -> anyhow::Result<Finished> {
    let run = Run::<N> { plan, job, folder, pair: w2_benchmark_pair::<N>(&plan.data)? };
    match (job.recipe.network, job.recipe.width) {
        (Network::Mlp, 1) => run.perceptrons(),
        (Network::Icnn, 1) => run.icnns::<H, L>(),
        (Network::Icnn, 2) => run.wide_icnns::<H2, L2>(),
        (network, width) => {
            anyhow::bail!("no {network:?} of width {width}; try 1, or \"icnn\" of 2")
        }
    }
}

impl<const N: usize> Run<'_, N> {
    fn perceptrons(&self) -> anyhow::Result<Finished> {
        match self.job.solver {
            Solver::Not => self.not_mlp::<128>(),
            Solver::Enot => self.enot_mlp::<128>(),
            Solver::MongeGap => self.monge_gap_mlp::<128>(),
            other => anyhow::bail!(
                "the networks of {} are DenseICNNs: set its network to \"icnn\"",
                other.name()
            ),
        }
    }

    fn icnns<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        match self.job.solver {
            Solver::MmR | Solver::W2Dual | Solver::AmortisedDual => self.w2_dual::<H, L>(),
            Solver::MmB => self.batch_dual::<H, L>(),
            Solver::Ls => self.regularised_dual::<H, L>(),
            Solver::Qc => self.regressed_dual::<H, L>(),
            _ => self.wide_icnns::<H, L>(),
        }
    }

    /// The solvers whose DenseICNNs may also be wider than the published ones.
    fn wide_icnns<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        match self.job.solver {
            Solver::Not | Solver::Mm | Solver::MmV2 => self.not_icnn::<H, L>(),
            Solver::Enot => self.enot_icnn::<H, L>(),
            Solver::MongeGap => self.monge_gap_icnn::<H, L>(),
            other => anyhow::bail!("no networks of width 2 for {}; try 1", other.name()),
        }
    }
}
