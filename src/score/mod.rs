//! How good an answer is.

pub mod benchmark;
mod map_divergence;
mod map_error;

pub use map_divergence::{map_divergence, MapDivergence};
pub use map_error::{baselines, map_error, Baselines, MapError};
