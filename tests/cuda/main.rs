//! The solvers on a CUDA device: emulated, or the machine's own (`emulated/mod.rs`).

mod costs;
mod couplings;
mod device;
#[path = "../emulated/mod.rs"]
mod emulated;
mod half_step;
mod plan;
mod sinkhorn;
mod tensor;
