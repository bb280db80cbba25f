//! What AlexNet sees in images: LPIPS, and Fréchet distances of its features.

use std::path::Path;

use brenier::data::{Images, PixelRange};
use brenier::prelude::*;
use brenier::score::frechet_distance;
use brenier::score::perception::{feature_statistics, Backbone, Lpips};
use brenier::solver::Gaussian;

/// The file with the weights.
pub const FILE: &str = "lpips/lpips_alex.safetensors";
/// Sides to which images are enlarged, the least that AlexNet takes.
const LEAST: usize = 64;

/// AlexNet with the heads of LPIPS, and the features of a set of images.
pub struct Perception {
    lpips: Lpips,
    reference: Gaussian,
}

impl Perception {
    /// With the features of `reference`; nothing if there are no weights, which is said.
    pub fn load(folder: &Path, reference: &Images) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.exists() {
            println!("no LPIPS and Fréchet distance: there is no {}", path.display());
            return Ok(None);
        }
        let lpips = Lpips::load(&path, Backbone::AlexNet)?;
        let reference = feature_statistics(lpips.features(), &enlarged(reference)?)?;
        Ok(Some(Self { lpips, reference }))
    }

    /// The mean LPIPS of paired images.
    pub fn lpips(&self, x: &Images, y: &Images) -> Result<f64> {
        let (x, y) = (enlarged(x)?, enlarged(y)?);
        let [a, b] = [&x, &y].map(|images| images.rows(PixelRange::Symmetric));
        let all = self.lpips.distances(x.shape(), &a, &b)?;
        Ok(all.iter().sum::<f64>() / all.len() as f64)
    }

    /// The Fréchet distance to the reference.
    pub fn frechet(&self, images: &Images) -> Result<f64> {
        let found = feature_statistics(self.lpips.features(), &enlarged(images)?)?;
        frechet_distance(&found, &self.reference)
    }
}

fn enlarged(images: &Images) -> Result<Images> {
    let shape = images.shape();
    match shape.height.min(shape.width) < LEAST {
        true => images.resized(LEAST, LEAST),
        false => Ok(images.clone()),
    }
}
