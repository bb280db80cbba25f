//! Turned images.

use rayon::prelude::*;

use super::check_rows;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::random::Key;

/// `n` angles, uniform on [−`most`, `most`).
pub fn random_angles(key: Key, n: usize, most: f32) -> Vec<f32> {
    key.uniform(n).into_iter().map(|u| most * (2.0 * u - 1.0)).collect()
}

/// Images `[n, C·H·W]`, each turned about its centre by an angle in radians (counter-clockwise as they
/// are looked at), by bilinear interpolation; `background` is what lies around an image.
///
/// # Errors
/// [`Error::Shape`] unless there are as many images as angles.
///
/// ```
/// use brenier::data::{transform::rotate_images, ImageShape};
/// let shape = ImageShape { channels: 1, height: 2, width: 2 };
/// let quarter = rotate_images(shape, &[1.0, 2.0, 3.0, 4.0], &[std::f32::consts::FRAC_PI_2], 0.0)?;
/// assert!(quarter.iter().zip([2.0, 4.0, 1.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-5));
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn rotate_images(
    shape: ImageShape,
    images: &[f32],
    angles: &[f32],
    background: f32,
) -> Result<Vec<f32>> {
    let size = shape.numbers();
    check_rows("images, one for each angle,", images, size, angles.len())?;
    if let Some(angle) = angles.iter().find(|a| !a.is_finite()) {
        return Err(Error::NonFinite {
            what: "an angle".into(),
            value: f64::from(*angle),
            step: None,
            remedy: "angles are radians",
        });
    }
    let mut out = vec![0.0; images.len()];
    let pairs = out.par_chunks_exact_mut(size).zip(images.par_chunks_exact(size));
    pairs.zip(angles.par_iter()).for_each(|((to, from), angle)| {
        let plane = shape.height * shape.width;
        for (to, from) in to.chunks_exact_mut(plane).zip(from.chunks_exact(plane)) {
            one(shape, from, *angle, background, to);
        }
    });
    Ok(out)
}

fn one(shape: ImageShape, from: &[f32], angle: f32, background: f32, to: &mut [f32]) {
    let (h, w) = (shape.height, shape.width);
    let (sin, cos) = angle.sin_cos();
    let (middle_y, middle_x) = (0.5 * (h as f32 - 1.0), 0.5 * (w as f32 - 1.0));
    let at = |y: f32, x: f32| {
        let inside = y >= 0.0 && x >= 0.0 && y < h as f32 && x < w as f32;
        if inside {
            from[y as usize * w + x as usize]
        } else {
            background
        }
    };
    for (p, to) in to.iter_mut().enumerate() {
        let (dy, dx) = ((p / w) as f32 - middle_y, (p % w) as f32 - middle_x);
        // Rows go down, so that this is where the turn takes a pixel from.
        let x = cos * dx - sin * dy + middle_x;
        let y = sin * dx + cos * dy + middle_y;
        let (left, top) = (x.floor(), y.floor());
        let (u, v) = (x - left, y - top);
        let upper = (1.0 - u) * at(top, left) + u * at(top, left + 1.0);
        let lower = (1.0 - u) * at(top + 1.0, left) + u * at(top + 1.0, left + 1.0);
        *to = (1.0 - v) * upper + v * lower;
    }
}
