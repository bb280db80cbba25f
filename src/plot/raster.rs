//! Pictures of pixels: a canvas, and its PNG file.

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::data::ImageShape;
use crate::error::{Error, Result};

/// Longest side of a picture.
const LONGEST: usize = 1 << 15;

/// A canvas in RGB, line by line.
#[derive(Clone, Debug)]
pub(super) struct Raster {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Raster {
    /// A white canvas. `path` is for the error message.
    pub(super) fn new(width: usize, height: usize, path: &Path) -> Result<Self> {
        if width == 0 || height == 0 || width > LONGEST || height > LONGEST {
            let problem = format!("{width} × {height} pixels; sides are 1 to {LONGEST}");
            return Err(Error::Plot { path: path.into(), problem });
        }
        Ok(Self { width, height, pixels: vec![[255; 3]; width * height] })
    }

    /// Colours a pixel, if it is there.
    pub(super) fn put(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            self.pixels[y * self.width + x] = colour;
        }
    }

    /// An image `[C, H, W]` with its pixels as squares of side `scale`; of one channel in grey, of two
    /// or more the first three, missing ones black.
    pub(super) fn image(
        &mut self,
        shape: ImageShape,
        image: &[u8],
        left: usize,
        top: usize,
        scale: usize,
    ) {
        let plane = shape.height * shape.width;
        for p in 0..plane {
            let channel = |c: usize| image.get(c * plane + p).copied().unwrap_or(0);
            let colour = match shape.channels {
                1 => [channel(0); 3],
                _ => [0, 1, 2].map(channel),
            };
            let (x, y) = (left + p % shape.width * scale, top + p / shape.width * scale);
            for dy in 0..scale {
                (0..scale).for_each(|dx| self.put(x + dx, y + dy, colour));
            }
        }
    }

    /// Another canvas, at a place of this one.
    pub(super) fn paste(&mut self, other: &Self, left: usize, top: usize) {
        for (y, line) in other.pixels.chunks_exact(other.width).enumerate() {
            line.iter().enumerate().for_each(|(x, c)| self.put(left + x, top + y, *c));
        }
    }

    /// The convex polygon of the given corners; a pixel belongs to it if its centre does.
    pub(super) fn polygon(&mut self, corners: &[[f64; 2]], colour: [u8; 3]) {
        let bound = |k: usize, pick: fn(f64, f64) -> f64, start: f64| {
            corners.iter().map(|c| c[k]).fold(start, pick)
        };
        let top = (bound(1, f64::min, f64::INFINITY) - 0.5).ceil().max(0.0) as usize;
        let bottom = (bound(1, f64::max, f64::NEG_INFINITY) - 0.5).floor();
        for y in top..self.height {
            let line = y as f64 + 0.5;
            if y as f64 > bottom {
                break;
            }
            // Where the line meets the edges.
            let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
            for (i, a) in corners.iter().enumerate() {
                let b = &corners[(i + 1) % corners.len()];
                if (a[1] - line) * (b[1] - line) <= 0.0 && a[1] != b[1] {
                    let x = a[0] + (line - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
                    (from, to) = (from.min(x), to.max(x));
                }
            }
            let first = (from - 0.5).ceil().max(0.0);
            let mut x = first as usize;
            while first.is_finite() && x < self.width && x as f64 + 0.5 <= to {
                self.put(x, y, colour);
                x += 1;
            }
        }
    }

    /// Each square of `factor` × `factor` pixels averaged to one.
    pub(super) fn reduced(&self, factor: usize) -> Self {
        let (width, height) = (self.width / factor, self.height / factor);
        let mut pixels = Vec::with_capacity(width * height);
        for p in 0..width * height {
            let (x, y) = (p % width * factor, p / width * factor);
            let inside = (0..factor * factor)
                .map(|q| self.pixels[(y + q / factor) * self.width + x + q % factor]);
            let sum = inside.fold([0u32; 3], |s, c| [0, 1, 2].map(|k| s[k] + u32::from(c[k])));
            pixels.push(sum.map(|s| (s as usize / (factor * factor)) as u8));
        }
        Self { width, height, pixels }
    }

    /// The bytes of a PNG file.
    pub(super) fn to_png(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (width, height) = (self.width as u32, self.height as u32);
        PngEncoder::new(&mut bytes)
            .write_image(self.pixels.as_flattened(), width, height, ExtendedColorType::Rgb8)
            .map_err(|e| Error::Plot { path: path.into(), problem: e.to_string() })?;
        Ok(bytes)
    }
}
