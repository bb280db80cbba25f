//! Convex conjugates f*(y) = maxₓ ⟨x, y⟩ − f(x), numerically, for a whole batch of points at once.

mod adam;
mod config;
mod lbfgs;
mod solution;
mod solve;

pub use config::{ConjugateConfig, ConjugateMethod};
pub use solution::{ConjugateStatus, Conjugates};
pub use solve::conjugates;
