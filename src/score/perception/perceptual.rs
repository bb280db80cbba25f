//! A transport cost between what VGG16 sees in images.

use std::sync::Arc;

use dfdx::prelude::*;
use rayon::prelude::*;

use super::features::{Features, BATCH, SCALE, SHIFT};
use super::map::Map;
use crate::data::ImageShape;
use crate::error::{Error, Result};
use crate::geometry::Cost;
use crate::ops::AttachOp;
use crate::tensor::{rows, Points, Values};

/// How much of what a [`Perceptual`] cost is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerceptualWeights {
    /// Of the mean squared difference of each of the five taps.
    pub taps: [f32; 5],
    /// Of the mean squared difference of pixels.
    pub squared: f32,
    /// Of the mean absolute difference of pixels.
    pub absolute: f32,
}

/// The "injective" cost of extremal transport: 0.02 for the taps relu1_2 to relu4_3, 1 for squares and ⅓
/// for absolute differences of pixels, which tell apart images that look the same to the network.
impl Default for PerceptualWeights {
    fn default() -> Self {
        Self { taps: [0.02, 0.02, 0.02, 0.02, 0.0], squared: 1.0, absolute: 1.0 / 3.0 }
    }
}

/// c(x, y) = Σₗ wₗ mean (fₗ(x) − fₗ(y))² + a mean (x − y)² + b mean |x − y| of images `[3·H·W]` in [−1, 1], with
/// the feature maps fₗ of a network. Differentiable in y (almost everywhere).
///
/// Time of a value is that of the network on both images, of a gradient about three times that on one; memory is
/// that of the maps of 16 images. `pairwise` keeps the taps of all images.
#[derive(Clone, Debug)]
pub struct Perceptual {
    features: Arc<Features>,
    shape: ImageShape,
    weights: PerceptualWeights,
    wanted: usize,
}

impl Perceptual {
    /// The cost of images of a size; `N` of [`Cost<N>`] must be 3·H·W.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a weight that is negative or not finite; [`Error::Shape`] for other than
    /// three channels or images too small for the network.
    pub fn new(
        features: Arc<Features>,
        shape: ImageShape,
        weights: PerceptualWeights,
    ) -> Result<Self> {
        let all = weights.taps.iter().chain([&weights.squared, &weights.absolute]);
        if let Some(w) = all.clone().find(|w| !(w.is_finite() && **w >= 0.0)) {
            return Err(Error::config("perceptual weight", w, "must be finite and not negative"));
        }
        if shape.channels != 3 {
            return Err(Error::shape("images of a perceptual cost", "3 channels", shape.channels));
        }
        let wanted = weights.taps.iter().rposition(|w| *w > 0.0).map_or(0, |i| i + 1);
        features.check_size(shape, wanted)?;
        Ok(Self { features, shape, weights, wanted })
    }

    fn map(&self, images: &[f32]) -> Map {
        Map::from_planes(self.shape, images, SHIFT, SCALE)
    }

    /// The values, and the gradients in y if they are wanted.
    fn values(&self, x: &[f32], y: &[f32], wanted: bool) -> (Vec<f32>, Vec<f32>) {
        let size = self.shape.numbers();
        let (mut values, mut gradients) = (Vec::new(), Vec::new());
        for (x, y) in x.chunks(BATCH * size).zip(y.chunks(BATCH * size)) {
            let from_x = self.features.taps(self.map(x), self.wanted);
            let mut sums: Vec<f64> = pairs(x, y, size).map(|(x, y)| self.pixels(x, y)).collect();
            if wanted {
                let trace = self.features.trace(self.map(y), self.wanted);
                let taps = self.features.taps_of(&trace);
                let slopes = self.compare(&from_x, &taps, &mut sums, true);
                let through = self.features.pull(&trace, slopes);
                let mut slope =
                    through.map_or_else(|| vec![0.0; y.len()], |map| map.to_planes(SCALE));
                self.add_pixel_slopes(x, y, &mut slope);
                gradients.extend(slope);
            } else {
                let taps = self.features.taps(self.map(y), self.wanted);
                self.compare(&from_x, &taps.iter().collect::<Vec<_>>(), &mut sums, false);
            }
            values.extend(sums.iter().map(|&s| s as f32));
        }
        (values, gradients)
    }

    fn pixels(&self, x: &[f32], y: &[f32]) -> f64 {
        let (a, b) = (f64::from(self.weights.squared), f64::from(self.weights.absolute));
        let one = |(x, y): (&f32, &f32)| {
            let difference = f64::from(y - x);
            a * difference * difference + b * difference.abs()
        };
        x.iter().zip(y).map(one).sum::<f64>() / x.len() as f64
    }

