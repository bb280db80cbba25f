//! Features for Fréchet distances: the last hidden layer of a small classifier of the six classes.
//!
//! It is trained once, on the training images, and stored beside the runs with the statistics of the
//! letters, so that all runs are measured by the same features against the same numbers.

use std::path::Path;

use brenier::function::Displacement;
use brenier::prelude::*;
use brenier::solver::Gaussian;
use brenier::train::write_atomically;
use dfdx::prelude::{cross_entropy_with_logits_loss, TensorFromVec};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::data::{Emnist, Labelled, PIXELS};

/// Width of the features.
pub const WIDTH: usize = 32;
const STEPS: u64 = 1500;
const BATCH: usize = 256;

type Body = Mlp<PIXELS, 128, 0, WIDTH, Celu>;
/// A residual layer, and the six logits.
type Head = (Displacement<Mlp<WIDTH, WIDTH, 0, WIDTH, Celu>>, Mlp<WIDTH, WIDTH, 0, 6, Celu>);

/// The classifier.
pub struct Features {
    net: (Body, Head),
}

/// Mean and covariance of the features of a set of images, as a normal distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    mean: Vec<f64>,
    covariance: Vec<f64>,
}

impl Statistics {
    fn of(features: &[f32]) -> Result<Self> {
        let Gaussian { mean, covariance } = Gaussian::fit(features, WIDTH)?;
        let all = |v: &[f64]| v.to_vec();
        Ok(Self { mean: all(mean.as_slice()), covariance: all(covariance.as_slice()) })
    }

    /// The Fréchet distance |m − m'|² + tr(C + C' − 2 (C C')^½), arXiv:1706.08500.
    pub fn distance(&self, other: &Self) -> Result<f64> {
        self.normal().squared_distance(&other.normal())
    }

    fn normal(&self) -> Gaussian {
        Gaussian {
            mean: DVector::from_column_slice(&self.mean),
            covariance: DMatrix::from_column_slice(WIDTH, WIDTH, &self.covariance),
        }
    }
}

/// What translations are compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// All letters of each pair.
    pub by_pair: Vec<Statistics>,
    /// The letters of the test set.
    pub overall: Statistics,
    /// Part of the test letters that the classifier knows.
    pub accuracy: f64,
}

impl Features {
    /// The stored classifier, or a trained one, which is then stored.
    pub fn new(data: &Emnist, folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("features.safetensors");
        let [init, draws] = Key::new(42).split();
        let mut net: (Body, Head) = build(init);
        if path.exists() {
            weights::load(&path, &mut net)?;
            return Ok(Self { net });
        }
        let schedule = Schedule::Cosine { warm_up: 0, total: STEPS, floor: 0.01 };
        let adam = AdamConfig { schedule, ..AdamConfig::with_rate(2e-3) };
        let mut learner = Learner::<_>::new(net, adam)?;
        for step in 0..STEPS {
            let [which, digits, letters] = draws.fold_in(step).split();
            let mut images = Vec::new();
            let mut classes = vec![0.0; 6 * BATCH];
            let sides = [(&data.train_digits, digits, 0), (&data.train_letters, letters, 3)];
            let drawn =
                sides.map(|(side, key, from)| (side, key.indices(BATCH, side.count()), from));
            for (i, which) in which.indices(BATCH, 2).into_iter().enumerate() {
                let (side, chosen, from) = &drawn[which];
                images.extend_from_slice(side.image(chosen[i]));
                classes[6 * i + from + side.pairs[chosen[i]]] = 1.0;
            }
            let classes: Points<6> = Cpu::default().tensor_from_vec(classes, (BATCH, Const));
            let logits: Points<6, f32, Cpu, Taped> = learner.traced(&points::<PIXELS>(images)?);
            learner.descend(cross_entropy_with_logits_loss(logits, classes))?;
        }
        weights::save(&path, learner.params())?;
        Ok(Self { net: learner.params().clone() })
    }

    pub fn statistics(&self, images: &[f32]) -> Result<Statistics> {
        Statistics::of(&rows(&self.net.0.forward(points::<PIXELS>(images.to_vec())?)))
    }

    /// The class of each image: 0 to 2 for digits, 3 to 5 for letters.
    pub fn classes(&self, images: &[f32]) -> Result<Vec<usize>> {
        let logits = rows(&self.net.forward(points::<PIXELS>(images.to_vec())?));
        let best = |l: &[f32]| (0..6).max_by(|a, b| l[*a].total_cmp(&l[*b])).unwrap_or(0);
        Ok(logits.chunks_exact(6).map(best).collect())
    }

    /// The stored statistics of the letters, or new ones, which are then stored.
    pub fn reference(&self, data: &Emnist, folder: &Path) -> anyhow::Result<Reference> {
        let path = folder.join("reference.json");
        if path.exists() {
            return Ok(serde_json::from_slice(&std::fs::read(&path)?)?);
        }
        let all =
            |pair| [data.train_letters.of_pair(pair), data.test_letters.of_pair(pair)].concat();
        let by_pair = (0..3).map(|pair| self.statistics(&all(pair))).collect::<Result<Vec<_>>>()?;
        let letters: &Labelled = &data.test_letters;
        let known = self.classes(&letters.images)?.into_iter().zip(&letters.pairs);
        let right = known.filter(|(class, pair)| *class == 3 + **pair).count();
        let reference = Reference {
            by_pair,
            overall: self.statistics(&letters.images)?,
            accuracy: right as f64 / letters.count() as f64,
        };
        write_atomically(&path, serde_json::to_string(&reference)?.as_bytes())?;
        Ok(reference)
    }
}
