//! How good an answer is.

mod map_error;

pub use map_error::{baselines, map_error, Baselines, MapError};
