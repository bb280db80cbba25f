//! Oracles for tests of operations, networks and estimators, here and in other crates.

mod difference;

pub use difference::{check_input_gradient, check_parameter_gradient, GradientError, STEP};
