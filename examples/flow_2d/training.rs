//! One run: training and scores.

use std::path::Path;
use std::time::Instant;

use brenier::data::PlaneMeasure;
use brenier::function::{Clip, Decay};
use brenier::neural::{flow, path_energy, FlowPath};
use brenier::plot::{PathPicture, Plane};
use brenier::prelude::*;
use brenier::solver::{exact_between, ExactConfig, OdeConfig, OdeMethod};

use crate::results::Record;
use crate::{Arguments, Coupling};

/// Three hidden layers of 64, as in the paper; the input is the place and the time.
type Velocity2 = VelocityMlp<3, 64, 2, 2, Celu>;

/// What one run does.
#[derive(Clone, Debug)]
pub struct Job {
    pub source: PlaneMeasure,
    pub target: PlaneMeasure,
    pub coupling: Coupling,
    pub seed: u64,
    pub steps: u64,
    pub batch: usize,
    pub points: usize,
}

impl Job {
    pub fn of(a: &Arguments, coupling: Coupling, seed: u64) -> Self {
        let (steps, points) = if a.quick { (100, a.points.min(128)) } else { (a.steps, a.points) };
        let batch = a.batch;
        Self { source: a.source, target: a.target, coupling, seed, steps, batch, points }
    }

    pub fn name(&self) -> String {
        let (from, to) = (self.source.name(), self.target.name());
        format!("{from}-to-{to}-{:?}-s{}", self.coupling, self.seed).to_lowercase()
    }

    pub fn settings(&self) -> String {
        format!("{} steps, batch {}, {} points", self.steps, self.batch, self.points)
    }

    /// The paper's σ = 0.1, AdamW with rate 1e-3 and decay 1e-5; the rate falls along half a cosine, and
    /// scores are of an average of the velocity.
    fn config(&self) -> FlowMatchingConfig {
        let pairs = match self.coupling {
            Coupling::Independent => FlowMatchingConfig::independent(),
            Coupling::Exact => FlowMatchingConfig::exact(),
            Coupling::Entropic => FlowMatchingConfig::unbalanced([1.0, 1.0]),
            Coupling::Unbalanced => FlowMatchingConfig::unbalanced([0.95, 0.95]),
        };
        FlowMatchingConfig {
            path: FlowPath::Straight { sigma: 0.1 },
            velocity: AdamConfig {
                decay: Decay::Decoupled(1e-5),
                clip: Clip::Norm(10.0),
                schedule: Schedule::Cosine {
                    warm_up: 100,
                    total: self.steps.max(100),
                    floor: 0.01,
                },
                ..AdamConfig::with_rate(1e-3)
            },
            ..pairs
        }
    }
}

pub fn train(job: &Job, folder: &Path) -> anyhow::Result<Record> {
    let config = job.config();
    let [init, data, training, score] = Key::new(job.seed).split();
    let fresh = flow_matching_init(&config, build::<Velocity2, _, _>(init))?;
    let (mut state, saved) = (Averaged::new(fresh), folder.join("checkpoint.bin"));
    if saved.exists() {
        let of_then: FlowMatchingConfig;
        (state, of_then, _) = checkpoint::load(&saved, state)?;
        anyhow::ensure!(of_then == config, "{} is of other settings", saved.display());
        println!("{}: going on from step {}", job.name(), state.step());
    }
    let left = job.steps.saturating_sub(state.step()) as usize;
    let batches = Sampled::new(job.source, job.target, job.batch)?
        .batches(data)
        .starting_at(state.step())
        .take(left);
    let step =
        with_ema(0.999, guard_finite(|s, b: &Batch<2>, k| flow_matching_step(&config, s, b, k)))?;
    let log = CsvLog::resume(&folder.join("log.csv"), state.step())?;
    let mut watch = (
        every((job.steps / 200).max(1), log)?,
        Progress::new(job.steps),
        every(1000, |s: &_, _: &FlowMatchingMetrics| {
            checkpoint::save(&saved, s, &config, training)
        })?,
    );
    let start = Instant::now();
    let state = run(&step, state, batches, training, &mut watch)?;
    let seconds = start.elapsed().as_secs_f64();
    checkpoint::save(&saved, &state, &config, training)?;
    weights::save(&folder.join("velocity.safetensors"), &state.average)?;
    let record = scores(job, &state.average, score, seconds)?;
    draw(job, &state.average, &record, folder)?;
    Ok(record)
}

fn scores(job: &Job, v: &Velocity2, key: Key, seconds: f64) -> anyhow::Result<Record> {
    let [source, target, again] = key.split();
    let n = job.points;
    let x = job.source.sample(source, n)?;
    let (y, y2) = (job.target.sample(target, n)?, job.target.sample(again, n)?);
    let w2 = |a: &Points<2>, b: &Points<2>| -> Result<f64> {
        Ok(exact_between(&SqEuclidean, a, b, &ExactConfig::default())?.cost)
    };
    let between = w2(&x, &y)?;
    let adaptive = OdeConfig::adaptive(OdeMethod::DormandPrince, 1e-5);
    let moved = path_energy(v, &adaptive, &x, &())?;
    let few = OdeConfig::fixed(OdeMethod::Euler, 20);
    let euler = flow(v, &few, &x, &(), &[0.0, 1.0])?.into_reached()?;
    Ok(Record {
        run: job.name(),
        source: job.source.name().into(),
        target: job.target.name().into(),
        coupling: format!("{:?}", job.coupling).to_lowercase(),
        seed: job.seed,
        settings: job.settings(),
        seconds,
        w2_squared: between,
        path_energy: moved.energy,
        normalised_path_energy: (moved.energy - between).abs() / between,
        bend: moved.length / moved.displacement,
        error: w2(&points(moved.end)?, &y)?,
        euler_error: w2(&points(euler.end().to_vec())?, &y)?,
        sampling_error: w2(&y2, &y)?,
        evaluations: moved.evaluations,
    })
}

/// Paths of 150 points over points of the target.
fn draw(job: &Job, v: &Velocity2, record: &Record, folder: &Path) -> anyhow::Result<()> {
    let [source, target] = Key::new(1).split();
    let plane = Plane::coordinates();
    let x = job.source.sample(source, 150)?;
    let y = plane.project(&job.target.sample(target, 1000)?);
    let times: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
    let path = flow(v, &OdeConfig::default(), &x, &(), &times)?.into_reached()?;
    let of = |i: usize| path.states.iter().map(|s| [s[2 * i], s[2 * i + 1]]).collect();
    let paths: Vec<Vec<[f32; 2]>> = (0..150).map(of).collect();
    let (energy, bend) = (record.normalised_path_energy, record.bend);
    PathPicture {
        title: format!("{} to {}, {} pairs", record.source, record.target, record.coupling),
        paths: &paths,
        target: &y,
        caption: format!("Normalised path energy {energy:.3}, length over distance {bend:.3}."),
    }
    .write_svg(folder.join("paths.svg"))?;
    Ok(())
}
