//! Networks of images and volumes as one operation: nothing between their layers becomes a tensor.
//!
//! A network writes down what it computes as a [`Program`], a list of [`Layer`]s over numbered values;
//! the device runs it, and on the tape it is one operation. Inside, images lie channels last, `[sample,
//! position, channel]`; outside a sample is a row of [`Points`], channel by channel as in PyTorch. A program
//! of one layer that is as fast without a change of layout makes none.
//!
//! | layer | file |
//! |---|---|
//! | convolution, its adjoint, linear layer, each with a slope below zero | `convolution.rs` |
//! | batch, group and instance normalisation, with an activation | `norm.rs`, `statistics.rs` |
//! | layer normalisation over channels; scale and shift of every number | `layer_norm.rs`, `affine.rs` |
//! | scales and shifts from another value | `modulate.rs` |
//! | dropout | `dropout.rs` |
//! | max pooling | `pool.rs` |
//! | average pooling, nearest and linear upsampling | `resample.rs` |
//! | attention between positions, softmax or linear | `attention.rs`, `linear_attention.rs` |
//! | sinusoidal embeddings of times and noise levels | `embed.rs` |
//! | sums, activations, concatenation, transposition | `pointwise.rs`, `arrange.rs` |
//! | values that are known | `given.rs` |
//!
//! A layer keeps only the values that its backward pass reads, the others go back to the pool at their
//! last use. A new layer is one file that implements [`Layer`] and gives [`Program`] a method.

mod affine;
mod arrange;
mod attention;
mod border;
mod convolution;
mod dropout;
mod embed;
mod given;
#[cfg(feature = "dfdx-cuda")]
pub(crate) mod hosted;
mod layer_norm;
mod linear_attention;
mod modulate;
mod norm;
mod pointwise;
mod pool;
mod program;
mod resample;
mod run;
mod statistics;
mod tape;

pub use convolution::Weights;
pub use dropout::Dropouts;
pub use norm::{Affine, NormKind, Running};
pub use program::{Extent, Program, Value};
pub use resample::Interpolation;
pub use tape::{Held, LayerOp};
