//! The files that the runs leave: a record each, and what is made of all records.

use std::path::{Path, PathBuf};

use brenier::plot::{Curve, CurvePicture, Scale};
use brenier::score::benchmark::{markdown_table, Report, Row, DIMENSIONS};
use brenier::score::DivergenceScore;
use brenier::train::write_atomically;
use serde::{Deserialize, Serialize};

use crate::contest::Finished;

/// A finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub report: Report,
    /// L2-UVP of the maps that need no training.
    pub identity: f64,
    pub constant: f64,
    pub linear: f64,
    /// Sinkhorn divergences of the learned and of the constant map.
    pub divergence: Option<DivergenceScore>,
    pub constant_divergence: DivergenceScore,
    /// How often the guard went back to an earlier state.
    pub rollbacks: u64,
}

/// A line of `runs.csv` and `runs.jsonl`.
#[derive(Serialize)]
struct RunLine<'a> {
    solver: &'a str,
    dimension: usize,
    seed: u64,
    outcome: String,
    diverged: bool,
    rollbacks: u64,
    steps: u64,
    seconds: f64,
    cpu_seconds: f64,
    l2_uvp_last: f64,
    l2_uvp_best: f64,
    l2_uvp_max: f64,
    cosine: f64,
    divergence: Option<f64>,
    divergence_of_constant: f64,
    epsilon: f64,
    constant: f64,
    linear: f64,
    settings: &'a str,
}

/// A line of `evaluations.csv` and `evaluations.jsonl`.
#[derive(Serialize)]
struct EvaluationLine<'a> {
    solver: &'a str,
    dimension: usize,
    seed: u64,
    step: u64,
    seconds: f64,
    cpu_seconds: f64,
    l2_uvp: f64,
    cosine: f64,
}

impl Record {
    pub fn of(finished: Finished) -> Self {
        let Finished { report, baselines: b, divergence, constant_divergence, rollbacks } =
            finished;
        let (identity, constant, linear) = (b.identity.l2_uvp, b.constant.l2_uvp, b.linear.l2_uvp);
        Self { report, identity, constant, linear, divergence, constant_divergence, rollbacks }
    }

    /// The record of a run that was finished before; none if there is no such file.
    pub fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = file(folder);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(write_atomically(&file(folder), serde_json::to_string_pretty(self)?.as_bytes())?)
    }

    fn line(&self) -> Option<RunLine<'_>> {
        let r = &self.report;
        let (last, best, max) = (r.last()?, r.best()?, r.max()?);
        Some(RunLine {
            solver: &r.solver,
            dimension: r.dimension,
            seed: r.seed,
            outcome: format!("{:?}", r.outcome),
            diverged: r.diverged(),
            rollbacks: self.rollbacks,
            steps: last.step,
            seconds: last.seconds,
            cpu_seconds: last.cpu_seconds,
            l2_uvp_last: last.l2_uvp,
            l2_uvp_best: best.l2_uvp,
            l2_uvp_max: max.l2_uvp,
            cosine: last.cosine,
            divergence: self.divergence.map(|d| d.value),
            divergence_of_constant: self.constant_divergence.value,
            epsilon: self.constant_divergence.epsilon,
            constant: self.constant,
            linear: self.linear,
            settings: &r.settings,
        })
    }

    fn evaluations(&self) -> impl Iterator<Item = EvaluationLine<'_>> {
        let r = &self.report;
        r.evaluations.iter().map(|e| EvaluationLine {
            solver: &r.solver,
            dimension: r.dimension,
            seed: r.seed,
            step: e.step,
            seconds: e.seconds,
            cpu_seconds: e.cpu_seconds,
            l2_uvp: e.l2_uvp,
            cosine: e.cosine,
        })
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("record.json")
}

/// All records below a folder, by dimension, solver and seed.
pub fn all(runs: &Path) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(runs)? {
        records.extend(Record::read(&entry?.path())?);
    }
    records.sort_by(|a, b| {
        let key = |r: &Record| (r.report.dimension, r.report.solver.clone(), r.report.seed);
        key(a).cmp(&key(b))
    });
    Ok(records)
}

