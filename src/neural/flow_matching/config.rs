//! What can be chosen.

use serde::{Deserialize, Serialize};

use super::path::{FlowPath, FlowTimes};
use crate::error::Result;
use crate::function::{AdamConfig, Clip};
use crate::geometry::SqEuclidean;
use crate::solver::{Draw, Epsilon, ExactConfig, MinibatchCoupling, SinkhornConfig, Stop};

/// What is chosen: path, times, pairs and optimiser. The default is OT-CFM (arXiv:2302.00482): the
/// straight path with σ = 0.1, exact pairs, every point once, Adam with rate 1e-3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    default,
    bound(deserialize = "C: Default + Deserialize<'de>, K: Deserialize<'de> + Coupled")
)]
pub struct FlowMatchingConfig<C = SqEuclidean, K = MinibatchCoupling> {
    /// The path between the points of a pair.
    pub path: FlowPath,
    /// The law of the times.
    pub times: FlowTimes,
    /// How the points of a batch are paired.
    pub pairing: Pairing<K>,
    /// The cost of the coupling.
    pub cost: C,
    /// Optimiser of the velocity.
    pub velocity: AdamConfig,
}

/// How the points of a batch are paired.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pairing<K = MinibatchCoupling> {
    /// The i-th source with the i-th target, as they were drawn: independent pairs, without cost.
    AsDrawn,
    /// As many pairs as there are targets, from a coupling of the batch.
    Coupled {
        /// The coupling.
        coupling: K,
        /// Whether a pair may come twice.
        draws: Draws,
    },
}

/// Whether a pair may come twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Draws {
    /// Different pairs; of an assignment, every source and every target once.
    #[default]
    Different,
    /// Independent pairs, as in the reference code of both papers.
    Independent,
}

impl Draws {
    /// `k` of them.
    pub(super) fn of(self, k: usize) -> Draw {
        match self {
            Self::Different => Draw::WithoutReplacement(k),
            Self::Independent => Draw::WithReplacement(k),
        }
    }
}

/// A coupling that a pairing starts from when a configuration does not name one.
pub trait Coupled: Sized {
    /// The pairing by default.
    fn pairing() -> Pairing<Self>;
}

impl Coupled for MinibatchCoupling {
    fn pairing() -> Pairing<Self> {
        let coupling = Self::Exact(ExactConfig::default());
        Pairing::Coupled { coupling, draws: Draws::Different }
    }
}

impl<C: Default, K: Coupled> Default for FlowMatchingConfig<C, K> {
    fn default() -> Self {
        Self {
            path: FlowPath::default(),
            times: FlowTimes::default(),
            pairing: K::pairing(),
            cost: C::default(),
            velocity: AdamConfig::with_rate(1e-3),
        }
    }
}

impl FlowMatchingConfig {
    /// OT-CFM: the default, with exact pairs.
    pub fn exact() -> Self {
        Self::default()
    }

    /// FM, or I-CFM: pairs as they are drawn.
    pub fn independent() -> Self {
        Self { pairing: Pairing::AsDrawn, ..Self::default() }
    }

    /// OT-FM and UOT-FM as in arXiv:2311.15100: independent pairs from the entropic plan with ε = 0.01 of
    /// the mean cost and these τ of source and target (1 and 1 for OT-FM; 0.9 and 1 for the letters,
    /// 0.95 and 0.95 for faces in the paper), a gradient of norm 1 at most, rate 1e-4.
    pub fn unbalanced(tau: [f64; 2]) -> Self {
        let sinkhorn = SinkhornConfig {
            epsilon: Epsilon::RelativeToMean(0.01),
            stop: Stop::Tolerance { tolerance: 1e-2, limit: 1000 },
            ..SinkhornConfig::default()
        };
        let coupling = MinibatchCoupling::Unbalanced { sinkhorn, tau };
        Self {
            pairing: Pairing::Coupled { coupling, draws: Draws::Independent },
            velocity: AdamConfig { clip: Clip::Norm(1.0), ..AdamConfig::with_rate(1e-4) },
            ..Self::default()
        }
    }
}

impl<C, K> FlowMatchingConfig<C, K> {
    pub(super) fn check(&self) -> Result<()> {
        self.path.check()
    }
}
