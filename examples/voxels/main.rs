//! Digits in three dimensions: a coloured 3 becomes a 5 of the same colour (2 becomes 4 with `--from 2 --to 4`).
//!
//!     cargo run --release --example voxels -- --data DIR
//!     cargo run --release --example voxels -- --data DIR --rotation one --init-from target/voxels/3to5-none/checkpoint.bin
//!
//! `DIR` holds `images/mnist_t10k.npz` (`x` `[10000, 28, 28]`, `y`), or the four IDX files of MNIST. A digit is
//! reduced to 16 × 16, repeated over slices 4 to 12 of 16, turned (`--rotation`), and coloured yellow, red,
//! blue or green. Strong neural optimal transport with the quadratic cost learns the map
//! (arXiv:2201.12220); the average of the map along the run is scored on held-out digits:
//!
//! - `cost`: mean ½|x − T(x)|²;
//! - `colour_kept`: the share of volumes whose hues moved by less than 0.1
//!   ([`hue_distances`](brenier::score::hue_distances));
//! - `target`, and `yellow`, `red`, `blue`, `green`: the share of images, of each colour, that a classifier of
//!   the ten digits takes for the target; `source`: for the source;
//! - `frechet`: the distance of its features between images and held-out targets.
//!
//! The folder `target/voxels/3to5-ROTATION` (`--out`) gets `checkpoint.bin`, `log.csv`, `scores.csv`,
//! `map.safetensors` and `volumes.png`: five held-out volumes, each beside its image, from two sides.

#[path = "../images/classifier.rs"]
mod classifier;
#[path = "../images/mnist.rs"]
mod mnist;
#[path = "../images/options.rs"]
mod options;
#[path = "../images/session.rs"]
mod session;
mod volumes;

use brenier::data::PixelRange;
use brenier::function::image::{AsVolume, VolumeResNetD16, VolumeUNetOf3};
use brenier::prelude::*;
use brenier::score::hue_distances;
use brenier::train::write_atomically;
use clap::Parser;
use dfdx::prelude::{BuildModule, Cpu};

use classifier::Classifier;
use mnist::Digits;
use options::{Common, Game, Preset};
use session::{Scores, Session, Trained};
use volumes::{brightness, grey_volumes, picture, Coloured, Rotation, NUMBERS, VOXELS};

const ABOUT: &str = "\
| name | what it is |
|---|---|
| volumes | five held-out volumes, each beside its image, from the front and from above |
| cost | mean ½‖x − T(x)‖² |
| colour_kept | share of volumes whose hue moved by less than 0.1 of the circle |
| hue_distance | mean distance of hues |
| target | share that a classifier takes for the target's digit |
| source | share that it still takes for the source's |
| yellow, red, blue, green | the share called target, of the volumes of each colour |
| frechet | Fréchet distance of the classifier's features to those of held-out targets; less is better |
";

/// Coloured digits in three dimensions.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The digit of the source.
    #[arg(long, default_value_t = 3)]
    from: u8,
    /// The digit of the target.
    #[arg(long, default_value_t = 5)]
    to: u8,
    /// How volumes are turned.
    #[arg(long, value_enum, default_value_t = Rotation::None)]
    rotation: Rotation,
}

type Map = Displacement<AsVolume<3, 16, 16, 16, VolumeUNetOf3<3, 3, 8, 16, 32>>>;
type Critic = AsVolume<3, 16, 16, 16, VolumeResNetD16<3, 8, 16, 32, 32>>;

const SMALL: Game = Game {
    steps: 1000,
    batch: 8,
    map_steps: 6,
    map_rate: 1e-3,
    potential_rate: 1e-3,
    floor: 0.05,
    cost_factor: 0.02,
    ema: 0.99,
};

/// The widths, rates and length of the report on coloured 3-D MNIST.
#[cfg(feature = "paper")]
mod paper {
    use super::*;

    pub type Map = AsVolume<3, 16, 16, 16, VolumeUNetOf3<3, 3, 32, 64, 128>>;
    pub type Critic = AsVolume<3, 16, 16, 16, VolumeResNetD16<3, 64, 128, 256, 512>>;
    pub const GAME: Game = Game {
        steps: 30_001,
        batch: 16,
        map_steps: 10,
        map_rate: 1e-5,
        potential_rate: 1e-5,
        floor: 1.0,
        // The mean over coordinates of the square.
        cost_factor: 2.0 / NUMBERS as f64,
        ema: 0.999,
    };
}

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    if !a.common.data.join("train-images-idx3-ubyte").exists() && !a.common.has(&[mnist::FILE]) {
        return Ok(());
    }
    match a.common.preset {
        Preset::Small => train::<Critic, Map>(&a, SMALL),
        #[cfg(feature = "paper")]
        Preset::Paper => train::<paper::Critic, paper::Map>(&a, paper::GAME),
        #[cfg(not(feature = "paper"))]
        Preset::Paper => anyhow::bail!("the sizes of the papers need --features paper"),
    }
}

