//! How each solver is trained in each dimension.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An estimator of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Strong neural optimal transport, `not_step`.
    Not,
    /// Expectile-regularised, back and forth between two potentials, `enot_step`.
    Enot,
    /// The Wasserstein-2 dual with fine-tuned conjugates, `w2_dual_step`.
    W2Dual,
    /// The Monge gap as a regulariser, `monge_gap_step`.
    MongeGap,
}

impl Solver {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Not, Self::Enot, Self::W2Dual, Self::MongeGap];

    /// The name on the command line, in files and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Enot => "enot",
            Self::W2Dual => "w2-dual",
            Self::MongeGap => "monge-gap",
        }
    }
}

/// What the potentials are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Perceptrons of three hidden layers of 128 times the width.
    Mlp,
    /// DenseICNNs of the published widths times the width.
    Icnn,
}

/// Whether DenseICNNs are projected to convex ones after each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convexity {
    /// They are.
    Kept,
    /// They are not.
    Free,
}

/// The map before training, where it is the gradient of a DenseICNN or is fitted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The identity, as in the paper.
    Identity,
    /// The optimal map between the Gaussians with the moments of samples.
    Affine,
}

/// Settings of a run; a table of the plan may replace any of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub network: Network,
    pub width: usize,
    /// Of the DenseICNNs of `enot` and of the potential of `w2-dual`.
    pub convexity: Convexity,
    pub start: Start,
    /// Target points of a step.
    pub batch: usize,
    pub steps: u64,
    /// Rate of Adam for the map; of both networks where they change roles.
    pub rate: f64,
    /// Rate of Adam for the potential of `not`.
    pub potential_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    /// Where the rates end, relative to their start, along half a cosine.
    pub floor: f64,
    /// Map steps a potential step, of `not` and `enot`.
    pub map_steps: usize,
    /// λ of `enot`.
    pub regularisation: f64,
    /// τ of `enot`.
    pub expectile: f64,
    /// λ of `monge-gap`.
    pub gap_weight: f64,
    /// Weight of its conservative term.
    pub conservative_weight: f64,
    /// ε of its Monge gap, relative to the mean cost.
    pub gap_epsilon: f64,
    /// ε of its fitting loss, a Sinkhorn divergence, relative to the mean cost.
    pub fitting_epsilon: f64,
    /// Decay of the running average of the map, which is scored.
    pub average: f64,
}

impl Recipe {
    /// The settings of a solver in a dimension.
    pub fn of(solver: Solver, dimension: usize) -> Self {
        match solver {
            Solver::Not => Self::not(dimension),
            Solver::Enot => Self::enot(dimension),
            Solver::W2Dual => Self::w2_dual(),
            Solver::MongeGap => Self::monge_gap(dimension),
        }
    }

    fn not(dimension: usize) -> Self {
        let (network, steps, potential_rate) = match dimension {
            0..=2 => (Network::Mlp, 3000, 1e-3),
            3..=4 => (Network::Mlp, 5000, 1e-3),
            5..=8 => (Network::Mlp, 8000, 1e-3),
            9..=16 => (Network::Icnn, 12_000, 3e-4),
            17..=32 => (Network::Icnn, 16_000, 3e-4),
            33..=64 => (Network::Icnn, 12_000, 3e-4),
            65..=128 => (Network::Icnn, 8000, 3e-4),
            _ => (Network::Icnn, 3000, 3e-4),
        };
        Self { network, steps, potential_rate, ..Self::COMMON }
    }

    fn enot(dimension: usize) -> Self {
        let (width, rate, steps) = match dimension {
            0..=2 => (2, 1e-3, 30_000),
            3..=4 => (2, 2.5e-3, 40_000),
            5..=8 => (2, 1.5e-3, 50_000),
            9..=32 => (2, 1.5e-3, 40_000),
            33..=64 => (1, 2e-3, 30_000),
            65..=128 => (1, 2e-3, 10_000),
            _ => (1, 1e-3, 5000),
        };
        Self {
            width,
            start: Start::Affine,
            steps,
            rate,
            beta1: 0.5,
            beta2: 0.99,
            map_steps: 2,
            ..Self::COMMON
        }
    }

    fn w2_dual() -> Self {
        Self {
            convexity: Convexity::Kept,
            start: Start::Affine,
            potential_rate: 1e-3,
            beta1: 0.5,
            beta2: 0.9,
            ..Self::COMMON
        }
    }

    fn monge_gap(dimension: usize) -> Self {
        let (gap_weight, conservative_weight) =
            if dimension < 128 { (1.0, 0.01) } else { (10.0, 0.1) };
        Self {
            network: Network::Mlp,
            start: Start::Affine,
            steps: 5000,
            rate: 3e-3,
            gap_weight,
            conservative_weight,
            ..Self::COMMON
        }
    }

    /// What most recipes share.
    const COMMON: Self = Self {
        network: Network::Icnn,
        width: 1,
        convexity: Convexity::Free,
        start: Start::Identity,
        batch: 512,
        steps: 10_000,
        rate: 1e-3,
        potential_rate: 3e-4,
        beta1: 0.9,
        beta2: 0.999,
        floor: 0.01,
        map_steps: 10,
        regularisation: 0.1,
        expectile: 0.9,
        gap_weight: 1.0,
        conservative_weight: 0.01,
        gap_epsilon: 0.01,
        fitting_epsilon: 0.1,
        average: 0.999,
    };

    /// A few seconds of it, which show that everything works and nothing else.
    pub fn quick(self) -> Self {
        Self { steps: self.steps.min(200), ..self }
    }
}
