//! LPIPS v0.1.

use std::path::Path;

use rayon::prelude::*;

use super::features::{Backbone, Features, BATCH, SCALE, SHIFT};
use super::map::{check_images, Map};
use super::weights::Weights;
use crate::data::ImageShape;
use crate::error::{Error, Result};

/// The learned perceptual distance of images, version 0.1 (arXiv:1801.03924):
/// Σₗ mean over positions of Σ_c wₗ\[c\] (f̂ₗ(x) − f̂ₗ(y))², with the taps fₗ divided by their norm over channels
/// at each position.
///
/// Differs from distances between the same images by another backbone or version, and grows with neither
/// their number nor their size.
#[derive(Clone, Debug)]
pub struct Lpips {
    features: Features,
    /// w, one list a tap.
    heads: Vec<Vec<f32>>,
}

impl Lpips {
    /// Reads backbone and heads from one safetensors file: `features.{i}.weight` and `.bias` as in
    /// torchvision, `lin{l}.weight` `[1, C, 1, 1]` as in the weights of the authors.
    ///
    /// # Errors
    /// As [`Features::load`].
    pub fn load(path: &Path, backbone: Backbone) -> Result<Self> {
        let weights = Weights::read(path)?;
        let head = |(l, c): (usize, usize)| {
            Ok(weights.take(&format!("lin{l}.weight"), &[1, c, 1, 1])?.to_vec())
        };
        let heads = backbone.channels().into_iter().enumerate().map(head).collect::<Result<_>>()?;
        Ok(Self { features: Features::of(&weights, backbone)?, heads })
    }

    /// The network that the distance is computed from.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The distances of paired images `[n, 3·H·W]`, `[n, 3·H·W]` in [−1, 1].
    ///
    /// # Errors
    /// [`Error::Shape`] unless both are the same number of images of three channels, large enough for the
    /// network (AlexNet 63, VGG16 16 pixels); [`Error::NonFinite`] for a number that is not finite.
    pub fn distances(&self, shape: ImageShape, x: &[f32], y: &[f32]) -> Result<Vec<f64>> {
        Ok(self.by_layer(shape, x, y)?.iter().map(|d| d.iter().sum()).collect())
    }

    /// The five summands of each of the [`distances`](Self::distances).
    ///
    /// # Errors
    /// As these.
    pub fn by_layer(&self, shape: ImageShape, x: &[f32], y: &[f32]) -> Result<Vec<[f64; 5]>> {
        check_images("first images", shape, x)?;
        check_images("second images", shape, y)?;
        if x.len() != y.len() {
            return Err(Error::shape(
                "second images",
                x.len() / shape.numbers(),
                y.len() / shape.numbers(),
            ));
        }
        self.features.check_size(shape, 5)?;
        let size = BATCH * shape.numbers();
        let mut out = Vec::new();
        for (x, y) in x.chunks(size).zip(y.chunks(size)) {
            let taps = |rows| self.features.taps(Map::from_planes(shape, rows, SHIFT, SCALE), 5);
            let (x, y) = (taps(x), taps(y));
            let from = out.len();
            out.resize(from + x[0].n, [0.0; 5]);
            for (l, (x, y)) in x.iter().zip(&y).enumerate() {
                let distances = head_distances(x, y, &self.heads[l]);
                out[from..].iter_mut().zip(distances).for_each(|(o, d)| o[l] = d);
            }
        }
        Ok(out)
    }
}

fn head_distances(x: &Map, y: &Map, head: &[f32]) -> Vec<f64> {
    let (c, numbers) = (x.channels, x.numbers());
    let pairs = x.values.par_chunks_exact(numbers).zip(y.values.par_chunks_exact(numbers));
    let one = |(x, y): (&[f32], &[f32])| {
        let positions = x.chunks_exact(c).zip(y.chunks_exact(c));
        let sum: f64 = positions.map(|(x, y)| position(x, y, head)).sum();
        sum * c as f64 / numbers as f64
    };
    pairs.map(one).collect()
}

fn position(x: &[f32], y: &[f32], head: &[f32]) -> f64 {
    let inverse = |v: &[f32]| {
        let square: f64 = v.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
        1.0 / (square.sqrt() + 1e-10)
    };
    let (a, b) = (inverse(x), inverse(y));
    let terms = x.iter().zip(y).zip(head);
    terms.map(|((x, y), w)| f64::from(*w) * (a * f64::from(*x) - b * f64::from(*y)).powi(2)).sum()
}
