//! Whether colours were kept.

use rayon::prelude::*;

use crate::data::PixelRange;
use crate::error::{Error, Result};

/// Pixels whose chroma is below this share of white are too grey, or too dark, to have a hue.
const VISIBLE: f32 = 0.1;

/// The distances between the hues of paired images or volumes `[n, 3·P]` in planes of red, green and blue,
/// from 0 (the same hues) to 1 (opposite ones).
///
/// The hues of an image are a measure on the circle: each pixel whose chroma c = max − min is at least 0.1
/// has the mass c at its hue. The distance is the Wasserstein-1 distance of both measures of mass one, along the
/// circle, in half turns. Brightness and shape do not enter. It is 0 between two images without hue, and 1
/// between one with and one without. Time O(P log P) an image.
///
/// # Errors
/// [`Error::Shape`] unless both are the same number of images of `numbers = 3·P` numbers;
/// [`Error::NonFinite`].
///
/// ```
/// use brenier::{data::PixelRange, score::hue_distances};
/// // Red to a dark yellow, a sixth of a turn; blue to yellow, the opposite.
/// let (x, y) = ([1.0, 0.0, 0.0, 0.0, 0.0, 1.0], [0.5, 0.5, 0.0, 1.0, 1.0, 0.0]);
/// let found = hue_distances(&x, &y, 3, PixelRange::Unit)?;
/// assert!((found[0] - 1.0 / 3.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn hue_distances(x: &[f32], y: &[f32], numbers: usize, range: PixelRange) -> Result<Vec<f64>> {
    let whole = numbers > 0 && numbers.is_multiple_of(3) && x.len().is_multiple_of(numbers);
    if !whole || x.len() != y.len() {
        let expected = format!("two equal sets of images of {numbers} = 3·P numbers");
        return Err(Error::shape("images", expected, format!("{} and {}", x.len(), y.len())));
    }
    if let Some(v) = x.iter().chain(y).find(|v| !v.is_finite()) {
        return Err(Error::NonFinite {
            what: "a pixel".into(),
            value: f64::from(*v),
            step: None,
            remedy: "look at what made the images",
        });
    }
    let pairs = x.par_chunks_exact(numbers).zip(y.par_chunks_exact(numbers));
    Ok(pairs.map(|(x, y)| along_circle(&hues(x, range), &hues(y, range))).collect())
}

/// Hues in turns, from 0 to 1, with masses of sum one; empty for an image without hue.
fn hues(image: &[f32], range: PixelRange) -> Vec<(f64, f64)> {
    let pixels = image.len() / 3;
    let unit = |v: f32| match range {
        PixelRange::Unit => v.clamp(0.0, 1.0),
        PixelRange::Symmetric => (0.5 * (v + 1.0)).clamp(0.0, 1.0),
    };
    let one = |p: usize| {
        let [r, g, b] = [0, 1, 2].map(|c| unit(image[c * pixels + p]));
        let (most, least) = (r.max(g).max(b), r.min(g).min(b));
        let chroma = most - least;
        if chroma < VISIBLE {
            return None;
        }
        let sixths = if most == r {
            (g - b) / chroma
        } else if most == g {
            2.0 + (b - r) / chroma
        } else {
            4.0 + (r - g) / chroma
        };
        Some((f64::from(sixths / 6.0).rem_euclid(1.0), f64::from(chroma)))
    };
    let mut all: Vec<(f64, f64)> = (0..pixels).filter_map(one).collect();
    let sum: f64 = all.iter().map(|h| h.1).sum();
    all.iter_mut().for_each(|h| h.1 /= sum);
    all
}

/// The Wasserstein-1 distance on the circle in half turns: 2 min over α of ∫ |F − G − α|, whose best α is a
/// median of F − G.
fn along_circle(p: &[(f64, f64)], q: &[(f64, f64)]) -> f64 {
    match (p.is_empty(), q.is_empty()) {
        (true, true) => return 0.0,
        (false, false) => {}
        _ => return 1.0,
    }
    let signed = p.iter().copied().chain(q.iter().map(|(at, mass)| (*at, -mass)));
    let mut atoms: Vec<(f64, f64)> = signed.collect();
    atoms.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Values of F − G with the lengths on which they are taken; the last goes on beyond 1 to the first.
    let (mut value, mut steps) = (0.0, Vec::with_capacity(atoms.len()));
    for (i, (at, mass)) in atoms.iter().enumerate() {
        value += mass;
        let next = atoms.get(i + 1).map_or(1.0 + atoms[0].0, |a| a.0);
        steps.push((value, next - at));
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut length = 0.0;
    let past_half = steps.iter().find(|(_, l)| {
        length += l;
        length >= 0.5
    });
    let median = past_half.map_or(0.0, |s| s.0);
    2.0 * steps.iter().map(|(v, l)| (v - median).abs() * l).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    /// Between n and n equal atoms on a circle the best pairing keeps the cyclic order: the least of n
    /// shifts.
    #[test]
    fn distances_along_the_circle_are_those_of_the_best_shift() {
        for n in [1, 2, 7, 30] {
            let draw = |seed| {
                let mut at: Vec<f64> =
                    Key::new(seed).uniform(n).into_iter().map(f64::from).collect();
                at.sort_by(f64::total_cmp);
                at
            };
            let (p, q) = (draw(n as u64), draw(100 + n as u64));
            let arc = |a: f64, b: f64| {
                let d = (a - b).abs();
                2.0 * d.min(1.0 - d)
            };
            let shifted =
                |s: usize| (0..n).map(|i| arc(p[i], q[(i + s) % n])).sum::<f64>() / n as f64;
            let wanted = (0..n).map(shifted).fold(f64::INFINITY, f64::min);
            let atoms = |at: &[f64]| at.iter().map(|a| (*a, 1.0 / n as f64)).collect::<Vec<_>>();
            let found = along_circle(&atoms(&p), &atoms(&q));
            // Sums of up to 60 masses in double precision.
            assert!((found - wanted).abs() < 1e-12, "{n}: {found} {wanted}");
        }
    }

    #[test]
    fn brightness_and_grey_pixels_do_not_enter() {
        // A red pixel, and a grey one; a dark red one, and a white one. Symmetric range.
        let x = [1.0, 0.0, -1.0, 0.0, -1.0, 0.0];
        let y = [-0.5, 1.0, -1.0, 1.0, -1.0, 1.0];
        assert_eq!(hue_distances(&x, &y, 6, PixelRange::Symmetric).unwrap(), [0.0]);
        let grey = [0.3; 6];
        assert_eq!(hue_distances(&x, &grey, 6, PixelRange::Symmetric).unwrap(), [1.0]);
        assert_eq!(hue_distances(&grey, &grey, 6, PixelRange::Symmetric).unwrap(), [0.0]);
        assert!(hue_distances(&x, &grey[..3], 6, PixelRange::Unit).is_err());
        assert!(hue_distances(&x, &x, 4, PixelRange::Unit).is_err());
        assert!(hue_distances(&[f32::NAN; 3], &[0.0; 3], 3, PixelRange::Unit).is_err());
    }
}
