//! What is asked: measures to sample from, and batches of them.

mod sampled;

pub use sampled::{Batch, Batches, Sampled, Sampler};
