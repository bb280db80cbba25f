//! Sinkhorn's algorithm: balanced and relaxed marginals, stored and online kernels.

mod batch;
mod config;
mod cost;
mod digits;
mod engine;
mod entropic_map;
mod epsilon;
mod grid;
mod kernels;
mod pass;
mod plan;
mod products;
mod pull;
mod pull_loops;
mod relax;
mod rescue;
mod rows;
mod sample;
mod schur;
mod shape;
mod softmin;
mod solution;
mod solve;
mod symmetric;
mod tally;
mod tile;
mod translate;
mod update;

pub use batch::sinkhorn_batch;
pub use config::{Acceleration, Annealing, Epsilon, Form, SinkhornConfig, Stop};
pub use entropic_map::EntropicMap;
pub use grid::{sinkhorn_grid, sinkhorn_grid_batch, GridPlan};
pub use plan::Plan;
pub use solution::{Potentials, Solution, Status};
pub use solve::sinkhorn;
pub use symmetric::SelfTransport;

pub(super) use symmetric::symmetric;
#[cfg(feature = "cuda")]
pub(crate) use {
    epsilon::{resolve_with, Statistics},
    relax::Relaxation as OverRelaxation,
    sample::prescribed_rows,
};
