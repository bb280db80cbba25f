//! Runs programs: registers of a warp side by side, memory with its state, barriers.

mod access;
mod alu;
mod approximate;
mod atomic;
mod barrier;
mod block;
mod calls;
mod execute;
mod finding;
mod lanes;
mod launch;
mod lower;
mod matrix;
mod memory;
mod names;
mod operands;
mod program;
mod rare;
mod select;
mod select_logic;
mod select_memory;
mod sync;
mod transfer;
mod warp;

pub(crate) use launch::host_report;
pub use launch::{run, Launch};
pub use lower::{lower, unsupported};
pub use memory::{Failure, Memory, GLOBAL_BASE};
pub use program::{Parameter, Program};
