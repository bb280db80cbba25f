//! What is asked: measures to sample from and batches of them; discrete problems.

mod checks;
mod discrete;
mod grid;
mod relaxation;
mod sampled;

pub use discrete::Discrete;
pub use grid::{Axis, Gridded};
pub use relaxation::Relaxation;
pub use sampled::{Batch, Batches, Sampled, Sampler};

pub(crate) use discrete::{End, Ground, SlopeFn};
