//! Volumes made from images.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::check_rows;
use crate::data::ImageShape;
use crate::error::{Error, Result};

/// Sizes of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeShape {
    /// 1 for grey, 3 for colours.
    pub channels: usize,
    /// Slices.
    pub depth: usize,
    /// Rows of voxels in a slice.
    pub height: usize,
    /// Columns of voxels in a slice.
    pub width: usize,
}

impl VolumeShape {
    /// C·D·H·W, the dimension of a volume as a point.
    pub fn numbers(&self) -> usize {
        let slice = self.channels.saturating_mul(self.height).saturating_mul(self.width);
        slice.saturating_mul(self.depth)
    }
}

/// Images `[n, C·H·W]` repeated over the slices `filled` of volumes of `depth` slices, zero elsewhere:
/// `[n, C·D·H·W]`. The constructed 3-D MNIST fills 4..13 of 16.
///
/// # Errors
/// [`Error::Shape`] unless the rows are whole images, [`Error::InvalidConfig`] if there are no such slices.
///
/// ```
/// use brenier::data::{transform::extrude, ImageShape};
/// let shape = ImageShape { channels: 1, height: 1, width: 2 };
/// let (shape, volume) = extrude(shape, &[3.0, 4.0], 3, 1..3)?;
/// assert_eq!(volume, [0.0, 0.0, 3.0, 4.0, 3.0, 4.0]);
/// assert_eq!(shape.numbers(), 6);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn extrude(
    shape: ImageShape,
    images: &[f32],
    depth: usize,
    filled: Range<usize>,
) -> Result<(VolumeShape, Vec<f32>)> {
    let ImageShape { channels, height, width } = shape;
    check_rows(
        "images to extrude",
        images,
        shape.numbers(),
        images.len() / shape.numbers().max(1),
    )?;
    if filled.is_empty() || filled.end > depth {
        let rule = "must be slices of the volume, at least one";
        return Err(Error::config("filled slices", format_args!("{filled:?} of {depth}"), rule));
    }
    let plane = height * width;
    let mut out = vec![0.0; images.len() * depth];
    for (volume, image) in out.chunks_exact_mut(plane * depth).zip(images.chunks_exact(plane)) {
        let slices = volume[filled.start * plane..filled.end * plane].chunks_exact_mut(plane);
        slices.for_each(|slice| slice.copy_from_slice(image));
    }
    Ok((VolumeShape { channels, depth, height, width }, out))
}
