//! Grey images in a random colour, as in the coloured MNIST of arXiv:2201.12220.

use rayon::prelude::*;

use super::check_rows;
use crate::error::{Error, Result};
use crate::random::Key;

/// Which of the six sectors of the circle of hues a hue belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sector {
    /// The nearest multiple of 60°, as in the code of the paper: the colour jumps in the middle of a
    /// sector.
    #[default]
    Nearest,
    /// The sector that begins below the hue: the colours of the HSV model at full saturation.
    Hsv,
}

/// `n` hues, uniform on [0°, 360°).
pub fn random_hues(key: Key, n: usize) -> Vec<f32> {
    // Of 24 bits, below 1 by at least 2⁻²⁴: the product stays below 360.
    key.uniform(n).iter().map(|u| 360.0 * u).collect()
}

/// Grey images or volumes `[n, P]` of values v in [0, 1], each in the colour of its hue: `[n, 3·P]`.
///
/// With the sector s of the hue h and d = v · (h mod 60°) / 60°, the channels are, for s = 0 to 5,
/// (v, d, 0), (v − d, v, 0), (0, v, d), (0, v − d, v), (d, 0, v), (v, 0, v − d).
///
/// # Errors
/// [`Error::Shape`] unless there are as many images as hues, [`Error::NonFinite`] for a hue that is not finite.
///
/// ```
/// use brenier::data::transform::{colour_by_hue, Sector};
/// // Pure red, and a yellowish green.
/// let rgb = colour_by_hue(&[1.0, 0.5], &[0.0, 90.0], Sector::Hsv)?;
/// assert_eq!(rgb, [1.0, 0.0, 0.0, 0.25, 0.5, 0.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn colour_by_hue(grey: &[f32], hues: &[f32], sector: Sector) -> Result<Vec<f32>> {
    let pixels = grey.len() / hues.len().max(1);
    check_rows("grey images, one for each hue,", grey, pixels, hues.len())?;
    if let Some(hue) = hues.iter().find(|h| !h.is_finite()) {
        return Err(Error::NonFinite {
            what: "a hue".into(),
            value: f64::from(*hue),
            step: None,
            remedy: "hues are degrees",
        });
    }
    let mut out = vec![0.0; 3 * grey.len()];
    let images = out.par_chunks_exact_mut(3 * pixels).zip(grey.par_chunks_exact(pixels));
    images.zip(hues.par_iter()).for_each(|((to, from), hue)| one(from, *hue, sector, to));
    Ok(out)
}

fn one(grey: &[f32], hue: f32, sector: Sector, out: &mut [f32]) {
    let sixth = hue.rem_euclid(360.0) / 60.0;
    let within = sixth.rem_euclid(1.0);
    let sector = match sector {
        Sector::Nearest => sixth.round_ties_even(),
        Sector::Hsv => sixth.floor(),
    };
    let (rising, falling) = (within, 1.0 - within);
    let shares = match sector as usize % 6 {
        0 => [1.0, rising, 0.0],
        1 => [falling, 1.0, 0.0],
        2 => [0.0, 1.0, rising],
        3 => [0.0, falling, 1.0],
        4 => [rising, 0.0, 1.0],
        _ => [1.0, 0.0, falling],
    };
    for (plane, share) in out.chunks_exact_mut(grey.len()).zip(shares) {
        plane.iter_mut().zip(grey).for_each(|(to, v)| *to = share * v);
    }
}
