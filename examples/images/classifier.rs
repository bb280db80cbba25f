//! A classifier of the ten digits, which judges shapes, and whose hidden layer gives features for Fréchet
//! distances.

use std::path::Path;

use brenier::prelude::*;
use brenier::score::{frechet_distance, Moments};
use dfdx::prelude::{cross_entropy_with_logits_loss, Const, Cpu, Module, TensorFromVec};

/// Width of the features.
const WIDTH: usize = 32;
const BATCH: usize = 128;
/// Deviation of the noise on the images that it learns from, so that it does not hang on single pixels.
const NOISE: f32 = 0.1;

type Body<const N: usize> = Mlp<N, 128, 0, WIDTH, Celu>;
type Head = Mlp<WIDTH, WIDTH, 0, 10, Celu>;

/// A perceptron on grey images in [0, 1].
pub struct Classifier<const N: usize> {
    net: (Body<N>, Head),
}

impl<const N: usize> Classifier<N> {
    /// The stored classifier, or one that is trained on what `draw` gives, grey images with their digits.
    pub fn new(
        path: &Path,
        steps: u64,
        draw: impl Fn(Key, usize) -> Result<(Vec<f32>, Vec<u8>)>,
    ) -> Result<Self> {
        let [init, draws] = Key::new(42).split();
        let mut net: (Body<N>, Head) = build(init);
        if path.exists() {
            weights::load(path, &mut net)?;
            return Ok(Self { net });
        }
        let schedule = Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 };
        let adam = AdamConfig { schedule, ..AdamConfig::with_rate(2e-3) };
        let mut learner = Learner::<_>::new(net, adam)?;
        for step in 0..steps {
            let [images, noise] = draws.fold_in(step).split();
            let (mut images, classes) = draw(images, BATCH)?;
            images.iter_mut().zip(noise.normal(BATCH * N)).for_each(|(v, z)| *v += NOISE * z);
            let mut wanted = vec![0.0; 10 * BATCH];
            classes.iter().enumerate().for_each(|(i, c)| wanted[10 * i + usize::from(*c)] = 1.0);
            let wanted: Points<10> = Cpu::default().tensor_from_vec(wanted, (BATCH, Const));
            let logits: Points<10, f32, Cpu, Taped> = learner.traced(&points::<N>(images)?);
            learner.descend(cross_entropy_with_logits_loss(logits, wanted))?;
        }
        weights::save(path, learner.params())?;
        Ok(Self { net: learner.params().clone() })
    }

    /// The digits that it sees.
    pub fn classes(&self, images: &[f32]) -> Result<Vec<u8>> {
        let logits = rows(&self.net.forward(points::<N>(images.to_vec())?));
        let best =
            |l: &[f32]| (0..10u8).max_by(|a, b| l[usize::from(*a)].total_cmp(&l[usize::from(*b)]));
        Ok(logits.chunks_exact(10).map(|l| best(l).unwrap_or(0)).collect())
    }

    /// The Fréchet distance between the features of two sets of images.
    pub fn distance(&self, x: &[f32], y: &[f32]) -> Result<f64> {
        let normal = |images: &[f32]| {
            let mut moments = Moments::new(WIDTH)?;
            moments.add(&rows(&self.net.0.forward(points::<N>(images.to_vec())?)))?;
            moments.finish()
        };
        frechet_distance(&normal(x)?, &normal(y)?)
    }
}
