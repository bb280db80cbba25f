//! What is asked: measures to sample from and batches of them; discrete problems.

mod discrete;
mod sampled;

pub use discrete::{Discrete, Relaxation};
pub use sampled::{Batch, Batches, Sampled, Sampler};

pub(crate) use discrete::{End, Ground, SlopeFn};
