//! Runs programs: registers of a warp side by side, memory with its state, barriers.

mod access;
mod alu;
mod approximate;
mod atomic;
mod block;
mod execute;
mod launch;
mod lower;
mod matrix;
mod memory;
mod program;
mod rare;
mod select;
mod select_memory;
mod sync;
mod warp;

pub(crate) use launch::host_report;
pub use launch::{run, Launch};
pub use lower::{lower, unsupported};
pub use memory::{Failure, Memory, GLOBAL_BASE};
pub use program::{Parameter, Program};
