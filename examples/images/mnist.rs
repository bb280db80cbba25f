//! MNIST in 16 × 16 pixels.

use std::path::Path;

use brenier::data::{read_idx, Array, Images, Layout, Npz, PixelRange};
use brenier::prelude::*;

/// Pixels of a digit.
pub const PIXELS: usize = 256;
/// The file with the test images of MNIST.
pub const FILE: &str = "images/mnist_t10k.npz";

/// Digits in grey, 16 × 16 numbers in [0, 1] each.
pub struct Digits {
    pub images: Vec<f32>,
    pub labels: Vec<u8>,
}

impl Digits {
    /// Digits to train and to test: the files `train-images-idx3-ubyte`, … of `folder` if they are there,
    /// else [`FILE`], whose first 8500 images train.
    pub fn mnist(folder: &Path) -> Result<[Self; 2]> {
        if folder.join("train-images-idx3-ubyte").exists() {
            let read = |part: &str| {
                let images = read_idx(&folder.join(format!("{part}-images-idx3-ubyte")))?;
                Self::new(
                    images,
                    read_idx(&folder.join(format!("{part}-labels-idx1-ubyte")))?.values,
                )
            };
            return Ok([read("train")?, read("t10k")?]);
        }
        let mut archive = Npz::open(&folder.join(FILE))?;
        let labels: Array<u8> = archive.array("y")?;
        let mut train = Self::new(archive.array("x")?, labels.values)?;
        let cut = train.labels.len() * 85 / 100;
        let labels = train.labels.split_off(cut);
        let images = train.images.split_off(cut * PIXELS);
        Ok([train, Self { images, labels }])
    }

    fn new(images: Array<u8>, labels: Vec<u8>) -> Result<Self> {
        let images = Images::from_array(images, Layout::Grey)?.resized(16, 16)?;
        Ok(Self { images: images.rows(PixelRange::Unit), labels })
    }

    /// All images of a digit.
    pub fn of(&self, digit: u8) -> Vec<f32> {
        let all = self.images.chunks_exact(PIXELS).zip(&self.labels);
        all.filter(|(_, l)| **l == digit).flat_map(|(image, _)| image).copied().collect()
    }

    /// `n` images with their labels.
    pub fn draw(&self, key: Key, n: usize) -> (Vec<f32>, Vec<u8>) {
        let chosen = key.indices(n, self.labels.len());
        (gather(&self.images, &chosen), chosen.iter().map(|i| self.labels[*i]).collect())
    }
}

/// The images of the given numbers.
pub fn gather(images: &[f32], chosen: &[usize]) -> Vec<f32> {
    chosen.iter().flat_map(|i| &images[i * PIXELS..(i + 1) * PIXELS]).copied().collect()
}
