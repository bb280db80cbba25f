//! The operations of this crate from those of `dfdx`, for devices without kernels of this crate.
//!
//! Each is a formula of tensors that stay where they are: products are those of the device, and the tape
//! of `dfdx` differentiates the formula. What has no such formula goes through the host, which the file
//! that does so says. The tests compare them with the kernels of the CPU.

mod adam;
mod icnn;
mod perceptron;
mod row_cost;
mod tape;

pub(crate) use adam::{adam, square_norm};
pub(crate) use icnn::{icnn_gradient, icnn_slopes, icnn_value};
pub(crate) use perceptron::{
    linear, mlp, mlp_asymmetry, mlp_gradient, mlp_slopes, residual_linear,
};
pub(crate) use row_cost::{paired, pairwise, twist};
pub(crate) use tape::{attach, input, tapped};

#[cfg(test)]
mod tests;