/// Held-out volumes with what judges their images.
struct Test {
    source: Vec<f32>,
    target: Vec<f32>,
    classifier: Classifier<VOXELS>,
    digits: [u8; 2],
}

impl Test {
    fn scores<T: TransportMap<NUMBERS>>(&self, map: &T) -> Result<(Scores, Vec<f32>)> {
        let mut images = Vec::with_capacity(self.source.len());
        for x in self.source.chunks(16 * NUMBERS) {
            images.extend(rows(&map.forward(points::<NUMBERS>(x.to_vec())?)));
        }
        let n = images.len() / NUMBERS;
        let squares = self.source.iter().zip(&images).map(|(x, y)| f64::from(x - y).powi(2));
        let hues = hue_distances(&self.source, &images, NUMBERS, PixelRange::Symmetric)?;
        let grey = brightness(&images);
        let classes = self.classifier.classes(&grey)?;
        let [from, to] = self.digits;
        let share = |of: &dyn Fn(usize) -> bool, good: &dyn Fn(usize) -> bool| {
            let all = (0..n).filter(|i| of(*i));
            all.clone().filter(|i| good(*i)).count() as f64 / all.count().max(1) as f64
        };
        let colour = |c: usize| share(&|i| i % 4 == c, &|i| classes[i] == to);
        let scores = Scores(vec![
            ("cost", 0.5 * squares.sum::<f64>() / n as f64),
            ("colour_kept", share(&|_| true, &|i| hues[i] < 0.1)),
            ("hue_distance", hues.iter().sum::<f64>() / n as f64),
            ("target", share(&|_| true, &|i| classes[i] == to)),
            ("source", share(&|_| true, &|i| classes[i] == from)),
            ("yellow", colour(0)),
            ("red", colour(1)),
            ("blue", colour(2)),
            ("green", colour(3)),
            ("frechet", self.classifier.distance(&grey, &brightness(&self.target))?),
        ]);
        Ok((scores, images))
    }
}

fn train<F, T>(a: &Arguments, preset: Game) -> anyhow::Result<()>
where
    F: Potential<NUMBERS> + BuildModule<Cpu, f32>,
    T: TransportMap<NUMBERS> + BuildModule<Cpu, f32> + Clone,
{
    let common = &a.common;
    let out = common.out("voxels");
    let [digits, held_out] = Digits::mnist(&common.data)?;
    let rotation = a.rotation;
    let name = format!("{:?}", rotation).to_lowercase();
    let draw = |key: Key, n| {
        let [which, turns] = key.split();
        let (images, classes) = digits.draw(which, n);
        Ok((grey_volumes(&images, rotation, turns)?, classes))
    };
    let steps = if common.quick { 5 } else { 1500 };
    let path = out.join(format!("classifier-{name}.safetensors"));
    let classifier = Classifier::<VOXELS>::new(&path, steps, draw)?;
    let side = |from: &Digits, digit| Coloured { digits: from.of(digit), rotation };
    let [x, y] = Key::new(7).split();
    let test = Test {
        source: side(&held_out, a.from).each(x)?,
        target: side(&held_out, a.to).each(y)?,
        classifier,
        digits: [a.from, a.to],
    };
    let share = |volumes: &[f32]| -> Result<f64> {
        let classes = test.classifier.classes(&brightness(volumes))?;
        Ok(100.0 * classes.iter().filter(|c| **c == a.to).count() as f64 / classes.len() as f64)
    };
    println!(
        "{} held-out volumes; the classifier knows {:.1} % of the targets and takes {:.1} % of the sources for one",
        test.source.len() / NUMBERS,
        share(&test.target)?,
        share(&test.source)?,
    );

    let game = common.game(preset);
    let turns = game.turns();
    let config = NotConfig {
        cost: game.cost()?,
        map_steps: turns.map_steps,
        source: turns.source,
        map: turns.map,
        potential: turns.potential,
    };
    let settings = (a.from, a.to, rotation, common.preset, common.seed, &game);
    let settings = serde_json::to_string(&settings)?;
    let folder = out.join(format!("{}to{}-{name}", a.from, a.to));
    let session = Session::new(common, folder.clone(), game, settings, ABOUT);
    let (p, q) = (side(&digits, a.from), side(&digits, a.to));
    let data = Sampled::new(p, q, session.game.batch)?;
    let start = |f, t| not_init(&config, f, t);
    let step = |s, b: &Batch<NUMBERS>, k| not_step(&config, s, b, k);
    let mut look = |s: &Trained<F, T>| {
        let (scores, images) = test.scores(&s.average)?;
        write_atomically(&folder.join("volumes.png"), &picture(&test.source, &images, 5)?)?;
        Ok(scores)
    };
    session.train::<NUMBERS, F, T, _, _, _>(data, start, step, &mut look)?;
    println!("results in {}", folder.display());
    Ok(())
}
