//! What is asked: measures to sample from and batches of them; discrete problems.

mod checks;
mod discrete;
mod grid;
mod sampled;

pub use discrete::{Discrete, Relaxation};
pub use grid::{Axis, Gridded};
pub use sampled::{Batch, Batches, Sampled, Sampler};

pub(crate) use discrete::{End, Ground, SlopeFn};
