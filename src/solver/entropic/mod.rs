//! What entropic transport is used for: gradients of its cost, divergences, losses on the tape.

mod divergence;
mod gradient;
mod loss;

pub use divergence::{sinkhorn_divergence, Divergence, DivergenceConfig};
pub use gradient::CostGradient;
pub use loss::{DivergenceLoss, EntropicLoss, Entropy, Weights};
