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
//!
//! Parameters have the names and shapes of the PyTorch originals, so a state dict saved as safetensors
//! loads by name. A new network is its fields (`network.rs`) and the order in which they are
//! applied.

mod autoencoder;
mod dims;
mod layers;
mod network;
mod noisy;
mod resnet;
mod stage;
mod unet;
mod wrap;

pub use autoencoder::{AutoEncoder, Unpooled, WideConv, WidePair};
pub use dims::{Plus, Times};
pub use layers::{
    BatchNorm, Conv2d, Conv3d, JoinedConv2d, JoinedConv3d, NormalConv2d, NormalConv3d,
    Projection2d, Projection3d,
};
pub use noisy::{AsNoisyImage, ConditionalNorm, ConditionalUNet, FromNoise, NoisyImageNetwork};
pub use resnet::{
    Head2d, Head3d, ResNetD128, ResNetD128Blocks, ResNetD16, ResNetD16Blocks, ResNetD32,
    ResNetD32Blocks, ResNetD64, ResNetD64Blocks, ResidualBlock2d, ResidualBlock3d, VolumeResNetD16,
    VolumeResNetD16Blocks, VolumeResNetD32, VolumeResNetD32Blocks,
};
pub use stage::{Channels, Stage};
pub use unet::{
    ConvPair2d, ConvPair3d, DoubleConv2d, DoubleConv3d, Down2d, Down3d, JoinConv2d, JoinConv3d,
    JoinPair2d, JoinPair3d, OutConv2d, OutConv3d, PooledConv2d, PooledConv3d, UNet, UNetOf3, Up2d,
    Up3d, VolumeUNet, VolumeUNetOf3,
};
pub use wrap::{AsImage, AsVolume, Ends, ImageNetwork, Number, SameSize, Sides};
