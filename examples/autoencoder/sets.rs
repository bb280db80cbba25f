//! Images to compress.

use std::path::Path;

use brenier::data::{read_cifar_sheet, ImageShape, Images, Layout, Npz};
use brenier::prelude::*;
use clap::ValueEnum;

pub const OLIVETTI: &str = "images/olivetti64.npz";
pub const CIFAR: &str = "test_batch.png";

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Set {
    /// 400 photographs of 40 persons; the last two of each ten are held out.
    Olivetti,
    /// The sheet of test images of CIFAR-10; every fifth is held out.
    Cifar,
}

impl Set {
    pub fn file(self) -> &'static str {
        match self {
            Self::Olivetti => OLIVETTI,
            Self::Cifar => CIFAR,
        }
    }

    /// Images to train and to test, in three planes.
    pub fn read(self, data: &Path, side: usize) -> Result<[Images; 2]> {
        let path = data.join(self.file());
        let (images, period, trained) = match self {
            Self::Cifar => (read_cifar_sheet(&path)?.resized(side, side)?, 5, 4),
            Self::Olivetti => {
                let grey = Images::from_array(Npz::open(&path)?.array("x")?, Layout::Grey)?;
                let grey = grey.resized(side, side)?;
                let shape = ImageShape { channels: 3, height: side, width: side };
                let planes = grey.iter().flat_map(|plane| [plane; 3].concat()).collect();
                (Images::new(shape, planes)?, 10, 8)
            }
        };
        let part = |test: bool| {
            let chosen = (0..images.len()).filter(|i| (i % period >= trained) == test);
            images.select(&chosen.collect::<Vec<_>>())
        };
        Ok([part(false)?, part(true)?])
    }
}
