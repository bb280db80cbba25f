//! Two classes of CIFAR-10.

use std::fmt;
use std::path::Path;

use brenier::data::{read_cifar_binary, Cifar, Images};
use brenier::prelude::*;
use clap::ValueEnum;

use crate::pairs::Pair;

/// The file with the images to test.
pub const TEST: &str = "test_batch.bin";

/// The classes in the order of their labels.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Class {
    Airplane,
    Automobile,
    Bird,
    Cat,
    Deer,
    Dog,
    Frog,
    Horse,
    Ship,
    Truck,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// The images of two classes from the five batches to train and the one to test.
pub fn read(folder: &Path, source: Class, target: Class) -> Result<Pair> {
    let of = |file: &str| -> Result<[Images; 2]> {
        let (images, labels) = read_cifar_binary(&folder.join(file), Cifar::Ten)?;
        let of = |class: Class| {
            let chosen = (0..labels.len()).filter(|i| labels[*i] == class as u8);
            images.select(&chosen.collect::<Vec<_>>())
        };
        Ok([of(source)?, of(target)?])
    };
    let [mut p, mut q] = [Vec::new(), Vec::new()];
    let test = of(TEST)?;
    for i in 1..=5 {
        let [a, b] = of(&format!("data_batch_{i}.bin"))?;
        p.extend_from_slice(a.pixels());
        q.extend_from_slice(b.pixels());
    }
    let shape = test[0].shape();
    let train = [Images::new(shape, p)?, Images::new(shape, q)?];
    Ok(Pair { train, test, paired: false })
}
