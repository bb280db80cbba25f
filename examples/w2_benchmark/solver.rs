//! The estimators of the library that the benchmark runs.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An estimator, by its name on the command line; that of the published table where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Strong neural optimal transport with the networks that serve it best, `not_step`.
    Not,
    /// MM: the same with the gradient map of a DenseICNN.
    Mm,
    /// MM:R: the minimax form of `w2_dual_step`, whose potential is on the source.
    MmR,
    /// MMv2: MM with DenseICNNs that are kept convex.
    MmV2,
    /// W2: `w2_dual_step` with cycle regularisation.
    W2Dual,
    /// W2OT: `w2_dual_step` with fine-tuned conjugates.
    AmortisedDual,
    /// MM-B: conjugates over the batch, `batch_dual_step`.
    MmB,
    /// LS: the regularised dual, `regularised_dual_step`.
    Ls,
    /// QC: regression on exact duals of batches, `regressed_dual_step`.
    Qc,
    /// ENOT: expectile-regularised, back and forth between two potentials, `enot_step`.
    Enot,
    /// The Monge gap as a regulariser, `monge_gap_step`.
    MongeGap,
}

impl Solver {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Not,
        Self::Mm,
        Self::MmR,
        Self::MmV2,
        Self::W2Dual,
        Self::AmortisedDual,
        Self::MmB,
        Self::Ls,
        Self::Qc,
        Self::Enot,
        Self::MongeGap,
    ];

    /// The name on the command line, in files and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Mm => "mm",
            Self::MmR => "mm-r",
            Self::MmV2 => "mm-v2",
            Self::W2Dual => "w2-dual",
            Self::AmortisedDual => "amortised-dual",
            Self::MmB => "mm-b",
            Self::Ls => "ls",
            Self::Qc => "qc",
            Self::Enot => "enot",
            Self::MongeGap => "monge-gap",
        }
    }
}
