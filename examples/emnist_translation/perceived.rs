//! Fréchet distances on the features of AlexNet, which has seen neither digits nor letters.

use std::path::Path;

use brenier::data::{ImageShape, Images, PixelRange};
use brenier::prelude::*;
use brenier::score::frechet_distance;
use brenier::score::perception::{feature_statistics, Backbone, Lpips};
use brenier::solver::Gaussian;

use crate::data::{Emnist, PIXELS};

/// Sides to which images are enlarged, the least that AlexNet takes.
const SIDE: usize = 64;

/// AlexNet, and its features of all letters of each pair.
pub struct Perceived {
    net: Lpips,
    letters: Vec<Gaussian>,
}

impl Perceived {
    /// Reads AlexNet from a file in the form of LPIPS.
    pub fn load(weights: &Path, data: &Emnist) -> Result<Self> {
        let net = Lpips::load(weights, Backbone::AlexNet)?;
        let letters = (0..3)
            .map(|pair| {
                let train = data.train_letters.of_pair(pair);
                statistics(&net, &[train, data.test_letters.of_pair(pair)].concat())
            })
            .collect::<Result<_>>()?;
        Ok(Self { net, letters })
    }

    /// The distance of images to the letters of a pair.
    pub fn distance(&self, rows: &[f32], pair: usize) -> Result<f64> {
        frechet_distance(&statistics(&self.net, rows)?, &self.letters[pair])
    }
}

fn statistics(net: &Lpips, rows: &[f32]) -> Result<Gaussian> {
    // The same plane for each colour.
    let colours: Vec<f32> = rows.chunks(PIXELS).flat_map(|grey| grey.repeat(3)).collect();
    let shape = ImageShape { channels: 3, height: 16, width: 16 };
    let images = Images::from_rows(shape, &colours, PixelRange::Symmetric)?;
    feature_statistics(net.features(), &images.resized(SIDE, SIDE)?)
}
