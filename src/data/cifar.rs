//! CIFAR images in their two forms: records of bytes, and sheets of PNG.

use std::path::Path;

use super::decode::rgb;
use super::images::{ImageShape, Images};
use super::{Array, Layout};
use crate::error::{Error, Result};

const SIDE: usize = 32;
const SHAPE: ImageShape = ImageShape { channels: 3, height: SIDE, width: SIDE };

/// Which of the two sets: how many bytes of labels a record starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cifar {
    /// One label a record.
    Ten,
    /// A coarse and a fine label a record; the fine one is taken.
    Hundred,
}

impl Cifar {
    fn labels(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    fn classes(self) -> u8 {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }
}

/// Images and the number of the class of each from a binary batch (`data_batch_1.bin`, `test.bin`).
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it does not consist of whole records
/// or a label is out of range.
pub fn read_cifar_binary(path: &Path, set: Cifar) -> Result<(Images, Vec<u8>)> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let record = set.labels() + SHAPE.numbers();
    if bytes.is_empty() || bytes.len() % record != 0 {
        let problem = format!("{} bytes are no whole number of records of {record}", bytes.len());
        return Err(Error::format(path, problem));
    }
    let (mut pixels, mut labels) = (Vec::with_capacity(bytes.len()), Vec::new());
    for (i, record) in bytes.chunks_exact(record).enumerate() {
        let (head, image) = record.split_at(set.labels());
        let label = head[set.labels() - 1];
        if label >= set.classes() {
            return Err(Error::format(path, format_args!("record {i} has label {label}")));
        }
        labels.push(label);
        pixels.extend_from_slice(image);
    }
    Ok((Images::new(SHAPE, pixels)?, labels))
}

/// Images from a PNG sheet: row `i` of the sheet holds the 32 × 32 pixels of image `i` in RGB, line after
/// line. Sheets of several batches are read one by one.
///
/// # Errors
/// [`Error::Io`], [`Error::Format`] if it is no PNG file or its rows are not of 1024 pixels.
pub fn read_cifar_sheet(path: &Path) -> Result<Images> {
    let sheet = rgb(path)?;
    let (width, height) = (sheet.width() as usize, sheet.height() as usize);
    if width != SIDE * SIDE {
        let problem = format!("rows of {width} pixels, {} wanted", SIDE * SIDE);
        return Err(Error::format(path, problem));
    }
    let array = Array::new(vec![height, SIDE, SIDE, 3], sheet.into_raw())?;
    Images::from_array(array, Layout::ChannelsLast)
}

/// A list of labels in JSON, `[6, 9, 9, …]`, as it lies beside CIFAR sheets.
///
/// # Errors
/// [`Error::Io`], [`Error::Format`] if the file is no list of numbers from 0 to 255.
pub fn read_label_list(path: &Path) -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let inside = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let inside = inside.ok_or_else(|| Error::format(path, "not a list: no brackets around it"))?;
    if inside.trim().is_empty() {
        return Ok(Vec::new());
    }
    let parse = |(i, part): (usize, &str)| {
        let part = part.trim();
        part.parse()
            .map_err(|_| Error::format(path, format_args!("entry {i} is {part:.40?}, not a label")))
    };
    inside.split(',').enumerate().map(parse).collect()
}
