//! A run: settings, training with scores on the way, the report.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use brenier::data::{PixelRange, Samples};
use brenier::neural::path_energy;
use brenier::plot::Report;
use brenier::prelude::*;
use brenier::train::{read_settings, CsvLog, Observe};
use dfdx::prelude::{BuildModule, HasShape};

use crate::judge::Judge;
use crate::settings::{Evaluation, Settings, Training};
use crate::training::{train, Trained};
use crate::{Arguments, Preset, Scores};

/// Numbers of an image.
pub const N: usize = 3 * 32 * 32;

/// What a preset sets.
pub fn preset(preset: Preset) -> Settings {
    let training = match preset {
        Preset::Small => Training {
            steps: 2000,
            batch_size: 32,
            rate: 1e-3,
            warm_up: 100,
            ema: 0.995,
            checkpoint_every: 500,
            ..Training::default()
        },
        Preset::Paper => Training {
            steps: 300_000,
            batch_size: 128,
            rate: 2e-4,
            warm_up: 5000,
            ema: 0.9999,
            checkpoint_every: 20_000,
            ..Training::default()
        },
    };
    let tolerance = if preset == Preset::Small { 1e-3 } else { 1e-5 };
    Settings {
        training,
        evaluation: Evaluation { tolerance, euler_steps: 0 },
        ..Default::default()
    }
}

/// The file of a name: itself, or one beside the source.
pub fn file(name: &Path) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/images_flow/settings");
    let named = beside.join(name).with_extension("toml");
    if name.exists() || !named.exists() {
        name.to_path_buf()
    } else {
        named
    }
}

/// The settings of a command line.
pub fn settings(a: &Arguments) -> Result<Settings> {
    let files: Vec<PathBuf> = a.configs.iter().map(|c| file(c)).collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut base = preset(a.preset);
    if a.quick {
        let short = Training { steps: 4, batch_size: 4, checkpoint_every: 2, ..base.training };
        base = Settings { training: short, ..base };
        base.evaluation.euler_steps = 2;
    }
    read_settings(&base, &files, &a.sets)
}

pub fn run<V>(a: &Arguments) -> anyhow::Result<()>
where
    V: Velocity<N> + BuildModule<Cpu, f32> + Clone,
{
    let settings = settings(a)?;
    let Some(pair) = a.images.read(&a.data)? else { return Ok(()) };
    let name = format!("{}-{}-s{}", a.images.name(), settings.method.name, a.seed);
    let folder = a.out.join(name);
    let (saved, scored) = (folder.join("checkpoint.bin"), folder.join("scores.csv"));
    for old in [&saved, &scored].into_iter().filter(|f| f.exists() && !a.resume) {
        std::fs::remove_file(old)?;
    }
    let [source, target] = &pair.train;
    let held_out = pair.test[0].len();
    println!("{} and {} images to train, {held_out} held out", source.len(), target.len());
    let judge = Judge::new(&pair, &a.data, if a.quick { 4 } else { 200 })?;
    judge.baselines(target)?;

    let integration = settings.integration();
    let mut log: Option<CsvLog<Scores>> = None;
    let mut look = |s: &Trained<V>| {
        // Sums over images, which pass in batches.
        let (evaluations, energy) = (Cell::new(0.0), Cell::new(0.0));
        let images = judge.images::<N>(|x| {
            let count = x.shape().0 as f64;
            let moved = path_energy(&s.average, &integration, &x, &())?;
            evaluations.set(evaluations.get() + count * moved.evaluations);
            energy.set(energy.get() + count * moved.energy / N as f64);
            points(moved.end)
        })?;
        let mut scores = judge.scores(&images)?;
        let mean = |sum: Cell<f64>| sum.get() / images.len() as f64;
        scores.0.extend([("path_energy", mean(energy)), ("evaluations", mean(evaluations))]);
        println!("{} step {}:{scores}", folder.display(), s.step());
        judge.picture(&images, &folder.join(format!("images-{}.png", s.step())))?;
        let log = match &mut log {
            Some(log) => log,
            none => none.insert(CsvLog::resume(&scored, s.step() - 1)?),
        };
        log.observe(s, &scores)
    };
    let [p, q] = [source, target].map(|i| Samples::<N>::new(i.rows(PixelRange::Symmetric)));
    train::<N, V>(&settings, a.seed, (p?, q?), &folder, &mut look)?;
    Report::new(&format!("Flow matching of images: {}", folder.display()))
        .csv("Scores of the averaged velocity on held-out images", &scored)?
        .pictures(&folder)?
        .heading("Readings of steps")
        .log(folder.join("log.csv"))?
        .settings("Settings", &settings)?
        .this_command()
        .write(folder.join("report.html"))?;
    println!("results in {}", folder.display());
    Ok(())
}
