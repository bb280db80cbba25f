//! Images in rows: sources, what a map makes of them, and samples of the target.

use std::path::Path;

use super::page::{draw_page, Anchor, Font};
use super::raster::Raster;
use crate::data::Images;
use crate::error::{Error, Result};
use crate::files::write_atomically;

const MARGIN: f64 = 14.0;

/// A row of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRow {
    /// What stands beside it.
    pub label: String,
    /// Its images, from left to right.
    pub images: Images,
}

/// Rows of images, such as input, output and target.
///
/// The PNG form has the pixels alone, without text, for other tools; the SVG form holds the same PNG
/// with labels beside its rows, in one file.
///
/// ```
/// use brenier::data::{ImageShape, Images};
/// use brenier::plot::ImageGrid;
/// let shape = ImageShape { channels: 1, height: 2, width: 2 };
/// let images = Images::new(shape, vec![0, 255, 255, 0, 9, 9, 9, 9])?;
/// let grid = ImageGrid::before_after(images.clone(), images);
/// assert_eq!(grid.to_png()?[..4], *b"\x89PNG");
/// assert!(grid.to_svg()?.contains("before"));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ImageGrid {
    /// Above the rows of the SVG form; blank for none.
    pub title: String,
    /// At least one; they may differ in the number and the size of their images.
    pub rows: Vec<ImageRow>,
    /// Side of the square that shows one pixel.
    pub scale: usize,
    /// White pixels between images.
    pub gap: usize,
}

impl ImageGrid {
    /// Rows with their labels, pixels shown as squares of side 2.
    pub fn new(rows: impl IntoIterator<Item = (impl Into<String>, Images)>) -> Self {
        let row = |(label, images): (_, Images)| ImageRow { label: Into::into(label), images };
        Self { title: String::new(), rows: rows.into_iter().map(row).collect(), scale: 2, gap: 2 }
    }

    /// Images over what became of them.
    pub fn before_after(before: Images, after: Images) -> Self {
        Self::new([("before", before), ("after", after)])
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// [`Error::Plot`] if there is no image, or the picture would be larger than 32768 pixels on a side.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let path = Path::new("the image grid");
        self.paint(path)?.0.to_png(path)
    }

    /// The text of an SVG file with the PNG in it.
    ///
    /// # Errors
    /// As [`to_png`](Self::to_png).
    pub fn to_svg(&self) -> Result<String> {
        self.svg(Path::new("the image grid"))
    }

    /// Writes the PNG form; folders are created, an older file is replaced atomically.
    ///
    /// # Errors
    /// As [`to_png`](Self::to_png), and [`Error::Io`] if the file cannot be written.
    pub fn write_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, &self.paint(path)?.0.to_png(path)?)
    }

    /// Writes the SVG form in the same way.
    ///
    /// # Errors
    /// As [`write_png`](Self::write_png).
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        write_atomically(path, self.svg(path)?.as_bytes())
    }

    /// The canvas, and the middle of each row on it.
    fn paint(&self, path: &Path) -> Result<(Raster, Vec<f64>)> {
        let Self { rows, scale, gap, .. } = self;
        if *scale == 0 || rows.iter().all(|r| r.images.is_empty()) {
            let problem = "no image to show".into();
            return Err(Error::Plot { path: path.into(), problem });
        }
        let size = |r: &ImageRow| {
            let shape = r.images.shape();
            (r.images.len() * (shape.width * scale + gap) + gap, shape.height * scale + gap)
        };
        let width = rows.iter().map(|r| size(r).0).max().unwrap_or_default();
        let height = gap + rows.iter().map(|r| size(r).1).sum::<usize>();
        let mut canvas = Raster::new(width, height, path)?;
        let (mut top, mut middles) = (*gap, Vec::new());
        for row in rows {
            let shape = row.images.shape();
            for (i, image) in row.images.iter().enumerate() {
                canvas.image(shape, image, gap + i * (shape.width * scale + gap), top, *scale);
            }
            middles.push(top as f64 + 0.5 * (shape.height * scale) as f64);
            top += shape.height * scale + gap;
        }
        Ok((canvas, middles))
    }

    fn svg(&self, path: &Path) -> Result<String> {
        let (canvas, middles) = self.paint(path)?;
        let (width, height) = (canvas.width as f64, canvas.height as f64);
        let labels = self.rows.iter().map(|r| Font::LABEL.width(&r.label));
        let left = MARGIN + labels.fold(0.0, f64::max) + 8.0;
        let title = Font::TITLE.wrap(&self.title, (left + width - MARGIN).max(80.0));
        let top = MARGIN + title.len() as f64 * Font::TITLE.line();
        let size = (left + width + MARGIN, top + height + MARGIN);
        let svg = draw_page(size, path, |page| {
            page.block(&title, MARGIN, MARGIN, Font::TITLE)?;
            self.rows.iter().zip(&middles).try_for_each(|(row, middle)| {
                page.text(&row.label, (left - 8.0, top + middle), Font::LABEL, Anchor::Right)
            })
        })?;
        Ok(with_png(&svg, &canvas.to_png(path)?, [left, top, width, height]))
    }
}

/// The SVG text with a PNG laid on it at `[left, top, width, height]`, in points.
pub(super) fn with_png(svg: &str, png: &[u8], [left, top, width, height]: [f64; 4]) -> String {
    use super::page::UNITS;
    let image = format!(
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" style=\"image-rendering:pixelated\" \
         href=\"data:image/png;base64,{}\"/>\n</svg>",
        left * UNITS,
        top * UNITS,
        width * UNITS,
        height * UNITS,
        base64(png)
    );
    match svg.rfind("</svg>") {
        Some(end) => format!("{}{image}{}", &svg[..end], &svg[end + "</svg>".len()..]),
        None => svg.into(),
    }
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for k in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * k) & 63) as usize];
            out.push(if k <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn the_vectors_of_the_standard() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
