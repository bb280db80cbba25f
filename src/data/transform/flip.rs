//! Mirrored images.

use rayon::prelude::*;

use super::check_rows;
use crate::data::ImageShape;
use crate::error::Result;
use crate::random::Key;

/// Mirrors each of the images `[n, C·H·W]` left and right with probability ½, in place; says which.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) unless the rows are whole images.
///
/// ```
/// use brenier::{data::{transform::flip_at_random, ImageShape}, random::Key};
/// let shape = ImageShape { channels: 1, height: 1, width: 3 };
/// let mut row = [1.0, 2.0, 3.0];
/// let flipped = flip_at_random(shape, &mut row, Key::new(0))?;
/// assert_eq!(row, if flipped[0] { [3.0, 2.0, 1.0] } else { [1.0, 2.0, 3.0] });
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn flip_at_random(shape: ImageShape, images: &mut [f32], key: Key) -> Result<Vec<bool>> {
    let size = shape.numbers();
    let n = images.len() / size.max(1);
    check_rows("images to flip", images, size, n)?;
    let which: Vec<bool> = key.uniform(n).into_iter().map(|u| u < 0.5).collect();
    images.par_chunks_exact_mut(size).zip(which.par_iter()).for_each(|(image, &flip)| {
        if flip {
            image.chunks_exact_mut(shape.width).for_each(<[f32]>::reverse);
        }
    });
    Ok(which)
}
