//! Options and settings that the examples of images have in common.

use std::path::{Path, PathBuf};

use brenier::prelude::*;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Options of every example.
#[derive(Clone, Args)]
pub struct Common {
    /// Folder with the files of the data, which are named in the head of the source.
    #[arg(long, default_value = "data")]
    pub data: PathBuf,
    /// Sizes of the networks, and the length of a run.
    #[arg(long, value_enum, default_value_t = Preset::Small)]
    pub preset: Preset,
    /// Go on from the checkpoints of an interrupted run; what is finished is not trained again.
    #[arg(long)]
    pub resume: bool,
    /// Start from the networks of this checkpoint, as far as they fit.
    #[arg(long)]
    pub init_from: Option<PathBuf>,
    /// Potential steps, instead of the preset's.
    #[arg(long)]
    steps: Option<u64>,
    /// Points of a batch, instead of the preset's.
    #[arg(long)]
    batch: Option<usize>,
    /// Map steps before each potential step, instead of the preset's.
    #[arg(long)]
    map_steps: Option<usize>,
    /// Learning rate of both networks, instead of the preset's.
    #[arg(long)]
    rate: Option<f64>,
    /// Factor on the cost, instead of the preset's.
    #[arg(long)]
    cost_factor: Option<f64>,
    /// Seed of networks, data and training.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Train for seconds.
    #[arg(long)]
    pub quick: bool,
    /// Where results go.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, ValueEnum)]
pub enum Preset {
    /// Minutes on one core.
    Small,
    /// The sizes and rates of the papers (feature `paper`, which takes minutes to compile).
    Paper,
}

/// A maximin game.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Game {
    pub steps: u64,
    pub batch: usize,
    pub map_steps: usize,
    pub map_rate: f64,
    pub potential_rate: f64,
    /// Rates fall to this share along half a cosine.
    pub floor: f64,
    /// The cost is ½|x − y|² times this.
    pub cost_factor: f64,
    /// Decay of the average of the map, which is what is scored.
    pub ema: f64,
}

impl Common {
    /// The preset with what the command line says instead.
    pub fn game(&self, preset: Game) -> Game {
        let preset = match self.quick {
            true => Game { steps: 3, batch: 4, map_steps: 1, ..preset },
            false => preset,
        };
        Game {
            steps: self.steps.unwrap_or(preset.steps),
            batch: self.batch.unwrap_or(preset.batch),
            map_steps: self.map_steps.unwrap_or(preset.map_steps),
            map_rate: self.rate.unwrap_or(preset.map_rate),
            potential_rate: self.rate.unwrap_or(preset.potential_rate),
            cost_factor: self.cost_factor.unwrap_or(preset.cost_factor),
            ..preset
        }
    }

    /// The folder of results.
    pub fn out(&self, example: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| Path::new("target").join(example))
    }

    /// Whether a file of the data is there; says so if it is not.
    pub fn has(&self, files: &[&str]) -> bool {
        let missing = files.iter().find(|file| !self.data.join(file).exists());
        if let Some(file) = missing {
            println!("skipped: there is no {file} in {} (--data DIR)", self.data.display());
        }
        missing.is_none()
    }
}

impl Game {
    pub fn turns(&self) -> Turns {
        let adam = |rate, updates| AdamConfig {
            schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: self.floor },
            ..AdamConfig::with_rate(rate)
        };
        Turns {
            map_steps: self.map_steps,
            source: SourceUse::Fresh,
            map: adam(self.map_rate, self.steps * self.map_steps as u64),
            potential: adam(self.potential_rate, self.steps),
        }
    }

    pub fn cost(&self) -> Result<Scaled<HalfSqEuclidean>> {
        Scaled::new(HalfSqEuclidean, self.cost_factor)
    }
}
