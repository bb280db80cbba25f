//! The driver's functions, under the names by which `cudarc` looks for them.
//!
//! Handles are numbers; behind them is one device, whose state is under one lock. Work is queued in its
//! stream and runs when somebody waits for it, as late as CUDA allows.

mod blas;
mod code;
mod control;
mod device;
mod events;
mod functions;
mod memory;
mod modules;
mod product;
mod queue;
mod state;
mod unsupported;

pub(crate) use control::{
    brenier_emulator_configure, brenier_emulator_reports, brenier_emulator_reset,
    brenier_emulator_stats, RawReport,
};
