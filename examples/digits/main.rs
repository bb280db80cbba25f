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
mod method;
#[path = "../images/mnist.rs"]
mod mnist;
mod networks;
#[path = "../images/options.rs"]
mod options;
#[path = "../images/session.rs"]
mod session;

use std::path::PathBuf;

use brenier::prelude::*;
use clap::{Parser, ValueEnum};

use arms::Arm;
use classifier::Classifier;
use coloured::Coloured;
use judge::Judge;
use method::Method;
use mnist::Digits;
use networks::{Sizes, Small};
use options::{Common, Preset};
use session::Session;

const ABOUT: &str = "\
| name | what it is |
|---|---|
| images | held-out digits of the source over what the averaged map makes of them over held-out targets |
| cost | mean ½‖x − T(x)‖² |
| colour_kept | share of images whose hue moved by less than 0.1 of the circle |
| right | share that a classifier takes for the digit it should be |
| frechet | Fréchet distance of the classifier's features to those of held-out targets; less is better |
| conditional_variance | E Var(T(x, z) given x): how much the images of one digit differ |
| square_distance | mean ‖x − T(x, z)‖² |
| target_used | share of the target on which the potential is 0: mass that incomplete transport uses |
";

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

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    match a.common.preset {
        Preset::Small => all::<Small>(&a),
        #[cfg(feature = "paper")]
        Preset::Paper => all::<networks::Paper>(&a),
        #[cfg(not(feature = "paper"))]
        Preset::Paper => anyhow::bail!("the sizes of the papers need --features paper"),
    }
}

/// Digits to train and to test.
type Sides = [Digits; 2];

/// Source and target of a pair, if their files are there.
fn read(a: &Arguments) -> Result<Option<[Sides; 2]>> {
    let data = &a.common.data;
    let idx = data.join("train-images-idx3-ubyte").exists();
    let usps = a.pair != Pair::TwoThree;
    if !idx && !a.common.has(&[mnist::FILE]) || usps && !a.common.has(&[coloured::USPS]) {
        return Ok(None);
    }
    let mnist = Digits::mnist(data)?;
    Ok(Some(match a.pair {
        Pair::TwoThree => {
            let of = |digit| mnist.each_ref().map(|part| part.only(digit));
            [of(2), of(3)]
        }
        Pair::UspsMnist => [coloured::usps(data)?, mnist],
        Pair::MnistUsps => [mnist, coloured::usps(data)?],
    }))
}

fn all<S: Sizes>(a: &Arguments) -> anyhow::Result<()> {
    let common = &a.common;
    let Some([[source, test_source], [target, test_target]]) = read(a)? else { return Ok(()) };
    let digit = (a.pair == Pair::TwoThree).then_some(3);
    let out = common.out("digits").join(format!("{:?}", a.pair).to_lowercase());
    // The judge of shapes knows all ten digits of the target's hand.
    let hand = match a.pair {
        Pair::MnistUsps => coloured::usps(&common.data)?,
        _ => Digits::mnist(&common.data)?,
    };
    let steps = if common.quick { 5 } else { 1500 };
    let path = out.join("classifier.safetensors");
    let classifier = Classifier::new(&path, steps, |key, n| Ok(hand[0].draw(key, n)))?;
    let most = if common.quick { 16 } else { 500 };
    let judge = Judge::new(&test_source, &test_target, digit, classifier, most)?;
    judge.baselines()?;

    let arm = |method: Method, number: Option<f64>| -> anyhow::Result<Arm> {
        let name = format!("{method:?}").to_lowercase();
        let name = number.map_or(name.clone(), |n| format!("{name}-{n}"));
        let game = common.game(S::GAME);
        let settings = serde_json::to_string(&(&name, common.preset, common.seed, &game))?;
        let session = Session::new(common, out.join(name), game, settings, ABOUT);
        let data = [Coloured(source.images.clone()), Coloured(target.images.clone())];
        Ok(Arm { session, judge: &judge, data, weight_before: 1.0 })
    };
    for &method in &a.method {
        match method {
            Method::Strong | Method::Noised => arm(method, None)?.run::<S>(method, 0.0)?,
            Method::Weak | Method::Kernel => {
                for &gamma in &a.gamma {
                    arm(method, Some(gamma))?.run::<S>(method, gamma)?;
                }
            }
            // Each weight from the networks of the one before.
            Method::It => {
                let mut before: Option<(f64, PathBuf)> = None;
                for &weight in &a.weight {
                    let mut arm = arm(method, Some(weight))?;
                    if let Some((weight, folder)) = before {
                        arm.weight_before = weight;
                        arm.session.init_from = Some(folder.join("checkpoint.bin"));
                    }
                    arm.run::<S>(method, weight)?;
                    before = Some((weight, arm.session.folder));
                }
            }
        }
    }
    println!("results in {}", out.display());
    Ok(())
}
