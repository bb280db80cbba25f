//! Exact answers: optimal transport between Gaussian measures.

mod gaussian;

pub use gaussian::{AffineMap, Gaussian};
