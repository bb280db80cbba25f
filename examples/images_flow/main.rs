//! Flow matching between two sets of images in colour (arXiv:2302.00482, arXiv:2311.15100): emoji of one family to
//! those of another, shoes to bags, two classes of CIFAR-10, or any two folders.
//!
//!     cargo run --release --example images_flow -- --data DIR emoji
//!     cargo run --release --example images_flow -- --data DIR --config fm cifar automobile truck
//!     cargo run --release --example images_flow -- --set training.steps=5000 folders SOURCE TARGET
//!
//! - `emoji`, `clothes`, `folders`: what `image_translation` reads;
//! - `cifar`: `DIR` holds the binary batches of CIFAR-10, `data_batch_1.bin` to `data_batch_5.bin` and
//!   `test_batch.bin`.
//!
//! A `--config` is a file, or the name of one in `settings/` beside this source (`fm`, `ot-fm`, `uot-fm`); later ones
//! overrule, and `--set table.key=value` overrules all. Scores of held-out images come whenever a velocity is
//! stored, beside those of the identity and of the nearest training target; LPIPS and Fréchet distances need
//! `DIR/lpips/lpips_alex.safetensors` and are left out without it. The folder
//! `target/images_flow/SET-METHOD-sSEED` (`--out` instead of `target/images_flow`) gets `settings.json`,
//! `checkpoint.bin`, `log.csv`, `scores.csv`, `velocity-STEP.safetensors`, `images-STEP.png` (sources over their images
//! over targets) and `report.html`.

mod cifar;
#[path = "../image_translation/judge.rs"]
mod judge;
#[path = "../image_translation/pairs.rs"]
mod pairs;
#[path = "../images/perception.rs"]
mod perception;
mod run;
#[path = "../images/scores.rs"]
mod scores;
#[path = "../emnist_translation/settings.rs"]
mod settings;
#[path = "../emnist_translation/training.rs"]
mod training;

use std::path::PathBuf;

use brenier::function::image::{AsVelocity, FlowUNetOf2};
use clap::{Parser, Subcommand, ValueEnum};

use pairs::{idx, Pair, EMOJI};
use scores::Scores;

/// Flow matching between sets of images.
#[derive(Parser)]
struct Arguments {
    /// Folder with the files of the data.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Size of the network, and what the settings are by default.
    #[arg(long, value_enum, default_value_t = Preset::Small)]
    preset: Preset,
    /// Files of settings, or names of those beside the source.
    #[arg(long = "config")]
    configs: Vec<PathBuf>,
    /// Settings that overrule the files, `table.key=value`.
    #[arg(long = "set")]
    sets: Vec<String>,
    /// Go on from the checkpoint of an interrupted run.
    #[arg(long)]
    resume: bool,
    /// Train for seconds.
    #[arg(long)]
    quick: bool,
    /// Seed of initialisation and training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where results go.
    #[arg(long, default_value = "target/images_flow")]
    out: PathBuf,
    #[command(subcommand)]
    images: Sets,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Preset {
    /// A U-Net of widths 16-16-32-32 with one block a level; minutes on one core.
    Small,
    /// The network, rates and length of arXiv:2311.15100 for CIFAR-10 (feature `paper`).
    Paper,
}

#[derive(Subcommand)]
enum Sets {
    /// Noto to Twemoji.
    Emoji,
    /// Shoes to bags.
    Clothes,
    /// One class of CIFAR-10 to another.
    Cifar {
        /// Class of the source.
        source: cifar::Class,
        /// Class of the target.
        target: cifar::Class,
    },
    /// Files of one folder to those of another.
    Folders {
        /// Folder of the source.
        source: PathBuf,
        /// Folder of the target.
        target: PathBuf,
        /// Whether the files belong together in the order of their names.
        #[arg(long)]
        paired: bool,
    },
}

type Small = AsVelocity<3, 32, 32, FlowUNetOf2<3, 0, 16, 16, 32, 32, 1>>;
#[cfg(feature = "paper")]
type Paper = AsVelocity<
    3,
    32,
    32,
    brenier::function::image::FlowUNetOf3<3, 0, 256, 256, 512, 512, 512, 2, 0b10, 4, 10>,
>;

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    match a.preset {
        Preset::Small => run::run::<Small>(&a),
        #[cfg(feature = "paper")]
        Preset::Paper => run::run::<Paper>(&a),
        #[cfg(not(feature = "paper"))]
        Preset::Paper => anyhow::bail!("the sizes of the papers need --features paper"),
    }
}

impl Sets {
    fn name(&self) -> String {
        match self {
            Self::Emoji => "emoji".into(),
            Self::Clothes => "clothes".into(),
            Self::Cifar { source, target } => format!("cifar-{source}-{target}"),
            Self::Folders { .. } => "folders".into(),
        }
    }

    /// The images; none if the files are not there, which is said.
    fn read(&self, data: &std::path::Path) -> anyhow::Result<Option<Pair>> {
        let needed = match self {
            Self::Emoji => data.join(EMOJI),
            Self::Clothes => idx(data, "train-images-idx3-ubyte"),
            Self::Cifar { .. } => data.join(cifar::TEST),
            Self::Folders { source, .. } => source.clone(),
        };
        if !needed.exists() {
            println!("skipped: there is no {} (--data DIR)", needed.display());
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Emoji => Pair::emoji(data, 32)?,
            Self::Clothes => Pair::clothes(data, 32)?,
            Self::Cifar { source, target } => cifar::read(data, *source, *target)?,
            Self::Folders { source, target, paired } => Pair::folders(source, target, 32, *paired)?,
        }))
    }
}
