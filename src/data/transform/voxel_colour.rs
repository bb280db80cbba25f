//! Grey volumes in one of four colours, as in the coloured 3-D MNIST.

use rayon::prelude::*;

use super::check_rows;
use crate::error::Result;
use crate::random::Key;

/// The colours of coloured volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoxelColour {
    /// (1, 1, 0)
    Yellow,
    /// (1, 0, 0)
    Red,
    /// (0, 0, 1)
    Blue,
    /// (0, 1, 0)
    Green,
}

impl VoxelColour {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Yellow, Self::Red, Self::Blue, Self::Green];

    /// The share of red, green and blue.
    pub fn rgb(self) -> [f32; 3] {
        match self {
            Self::Yellow => [1.0, 1.0, 0.0],
            Self::Red => [1.0, 0.0, 0.0],
            Self::Blue => [0.0, 0.0, 1.0],
            Self::Green => [0.0, 1.0, 0.0],
        }
    }
}

/// `n` colours, uniform among the four.
pub fn random_colours(key: Key, n: usize) -> Vec<VoxelColour> {
    key.indices(n, VoxelColour::ALL.len()).into_iter().map(|i| VoxelColour::ALL[i]).collect()
}

/// Grey volumes `[n, D·H·W]` times their colours: `[n, 3·D·H·W]`.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless there are as many volumes as colours.
///
/// ```
/// use brenier::data::transform::{colour_voxels, VoxelColour};
/// let rgb = colour_voxels(&[0.5, 1.0], &[VoxelColour::Yellow])?;
/// assert_eq!(rgb, [0.5, 1.0, 0.5, 1.0, 0.0, 0.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn colour_voxels(grey: &[f32], colours: &[VoxelColour]) -> Result<Vec<f32>> {
    let voxels = grey.len() / colours.len().max(1);
    check_rows("grey volumes, one for each colour,", grey, voxels, colours.len())?;
    let mut out = vec![0.0; 3 * grey.len()];
    let volumes = out.par_chunks_exact_mut(3 * voxels).zip(grey.par_chunks_exact(voxels));
    volumes.zip(colours.par_iter()).for_each(|((to, from), colour)| {
        for (plane, share) in to.chunks_exact_mut(voxels).zip(colour.rgb()) {
            plane.iter_mut().zip(from).for_each(|(to, v)| *to = share * v);
        }
    });
    Ok(out)
}
