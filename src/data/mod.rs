//! Measures to sample, benchmark pairs with known maps, and readers.

mod arrays;
mod gaussian_mixture;
mod known_pair;
mod plane_measure;
mod w2_benchmark;

pub use arrays::{read_npz, NumpyArray};
pub use gaussian_mixture::GaussianMixture;
pub use known_pair::{ConvexGradient, KnownPair, LogSumExp, PushForward};
pub use plane_measure::PlaneMeasure;
pub use w2_benchmark::w2_benchmark_pair;
