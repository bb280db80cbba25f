//! What networks that were trained on photographs see in images: distances between images, a transport
//! cost, and features for Fréchet distances.
//!
//! | name | is |
//! |---|---|
//! | [`Lpips`] | the distance LPIPS v0.1 of two images, by AlexNet or VGG16 |
//! | [`Perceptual`] | a [`Cost`](crate::geometry::Cost) between images, differentiable |
//! | [`Features`], [`InceptionV3`] | networks as an [`Embedding`] |
//! | [`feature_distance`] | the Fréchet distance of embedded images; FID |
//!
//! The weights are the user's, in safetensors files with the names of torchvision:
//!
//! ```python
//! from safetensors.torch import save_file
//! from torchvision.models import inception_v3
//! save_file(inception_v3(weights="DEFAULT").state_dict(), "inception_v3.safetensors")
//! ```
//!
//! ```no_run
//! use brenier::data::{read_image_folder, FolderConfig};
//! use brenier::score::perception::{feature_distance, InceptionForm, InceptionV3};
//! let network = InceptionV3::load("fid_inception.safetensors".as_ref(), InceptionForm::FID)?;
//! let read = |folder: &str| read_image_folder(folder.as_ref(), &FolderConfig::square(64));
//! let fid = feature_distance(&network, &read("test")?.images, &read("made")?.images)?;
//! # Ok::<(), brenier::Error>(())
//! ```
//!
//! Images are rows `[n, 3·H·W]`, red, green and blue planes. The networks run on all threads, in batches of 16
//! images, and the results depend neither on the batch nor on the number of threads.

mod blocks;
mod features;
mod fid;
mod inception;
mod lpips;
mod map;
mod perceptual;
mod unit;
mod weights;

pub use features::{Backbone, Features};
pub use fid::{feature_distance, feature_statistics, Embedding};
pub use inception::{Borders, InceptionForm, InceptionV3, LastPool};
pub use lpips::Lpips;
pub use perceptual::{Perceptual, PerceptualWeights};
