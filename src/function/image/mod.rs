//! Networks of images and volumes, with their channels in their types.
//!
//! A network here is an [`ImageNetwork`]: it writes what it computes into a
//! [`Program`](crate::ops::Program), which the device runs as one operation. [`AsImage`] and [`AsVolume`]
//! make a module of it: a point `[n, N]` is then an image of `C` channels, `H` rows and `W` columns, in the
//! order of PyTorch, and a size that does not fit is an error of compilation:
//!
//! ```compile_fail
//! use brenier::function::{build, image::*};
//! use brenier::{random::Key, tensor::points};
//! use dfdx::prelude::*;
//! let map: AsImage<3, 32, 32, UNet<3, 3, 4, 8, 16, 16>> = build(Key::new(0));
//! // error: the numbers of a point are not those of an image (3 · 32 · 32 = 3072)
//! map.forward(points::<3000>(vec![0.0; 3000]).unwrap());
//! ```
//!
//! | network | type | source |
//! |---|---|---|
//! | residual potential | [`ResNetD16`] … [`ResNetD128`], [`VolumeResNetD16`], [`VolumeResNetD32`] | WGAN-QC, as in arXiv:2201.12220 |
//! | U-Net with skips | [`UNet`], [`UNetOf3`], [`VolumeUNet`], [`VolumeUNetOf3`] | milesial, as in arXiv:2201.12220 |
//! | U-Net with noise | [`ConditionalUNet`] in [`AsNoisyImage`] | arXiv:2205.15269 |
//! | auto-encoder | [`AutoEncoder`] | NOT-AE |
//! | U-Net of velocities | [`FlowUNetOf2`], [`FlowUNetOf3`] in [`AsVelocity`] | arXiv:2311.15100, arXiv:2006.11239 |
//! | MLP-mixer | [`Mixer`] in [`AsVelocity`] | arXiv:2105.01601 |
//!
//! Parameters have the names and shapes of the PyTorch originals, so a state dict saved as safetensors
//! loads by name. A new network is its fields (`network.rs`) and the order in which they are
//! applied.

mod autoencoder;
mod dims;
mod flow_block;
mod flow_unet;
mod layers;
mod mixer;
mod network;
mod noisy;
mod resnet;
mod stage;
mod unet;
mod velocity;
mod wrap;

pub use autoencoder::{AutoEncoder, Unpooled};
pub use dims::{Plus, Times};
pub use flow_block::{ConditionEmbedding, FlowAttention, FlowBlock, TimeEmbedding};
pub use flow_unet::{FlowDown, FlowStyle, FlowUNetOf2, FlowUNetOf3, FlowUp};
pub use layers::{
    BatchNorm, Conv2d, Conv3d, JoinedConv2d, JoinedConv3d, NormalConv2d, NormalConv3d,
    Projection2d, Projection3d,
};
pub use mixer::{Mixer, MixerBlock, MixerLinear};
pub use noisy::{AsNoisyImage, ConditionalNorm, ConditionalUNet, FromNoise, NoisyImageNetwork};
pub use resnet::{
    Head2d, Head3d, ResNetD128, ResNetD16, ResNetD32, ResNetD64, ResidualBlock2d, ResidualBlock3d,
    VolumeResNetD16, VolumeResNetD32,
};
pub use stage::{Channels, Stage};
pub use unet::{
    DoubleConv2d, DoubleConv3d, Down2d, Down3d, OutConv2d, OutConv3d, UNet, UNetOf3, Up2d, Up3d,
    VolumeUNet, VolumeUNetOf3,
};
pub use velocity::{AsVelocity, VelocityNetwork};
pub use wrap::{AsImage, AsVolume, Ends, ImageNetwork, Number, SameSize, Sides};
