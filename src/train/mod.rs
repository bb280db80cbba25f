//! Steps in time: the loop, what goes around a step, what watches it, and what survives it.
//!
//! | piece | meaning |
//! |---|---|
//! | [`run`] | folds a step over batches: the only training loop here |
//! | [`repeat`] | n steps on one batch |
//! | [`back_and_forth`] | source and target change places from step to step |
//! | [`reversed`] | source and target have changed places |
//! | [`guard_finite`] | a non-finite reading becomes an error |
//! | [`guard`] | divergence is detected, rolled back and reported |
//! | [`Course`], [`OverSeeds`] | best, last and largest value of a measure, over a run and over seeds |
//! | [`with_ema`] | keeps a running average of the map |
//! | [`with_unbalanced`] | the unbalanced form of a minibatch step |
//! | [`every`], [`CsvLog`], [`Progress`] | watch a run; [`read_log`] reads a log back |
//! | `TensorBoard` | the same for TensorBoard (feature `tensorboard`) |
//! | [`checkpoint`] | the whole state in one file, resumed bit for bit |
//! | [`weights`] | the parameters of a module as safetensors |
//! | [`read_settings`] | settings from layers of TOML files and `key=value` pairs |
//! | [`write_atomically`] | a file that is wholly written or not touched |
//!
//! A step is any `Fn(S, &B, Key) -> Result<(S, M)>`, so a step bound to its configuration is
//! `|s, b: &_, k| not_step(&config, s, b, k)`. Whoever needs another loop writes a `for`.

pub mod checkpoint;
mod compose;
mod course;
mod ema;
mod guard;
mod log;
mod observe;
mod run;
mod settings;
#[cfg(feature = "tensorboard")]
mod tensorboard;
mod unbalanced;
pub mod weights;

pub use compose::{back_and_forth, guard_finite, repeat, reversed};
pub use course::{Course, MeanDeviation, OverSeeds, Reached};
pub use ema::{with_ema, Averaged};
pub use guard::{guard, Divergence, GuardConfig, GuardMetrics, Guarded, Rollback};
pub use log::{read_log, CsvLog, LogColumn};
pub use observe::{every, Observe, Progress};
pub use run::{run, Step};
pub use settings::read_settings;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;
pub use unbalanced::{with_unbalanced, UnbalancedMetrics};

pub use crate::files::write_atomically;
