//! Sinkhorn's algorithm on grids: sums over one axis after the other.
//!
//! Numbers on a grid are kept as logarithms (base 2). A pass takes an array `[n, R]`, whose first axis
//! is the one that it sums over, to `[R, m]`: after a pass for each axis they are in their order again.
//! Each line of n numbers is scaled by its largest, summed by a matrix product with the kernel of the
//! axis, and scaled back; lines whose sums underflow are summed again with a maximum for each sum.

mod average;
mod axis;
mod cost;
mod engine;
mod plan;
mod sample;
mod solve;

pub use plan::GridPlan;
pub use solve::{sinkhorn_grid, sinkhorn_grid_batch};
