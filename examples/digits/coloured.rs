//! Coloured digits, and the digits of USPS.

use std::path::Path;

use brenier::data::transform::{colour_by_hue, random_hues, Sector};
use brenier::data::{Array, ImageShape, Images, Npz, PixelRange};
use brenier::plot::ImageGrid;
use brenier::prelude::*;

use crate::mnist::{gather, Digits, PIXELS};

/// Numbers of a coloured digit.
pub const NUMBERS: usize = 3 * PIXELS;
/// The file with the digits of USPS.
pub const USPS: &str = "images/usps16.npz";

/// USPS, to train and to test.
pub fn usps(folder: &Path) -> Result<[Digits; 2]> {
    let mut archive = Npz::open(&folder.join(USPS))?;
    let mut read = |part: &str| {
        let images: Array<f32> = archive.array(&format!("x_{part}"))?;
        let labels: Array<u8> = archive.array(&format!("y_{part}"))?;
        // Thousandths of [−1, 1].
        let images = images.values.into_iter().map(|v| 5e-4 * v + 0.5).collect();
        Ok(Digits { images, labels: labels.values })
    };
    Ok([read("train")?, read("test")?])
}

impl Digits {
    /// Those of one digit.
    pub fn only(&self, digit: u8) -> Self {
        let images = self.of(digit);
        let labels = vec![digit; images.len() / PIXELS];
        Self { images, labels }
    }
}

/// Grey digits in any hue, `[n, 768]` in [−1, 1].
pub fn coloured(grey: &[f32], hues: &[f32]) -> Result<Vec<f32>> {
    let mut images = colour_by_hue(grey, hues, Sector::Hsv)?;
    images.iter_mut().for_each(|v| *v = 2.0 * *v - 1.0);
    Ok(images)
}

/// Digits in hues that are drawn anew each time.
pub struct Coloured(pub Vec<f32>);

impl Sampler<NUMBERS> for Coloured {
    fn sample(&self, key: Key, n: usize) -> Result<Points<NUMBERS>> {
        let [which, hues] = key.split();
        let grey = gather(&self.0, &which.indices(n, self.0.len() / PIXELS));
        points(coloured(&grey, &random_hues(hues, n))?)
    }
}

/// The brightness of each pixel in [0, 1], that of its brightest channel.
pub fn brightness(images: &[f32]) -> Vec<f32> {
    let one = |image: &[f32]| {
        let brightest = |p| (0..3).map(|c| image[c * PIXELS + p]).fold(-1.0, f32::max).min(1.0);
        (0..PIXELS).map(|p| 0.5 * (brightest(p) + 1.0)).collect::<Vec<f32>>()
    };
    images.chunks_exact(NUMBERS).flat_map(one).collect()
}

/// Rows of the first 16 images.
pub fn grid(rows: &[(&str, &[f32])]) -> Result<Vec<u8>> {
    let shape = ImageShape { channels: 3, height: 16, width: 16 };
    let row = |(name, images): &(&str, &[f32])| {
        let first = &images[..images.len().min(16 * NUMBERS)];
        Ok((name.to_string(), Images::from_rows(shape, first, PixelRange::Symmetric)?))
    };
    ImageGrid::new(rows.iter().map(row).collect::<Result<Vec<_>>>()?).to_png()
}
