//! Strong neural optimal transport (arXiv:2201.12220) between two sets of images in colour: emoji of one family
//! to those of another, shoes to bags, or any two folders.
//!
//!     cargo run --release --example image_translation -- --data DIR emoji
//!     cargo run --release --example image_translation -- --data DIR clothes
//!     cargo run --release --example image_translation -- --data DIR folders SOURCE TARGET
//!
//! - `emoji`: `DIR` holds `images/emoji32_noto_twemoji.npz` (`noto`, `twemoji` `[n, 32, 32, 3]` bytes, paired by
//!   code point, `is_skin_variant`). Training sees no pair; scores are those to the true partners;
//! - `clothes`: `DIR` holds the four IDX files of Fashion-MNIST, compressed or not (Debian's package
//!   `dataset-fashion-mnist`);
//! - `folders`: PNG and JPEG files of any size below two folders; with `--paired` they belong together in the
//!   order of their names.
//!
//! LPIPS and Fréchet distances need `DIR/lpips/lpips_alex.safetensors` and are left out without it. Scores of
//! held-out images come at intervals, beside those of the identity and of the nearest training target. The folder
//! `target/image_translation/NAME` (`--out`) gets `checkpoint.bin`, `log.csv`, `scores.csv`, `map.safetensors` and
//! `images.png`: sources over their images over targets.

mod judge;
#[path = "../images/options.rs"]
mod options;
mod pairs;
#[path = "../images/perception.rs"]
mod perception;
#[path = "../images/session.rs"]
mod session;

use std::path::PathBuf;

use brenier::data::{PixelRange, Samples};
use brenier::function::image::{AsImage, ResNetD32, UNetOf3};
use brenier::prelude::*;
use clap::{Parser, Subcommand};
use dfdx::prelude::{BuildModule, Cpu};

use judge::Judge;
use options::{Common, Game, Preset};
use pairs::{idx, Pair, EMOJI};
use session::{Scores, Session, Trained};

const ABOUT: &str = "\
| name | what it is |
|---|---|
| images | held-out sources over what the averaged map makes of them over targets |
| l2 | mean squared distance of a pixel to the source, of numbers in [−1, 1] |
| lpips | perceptual distance to the source, LPIPS of AlexNet |
| l2_partner, lpips_partner | the same to the true partner, where sets are paired; training sees no pair |
| frechet | Fréchet distance of AlexNet's features to those of held-out targets; less is better |
";

/// Transport between sets of images.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    sets: Sets,
}

#[derive(Subcommand)]
enum Sets {
    /// Noto to Twemoji.
    Emoji,
    /// Shoes to bags.
    Clothes,
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

type Map = Displacement<AsImage<3, 32, 32, UNetOf3<3, 3, 16, 32, 64>>>;
type Critic = AsImage<3, 32, 32, ResNetD32<3, 16, 32, 64, 64, 64>>;

const SMALL: Game = Game {
    steps: 500,
    batch: 16,
    map_steps: 5,
    map_rate: 1e-3,
    potential_rate: 1e-3,
    floor: 0.05,
    cost_factor: 0.02,
    ema: 0.99,
};

/// The networks, rates and length of arXiv:2201.12220, for sides of 64.
#[cfg(feature = "paper")]
mod paper {
    use super::*;
    use brenier::function::image::{ResNetD64, UNet};

    pub type Map = AsImage<3, 64, 64, UNet<3, 3, 48, 96, 192, 384>>;
    pub type Critic = AsImage<3, 64, 64, ResNetD64<3, 64, 128, 256, 512, 512, 512>>;
    pub const GAME: Game = Game {
        steps: 100_000,
        batch: 64,
        map_steps: 10,
        map_rate: 1e-4,
        potential_rate: 1e-4,
        floor: 1.0,
        // The mean over coordinates of the square.
        cost_factor: 2.0 / 12_288.0,
        ema: 0.999,
    };
}

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    match a.common.preset {
        Preset::Small => train::<3072, Critic, Map>(&a, SMALL, 32),
        #[cfg(feature = "paper")]
        Preset::Paper => train::<12_288, paper::Critic, paper::Map>(&a, paper::GAME, 64),
        #[cfg(not(feature = "paper"))]
        Preset::Paper => anyhow::bail!("the sizes of the papers need --features paper"),
    }
}

fn train<const N: usize, F, T>(a: &Arguments, preset: Game, side: usize) -> anyhow::Result<()>
where
    F: Potential<N> + BuildModule<Cpu, f32>,
    T: TransportMap<N> + BuildModule<Cpu, f32> + Clone,
{
    let (common, data) = (&a.common, &a.common.data);
    let (name, pair) = match &a.sets {
        Sets::Emoji if !common.has(&[EMOJI]) => return Ok(()),
        Sets::Emoji => ("emoji", Pair::emoji(data, side)?),
        Sets::Clothes => {
            if !idx(data, "train-images-idx3-ubyte").exists() {
                println!("skipped: there is no train-images-idx3-ubyte in {}", data.display());
                return Ok(());
            }
            ("clothes", Pair::clothes(data, side)?)
        }
        Sets::Folders { source, target, paired } => {
            ("folders", Pair::folders(source, target, side, *paired)?)
        }
    };
    let [source, target] = &pair.train;
    println!(
        "{} and {} images to train, {} held out",
        source.len(),
        target.len(),
        pair.test[0].len()
    );
    let judge = Judge::new(&pair, data, if common.quick { 4 } else { 400 })?;
    judge.baselines(target)?;

    let game = common.game(preset);
    let Turns { map_steps, source: parts, map, potential } = game.turns();
    let config = NotConfig { cost: game.cost()?, map_steps, source: parts, map, potential };
    let settings = serde_json::to_string(&(name, common.preset, common.seed, &game))?;
    let folder = common.out("image_translation").join(name);
    let session = Session::new(common, folder.clone(), game, settings, ABOUT);
    let [p, q] = [source, target].map(|i| Samples::<N>::new(i.rows(PixelRange::Symmetric)));
    let drawn = Sampled::new(p?, q?, session.game.batch)?;
    let start = |f, t| not_init(&config, f, t);
    let step = |s, b: &Batch<N>, k| not_step(&config, s, b, k);
    let mut look = |s: &Trained<F, T>| {
        let images = judge.images::<N>(|x| Ok(s.average.forward(x)))?;
        judge.picture(&images, &folder.join("images.png"))?;
        judge.scores(&images)
    };
    session.train::<N, F, T, _, _, _>(drawn, start, step, &mut look)?;
    println!("results in {}", folder.display());
    Ok(())
}
