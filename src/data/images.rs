//! Sets of images of one size.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::array::Array;
use crate::error::{check_count, Error, Result};
use crate::tensor::{points, Points};

/// Sizes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// 1 for grey, 3 for colours.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
}

impl ImageShape {
    /// C·H·W, the dimension of an image as a point.
    pub fn numbers(&self) -> usize {
        self.channels.saturating_mul(self.height).saturating_mul(self.width)
    }
}

/// The order of the axes of an array of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[n, H, W]`.
    Grey,
    /// `[n, C, H, W]`, as in PyTorch and here.
    ChannelsFirst,
    /// `[n, H, W, C]`, as in TensorFlow and most files.
    ChannelsLast,
}

/// The interval onto which the bytes 0..=255 are mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PixelRange {
    /// [0, 1].
    Unit,
    /// [−1, 1], as networks of the transport papers want it.
    #[default]
    Symmetric,
}

impl PixelRange {
    /// The number of a byte.
    pub fn number(self, byte: u8) -> f32 {
        let unit = f32::from(byte) / 255.0;
        match self {
            Self::Unit => unit,
            Self::Symmetric => 2.0 * unit - 1.0,
        }
    }

    /// The byte nearest to a number; beyond the interval the ends, and 0 for NaN.
    pub fn byte(self, number: f32) -> u8 {
        let unit = match self {
            Self::Unit => number,
            Self::Symmetric => 0.5 * (number + 1.0),
        };
        // Casts saturate.
        (unit * 255.0).round() as u8
    }
}

/// `n` images of one size in bytes, planes of channels one after the other: `[n, C, H, W]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    shape: ImageShape,
    pixels: Vec<u8>,
}

impl Images {
    /// Images from their bytes, `[n, C, H, W]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a size is zero or the bytes are not those of whole images.
    pub fn new(shape: ImageShape, pixels: Vec<u8>) -> Result<Self> {
        let size = shape.numbers();
        if size == 0 || size > isize::MAX as usize || !pixels.len().is_multiple_of(size) {
            let expected = format!("a multiple of {size} bytes, of positive sizes {shape:?}");
            return Err(Error::shape("images", expected, pixels.len()));
        }
        Ok(Self { shape, pixels })
    }

    /// Images from an array of bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] if it has another number of axes than the layout, or an axis of length zero.
    pub fn from_array(array: Array<u8>, layout: Layout) -> Result<Self> {
        let (channels, height, width) = match (layout, array.shape.as_slice()) {
            (Layout::Grey, &[_, h, w]) => (1, h, w),
            (Layout::ChannelsFirst, &[_, c, h, w]) | (Layout::ChannelsLast, &[_, h, w, c]) => {
                (c, h, w)
            }
            (_, shape) => {
                let found = format!("shape {shape:?}");
                return Err(Error::shape("array of images", format!("{layout:?}"), found));
            }
        };
        let shape = ImageShape { channels, height, width };
        let images = Self::new(shape, array.values)?;
        Ok(if layout == Layout::ChannelsLast { images.planes_from_interleaved() } else { images })
    }

    /// Images from numbers of the given interval, `[n, C·H·W]`; numbers beyond it are cut off.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_rows(shape: ImageShape, rows: &[f32], range: PixelRange) -> Result<Self> {
        Self::new(shape, rows.iter().map(|&v| range.byte(v)).collect())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.shape.numbers()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// Sizes of each of them.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// All bytes, `[n, C, H, W]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The images one by one, `[C, H, W]` each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.pixels.chunks_exact(self.shape.numbers())
    }

    /// The images of the given indices, in this order, repetitions allowed.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is missing.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let size = self.shape.numbers();
        let mut pixels = Vec::with_capacity(indices.len() * size);
        for &i in indices {
            let missing = || Error::shape("image", format!("an index below {}", self.len()), i);
            let image = self.pixels.chunks_exact(size).nth(i).ok_or_else(missing)?;
            pixels.extend_from_slice(image);
        }
        Ok(Self { shape: self.shape, pixels })
    }

    /// The images as numbers, `[n, C·H·W]`.
    pub fn rows(&self, range: PixelRange) -> Vec<f32> {
        let table: [f32; 256] = std::array::from_fn(|b| range.number(b as u8));
        self.pixels.par_iter().with_min_len(1 << 16).map(|&b| table[usize::from(b)]).collect()
    }

    /// The images as points; `N` must be C·H·W.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is not, or if there are no images.
    ///
    /// ```
    /// use brenier::data::{ImageShape, Images, PixelRange};
    /// let shape = ImageShape { channels: 1, height: 1, width: 2 };
    /// let images = Images::new(shape, vec![0, 255])?;
    /// let points = images.points::<2>(PixelRange::Symmetric)?;
    /// assert_eq!(brenier::tensor::rows(&points), [-1.0, 1.0]);
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub fn points<const N: usize>(&self, range: PixelRange) -> Result<Points<N>> {
        if N != self.shape.numbers() {
            let what = format!("images of {:?}", self.shape);
            return Err(Error::shape(what, format!("{N} numbers"), self.shape.numbers()));
        }
        points(self.rows(range))
    }

    /// The images in another size, by the triangle filter of the `image` crate (bilinear, with the
    /// support that a reduction needs against aliasing).
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a size of zero.
    pub fn resized(&self, height: usize, width: usize) -> Result<Self> {
        check_count("height of images", height)?;
        check_count("width of images", width)?;
        let ImageShape { channels, height: h, width: w } = self.shape;
        let planes = self.pixels.par_chunks_exact(h * w).map(|plane| {
            let plane = ImageBuffer::<Luma<u8>, _>::from_raw(w as u32, h as u32, plane)
                .ok_or_else(|| Error::shape("plane of an image", format!("{h} × {w}"), "less"))?;
            let filter = FilterType::Triangle;
            Ok(imageops::resize(&plane, width as u32, height as u32, filter).into_raw())
        });
        let planes: Vec<Vec<u8>> = planes.collect::<Result<_>>()?;
        Self::new(ImageShape { channels, height, width }, planes.concat())
    }

    fn planes_from_interleaved(self) -> Self {
        let (channels, plane) = (self.shape.channels, self.shape.height * self.shape.width);
        let mut pixels = vec![0; self.pixels.len()];
        let images = pixels.par_chunks_exact_mut(channels * plane);
        images.zip(self.pixels.par_chunks_exact(channels * plane)).for_each(|(to, from)| {
            for (p, pixel) in from.chunks_exact(channels).enumerate() {
                pixel.iter().enumerate().for_each(|(c, &v)| to[c * plane + p] = v);
            }
        });
        Self { pixels, ..self }
    }
}
