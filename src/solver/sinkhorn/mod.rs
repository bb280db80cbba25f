//! Sinkhorn's algorithm: balanced and relaxed marginals, stored and online kernels.

mod batch;
mod config;
mod cost;
mod engine;
mod epsilon;
mod kernels;
mod plan;
mod relax;
mod rescue;
mod shape;
mod solution;
mod solve;
mod tile;
mod translate;
mod update;

pub use batch::sinkhorn_batch;
pub use config::{Acceleration, Annealing, Epsilon, Form, SinkhornConfig, Stop};
pub use plan::Plan;
pub use solution::{Potentials, Solution, Status};
pub use solve::sinkhorn;

#[cfg(feature = "cuda")]
pub(crate) use {
    epsilon::{resolve_with, Statistics},
    relax::Relaxation as OverRelaxation,
};
