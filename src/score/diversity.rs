//! How much the images of one point differ under a map that draws noise.

use crate::error::{Error, Result};

/// The spread of the images of a point, averaged over points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// E Var(T(x, z) | x), summed over the coordinates, with the unbiased estimator of a variance.
    pub conditional_variance: f64,
    /// E |T(x, z) − T(x, z')|² for independent z, z': twice the conditional variance.
    pub squared_distance: f64,
    /// E |T(x, z) − T(x, z')|.
    pub distance: f64,
}

/// The diversity of images `[n, k, d]`: for each of n points, k images with independent noise
/// (arXiv:2205.15269).
///
/// # Errors
/// [`Error::Shape`] unless these are whole sets of k ≥ 2 images, [`Error::NonFinite`] if a coordinate is.
///
/// ```
/// use brenier::score::diversity;
/// // One point with the images 0 and 2, another with 5 and 5.
/// let spread = diversity(&[0.0, 2.0, 5.0, 5.0], 2, 1)?;
/// assert_eq!((spread.conditional_variance, spread.distance), (1.0, 1.0));
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn diversity(images: &[f32], k: usize, d: usize) -> Result<Diversity> {
    let set = k * d;
    if k < 2 || d == 0 || images.is_empty() || !images.len().is_multiple_of(set) {
        let expected = format!("sets of {k} images of dimension {d}, of at least two");
        return Err(Error::shape("images of points", expected, images.len()));
    }
    if let Some(i) = images.iter().position(|v| !v.is_finite()) {
        return Err(Error::NonFinite {
            what: format!("coordinate {} of image {} of point {}", i % d, i / d % k, i / set),
            value: images[i].into(),
            step: None,
            remedy: "look at the map",
        });
    }
    let n = (images.len() / set) as f64;
    let pairs = (k * (k - 1) / 2) as f64;
    let (mut squares, mut distances) = (0.0, 0.0);
    for set in images.chunks_exact(set) {
        for (i, a) in set.chunks_exact(d).enumerate() {
            for b in set.chunks_exact(d).skip(i + 1) {
                let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
                let one: f64 = a.iter().zip(b).map(square).sum();
                squares += one / pairs;
                distances += one.sqrt() / pairs;
            }
        }
    }
    Ok(Diversity {
        conditional_variance: 0.5 * squares / n,
        squared_distance: squares / n,
        distance: distances / n,
    })
}
