//! How good an answer is.

mod divergence;
mod map_error;
mod optimality;

pub use divergence::{map_divergence, sinkhorn_divergence, DivergenceScore};
pub use map_error::{baselines, map_error, Baselines, MapError};
pub use optimality::{monge_gap, GapScore};
