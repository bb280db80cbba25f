//! How good a stored velocity is, and the tables of all runs.

use std::path::{Path, PathBuf};

use brenier::neural::path_energy;
use brenier::prelude::*;
use brenier::train::{write_atomically, MeanDeviation};
use serde::{Deserialize, Serialize};

use crate::data::{grid, Emnist, PAIRS, PIXELS};
use crate::features::{Features, Reference};
use crate::fields::Field;
use crate::perceived::Perceived;
use crate::settings::Settings;
use crate::training::stored;

/// Scores of a run at a step, on the test digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub method: String,
    pub seed: u64,
    pub step: u64,
    /// Fréchet distances of the images of each digit to the letters that they should become.
    pub frechet_0_o: f64,
    pub frechet_1_i: f64,
    pub frechet_8_b: f64,
    /// Their mean.
    pub frechet_mean: f64,
    /// Of all images to all test letters.
    pub frechet_overall: f64,
    /// The first four on the features of AlexNet, if its weights are given.
    #[serde(default)]
    pub alexnet_0_o: Option<f64>,
    #[serde(default)]
    pub alexnet_1_i: Option<f64>,
    #[serde(default)]
    pub alexnet_8_b: Option<f64>,
    #[serde(default)]
    pub alexnet_mean: Option<f64>,
    /// Part of the images that the classifier takes for the right letter.
    pub right: f64,
    /// mean |T(x) − x|² / 256.
    pub transport_cost: f64,
    /// E ∫|v|² dt / 256.
    pub path_energy: f64,
    pub evaluations: f64,
}

impl Record {
    fn by_pair(&self) -> [f64; 3] {
        [self.frechet_0_o, self.frechet_1_i, self.frechet_8_b]
    }

    fn perceived(&self) -> [Option<f64>; 4] {
        [self.alexnet_0_o, self.alexnet_1_i, self.alexnet_8_b, self.alexnet_mean]
    }
}

/// What images are judged by.
pub struct Judges {
    pub features: Features,
    pub reference: Reference,
    pub perceived: Option<Perceived>,
}

/// Where the picture of a step is.
pub fn picture(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("images-{step}.svg"))
}

/// Scores the velocity that was stored at `step`, and draws the images of a few digits.
pub fn evaluate<V: Field>(
    settings: &Settings,
    (seed, step): (u64, u64),
    data: &Emnist,
    judges: &Judges,
    folder: &Path,
) -> anyhow::Result<Record> {
    let Judges { features, reference, perceived } = judges;
    let mut v: V = build(Key::new(0));
    weights::load(&stored(folder, step), &mut v)?;
    let digits = &data.test_digits;
    let x = points::<PIXELS>(digits.images.clone())?;
    let moved = path_energy(&v, &settings.integration(), &x, &())?;
    let image = |i: usize| &moved.end[i * PIXELS..(i + 1) * PIXELS];
    let (mut by_pair, mut alexnet) = ([0.0; 3], [None; 3]);
    for pair in 0..3 {
        let of = (0..digits.count()).filter(|i| digits.pairs[*i] == pair);
        let images: Vec<f32> = of.flat_map(image).copied().collect();
        by_pair[pair] = features.statistics(&images)?.distance(&reference.by_pair[pair])?;
        alexnet[pair] = perceived.as_ref().map(|p| p.distance(&images, pair)).transpose()?;
    }
    let classes = features.classes(&moved.end)?.into_iter().zip(&digits.pairs);
    let right = classes.filter(|(class, pair)| *class == 3 + **pair).count();
    let squares = digits.images.iter().zip(&moved.end).map(|(a, b)| f64::from(a - b).powi(2));
    let record = Record {
        method: settings.method.name.clone(),
        seed,
        step,
        frechet_0_o: by_pair[0],
        frechet_1_i: by_pair[1],
        frechet_8_b: by_pair[2],
        frechet_mean: by_pair.iter().sum::<f64>() / 3.0,
        frechet_overall: features.statistics(&moved.end)?.distance(&reference.overall)?,
        alexnet_0_o: alexnet[0],
        alexnet_1_i: alexnet[1],
        alexnet_8_b: alexnet[2],
        alexnet_mean: alexnet.into_iter().sum::<Option<f64>>().map(|all| all / 3.0),
        right: right as f64 / digits.count() as f64,
        transport_cost: squares.sum::<f64>() / digits.images.len() as f64,
        path_energy: moved.energy / PIXELS as f64,
        evaluations: moved.evaluations,
    };
    // Twelve digits of each pair over their images.
    let first = |pair| (0..digits.count()).filter(move |i| digits.pairs[*i] == pair).take(12);
    let rows = (0..3).flat_map(|pair| {
        let of = |i| digits.image(i).to_vec();
        let name = PAIRS[pair].2;
        let moved = first(pair).flat_map(image).copied().collect();
        [(String::new(), first(pair).flat_map(of).collect()), (name.to_owned(), moved)]
    });
    grid(rows.collect())?.write_svg(picture(folder, step))?;
    let text = serde_json::to_string_pretty(&record)?;
    write_atomically(&folder.join(format!("scores-{step}.json")), text.as_bytes())?;
    Ok(record)
}