    fn add_pixel_slopes(&self, x: &[f32], y: &[f32], slope: &mut [f32]) {
        let size = self.shape.numbers() as f32;
        let (a, b) = (2.0 * self.weights.squared / size, self.weights.absolute / size);
        for ((s, x), y) in slope.iter_mut().zip(x).zip(y) {
            let difference = y - x;
            let sign = if difference == 0.0 { 0.0 } else { difference.signum() };
            *s += a * difference + b * sign;
        }
    }

    /// Adds what the taps contribute to each value; the gradients in the taps of y if they are wanted.
    fn compare(&self, x: &[Map], y: &[&Map], sums: &mut [f64], wanted: bool) -> Vec<Map> {
        let mut slopes = Vec::new();
        for ((x, y), weight) in x.iter().zip(y).zip(self.weights.taps) {
            let numbers = x.numbers();
            let each = x.values.par_chunks_exact(numbers).zip(y.values.par_chunks_exact(numbers));
            sums.par_iter_mut().zip(each).for_each(|(sum, (x, y))| {
                *sum += f64::from(weight) * squares(x, y) / numbers as f64;
            });
            if wanted {
                let mut slope = Map::zeros(y.n, [y.height, y.width], y.channels);
                let factor = 2.0 * weight / numbers as f32;
                let terms = slope.values.par_iter_mut().with_min_len(1 << 14).zip(&x.values);
                terms.zip(&y.values).for_each(|((s, x), y)| *s = factor * (y - x));
                slopes.push(slope);
            }
        }
        slopes
    }
}

fn pairs<'a>(
    x: &'a [f32],
    y: &'a [f32],
    size: usize,
) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
    x.chunks_exact(size).zip(y.chunks_exact(size))
}

/// Σ (x − y)², in sums of 256 terms in single and of these in double precision.
fn squares(x: &[f32], y: &[f32]) -> f64 {
    let blocks = x.chunks(256).zip(y.chunks(256));
    let block =
        |(x, y): (&[f32], &[f32])| x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f32>();
    blocks.map(|pair| f64::from(block(pair))).sum()
}

impl<const N: usize> Cost<N> for Perceptual {
    fn paired<T: Tape<f32, Cpu>>(
        &self,
        x: &Points<N>,
        y: Points<N, f32, Cpu, T>,
    ) -> Result<Values<f32, Cpu, T>> {
        let (y, tape) = y.contiguous().split_tape();
        let (n, m) = (x.shape().0, y.shape().0);
        if n != m || N != self.shape.numbers() {
            let expected = format!("{n} points of dimension {}", self.shape.numbers());
            return Err(Error::shape(
                "targets of a perceptual cost",
                expected,
                format!("{m} of {N}"),
            ));
        }
        let input = Cpu::input(&y);
        let (values, slopes) = self.values(&rows(x), &rows(&y), T::OWNS_TAPE && input.wanted());
        let output = y.device().tensor_from_vec(values, (n,));
        Ok(Cpu::attach(output, vec![input], tape, move |seed| {
            let mut slopes = slopes;
            for (row, seed) in slopes.chunks_exact_mut(N).zip(seed) {
                row.iter_mut().for_each(|s| *s *= seed);
            }
            vec![slopes]
        }))
    }

    fn pairwise(&self, x: &Points<N>, y: &Points<N>) -> Tensor<(usize, usize), f32, Cpu> {
        let (n, m, size) = (x.shape().0, y.shape().0, self.shape.numbers());
        assert_eq!(N, size, "a perceptual cost needs points of its images");
        let (x, y) = (rows(x), rows(y));
        let taps = |images: &[f32]| -> Vec<Vec<Map>> {
            let one = |batch| self.features.taps(self.map(batch), self.wanted);
            images.chunks(BATCH * size).map(one).collect()
        };
        let (of_x, of_y) = (taps(&x), taps(&y));
        let mut costs = vec![0.0; n * m];
        costs.par_chunks_mut(m).enumerate().for_each(|(i, line)| {
            for (j, cost) in line.iter_mut().enumerate() {
                let (a, b) = (&x[i * size..(i + 1) * size], &y[j * size..(j + 1) * size]);
                let mut sum = self.pixels(a, b);
                let both = of_x[i / BATCH].iter().zip(&of_y[j / BATCH]);
                for ((a, b), weight) in both.zip(self.weights.taps) {
                    let numbers = a.numbers();
                    let at = |map: &'_ Map, k: usize| k % BATCH * map.numbers();
                    let (p, q) = (at(a, i), at(b, j));
                    let (a, b) = (&a.values[p..p + numbers], &b.values[q..q + numbers]);
                    sum += f64::from(weight) * squares(a, b) / numbers as f64;
                }
                *cost = sum as f32;
            }
        });
        Cpu::default().tensor_from_vec(costs, (n, m))
    }
}
