//! Steps of every estimator on `dfdx`'s `Cuda`: on a machine with a device they must agree with those on the
//! CPU. Continuous integration, which has none, compiles this.

mod dfdx_steps;

/// Nothing to prepare: `dfdx` opens the machine's device.
fn device() {}
