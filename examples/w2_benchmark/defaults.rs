//! How each solver is trained in each dimension, if the plan does not say otherwise.

use crate::recipe::{Convexity, Network, Recipe, Start};
use crate::solver::Solver;

impl Recipe {
    /// The settings of a solver in a dimension.
    pub fn of(solver: Solver, dimension: usize) -> Self {
        match solver {
            Solver::Not => Self::not(dimension),
            Solver::Mm => Self { network: Network::Icnn, ..Self::not(dimension.max(9)) },
            Solver::MmR => Self { start: Start::Affine, ..Self::of(Solver::Mm, dimension) },
            Solver::MmV2 => Self { convexity: Convexity::Kept, ..Self::of(Solver::Mm, dimension) },
            Solver::W2Dual => Self { potential_rate: 1e-3, ..Self::convex() },
            Solver::AmortisedDual => {
                Self { potential_rate: 1e-3, beta1: 0.5, beta2: 0.9, ..Self::convex() }
            }
            Solver::MmB | Solver::Ls => {
                Self { convexity: Convexity::Free, potential_rate: 1e-3, ..Self::convex() }
            }
            // From the identity: what it loses to a linear map is then its own.
            Solver::Qc => Self { start: Start::Identity, ..Self::of(Solver::Ls, dimension) },
            Solver::Enot => Self::enot(dimension),
            Solver::MongeGap => Self::monge_gap(dimension),
        }
    }

    fn not(dimension: usize) -> Self {
        let (network, steps, potential_rate) = match dimension {
            0..=2 => (Network::Mlp, 3000, 1e-3),
            3..=4 => (Network::Mlp, 15_000, 1e-3),
            5..=8 => (Network::Mlp, 20_000, 1e-3),
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

    /// What the duals of convex functions share.
    fn convex() -> Self {
        Self { convexity: Convexity::Kept, start: Start::Affine, steps: 5000, ..Self::COMMON }
    }

    fn monge_gap(dimension: usize) -> Self {
        let common = Self { start: Start::Affine, ..Self::COMMON };
        if dimension <= 8 {
            let fitting_epsilon = if dimension <= 4 { 0.02 } else { 0.01 };
            return Self {
                network: Network::Mlp,
                steps: 3000,
                rate: 4e-3,
                fitting_epsilon,
                ..common
            };
        }
        let (width, batch, rate, fitting_epsilon, steps) = match dimension {
            0..=32 => (2, 2048, 6e-3, 0.01, 2500),
            33..=64 => (1, 4096, 1e-2, 0.03, 2000),
            65..=128 => (1, 2048, 5e-3, 0.05, 6000),
            _ => (1, 2048, 5e-3, 0.05, 1500),
        };
        Self {
            width,
            batch,
            steps,
            rate,
            beta2: 0.99,
            fitting_epsilon,
            tolerance: 5e-3,
            fitting_limit: 100,
            gap_limit: 20,
            ..common
        }
    }
}
