//! Estimators: conformance, steps beside independent formulas, short runs on problems with a known map.

mod benchmark;
#[path = "../common/mod.rs"]
mod common;
mod conformance;
mod enot;
mod flow_matching;
mod guard;
mod monge_gap;
mod not_step;
mod potentials_learn;
mod truth;
mod w2_dual;
mod weak;
mod weak_baselines;
