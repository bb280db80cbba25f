//! What entropic transport is used for: gradients of its cost, divergences, losses on the tape, and the
//! derivative of its plan.

mod divergence;
mod energy;
mod gradient;
mod implicit;
mod loss;
mod projection;
mod taken;

pub use divergence::{
    sinkhorn_divergence, sinkhorn_divergence_gradient, Divergence, DivergenceConfig,
};
pub use energy::EnergyLoss;
pub use gradient::CostGradient;
pub use implicit::{plan_gradient, LinearReport, LinearSolve};
pub use loss::{DivergenceLoss, EntropicLoss, Entropy};
pub use projection::{BackwardReport, BarycentricProjection, Projected};
pub use taken::Weights;
