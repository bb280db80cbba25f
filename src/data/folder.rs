//! Folders of image files.

use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::decode::rgb;
use super::images::{ImageShape, Images};
use crate::error::{check_count, Error, Result};

/// How an image of another shape is made to fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fit {
    /// The largest rectangle of the right shape around the centre, resized.
    #[default]
    CentreCrop,
    /// The whole image, each axis resized for itself.
    Stretch,
}

/// The planes of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Planes {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Luma by Rec. 709.
    Grey,
}

/// What to do with a file that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadFile {
    /// The folder is refused, with the name of the first such file.
    #[default]
    Refuse,
    /// It is left out and listed with its problem.
    Skip,
}

/// How a folder is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderConfig {
    /// Rows of pixels wanted.
    pub height: usize,
    /// Columns of pixels wanted.
    pub width: usize,
    /// How other shapes are made to fit.
    pub fit: Fit,
    /// Which planes, in which order.
    pub planes: Planes,
    /// What to do with files that cannot be decoded.
    pub bad: BadFile,
}

impl FolderConfig {
    /// Square RGB images by central crops, bad files refused.
    pub fn square(side: usize) -> Self {
        Self {
            height: side,
            width: side,
            fit: Fit::default(),
            planes: Planes::default(),
            bad: BadFile::default(),
        }
    }
}

/// The images of a folder.
#[derive(Debug)]
pub struct ImageFolder {
    /// The images, in the order of `files`.
    pub images: Images,
    /// Where each comes from.
    pub files: Vec<PathBuf>,
    /// Files that were left out, each with what was wrong.
    pub skipped: Vec<(PathBuf, Error)>,
}

/// Reads all files ending in png, jpg or jpeg below a folder, in the order of their paths, on all
/// threads. Transparent images are laid on white; resizing is by a triangle filter.
///
/// # Errors
/// [`Error::InvalidConfig`] for a size of zero; [`Error::Io`] if the folder cannot be read;
/// [`Error::Format`] if it has no image, or with [`BadFile::Refuse`] for the first file that cannot be
/// decoded.
pub fn read_image_folder(path: &Path, config: &FolderConfig) -> Result<ImageFolder> {
    check_count("height of images", config.height)?;
    check_count("width of images", config.width)?;
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    let decoded: Vec<Result<Vec<u8>>> = files.par_iter().map(|f| one(f, config)).collect();
    let (mut pixels, mut good, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for (file, image) in files.into_iter().zip(decoded) {
        match (image, config.bad) {
            (Ok(image), _) => {
                pixels.extend(image);
                good.push(file);
            }
            (Err(problem), BadFile::Skip) => skipped.push((file, problem)),
            (Err(problem), BadFile::Refuse) => return Err(problem),
        }
    }
    if good.is_empty() {
        let problem = format!("no image in this folder ({} files left out)", skipped.len());
        return Err(Error::format(path, problem));
    }
    let channels = if config.planes == Planes::Grey { 1 } else { 3 };
    let shape = ImageShape { channels, height: config.height, width: config.width };
    Ok(ImageFolder { images: Images::new(shape, pixels)?, files: good, skipped })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io("read the folder", folder))? {
        let entry = entry.map_err(Error::io("read the folder", folder))?;
        let path = entry.path();
        // The kind of the entry itself: links to folders could lead in circles.
        if entry.file_type().map_err(Error::io("look at", &path))?.is_dir() {
            collect(&path, files)?;
        } else if is_image(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    ["png", "jpg", "jpeg"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// The bytes of one file, `[C, H, W]`.
fn one(path: &Path, config: &FolderConfig) -> Result<Vec<u8>> {
    let image = fitted(rgb(path)?, config);
    let plane = |c: usize| image.pixels().map(move |p| p.0[c]);
    Ok(match config.planes {
        Planes::Rgb => plane(0).chain(plane(1)).chain(plane(2)).collect(),
        Planes::Bgr => plane(2).chain(plane(1)).chain(plane(0)).collect(),
        Planes::Grey => imageops::grayscale(&image).into_raw(),
    })
}

fn fitted(image: RgbImage, config: &FolderConfig) -> RgbImage {
    let (w, h) = image.dimensions();
    let (width, height) = (config.width as u32, config.height as u32);
    let image = match config.fit {
        Fit::Stretch => image,
        Fit::CentreCrop => {
            // The wider of the two shapes is cut at its sides, the higher one above and below.
            let share =
                |a: u32, b: u32, c: u32| (u64::from(a) * u64::from(b) / u64::from(c)) as u32;
            let inner_width = w.min(share(h, width, height)).max(1);
            let inner_height = h.min(share(w, height, width)).max(1);
            let (x, y) = ((w - inner_width) / 2, (h - inner_height) / 2);
            imageops::crop_imm(&image, x, y, inner_width, inner_height).to_image()
        }
    };
    match image.dimensions() == (width, height) {
        true => image,
        false => imageops::resize(&image, width, height, FilterType::Triangle),
    }
}
