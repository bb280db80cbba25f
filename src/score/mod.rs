//! How good an answer is.

pub mod benchmark;
mod divergence;
mod map_error;
mod optimality;
mod pair_divergence;
mod usage;

pub use divergence::{map_divergence, sinkhorn_divergence, DivergenceScore};
pub use map_error::{baselines, map_error, Baselines, MapError};
pub use optimality::{monge_gap, GapScore};
pub use pair_divergence::pair_divergence;
pub use usage::used_share;
