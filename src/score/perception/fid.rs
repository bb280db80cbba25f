//! Statistics of the features of images, and FID.

use super::features::{Backbone, Features};
use super::inception::{InceptionV3, FEATURES};
use crate::data::{Images, PixelRange};
use crate::error::Result;
use crate::score::{frechet_distance, Moments};
use crate::solver::Gaussian;

/// Images whose features are added at a time.
const BATCH: usize = 64;

/// A network that gives each image a list of numbers.
pub trait ImageFeatures {
    /// How many.
    fn width(&self) -> usize;

    /// The features of images: `[n, width]`.
    ///
    /// # Errors
    /// If the images are too small, or not of three channels.
    fn embed(&self, images: &Images) -> Result<Vec<f32>>;
}

impl ImageFeatures for InceptionV3 {
    fn width(&self) -> usize {
        FEATURES
    }
    fn embed(&self, images: &Images) -> Result<Vec<f32>> {
        self.features_at_299(images.shape(), &images.rows(self.form().range))
    }
}

impl ImageFeatures for Features {
    fn width(&self) -> usize {
        match self.backbone() {
            Backbone::AlexNet => 256,
            Backbone::Vgg16 => 512,
        }
    }
    fn embed(&self, images: &Images) -> Result<Vec<f32>> {
        self.pooled(images.shape(), &images.rows(PixelRange::Symmetric))
    }
}

/// Mean and covariance of the features of images; memory is that of 64 images and of the covariance.
///
/// # Errors
/// Those of the network; [`Error::Shape`](crate::Error::Shape) for fewer than two images.
pub fn feature_statistics(network: &impl ImageFeatures, images: &Images) -> Result<Gaussian> {
    let mut moments = Moments::new(network.width())?;
    let indices: Vec<usize> = (0..images.len()).collect();
    for batch in indices.chunks(BATCH) {
        moments.add(&network.embed(&images.select(batch)?)?)?;
    }
    moments.finish()
}

/// The Fréchet distance of the features of two sets of images. With [`InceptionV3`] in the form
/// [`FID`](super::InceptionForm::FID) and the weights that belong to it this is the FID, arXiv:1706.08500; with
/// any other network a number that compares only to others of the same network.
///
/// # Errors
/// Those of [`feature_statistics`].
pub fn feature_distance(network: &impl ImageFeatures, x: &Images, y: &Images) -> Result<f64> {
    frechet_distance(&feature_statistics(network, x)?, &feature_statistics(network, y)?)
}
