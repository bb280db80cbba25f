//! Oracles for tests of operations, networks and estimators, here and in other crates: gradients by
//! finite differences, and the conformance suite.

mod conformance;
mod difference;

pub use conformance::{
    check_cost, check_estimator, check_input_gradient_of, check_map, check_potential,
    check_sampler, check_twist, check_velocity, Broken,
};
pub use difference::{check_input_gradient, check_parameter_gradient, GradientError, STEP};
