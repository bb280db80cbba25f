//! Digits to letters: {0, 1, 8} → {O, I, B} of EMNIST, by FM, OT-FM and UOT-FM (arXiv:2311.15100).
//!
//!     cargo run --release --example emnist_translation -- train --data DIR \
//!         --config base --config emnist --config uot-fm --seed 0,1,2
//!     cargo run --release --example emnist_translation -- eval --data DIR --run FOLDER --step 2500
//!
//! `DIR` holds `emnist_018_OIB.npz`. There are as many 8s as 0s but few Bs: a plan that keeps both
//! marginals must turn 8s into other letters, one that relaxes the source need not. `train` makes the runs
//! that are not finished and evaluates their last step; `eval` evaluates any stored step of a run. A
//! `--config` is a file, or the name of one in `settings/` beside this source; later ones overrule, and
//! `--set training.batch_size=512` overrules all. Files in `target/emnist` (`--out`):
//!
//! - `features.safetensors`, `reference.json`: the classifier whose features Fréchet distances use, and
//!   the statistics of the letters, made once;
//! - `runs/METHOD-sSEED/`: `settings.json`, `log.csv`, `checkpoint.bin`, `velocity-STEP.safetensors`,
//!   `scores-STEP.json`, `images-STEP.svg`;
//! - with `--alexnet FILE` (`lpips_alex.safetensors`), scores have Fréchet distances of its features too;
//! - `scores.csv`: a line a score; the table of means over seeds is printed;
//! - `report.html`: the tables, and pictures and curves of all runs.

mod data;
mod features;
mod fields;
mod perceived;
mod scores;
mod settings;
mod training;

use std::path::{Path, PathBuf};

use anyhow::Context;
use brenier::plot::Report;
use brenier::train::read_settings;
use clap::{Args, Parser, Subcommand};

use data::{Emnist, PIXELS};
use features::Features;
use fields::{Choice, Field, Perceptron, UNet};
use perceived::Perceived;
use scores::Judges;
use settings::Settings;

/// Digits to letters by flow matching.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// Train what is not trained yet, and evaluate it.
    Train {
        #[command(flatten)]
        common: Common,
        /// Files of settings, or names of those beside the source.
        #[arg(long = "config")]
        configs: Vec<PathBuf>,
        /// Seeds of initialisation and training.
        #[arg(long = "seed", value_delimiter = ',', default_value = "0")]
        seeds: Vec<u64>,
    },
    /// Evaluate a stored step of a run.
    Eval {
        #[command(flatten)]
        common: Common,
        /// The folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// The step; those that are stored have a file `velocity-STEP.safetensors`.
        #[arg(long)]
        step: u64,
    },
}

#[derive(Args)]
struct Common {
    /// Folder with `emnist_018_OIB.npz`.
    #[arg(long)]
    data: PathBuf,
    /// Settings that overrule the files, `table.key=value`.
    #[arg(long = "set")]
    sets: Vec<String>,
    /// The velocity field; runs of the U-Net are named METHOD-unet.
    #[arg(long, value_enum, default_value_t = Choice::Mlp)]
    field: Choice,
    /// AlexNet in the form of LPIPS (safetensors): Fréchet distances of its features too.
    #[arg(long)]
    alexnet: Option<PathBuf>,
    /// Where results go.
    #[arg(long, default_value = "target/emnist")]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().mode {
        Mode::Train { common, configs, seeds } => match common.field {
            Choice::Mlp => train::<Perceptron>(&common, &configs, &seeds),
            Choice::Unet => train::<UNet>(&common, &configs, &seeds),
        },
        Mode::Eval { common, run, step } => match common.field {
            Choice::Mlp => eval::<Perceptron>(&common, &run, step),
            Choice::Unet => eval::<UNet>(&common, &run, step),
        },
    }
}

/// The file of a name: itself, or one beside the source.
fn file(name: &Path) -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/emnist_translation/settings");
    let named = beside.join(name).with_extension("toml");
    if name.exists() || !named.exists() {
        name.to_path_buf()
    } else {
        named
    }
}

fn judges(common: &Common, data: &Emnist) -> anyhow::Result<Judges> {
    let features = Features::new(data, &common.out)?;
    let reference = features.reference(data, &common.out)?;
    let perceived = common.alexnet.as_ref().map(|w| Perceived::load(w, data)).transpose()?;
    Ok(Judges { features, reference, perceived })
}

fn train<V: Field>(common: &Common, configs: &[PathBuf], seeds: &[u64]) -> anyhow::Result<()> {
    let files: Vec<PathBuf> = configs.iter().map(|c| file(c)).collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let mut settings = read_settings(&Settings::default(), &files, &common.sets)?;
    if common.field == Choice::Unet {
        settings.method.name += "-unet";
    }
    let data = Emnist::read(&common.data)?;
    let judges = judges(common, &data)?;
    println!("the classifier knows {:.1} % of the test letters", 100.0 * judges.reference.accuracy);
    for &seed in seeds {
        let folder = common.out.join("runs").join(format!("{}-s{seed}", settings.method.name));
        let last = settings.training.steps;
        let sides = (&data.train_digits, &data.train_letters);
        training::train::<PIXELS, V>(&settings, seed, sides, &folder, &mut |_| Ok(()))?;
        if scores::read(&folder, last)?.is_none() {
            scores::evaluate::<V>(&settings, (seed, last), &data, &judges, &folder)?;
        }
    }
    let tables = scores::tables(&common.out)?;
    println!("\n{tables}");
    let mut page = Report::new("Digits to letters by flow matching")
        .markdown("Means over seeds", &tables)
        .csv("Runs", common.out.join("scores.csv"))?;
    for folder in scores::runs(&common.out)? {
        let name = folder.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        page = page.heading(&format!("Run {name}")).pictures(&folder)?;
        page = page.log(folder.join("log.csv"))?;
    }
    page.settings("Settings of the last run", &settings)?
        .this_command()
        .write(common.out.join("report.html"))?;
    Ok(())
}

fn eval<V: Field>(common: &Common, run: &Path, step: u64) -> anyhow::Result<()> {
    let path = run.join("settings.json");
    let text = std::fs::read(&path).with_context(|| format!("no run in {}", run.display()))?;
    let stored: Settings = serde_json::from_slice(&text)?;
    let settings = read_settings(&stored, &[], &common.sets)?;
    let name = run.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let seed = name.rsplit_once("-s").and_then(|(_, s)| s.parse().ok());
    let seed = seed.context("the name of the folder of a run ends with -sSEED")?;
    let data = Emnist::read(&common.data)?;
    let judges = judges(common, &data)?;
    let record = scores::evaluate::<V>(&settings, (seed, step), &data, &judges, run)?;
    println!("{}", serde_json::to_string_pretty(&record)?);
    Ok(())
}
