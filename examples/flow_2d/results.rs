//! The files that the runs leave.

use std::fmt;
use std::path::Path;

use brenier::train::{write_atomically, MeanDeviation};
use serde::{Deserialize, Serialize};

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub run: String,
    pub source: String,
    pub target: String,
    pub coupling: String,
    pub seed: u64,
    pub settings: String,
    /// Of training.
    pub seconds: f64,
    /// W₂² between fresh points of source and target.
    pub w2_squared: f64,
    /// E ∫|v|² dt.
    pub path_energy: f64,
    pub normalised_path_energy: f64,
    /// Mean length of the paths over the mean distance of their ends.
    pub bend: f64,
    /// W₂² between images and fresh points of the target.
    pub error: f64,
    /// The same for 20 Euler steps.
    pub euler_error: f64,
    /// W₂² between two draws of the target.
    pub sampling_error: f64,
    /// Evaluations of the velocity by the adaptive method.
    pub evaluations: f64,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: NPE {:.4}, W2² {:.4} (Euler-20 {:.4}, sampling {:.4}), bend {:.3}, {:.0} s",
            self.run,
            self.normalised_path_energy,
            self.error,
            self.euler_error,
            self.sampling_error,
            self.bend,
            self.seconds
        )
    }
}

impl Record {
    /// The record of a run that was finished before; none if there is no such file.
    pub fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        match std::fs::read(folder.join("record.json")) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        Ok(write_atomically(&folder.join("record.json"), text.as_bytes())?)
    }
}

/// Writes `runs.csv`; returns the means over seeds as a Markdown table.
pub fn write(out: &Path) -> anyhow::Result<String> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(out.join("runs"))? {
        records.extend(Record::read(&entry?.path())?);
    }
    records.sort_by(|a, b| (&a.run, a.seed).cmp(&(&b.run, b.seed)));
    let mut csv = csv::Writer::from_writer(Vec::new());
    for record in &records {
        csv.serialize(record)?;
    }
    write_atomically(&out.join("runs.csv"), &csv.into_inner()?)?;

    let mut table = String::from(
        "| measures | pairs | seeds | normalised path energy | W2² | W2², Euler-20 | sampling | \
         evaluations | bend |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let key = |r: &Record| (r.source.clone(), r.target.clone(), r.coupling.clone());
    let mut keys: Vec<_> = records.iter().map(key).collect();
    keys.dedup();
    for k in keys {
        let same: Vec<&Record> = records.iter().filter(|r| key(r) == k).collect();
        let mean = |of: fn(&Record) -> f64| {
            let all = MeanDeviation::of(same.iter().map(|r| of(r)));
            all.map_or_else(String::new, |m| m.to_string())
        };
        table += &format!(
            "| {} → {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            k.0,
            k.1,
            k.2,
            same.len(),
            mean(|r| r.normalised_path_energy),
            mean(|r| r.error),
            mean(|r| r.euler_error),
            mean(|r| r.sampling_error),
            mean(|r| r.evaluations),
            mean(|r| r.bend),
        );
    }
    Ok(table)
}
