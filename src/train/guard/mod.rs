//! Divergence as something a run survives: detect, roll back, slow down, report.

mod config;
mod memory;
mod state;
mod step;

pub use config::GuardConfig;
pub use state::{Divergence, Guarded, Rollback};
pub use step::{guard, GuardMetrics};
