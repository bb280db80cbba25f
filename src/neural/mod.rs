//! Estimators of transport maps, one a file: configuration, state, metrics, `init` and `step`.
//!
//! | estimator | cost | learns | source | file |
//! |---|---|---|---|---|
//! | [`enot_step`] | any [`Cost`](crate::geometry::Cost) | source network and target potential | arXiv:2403.03777 | `enot.rs` |
//! | [`not_step`] | any [`Cost`](crate::geometry::Cost) | map and potential | arXiv:2201.12220 | `not.rs` |
//! | [`weak_not_step`] | γ-weak quadratic | stochastic map and potential | arXiv:2201.12220 | `weak_not.rs` |
//! | [`kernel_not_step`] | γ-weak of a [`Kernel`](crate::geometry::Kernel) | stochastic map and potential | arXiv:2205.15269 | `kernel_not.rs` |
//! | [`noised_not_step`] | any [`Cost`](crate::geometry::Cost) | map and potential of noised points | | `noised_not.rs` |
//! | [`it_step`] | any [`Cost`](crate::geometry::Cost) | map into w times the target, potential ≤ 0 | arXiv:2301.12874 | `it.rs` |
//! | [`not_ae_step`] | any [`Cost`](crate::geometry::Cost) | auto-encoder and potential | | `not_ae.rs` |
//! | [`monge_gap_step`] | any [`RowCost`](crate::geometry::RowCost) | map | arXiv:2302.04953 | `monge_gap.rs` |
//! | [`w2_dual_step`] | ½\|x − y\|² | Brenier potential and inverse map | arXiv:1908.10962, 1909.13082, 2210.12153 | `w2_dual.rs` |
//! | [`batch_dual_step`] | any [`Cost`](crate::geometry::Cost) | source potential | arXiv:1906.09691 | `batch_dual.rs` |
//! | [`flow_matching_step`] | any [`RowCost`](crate::geometry::RowCost), for pairs | velocity | arXiv:2210.02747, 2302.00482, 2311.15100 | `flow_matching/` |
//! | [`regressed_dual_step`] | ½\|x − y\|² | Brenier potential | arXiv:2106.01954 (QC) | `regressed_dual.rs` |
//! | [`regularised_dual_step`] | any [`Cost`](crate::geometry::Cost) | both potentials | arXiv:1711.02283 | `regularised_dual.rs` |
//!
//! A step is a pure function `step(&config, state, &batch, key) -> Result<(state, metrics)>`: what is
//! chosen, what has become, what is seen, what is random. Equal arguments give equal bytes, and a
//! state that was cloned before a step is not touched by it.

mod batch_dual;
mod conditional;
mod contract;
mod enot;
mod enot_descents;
mod expectile;
mod flow_matching;
mod gap_loss;
mod it;
mod kernel_not;
mod losses;
mod maximin;
mod monge_gap;
mod noise_law;
mod noised_not;
mod not;
mod not_ae;
mod ramp;
mod regressed_dual;
mod regularised_dual;
mod unbalanced;
mod w2_conjugates;
mod w2_dual;
mod weak_not;

pub use batch_dual::{
    batch_dual_init, batch_dual_step, BatchDualConfig, BatchDualMetrics, BatchDualState,
};
pub use conditional::{Noise, WeakNotMetrics};
#[doc(inline)]
pub use contract::{learners, readings};
pub use contract::{Mapped, Readings, Reversible, Slowed, State};
pub use enot::{enot_init, enot_step, EnotConfig, EnotMetrics, EnotState};
pub use flow_matching::{
    conditional_flow_matching_step, divergence, flow, flow_matching_init, flow_matching_step,
    log_likelihood, pairing_time, path_energy, standard_normal, ConditionedBatch, Coupled,
    DivergenceRule, Draws, FlowMatchingConfig, FlowMatchingMetrics, FlowMatchingState, FlowPath,
    FlowTimes, Likelihood, Pairing, PathEnergy,
};
pub use gap_loss::{fitting_loss, monge_gap_loss, Fitting, FittingTerms, GapTerms, MongeGap};
pub use it::{it_init, it_step, ItConfig, ItMetrics, ItState};
pub use kernel_not::{
    kernel_not_init, kernel_not_step, KernelNotConfig, KernelNotMetrics, KernelNotState,
};
pub use maximin::{SourceUse, Turns};
pub use monge_gap::{
    monge_gap_init, monge_gap_plain_step, monge_gap_step, MongeGapConfig, MongeGapMetrics,
    MongeGapState,
};
pub use noise_law::{NoiseLaw, NoiseWeight};
pub use noised_not::{
    noised_not_init, noised_not_step, NoisedNotConfig, NoisedNotMetrics, NoisedNotState,
};
pub use not::{not_init, not_step, NotConfig, NotMetrics, NotState};
pub use not_ae::{not_ae_init, not_ae_step, NotAeConfig, NotAeMetrics, NotAeState};
pub use ramp::Ramp;
pub use regressed_dual::{
    regressed_dual_init, regressed_dual_step, RegressedDualConfig, RegressedDualMetrics,
    RegressedDualState,
};
pub use regularised_dual::{
    regularised_dual_init, regularised_dual_step, Penalty, RegularisedDualConfig,
    RegularisedDualMetrics, RegularisedDualState,
};
pub(crate) use unbalanced::fit_ratio;
pub use unbalanced::{resampled, Resampled, Unbalanced, UnbalancedConfig};
pub use w2_dual::{
    w2_dual_init, w2_dual_step, Amortisation, Conjugation, W2DualConfig, W2DualMetrics, W2DualState,
};
pub use weak_not::{weak_not_init, weak_not_step, WeakNotConfig, WeakNotState};
