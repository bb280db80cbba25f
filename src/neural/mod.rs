//! Estimators of transport maps, one a file: configuration, state, metrics, `init` and `step`.
//!
//! | estimator | cost | learns | source | file |
//! |---|---|---|---|---|
//! | [`not_step`] | any [`Cost`](crate::geometry::Cost) | map and potential | arXiv:2201.12220 | `not.rs` |
//!
//! A step is a pure function `step(&config, state, &batch, key) -> Result<(state, metrics)>`: what is
//! chosen, what has become, what is seen, what is random. Equal arguments give equal bytes, and a
//! state that was cloned before a step is not touched by it.

mod contract;
mod not;

pub use contract::{Mapped, Readings, State};
pub use not::{not_init, not_step, NotConfig, NotMetrics, NotState, SourceUse};
