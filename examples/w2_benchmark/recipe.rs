//! What may be set of a run.

use serde::{Deserialize, Serialize};

/// What the networks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Perceptrons of three hidden layers of 128.
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

/// How `monge-gap` compares images and target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FittingLoss {
    /// By the Sinkhorn divergence.
    Divergence,
    /// By the energy distance of minibatches.
    Energy,
}

/// Settings of a run; a table of the plan may replace any of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub network: Network,
    pub width: usize,
    /// Of the DenseICNNs of the duals and of `enot`.
    pub convexity: Convexity,
    pub start: Start,
    /// Target points of a step.
    pub batch: usize,
    pub steps: u64,
    /// Rate of Adam for the map; of both networks where they change roles.
    pub rate: f64,
    /// Rate of Adam for the potential, where that is another network.
    pub potential_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    /// Where the rates end, relative to their start, along half a cosine.
    pub floor: f64,
    /// Map steps a potential step, of the maximin solvers and `enot`.
    pub map_steps: usize,
    /// λ of `enot`.
    pub regularisation: f64,
    /// τ of `enot`.
    pub expectile: f64,
    /// ε of the penalty of `ls`, in the units of ½|x − y|².
    pub penalty: f64,
    /// Δ of `monge-gap`.
    pub fitting: FittingLoss,
    /// λ of `monge-gap`.
    pub gap_weight: f64,
    /// Weight of its conservative term, which the gradient of a DenseICNN does not need.
    pub conservative_weight: f64,
    /// ε of its Monge gap, relative to the mean cost.
    pub gap_epsilon: f64,
    /// ε of its fitting loss, relative to the mean cost.
    pub fitting_epsilon: f64,
    /// Marginal error at which its Sinkhorn iterations end, and the most of them: of the fitting loss, of
    /// the gap.
    pub tolerance: f64,
    pub fitting_limit: usize,
    pub gap_limit: usize,
    /// Decay of the running average of the map, which is scored.
    pub average: f64,
}

impl Recipe {
    /// What most recipes share.
    pub const COMMON: Self = Self {
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
        penalty: 0.03,
        fitting: FittingLoss::Energy,
        gap_weight: 1.0,
        conservative_weight: 0.1,
        gap_epsilon: 0.01,
        fitting_epsilon: 0.02,
        tolerance: 1e-3,
        fitting_limit: 2000,
        gap_limit: 2000,
        average: 0.999,
    };

    /// A few seconds of it, which show that everything works and nothing else.
    pub fn quick(self) -> Self {
        Self { steps: self.steps.min(200), ..self }
    }
}
