//! Errors of images, whose units are in their types: sums over an image do not compare with means over
//! pixels.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// (1/n) Σᵢ |xᵢ − yᵢ|², summed over the numbers of an image: grows with the size of the image.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct L2PerImage(pub f64);

/// (1/nD) Σᵢ |xᵢ − yᵢ|², averaged over the D numbers of an image too: the mean squared error.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct L2PerPixel(pub f64);

/// (1/n) Σᵢ |xᵢ − yᵢ|, the mean over images of the norm of the error.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct RmsePerImage(pub f64);

/// √((1/nD) Σᵢ |xᵢ − yᵢ|²), in units of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct RmsePerPixel(pub f64);

/// The errors of `n` images of `D` numbers each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageErrors {
    /// Squared, summed over an image.
    pub l2_per_image: L2PerImage,
    /// Squared, averaged over pixels.
    pub l2_per_pixel: L2PerPixel,
    /// The norm of the error of an image.
    pub rmse_per_image: RmsePerImage,
    /// The root of the mean square over all pixels.
    pub rmse_per_pixel: RmsePerPixel,
}

/// The errors between paired images `[n, D]` in any range of values.
///
/// # Errors
/// [`Error::Shape`] unless both are the same number of whole images, at least one.
///
/// ```
/// use brenier::score::image_errors;
/// // Errors (3, 4) and (0, 0).
/// let e = image_errors(&[3.0, 4.0, 1.0, 1.0], &[0.0, 0.0, 1.0, 1.0], 2)?;
/// assert_eq!((e.l2_per_image.0, e.l2_per_pixel.0), (12.5, 6.25));
/// assert_eq!((e.rmse_per_image.0, e.rmse_per_pixel.0), (2.5, 2.5));
/// assert_eq!(e.l2_per_pixel.per_image(2), e.l2_per_image);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn image_errors(x: &[f32], y: &[f32], numbers: usize) -> Result<ImageErrors> {
    if numbers == 0 || x.is_empty() || x.len() != y.len() || !x.len().is_multiple_of(numbers) {
        let expected = format!("two equal sets of images of {numbers} numbers");
        return Err(Error::shape("images", expected, format!("{} and {}", x.len(), y.len())));
    }
    let n = (x.len() / numbers) as f64;
    let (mut squares, mut norms) = (0.0, 0.0);
    for (x, y) in x.chunks_exact(numbers).zip(y.chunks_exact(numbers)) {
        let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
        let one: f64 = x.iter().zip(y).map(square).sum();
        squares += one;
        norms += one.sqrt();
    }
    let per_pixel = squares / (n * numbers as f64);
    Ok(ImageErrors {
        l2_per_image: L2PerImage(squares / n),
        l2_per_pixel: L2PerPixel(per_pixel),
        rmse_per_image: RmsePerImage(norms / n),
        rmse_per_pixel: RmsePerPixel(per_pixel.sqrt()),
    })
}

impl L2PerImage {
    /// The same error averaged over the `numbers` of an image.
    pub fn per_pixel(self, numbers: usize) -> L2PerPixel {
        L2PerPixel(self.0 / numbers as f64)
    }
}

impl L2PerPixel {
    /// The same error summed over the `numbers` of an image.
    pub fn per_image(self, numbers: usize) -> L2PerImage {
        L2PerImage(self.0 * numbers as f64)
    }

    /// Its square root.
    pub fn root(self) -> RmsePerPixel {
        RmsePerPixel(self.0.sqrt())
    }
}

macro_rules! with_unit {
    ($($error:ty: $unit:literal),*) => {$(
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:.4e} ", $unit), self.0)
            }
        }
    )*};
}
with_unit!(
    L2PerImage: "(squared, per image)",
    L2PerPixel: "(squared, per pixel)",
    RmsePerImage: "(root, per image)",
    RmsePerPixel: "(root, per pixel)"
);
