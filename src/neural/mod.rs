//! Estimators of transport maps, one a file: configuration, state, metrics, `init` and `step`.
//!
//! | estimator | cost | learns | source | file |
//! |---|---|---|---|---|
//! | [`enot_step`] | any [`Cost`](crate::geometry::Cost) | source network and target potential | arXiv:2403.03777 | `enot.rs` |
//! | [`not_step`] | any [`Cost`](crate::geometry::Cost) | map and potential | arXiv:2201.12220 | `not.rs` |
//! | [`monge_gap_step`] | any [`RowCost`](crate::geometry::RowCost) | map | arXiv:2302.04953 | `monge_gap.rs` |
//!
//! A step is a pure function `step(&config, state, &batch, key) -> Result<(state, metrics)>`: what is
//! chosen, what has become, what is seen, what is random. Equal arguments give equal bytes, and a
//! state that was cloned before a step is not touched by it.

mod contract;
mod enot;
mod monge_gap;
mod not;

pub use contract::{Mapped, Readings, Reversible, State};
pub use enot::{enot_init, enot_step, EnotConfig, EnotMetrics, EnotState};
pub use monge_gap::{
    fitting_loss, monge_gap_init, monge_gap_loss, monge_gap_step, Fitting, FittingTerms, GapTerms,
    MongeGap, MongeGapConfig, MongeGapMetrics, MongeGapState,
};
pub use not::{not_init, not_step, NotConfig, NotMetrics, NotState, SourceUse};
