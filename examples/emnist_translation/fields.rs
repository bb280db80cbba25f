//! The velocity fields.

use brenier::function::image::{AsVelocity, FlowUNetOf2};
use brenier::prelude::*;
use clap::ValueEnum;
use dfdx::prelude::BuildModule;

use crate::data::PIXELS;

/// Three hidden layers of 256; nine numbers of the time.
pub type Perceptron = VelocityMlp<265, 256, 2, PIXELS, Silu>;
/// A U-Net of widths 16-16-32-32 with a block a level.
pub type UNet = AsVelocity<1, 16, 16, FlowUNetOf2<1, 0, 16, 16, 32, 32, 1>>;

/// Any of them.
pub trait Field: Velocity<PIXELS> + BuildModule<Cpu, f32> + Clone {}
impl<V: Velocity<PIXELS> + BuildModule<Cpu, f32> + Clone> Field for V {}

/// Which field.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Choice {
    /// A perceptron of three hidden layers of 256.
    Mlp,
    /// A U-Net of widths 16 to 32.
    Unet,
}
