//! Networks before training.

use brenier::function::pretrain_affine;
use brenier::prelude::*;
use brenier::solver::{AffineMap, Gaussian};

use crate::contest::{Run, MOMENTS};
use crate::recipe::{Recipe, Start};

/// A DenseICNN of the benchmark.
pub type Icnn<const N: usize, const H: usize, const L: usize> = DenseIcnn<N, H, 1, L>;

impl<const N: usize> Run<'_, N> {
    /// Two DenseICNNs whose gradients start as maps from P to Q and back.
    pub fn convex<const H: usize, const L: usize>(&self) -> anyhow::Result<[Icnn<N, H, L>; 2]> {
        let [u, v, fit_u, fit_v, moments] = self.init().split();
        let (u, v): (Icnn<N, H, L>, Icnn<N, H, L>) = (build(u), build(v));
        let steps = self.fit_steps();
        if self.job.recipe.start == Start::Identity {
            return Ok([pretrain_identity(u, fit_u, steps)?, pretrain_identity(v, fit_v, steps)?]);
        }
        let (p, q) = (self.pair.source(), self.pair.target());
        let [there, back] = self.affine(moments)?;
        Ok([
            pretrain_affine(GradientMap(u), &there, p, fit_u, steps)?.0,
            pretrain_affine(GradientMap(v), &back, &q, fit_v, steps)?.0,
        ])
    }

    /// The optimal maps between the Gaussians with the moments of samples, from P to Q and back.
    pub fn affine(&self, key: Key) -> Result<[AffineMap; 2]> {
        let [source, target] = key.split();
        let source = Gaussian::fit(&rows(&self.pair.source().sample(source, MOMENTS)?), N)?;
        let target = Gaussian::fit(&rows(&self.pair.target().sample(target, MOMENTS)?), N)?;
        Ok([source.optimal_map(&target)?, target.optimal_map(&source)?])
    }

    /// Steps of fitting a network before training; more than enough for both kinds of start.
    pub fn fit_steps(&self) -> u64 {
        if self.plan.quick {
            100
        } else {
            1500
        }
    }

    pub fn init(&self) -> Key {
        Key::new(self.job.seed).fold_in(1)
    }
}

/// Adam with a rate that falls along half a cosine.
pub fn adam(r: &Recipe, rate: f64, updates: u64) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: updates.max(1), floor: r.floor };
    AdamConfig { betas: (r.beta1, r.beta2), schedule, ..AdamConfig::with_rate(rate) }
}
