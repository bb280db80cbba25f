//! Image files, decoded within bounds of memory.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

use crate::error::{Error, Result};

/// Longest side of an image file.
const LONGEST: u32 = 1 << 16;
/// Memory that the pixels of one file may take.
const MEMORY: u64 = 1 << 30;
/// Bytes of pixels that a byte of a file can stand for: the best that deflate can do is 1032.
const DENSEST: u64 = 1100;

/// A PNG or JPEG file in RGB, laid on white where it is transparent.
pub(super) fn rgb(path: &Path) -> Result<RgbImage> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("look at", path))?.len();
    let reader = ImageReader::new(BufReader::new(file)).with_guessed_format();
    let mut reader = reader.map_err(Error::io("read", path))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    let bad = |e: image::ImageError| Error::format(path, e);
    let decoder = reader.into_decoder().map_err(bad)?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MEMORY.min(4096 + DENSEST * length) || width == 0 || height == 0 {
        let problem = format!("announces {width} × {height} pixels in {length} bytes");
        return Err(Error::format(path, problem));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(bad)?;
    Ok(if image.color().has_alpha() { on_white(&image) } else { image.into_rgb8() })
}

fn on_white(image: &DynamicImage) -> RgbImage {
    let image = image.to_rgba8();
    let mut out = RgbImage::new(image.width(), image.height());
    for (to, from) in out.pixels_mut().zip(image.pixels()) {
        let [r, g, b, alpha] = from.0.map(u32::from);
        let over = |v: u32| ((v * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        to.0 = [r, g, b].map(over);
    }
    out
}
