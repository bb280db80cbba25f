//! Estimators of transport maps, one a file: configuration, state, metrics, `init` and `step`.
//!
//! | estimator | cost | learns | source | file |
//! |---|---|---|---|---|
//! | [`not_step`] | any [`Cost`](crate::geometry::Cost) | map and potential | arXiv:2201.12220 | `not.rs` |
//! | [`monge_gap_step`] | any [`RowCost`](crate::geometry::RowCost) | map | arXiv:2302.04953 | `monge_gap.rs` |
//!
//! A step is a pure function `step(&config, state, &batch, key) -> Result<(state, metrics)>`: what is
//! chosen, what has become, what is seen, what is random. Equal arguments give equal bytes, and a
//! state that was cloned before a step is not touched by it.

mod contract;
mod gap_loss;
mod monge_gap;
mod not;

pub use contract::{Mapped, Readings, State};
pub use gap_loss::{fitting_loss, monge_gap_loss, Fitting, FittingTerms, GapTerms, MongeGap};
pub use monge_gap::{
    monge_gap_init, monge_gap_plain_step, monge_gap_step, MongeGapConfig, MongeGapMetrics,
    MongeGapState,
};
pub use not::{not_init, not_step, NotConfig, NotMetrics, NotState, SourceUse};
