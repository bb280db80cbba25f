//! Coloured volumes of 16 × 16 × 16 voxels, made of digits.

use brenier::data::transform::{
    colour_voxels, extrude, random_colours, random_turns, rotate_volumes, TurnAxes, VolumeShape,
    VoxelColour,
};
use brenier::data::{ImageShape, PixelRange};
use brenier::plot::{View, Visible, VoxelPicture};
use brenier::prelude::*;
use clap::ValueEnum;
use serde::Serialize;

use crate::mnist::{gather, PIXELS};

/// Voxels of a volume, and its numbers in red, green and blue.
pub const VOXELS: usize = 4096;
pub const NUMBERS: usize = 3 * VOXELS;
const SIDE: usize = 16;
pub const SHAPE: VolumeShape = VolumeShape { channels: 3, depth: SIDE, height: SIDE, width: SIDE };

#[derive(Clone, Copy, Debug, PartialEq, Serialize, ValueEnum)]
pub enum Rotation {
    /// None.
    None,
    /// About the axis of depth, by up to 45° to either side.
    One,
    /// About all axes, uniform on the group of rotations.
    Three,
}

impl Rotation {
    fn axes(self) -> Option<TurnAxes> {
        match self {
            Self::None => None,
            Self::One => Some(TurnAxes::Depth { most: std::f32::consts::FRAC_PI_4 }),
            Self::Three => Some(TurnAxes::Three),
        }
    }
}

/// Digits as grey volumes in [0, 1], in slices 4 to 12 of 16, turned at random.
pub fn grey_volumes(digits: &[f32], rotation: Rotation, key: Key) -> Result<Vec<f32>> {
    let shape = ImageShape { channels: 1, height: SIDE, width: SIDE };
    let (shape, volumes) = extrude(shape, digits, SIDE, 4..13)?;
    match rotation.axes() {
        None => Ok(volumes),
        Some(axes) => {
            let turns = random_turns(key, digits.len() / PIXELS, axes);
            rotate_volumes(shape, &volumes, &turns, 0.0)
        }
    }
}

/// Grey volumes in colours, `[n, 12288]` in [−1, 1].
fn in_colours(grey: &[f32], colours: &[VoxelColour]) -> Result<Vec<f32>> {
    let mut volumes = colour_voxels(grey, colours)?;
    volumes.iter_mut().for_each(|v| *v = 2.0 * *v - 1.0);
    Ok(volumes)
}

/// The brightness of each voxel in [0, 1], that of its brightest channel.
pub fn brightness(volumes: &[f32]) -> Vec<f32> {
    let one = |v: &[f32]| {
        let most = |p| (0..3).map(|c| v[c * VOXELS + p]).fold(-1.0, f32::max).min(1.0);
        let brightest = |p| 0.5 * (most(p) + 1.0);
        (0..VOXELS).map(brightest).collect::<Vec<f32>>()
    };
    volumes.chunks_exact(NUMBERS).flat_map(one).collect()
}

/// A digit in all its shapes, turned and in one of the four colours.
pub struct Coloured {
    pub digits: Vec<f32>,
    pub rotation: Rotation,
}

impl Sampler<NUMBERS> for Coloured {
    fn sample(&self, key: Key, n: usize) -> Result<Points<NUMBERS>> {
        let [which, turns, colours] = key.split();
        let digits = gather(&self.digits, &which.indices(n, self.digits.len() / PIXELS));
        let grey = grey_volumes(&digits, self.rotation, turns)?;
        points(in_colours(&grey, &random_colours(colours, n))?)
    }
}

impl Coloured {
    /// Every shape once, in yellow, red, blue, green, yellow, …
    pub fn each(&self, key: Key) -> Result<Vec<f32>> {
        let n = self.digits.len() / PIXELS;
        let colours: Vec<VoxelColour> = VoxelColour::ALL.into_iter().cycle().take(n).collect();
        in_colours(&grey_volumes(&self.digits, self.rotation, key)?, &colours)
    }
}

/// The first `n` volumes, each beside its image, from two sides.
pub fn picture(x: &[f32], images: &[f32], n: usize) -> Result<Vec<u8>> {
    let pairs = x.chunks_exact(NUMBERS).zip(images.chunks_exact(NUMBERS)).take(n);
    let volumes = pairs.flat_map(|(x, y)| x.iter().chain(y)).copied().collect();
    let mut picture = VoxelPicture::new(SHAPE, volumes);
    picture.range = PixelRange::Symmetric;
    picture.visible = Visible::Above(0.4);
    picture.views = View::USUAL[..2].to_vec();
    picture.side = 120;
    picture.to_png()
}
