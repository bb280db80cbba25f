//! Flow matching with any coupling: FM, OT-FM, UOT-FM (arXiv:2210.02747, 2302.00482, 2311.15100).
//!
//! Learns a velocity field v whose flow dx/dt = v(t, x) carries P at t = 0 to Q at t = 1. With pairs
//! (x₀, x₁) of a coupling, a time t and the point xₜ of a path between them, it minimises
//!
//! E |v(t, xₜ) − u|² / N,   u = ∂xₜ/∂t,
//!
//! whose minimiser is v(t, x) = E[u | xₜ = x]. With independent pairs paths cross and flows bend; with
//! optimal pairs they are nearly straight and cheap, and with unbalanced ones mass that is dear to move
//! is moved less often.
//!
//! | file | holds |
//! |---|---|
//! | `config.rs` | [`FlowMatchingConfig`], [`Pairing`] |
//! | `path.rs` | [`FlowPath`], [`FlowTimes`] |
//! | `pairs.rs` | the pairs of a batch; [`pairing_time`] |
//! | `step.rs` | [`flow_matching_init`], [`flow_matching_step`], [`conditional_flow_matching_step`] |
//! | `flow.rs` | [`flow`] along a velocity, its energy ([`path_energy`]) |
//! | `likelihood.rs` | [`log_likelihood`], the divergence of a velocity |

mod config;
mod flow;
mod likelihood;
mod pairs;
mod path;
mod step;

pub use config::{Coupled, Draws, FlowMatchingConfig, Pairing};
pub use flow::{flow, path_energy, PathEnergy};
pub use likelihood::{divergence, log_likelihood, standard_normal, DivergenceRule, Likelihood};
pub use pairs::pairing_time;
pub use path::{FlowPath, FlowTimes};
pub use step::{
    conditional_flow_matching_step, flow_matching_init, flow_matching_step, ConditionedBatch,
    FlowMatchingMetrics, FlowMatchingState,
};