/// The stored scores of a run at a step; none if it was not evaluated.
pub fn read(folder: &Path, step: u64) -> anyhow::Result<Option<Record>> {
    match std::fs::read(folder.join(format!("scores-{step}.json"))) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The folders of all runs below `out`, by name.
pub fn runs(out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = std::fs::read_dir(out.join("runs"))?.map(|entry| Ok(entry?.path()));
    let mut found = found.collect::<std::io::Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

/// Writes `scores.csv` of all runs below `out`; returns the means over seeds as a Markdown table.
pub fn tables(out: &Path) -> anyhow::Result<String> {
    let mut records: Vec<Record> = Vec::new();
    for folder in runs(out)? {
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.starts_with("scores-") {
                records.push(serde_json::from_slice(&std::fs::read(&path)?)?);
            }
        }
    }
    records.sort_by(|a, b| (&a.method, a.step, a.seed).cmp(&(&b.method, b.step, b.seed)));
    let mut csv = csv::Writer::from_writer(Vec::new());
    records.iter().try_for_each(|r| csv.serialize(r))?;
    write_atomically(&out.join("scores.csv"), &csv.into_inner()?)?;

    let pairs = PAIRS.map(|(_, _, name)| name).join(" | ");
    let mut table = format!(
        "| method | step | seeds | {pairs} | mean | overall | right letter | transport cost | \
         evaluations | AlexNet: {pairs} | mean |\n|{}\n",
        "---|".repeat(15)
    );
    for same in records.chunk_by(|a, b| (&a.method, a.step) == (&b.method, b.step)) {
        let mean = |of: &dyn Fn(&Record) -> f64| {
            let all = MeanDeviation::of(same.iter().map(of));
            all.map_or_else(String::new, |m| m.to_string())
        };
        table += &format!("| {} | {} | {} ", same[0].method, same[0].step, same.len());
        for pair in 0..3 {
            table += &format!("| {} ", mean(&|r| r.by_pair()[pair]));
        }
        let rest: [&dyn Fn(&Record) -> f64; 5] = [
            &|r| r.frechet_mean,
            &|r| r.frechet_overall,
            &|r| r.right,
            &|r| r.transport_cost,
            &|r| r.evaluations,
        ];
        rest.iter().for_each(|of| table += &format!("| {} ", mean(of)));
        for k in 0..4 {
            let all: Option<Vec<f64>> = same.iter().map(|r| r.perceived()[k]).collect();
            let mean = all.and_then(MeanDeviation::of).map_or("–".into(), |m| m.to_string());
            table += &format!("| {mean} ");
        }
        table += "|\n";
    }
    Ok(table)
}
