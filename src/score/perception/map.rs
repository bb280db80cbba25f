//! What passes through a network of features.

use rayon::prelude::*;

use crate::data::ImageShape;
use crate::error::{Error, Result};

/// Feature maps of `n` images, channels last: `[n, H, W, C]`.
#[derive(Clone, Debug)]
pub(super) struct Map {
    pub(super) n: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) values: Vec<f32>,
}

impl Map {
    pub(super) fn zeros(n: usize, [height, width]: [usize; 2], channels: usize) -> Self {
        Self { n, height, width, channels, values: vec![0.0; n * height * width * channels] }
    }

    /// Images in planes, `[n, 3, H, W]`, each channel mapped to (v − shift) / scale.
    pub(super) fn from_planes(
        shape: ImageShape,
        rows: &[f32],
        shift: [f32; 3],
        scale: [f32; 3],
    ) -> Self {
        let plane = shape.height * shape.width;
        let mut map = Self::zeros(rows.len() / (3 * plane), [shape.height, shape.width], 3);
        for (to, from) in map.values.chunks_exact_mut(3 * plane).zip(rows.chunks_exact(3 * plane)) {
            for (p, pixel) in to.chunks_exact_mut(3).enumerate() {
                let one = |c: usize| (from[c * plane + p] - shift[c]) / scale[c];
                pixel.copy_from_slice(&[one(0), one(1), one(2)]);
            }
        }
        map
    }

    /// The gradient in the rows of [`from_planes`](Self::from_planes), given that in the map.
    pub(super) fn to_planes(&self, scale: [f32; 3]) -> Vec<f32> {
        let plane = self.positions();
        let mut rows = vec![0.0; self.values.len()];
        for (to, from) in rows.chunks_exact_mut(3 * plane).zip(self.values.chunks_exact(3 * plane))
        {
            for (p, pixel) in from.chunks_exact(3).enumerate() {
                (0..3).for_each(|c| to[c * plane + p] = pixel[c] / scale[c]);
            }
        }
        rows
    }

    pub(super) fn positions(&self) -> usize {
        self.height * self.width
    }

    /// Numbers of one image.
    pub(super) fn numbers(&self) -> usize {
        self.positions() * self.channels
    }

    /// The images one by one.
    pub(super) fn samples(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.numbers())
    }

    /// The mean over positions, `[n, C]`.
    pub(super) fn means(&self) -> Vec<f32> {
        let share = 1.0 / self.positions() as f64;
        let one = |image: &[f32]| {
            let mut sums = vec![0.0; self.channels];
            for pixel in image.chunks_exact(self.channels) {
                sums.iter_mut().zip(pixel).for_each(|(s, v)| *s += f64::from(*v));
            }
            sums.into_iter().map(|s| (s * share) as f32).collect::<Vec<_>>()
        };
        self.samples().flat_map(one).collect()
    }

    /// The maps side by side over channels; all of one size.
    pub(super) fn joined(maps: &[Self]) -> Self {
        let channels = maps.iter().map(|m| m.channels).sum();
        let Some(first) = maps.first() else { return Self::zeros(0, [0; 2], 0) };
        let mut out = Self::zeros(first.n, [first.height, first.width], channels);
        let mut at = 0;
        for map in maps {
            let pixels = out.values.par_chunks_exact_mut(channels).with_min_len(1024);
            pixels.zip(map.values.par_chunks_exact(map.channels)).for_each(|(to, from)| {
                to[at..at + map.channels].copy_from_slice(from);
            });
            at += map.channels;
        }
        out
    }

    /// The images in another size by bilinear interpolation, corners not aligned (as PyTorch's
    /// `interpolate` does without antialiasing).
    pub(super) fn resized(&self, height: usize, width: usize) -> Self {
        if (self.height, self.width) == (height, width) {
            return self.clone();
        }
        let columns = stations(self.width, width);
        let lines = stations(self.height, height);
        let mut out = Self::zeros(self.n, [height, width], self.channels);
        let (c, numbers) = (self.channels, out.numbers());
        let images = out.values.par_chunks_exact_mut(numbers);
        images.zip(self.values.par_chunks_exact(self.numbers())).for_each(|(to, from)| {
            for (p, pixel) in to.chunks_exact_mut(c).enumerate() {
                let (top, low, v) = lines[p / width];
                let (left, right, u) = columns[p % width];
                let at = |y: usize, x: usize| &from[(y * self.width + x) * c..][..c];
                let corners = at(top, left).iter().zip(at(top, right));
                let lower = at(low, left).iter().zip(at(low, right));
                for ((to, (a, b)), (d, e)) in pixel.iter_mut().zip(corners).zip(lower) {
                    let (above, below) = (a + u * (b - a), d + u * (e - d));
                    *to = above + v * (below - above);
                }
            }
        });
        out
    }
}

/// For each of `to` positions the two of `from` positions between which it lies, and the share of the
/// second.
fn stations(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let scale = from as f64 / to as f64;
    let one = |i: usize| {
        let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
        let low = (at as usize).min(from - 1);
        (low, (low + 1).min(from - 1), (at - low as f64) as f32)
    };
    (0..to).map(one).collect()
}

/// Refuses rows that are not whole images of three channels, at least one, or hold NaN; the number of images.
pub(super) fn check_images(what: &str, shape: ImageShape, rows: &[f32]) -> Result<usize> {
    let size = shape.numbers();
    if shape.channels != 3 || size == 0 || rows.is_empty() || !rows.len().is_multiple_of(size) {
        let found = format!("{} numbers for {shape:?}", rows.len());
        return Err(Error::shape(what, "whole images of three channels, at least one", found));
    }
    match rows.iter().position(|v| !v.is_finite()) {
        None => Ok(rows.len() / size),
        Some(i) => Err(Error::NonFinite {
            what: format!("number {} of image {} of {what}", i % size, i / size),
            value: rows[i].into(),
            step: None,
            remedy: "look at what made the images",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resizing_as_torch_does() {
        let x = Map { n: 1, height: 1, width: 2, channels: 1, values: vec![0.0, 1.0] };
        // torch.nn.functional.interpolate(mode="bilinear", align_corners=False)
        assert_eq!(x.resized(2, 4).values, [0.0, 0.25, 0.75, 1.0, 0.0, 0.25, 0.75, 1.0]);
        let wide = Map { width: 4, values: vec![0.0, 1.0, 2.0, 3.0], ..x.clone() };
        assert_eq!(wide.resized(1, 2).values, [0.5, 2.5]);
        // Positions 1/6, 3/2 and 17/6: at distance 4/3 from each other.
        let three = wide.resized(1, 3).values;
        let wanted = [1.0 / 6.0, 1.5, 17.0 / 6.0];
        assert!(three.iter().zip(wanted).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6));
        assert_eq!(wide.resized(1, 4).values, wide.values);
    }
}
