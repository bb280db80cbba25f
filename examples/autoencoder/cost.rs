//! The cost of a reconstruction.

use std::path::Path;
use std::sync::Arc;

use brenier::data::ImageShape;
use brenier::geometry::PNorm;
use brenier::prelude::*;
use brenier::score::perception::{Backbone, Features, Perceptual, PerceptualWeights};
use clap::ValueEnum;
use dfdx::prelude::{Cpu, Tape, Tensor};

use crate::options::Game;

/// The file with the weights of VGG16.
pub const VGG: &str = "lpips/lpips_vgg16_f16.safetensors";

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Kind {
    L2,
    L1,
    Perceptual,
}

/// Costs of one scale: that of ½|x − y|² times a factor.
#[derive(Clone, Debug)]
pub enum Reconstruction {
    /// ½|x − y|².
    L2(Scaled<HalfSqEuclidean>),
    /// ½ Σ|x − y|.
    L1(Scaled<PNorm>),
    /// The "injective" cost of VGG16, arXiv:2301.12874.
    Perceptual(Perceptual),
}

impl Reconstruction {
    pub fn new(kind: Kind, game: &Game, side: usize, data: &Path) -> Result<Self> {
        let factor = game.cost_factor;
        Ok(match kind {
            Kind::L2 => Self::L2(game.cost()?),
            Kind::L1 => Self::L1(Scaled::new(PNorm::new(1.0)?, 0.5 * factor)?),
            Kind::Perceptual => {
                let shape = ImageShape { channels: 3, height: side, width: side };
                let scale = (0.5 * factor * shape.numbers() as f64) as f32;
                let PerceptualWeights { taps, squared, absolute } = PerceptualWeights::default();
                let weights = PerceptualWeights {
                    taps: taps.map(|t| scale * t),
                    squared: scale * squared,
                    absolute: scale * absolute,
                };
                let features = Arc::new(Features::load(&data.join(VGG), Backbone::Vgg16)?);
                Self::Perceptual(Perceptual::new(features, shape, weights)?)
            }
        })
    }
}

impl<const N: usize> Cost<N> for Reconstruction {
    fn paired<T: Tape<f32, Cpu>>(
        &self,
        x: &Points<N>,
        y: Points<N, f32, Cpu, T>,
    ) -> Result<Values<f32, Cpu, T>> {
        match self {
            Self::L2(cost) => cost.paired(x, y),
            Self::L1(cost) => cost.paired(x, y),
            Self::Perceptual(cost) => cost.paired(x, y),
        }
    }

    fn pairwise(&self, x: &Points<N>, y: &Points<N>) -> Tensor<(usize, usize), f32, Cpu> {
        match self {
            Self::L2(cost) => cost.pairwise(x, y),
            Self::L1(cost) => cost.pairwise(x, y),
            Self::Perceptual(cost) => cost.pairwise(x, y),
        }
    }
}
