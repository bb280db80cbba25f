//! Digits and letters of EMNIST, 16 × 16 pixels in [−1, 1].

use std::io::Read;
use std::path::Path;

use anyhow::{ensure, Context};
use brenier::data::{ImageShape, Images, PixelRange};
use brenier::plot::ImageGrid;
use brenier::prelude::*;
use rand::seq::SliceRandom;

/// Pixels of an image.
pub const PIXELS: usize = 256;
/// Labels of the digits and of the letters that they should become.
pub const PAIRS: [(u8, u8, &str); 3] = [(0, 24, "0→O"), (1, 18, "1→I"), (8, 11, "8→B")];

/// Images with their pair, 0 to 2.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    pub images: Vec<f32>,
    pub pairs: Vec<usize>,
}

impl Labelled {
    pub fn count(&self) -> usize {
        self.pairs.len()
    }

    pub fn image(&self, i: usize) -> &[f32] {
        &self.images[i * PIXELS..(i + 1) * PIXELS]
    }

    /// The images of one pair.
    pub fn of_pair(&self, pair: usize) -> Vec<f32> {
        let chosen = (0..self.count()).filter(|i| self.pairs[*i] == pair);
        chosen.flat_map(|i| self.image(i)).copied().collect()
    }

    fn push(&mut self, image: &[f32], pair: usize) {
        self.images.extend_from_slice(image);
        self.pairs.push(pair);
    }
}

impl Sampler<PIXELS> for Labelled {
    fn sample(&self, key: Key, n: usize) -> Result<Points<PIXELS>> {
        let chosen = key.indices(n, self.count()).into_iter();
        points(chosen.flat_map(|i| self.image(i)).copied().collect())
    }
}

/// Four fifths of each class to train, the rest to test.
#[derive(Clone, Debug, Default)]
pub struct Emnist {
    pub train_digits: Labelled,
    pub test_digits: Labelled,
    pub train_letters: Labelled,
    pub test_letters: Labelled,
}

impl Emnist {
    /// Reads `emnist_018_OIB.npz`: `x` `[n, 28, 28]` bytes, `y` `[n]` labels.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("emnist_018_OIB.npz");
        let open = || format!("cannot read {} (give its folder by --data)", path.display());
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).with_context(open)?)?;
        let mut array = |name: &str| -> anyhow::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            archive.by_name(name).with_context(open)?.read_to_end(&mut bytes)?;
            Ok(npyz::NpyFile::new(&bytes[..])?.into_vec::<u8>()?)
        };
        let (images, labels) = (array("x.npy")?, array("y.npy")?);
        ensure!(images.len() == 784 * labels.len(), "{}: not 28 × 28 pixels", path.display());
        let mut all = Self::default();
        for (pair, (digit, letter, _)) in PAIRS.into_iter().enumerate() {
            for (label, train, test) in [
                (digit, &mut all.train_digits, &mut all.test_digits),
                (letter, &mut all.train_letters, &mut all.test_letters),
            ] {
                let mut of: Vec<usize> =
                    (0..labels.len()).filter(|i| labels[*i] == label).collect();
                of.shuffle(&mut Key::new(42).fold_in(label.into()).rng());
                let tests = of.len() / 5;
                for (k, i) in of.into_iter().enumerate() {
                    let image = small(&images[784 * i..784 * (i + 1)]);
                    if k < tests { &mut *test } else { &mut *train }.push(&image, pair);
                }
            }
        }
        Ok(all)
    }
}

/// 28 × 28 bytes with a margin of 2, in means of 2 × 2, from [0, 255] to [−1, 1].
fn small(image: &[u8]) -> Vec<f32> {
    let at = |row: usize, column: usize| match (row.checked_sub(2), column.checked_sub(2)) {
        (Some(r), Some(c)) if r < 28 && c < 28 => f32::from(image[28 * r + c]),
        _ => 0.0,
    };
    let mean = |i: usize| {
        let (r, c) = (2 * (i / 16), 2 * (i % 16));
        0.25 * (at(r, c) + at(r + 1, c) + at(r, c + 1) + at(r + 1, c + 1))
    };
    (0..PIXELS).map(|i| mean(i) / 127.5 - 1.0).collect()
}

/// Rows of images with their names.
pub fn grid(rows: Vec<(String, Vec<f32>)>) -> Result<ImageGrid> {
    let shape = ImageShape { channels: 1, height: 16, width: 16 };
    let row = |(name, x): (String, Vec<f32>)| {
        Ok((name, Images::from_rows(shape, &x, PixelRange::Symmetric)?))
    };
    Ok(ImageGrid::new(rows.into_iter().map(row).collect::<Result<Vec<_>>>()?))
}
