//! Two sets of images in colour, to train and to test.

use std::path::Path;

use anyhow::ensure;
use brenier::data::{
    read_idx, read_image_folder, Array, BadFile, FolderConfig, ImageShape, Images, Layout, Npz,
};
use brenier::prelude::*;

/// The file of the emoji.
pub const EMOJI: &str = "images/emoji32_noto_twemoji.npz";
/// Of so many images one is held out.
const HELD_OUT: usize = 10;

/// A source and a target.
pub struct Pair {
    pub train: [Images; 2],
    pub test: [Images; 2],
    /// Whether the test images belong together.
    pub paired: bool,
}

impl Pair {
    /// Images that belong together one by one: every tenth pair is held out, and of the others the even
    /// ones train the source and the odd ones the target, so that training sees no pair.
    fn of_partners(source: &Images, target: &Images) -> Result<Self> {
        let (mut even, mut odd, mut held_out) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..source.len().min(target.len()) {
            match (i % HELD_OUT == HELD_OUT - 1, i % 2) {
                (true, _) => held_out.push(i),
                (_, 0) => even.push(i),
                _ => odd.push(i),
            }
        }
        Ok(Self {
            train: [source.select(&even)?, target.select(&odd)?],
            test: [source.select(&held_out)?, target.select(&held_out)?],
            paired: true,
        })
    }

    /// Two sets of which every tenth image is held out.
    fn of_sets(source: &Images, target: &Images) -> Result<Self> {
        let part = |all: &Images, held_out: bool| {
            let chosen = (0..all.len()).filter(|i| (i % HELD_OUT == HELD_OUT - 1) == held_out);
            all.select(&chosen.collect::<Vec<_>>())
        };
        Ok(Self {
            train: [part(source, false)?, part(target, false)?],
            test: [part(source, true)?, part(target, true)?],
            paired: false,
        })
    }

    /// Emoji of Noto and of Twemoji without variants of skin, paired by their code points.
    pub fn emoji(data: &Path, side: usize) -> Result<Self> {
        let mut archive = Npz::open(&data.join(EMOJI))?;
        let variants: Array<u8> = archive.array("is_skin_variant")?;
        let plain: Vec<usize> =
            (0..variants.values.len()).filter(|i| variants.values[*i] == 0).collect();
        let mut read = |name| {
            let all = Images::from_array(archive.array(name)?, Layout::ChannelsLast)?;
            all.select(&plain)?.resized(side, side)
        };
        Self::of_partners(&read("noto")?, &read("twemoji")?)
    }

    /// Shoes (sandals, sneakers, boots) and bags of Fashion-MNIST, from its four IDX files, compressed or not.
    pub fn clothes(data: &Path, side: usize) -> anyhow::Result<Self> {
        let read = |part: &str| -> anyhow::Result<[Images; 2]> {
            let images: Array<u8> = read_idx(&idx(data, &format!("{part}-images-idx3-ubyte")))?;
            let labels: Array<u8> = read_idx(&idx(data, &format!("{part}-labels-idx1-ubyte")))?;
            let images = in_planes(Images::from_array(images, Layout::Grey)?, side)?;
            ensure!(images.len() == labels.values.len(), "{part}: not as many labels as images");
            let of = |wanted: &[u8]| {
                let chosen = (0..images.len()).filter(|i| wanted.contains(&labels.values[*i]));
                images.select(&chosen.collect::<Vec<_>>())
            };
            Ok([of(&[5, 7, 9])?, of(&[8])?])
        };
        Ok(Self { train: read("train")?, test: read("t10k")?, paired: false })
    }

    /// Two folders of image files; with `paired` the files belong together in the order of their names.
    pub fn folders(
        source: &Path,
        target: &Path,
        side: usize,
        paired: bool,
    ) -> anyhow::Result<Self> {
        let config = FolderConfig { bad: BadFile::Skip, ..FolderConfig::square(side) };
        let read = |folder: &Path| -> anyhow::Result<Images> {
            let found = read_image_folder(folder, &config)?;
            for (file, problem) in &found.skipped {
                println!("left out {}: {problem}", file.display());
            }
            let n = found.images.len();
            ensure!(n >= 2 * HELD_OUT, "{}: {n} images, {} wanted", folder.display(), 2 * HELD_OUT);
            Ok(found.images)
        };
        let (source, target) = (read(source)?, read(target)?);
        match paired {
            true => {
                let (n, m) = (source.len(), target.len());
                ensure!(n == m, "paired folders with {n} and {m} images");
                Ok(Self::of_partners(&source, &target)?)
            }
            false => Ok(Self::of_sets(&source, &target)?),
        }
    }
}

/// The path of an IDX file, compressed if there is no plain one.
pub fn idx(data: &Path, name: &str) -> std::path::PathBuf {
    let plain = data.join(name);
    match plain.exists() {
        true => plain,
        false => data.join(format!("{name}.gz")),
    }
}

/// Grey images in three equal planes of another size.
fn in_planes(grey: Images, side: usize) -> Result<Images> {
    let grey = grey.resized(side, side)?;
    let shape = ImageShape { channels: 3, height: side, width: side };
    Images::new(shape, grey.iter().flat_map(|plane| [plane; 3].concat()).collect())
}
