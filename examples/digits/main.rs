//! Coloured digits of 16 × 16 pixels: a 2 becomes a 3 of the same hue, digits of USPS become those of MNIST, and
//! back.
//!
//!     cargo run --release --example digits -- --data DIR --method strong,noised
//!     cargo run --release --example digits -- --data DIR --method weak --gamma 0,0.333,0.667,1
//!     cargo run --release --example digits -- --data DIR --method it --weight 1,2,4,8
//!     cargo run --release --example digits -- --data DIR --pair usps-mnist
//!
//! `DIR` holds `images/mnist_t10k.npz` or the four IDX files of MNIST, and `images/usps16.npz` (`x_train`
//! `[n, 16, 16]` thousandths of [−1, 1], `y_train`, `x_test`, `y_test`). The methods are strong, weak and kernel
//! transport (arXiv:2201.12220, 2205.15269), strong transport with a potential of noised images, and
//! incomplete transport (arXiv:2301.12874), each weight from the networks of the one before. All have the same
//! budget. Averages of maps along the run are scored on held-out digits: `cost` is mean ½|x − T(x)|²,
//! `colour_kept` the share whose hues moved by less than 0.1, `right` the share that a classifier takes for the
//! digit it should be, `frechet` the distance of the classifier's features to those of held-out targets;
//! for stochastic maps `conditional_variance`, for incomplete transport `target_used`.
//!
//! Each run has a folder below `target/digits` (`--out`) with `checkpoint.bin`, `log.csv`, `scores.csv`,
//! `map.safetensors` and `images.png`: sources over their images over targets.

mod arms;
#[path = "../images/classifier.rs"]
mod classifier;
mod coloured;
mod judge;
#[path = "../images/mnist.rs"]
mod mnist;
#[path = "../images/options.rs"]
mod options;
#[path = "../images/session.rs"]
mod session;

use brenier::prelude::*;
use clap::{Parser, ValueEnum};

use arms::{Arm, Critic, LevelCritic, Map, NoisyMap};
use classifier::Classifier;
use judge::{measure, Judge};
use mnist::Digits;
use options::{Common, Game};
use session::Session;

/// Coloured digits.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// What becomes what.
    #[arg(long, value_enum, default_value_t = Pair::TwoThree)]
    pair: Pair,
    /// Estimators, one run each.
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',', default_values_t = [Method::Strong])]
    method: Vec<Method>,
    /// γ of weak and kernel transport, one run each.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [0.667])]
    gamma: Vec<f64>,
    /// Weights of incomplete transport, rising, one run each.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [1.0, 2.0, 4.0, 8.0])]
    weight: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Pair {
    /// 2 to 3 of MNIST.
    TwoThree,
    UspsMnist,
    MnistUsps,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Method {
    Strong,
    Weak,
    Kernel,
    Noised,
    It,
}

const SMALL: Game = Game {
    steps: 1000,
    batch: 32,
    map_steps: 5,
    map_rate: 1e-3,
    potential_rate: 1e-3,
    floor: 0.05,
    cost_factor: 0.05,
    ema: 0.99,
};

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    let common = &a.common;
    let idx = common.data.join("train-images-idx3-ubyte").exists();
    let usps = a.pair != Pair::TwoThree;
    if !idx && !common.has(&[mnist::FILE]) || usps && !common.has(&[coloured::USPS]) {
        return Ok(());
    }
    let mnist = Digits::mnist(&common.data)?;
    let ([source, test_source], [target, test_target], digits) = match a.pair {
        Pair::TwoThree => {
            let again = Digits::mnist(&common.data)?;
            (mnist, again, [Some(2), Some(3)])
        }
        Pair::UspsMnist => (coloured::usps(&common.data)?, mnist, [None; 2]),
        Pair::MnistUsps => (mnist, coloured::usps(&common.data)?, [None; 2]),
    };
    let out = common.out("digits").join(format!("{:?}", a.pair).to_lowercase());
    let steps = if common.quick { 5 } else { 1500 };
    let path = out.join("classifier.safetensors");
    let classifier = Classifier::new(&path, steps, |key, n| Ok(target.draw(key, n)))?;
    let only = |all: &Digits, digit: Option<u8>| match digit {
        None => Digits { images: all.images.clone(), labels: all.labels.clone() },
        Some(d) => Digits {
            images: all.of(d),
            labels: vec![d; all.labels.iter().filter(|l| **l == d).count()],
        },
    };
    let most = if common.quick { 16 } else { 500 };
    let (test_source, test_target) = (only(&test_source, digits[0]), only(&test_target, digits[1]));
    let judge = Judge::new(&test_source, &test_target, digits[1], classifier, most)?;
    judge.baselines()?;

    let arm = |name: &str, extra: f64| -> anyhow::Result<Arm> {
        let game = common.game(SMALL);
        let settings = serde_json::to_string(&(name, extra, common.preset, common.seed, &game))?;
        let session = Session::new(common, out.join(name), game, settings);
        let data = [measure(&source, digits[0]), measure(&target, digits[1])];
        Ok(Arm { session, judge: &judge, data })
    };
    for method in &a.method {
        match method {
            Method::Strong => arm("strong", 0.0)?.strong::<Critic, Map>()?,
            Method::Noised => arm("noised", 0.0)?.noised::<LevelCritic, Map>()?,
            Method::Weak => a.gamma.iter().try_for_each(|gamma| {
                arm(&format!("weak-{gamma}"), *gamma)?.weak::<Critic, NoisyMap>(*gamma, None)
            })?,
            Method::Kernel => a.gamma.iter().try_for_each(|gamma| {
                let arm = arm(&format!("kernel-{gamma}"), *gamma)?;
                arm.weak::<Critic, NoisyMap>(*gamma, Some(DistanceKernel::default()))
            })?,
            Method::It => {
                let (mut before, mut from) = (1.0, None);
                for &weight in &a.weight {
                    let mut arm = arm(&format!("it-{weight}"), weight)?;
                    arm.session.init_from = from.or(arm.session.init_from);
                    from = Some(arm.incomplete::<NegativeAbs<Critic>, Map>(before, weight)?);
                    before = weight;
                }
            }
        }
    }
    println!("results in {}", out.display());
    Ok(())
}
