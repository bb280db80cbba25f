//! Differentiable operations with kernels of their own.
//!
//! | operation | formula | file |
//! |---|---|---|
//! | [`linear`], [`residual_linear`] | σ(x Wᵀ + b), x + σ(x Wᵀ + b) | `linear.rs` |
//! | [`MlpOp`] | value and input gradient of a multilayer perceptron | `mlp/` |
//! | [`IcnnOp`] | value and input gradient of a DenseICNN | `icnn/` |
//! | [`RowCostOp`] | c(xᵢ, yᵢ), c(xᵢ, yⱼ), the y with ∇ₓc(x, y) = p | `row_cost.rs` |
//! | [`JacobianOp`] | (J − Jᵀ) v for the Jacobian of a perceptron | `jacobian.rs` |
//! | [`AttachOp`] | results from outside of the tape, with their derivatives | `attach.rs` |
//! | [`LayerOp`] | networks of images and volumes, written down as a [`Program`] | `layers/`, `conv/` |
//! | [`AdamOp`] | one update of Adam or AdamW | `adam.rs` |
//!
//! An operation is a trait over the devices of `dfdx`, implemented for `Cpu` here; [`Engine`] collects
//! them and is the one bound that networks and estimators need. `device.rs` is the seam to the storage
//! of `dfdx`; kernels take slices. For other devices `composed/` has the operations as formulas of
//! `dfdx`'s own, which `cuda.rs` gives to its `Cuda` (feature `dfdx-cuda`). To add an operation, write a
//! file like `row_cost.rs`, name its trait in [`Engine`], give it to `Cuda` in `cuda.rs` by a formula or
//! through the host, and add a row above.

mod activation;
mod activation_on;
mod adam;
mod aligned;
mod attach;
#[cfg(any(test, feature = "dfdx-cuda"))]
mod composed;
pub(crate) mod conv;
#[cfg(feature = "dfdx-cuda")]
mod cuda;
mod dense;
mod device;
pub(crate) mod gemm;
mod icnn;
mod jacobian;
mod layers;
mod linear;
mod mlp;
pub(crate) mod parallel;
mod real;
mod registers;
mod row_cost;
mod scratch;
pub(crate) mod simd;
mod thin;

pub use activation::{Activation, Celu, Gelu, Identity, LeakyRelu, Relu, Silu, Softplus};
pub use adam::{AdamOp, AdamUpdate, Moments};
pub use attach::{AttachOp, Input};
pub use conv::Convolution;
pub use device::{Constants, Engine, Tap};
pub use icnn::{IcnnOp, IcnnParameters};
pub use jacobian::JacobianOp;
pub use layers::{
    Affine, Dropouts, Extent, Held, Interpolation, LayerOp, NormKind, Program, Running, Value,
    Weights,
};
pub use linear::{linear, residual_linear, LinearOp};
pub use mlp::MlpOp;
pub use real::Real;
pub use row_cost::{CostForm, RowCost, RowCostOp, TwistCost};

pub(crate) use aligned::Aligned;
pub(crate) use icnn::Icnn;
pub(crate) use real::fused;
pub(crate) use scratch::Scratch;