/// Writes tables and pictures of all records; returns the Markdown table.
pub fn write(out: &Path, records: &[Record]) -> anyhow::Result<String> {
    let runs: Vec<_> = records.iter().filter_map(Record::line).collect();
    let evaluations: Vec<_> = records.iter().flat_map(Record::evaluations).collect();
    lines(out, "runs", &runs)?;
    lines(out, "evaluations", &evaluations)?;
    let held = |d: &usize| records.iter().any(|r| r.report.dimension == *d);
    let dimensions: Vec<usize> = DIMENSIONS.into_iter().filter(held).collect();
    let rows: Vec<Row> = records.iter().map(|r| r.report.row()).collect();
    let table = markdown_table(&rows, &dimensions);
    write_atomically(&out.join("table.md"), table.as_bytes())?;
    against_dimension(out, records, &rows)?;
    curves(out, records)?;
    Ok(table)
}

fn lines(out: &Path, name: &str, lines: &[impl Serialize]) -> anyhow::Result<()> {
    let (mut json, mut csv) = (String::new(), csv::Writer::from_writer(Vec::new()));
    for line in lines {
        json += &serde_json::to_string(line)?;
        json.push('\n');
        csv.serialize(line)?;
    }
    write_atomically(&out.join(format!("{name}.jsonl")), json.as_bytes())?;
    Ok(write_atomically(&out.join(format!("{name}.csv")), &csv.into_inner()?)?)
}

/// L2-UVP and Sinkhorn divergence against the dimension, with the constant map as the upper bound.
fn against_dimension(out: &Path, records: &[Record], rows: &[Row]) -> anyhow::Result<()> {
    let row = |name: &str, r: &Record, value: f64| Row {
        name: name.into(),
        dimension: r.report.dimension,
        value,
    };
    let mut errors = rows.to_vec();
    errors.extend(records.iter().map(|r| row("constant", r, r.constant)));
    errors.extend(records.iter().map(|r| row("linear", r, r.linear)));
    let caption = "Means over seeds; the constant map is the upper bound.";
    picture("L2-UVP, %", &errors, caption).write_svg(out.join("l2_uvp.svg"))?;

    let own = |r: &Record| Some(row(&r.report.solver, r, r.divergence?.value));
    let mut divergences: Vec<Row> = records.iter().filter_map(own).collect();
    divergences.extend(records.iter().map(|r| row("constant", r, r.constant_divergence.value)));
    let mut epsilons: Vec<String> = records
        .iter()
        .map(|r| format!("{:.3} (D = {})", r.constant_divergence.epsilon, r.report.dimension))
        .collect();
    epsilons.dedup();
    let caption = format!("{caption} Cost |x − y|², ε = {}.", epsilons.join(", "));
    let name = "Sinkhorn divergence of the images";
    Ok(picture(name, &divergences, &caption).write_svg(out.join("divergence.svg"))?)
}

fn picture(quantity: &str, rows: &[Row], caption: &str) -> CurvePicture {
    CurvePicture {
        title: format!("{quantity}, against the dimension"),
        x_label: "dimension".into(),
        x_scale: Scale::Log,
        y_label: quantity.into(),
        scale: Scale::Log,
        curves: by_name(rows),
        caption: caption.into(),
    }
}

/// A curve for each name, with the mean of each dimension.
fn by_name(rows: &[Row]) -> Vec<Curve> {
    let mut names: Vec<&str> = rows.iter().map(|r| r.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mean = |name: &str, d: usize| {
        let same = rows.iter().filter(|r| r.name == name && r.dimension == d);
        let values: Vec<f64> = same.map(|r| r.value).collect();
        let n = values.len() as f64;
        (!values.is_empty()).then(|| (d as f64, values.iter().sum::<f64>() / n))
    };
    let curve = |name: &str| Curve {
        name: name.into(),
        points: DIMENSIONS.iter().filter_map(|&d| mean(name, d)).collect(),
    };
    names.into_iter().map(curve).collect()
}

/// For each dimension, L2-UVP against the CPU time of its runs.
fn curves(out: &Path, records: &[Record]) -> anyhow::Result<()> {
    for d in DIMENSIONS {
        let here = records.iter().map(|r| &r.report).filter(|r| r.dimension == d);
        let curve = |r: &Report| Curve {
            name: format!("{}, seed {}", r.solver, r.seed),
            points: r.evaluations.iter().map(|e| (e.cpu_seconds, e.l2_uvp)).collect(),
        };
        let curves: Vec<Curve> = here.map(curve).collect();
        if curves.is_empty() {
            continue;
        }
        let picture = CurvePicture {
            title: format!("Error of the map against CPU time, D = {d}"),
            x_label: "CPU seconds".into(),
            y_label: "L2-UVP, %".into(),
            scale: Scale::Log,
            curves,
            ..CurvePicture::default()
        };
        picture.write_svg(out.join(format!("curves-d{d}.svg")))?;
    }
    Ok(())
}
