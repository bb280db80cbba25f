//! InceptionV3 up to its last pooling.

use std::path::Path;

use super::blocks;
use super::features::BATCH;
use super::map::{check_images, Map};
use super::unit::{Pool, Unit};
use super::weights::Weights;
use crate::data::{ImageShape, PixelRange};
use crate::error::{Error, Result};

/// Whether the padding of average pools counts as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Borders {
    /// It does, as in torchvision.
    Counted,
    /// Means are over what is inside, as in TensorFlow.
    LeftOut,
}

/// The pooling in the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastPool {
    /// By means, as published.
    Mean,
    /// By maxima, as in the network with which FID is defined.
    Largest,
}

/// Ways in which networks of the name InceptionV3 differ. FID depends on all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InceptionForm {
    /// In average pools.
    pub borders: Borders,
    /// In block 7c.
    pub last_pool: LastPool,
    /// The interval of the numbers of an image.
    pub range: PixelRange,
}

impl InceptionForm {
    /// The network of torchvision with its ImageNet weights.
    pub const TORCHVISION: Self =
        Self { borders: Borders::Counted, last_pool: LastPool::Mean, range: PixelRange::Symmetric };
    /// The network of pytorch-fid, which is that of the first FID.
    pub const FID: Self = Self {
        borders: Borders::LeftOut,
        last_pool: LastPool::Largest,
        range: PixelRange::Symmetric,
    };
}

/// The network up to the 2048 numbers that FID is computed from, arXiv:1512.00567.
#[derive(Clone, Debug)]
pub struct InceptionV3 {
    layers: Vec<Layer>,
    form: InceptionForm,
}

/// Numbers of its features.
pub(super) const FEATURES: usize = 2048;
/// The size of images for which it was made.
const SIDE: usize = 299;

#[derive(Clone, Debug)]
pub(super) enum Layer {
    Unit(Unit),
    Largest(Pool),
    Mean,
    /// Layers after each other.
    Chain(Vec<Layer>),
    /// Side by side, their outputs joined over channels.
    Branches(Vec<Layer>),
}

impl InceptionV3 {
    /// Reads the weights from a safetensors file with the names of torchvision
    /// (`Mixed_5b.branch1x1.conv.weight`, `….bn.running_mean`, …); an auxiliary head and a classifier are not
    /// looked at. Weights may be quantised: `conv.weight_u8`, `weight_scale`, `weight_min`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] if an array is missing, of another shape, or not finite.
    pub fn load(path: &Path, form: InceptionForm) -> Result<Self> {
        let weights = Weights::read(path)?;
        Ok(Self { layers: blocks::layers(&weights, form)?, form })
    }

    /// Which form it has.
    pub fn form(&self) -> InceptionForm {
        self.form
    }

    /// Features of images `[n, 3·H·W]` in the interval of the form, at the size that they have (at least 75 ×
    /// 75): `[n, 2048]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless these are whole images of three channels, large enough;
    /// [`Error::NonFinite`] for a number that is not finite.
    pub fn features(&self, shape: ImageShape, rows: &[f32]) -> Result<Vec<f32>> {
        self.run(shape, rows, [shape.height, shape.width])
    }

    /// The same at 299 × 299 pixels, to which images are brought by bilinear interpolation without
    /// antialiasing, as pytorch-fid does.
    ///
    /// # Errors
    /// As [`features`](Self::features).
    pub fn features_at_299(&self, shape: ImageShape, rows: &[f32]) -> Result<Vec<f32>> {
        self.run(shape, rows, [SIDE; 2])
    }

    fn run(&self, shape: ImageShape, rows: &[f32], size: [usize; 2]) -> Result<Vec<f32>> {
        check_images("images", shape, rows)?;
        let fits = self.layers.iter().try_fold(size, |s, layer| layer.output_size(s));
        if fits.is_none() {
            let found = format!("{} × {}", size[0], size[1]);
            return Err(Error::shape("images", "at least 75 × 75 pixels for InceptionV3", found));
        }
        let mut out = Vec::with_capacity(rows.len() / shape.numbers() * FEATURES);
        for batch in rows.chunks(BATCH * shape.numbers()) {
            let x = Map::from_planes(shape, batch, [0.0; 3], [1.0; 3]).resized(size[0], size[1]);
            let last = self.layers.iter().fold(x, |x, layer| layer.run(x, self.form.borders));
            out.extend(last.means());
        }
        Ok(out)
    }
}

impl Layer {
    fn run(&self, x: Map, borders: Borders) -> Map {
        match self {
            Self::Unit(unit) => unit.run(&x),
            Self::Largest(pool) => pool.largest(&x),
            Self::Mean => Pool::THREE.mean(&x, borders == Borders::Counted),
            Self::Chain(layers) => layers.iter().fold(x, |x, layer| layer.run(x, borders)),
            Self::Branches(branches) => {
                let run = |branch: &Self| branch.run(x.clone(), borders);
                Map::joined(&branches.iter().map(run).collect::<Vec<_>>())
            }
        }
    }

    fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        match self {
            Self::Unit(unit) => unit.output_size(size),
            Self::Largest(pool) => pool.output_size(size),
            Self::Mean => Some(size),
            Self::Chain(layers) => layers.iter().try_fold(size, |s, layer| layer.output_size(s)),
            Self::Branches(branches) => {
                // All of one size, if all fit.
                branches.iter().try_fold(size, |_, branch| branch.output_size(size))
            }
        }
    }
}
