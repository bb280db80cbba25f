//! Contenders of the Monge gap; the cost of the gap and of the fitting loss is ½|x − y|².

use brenier::function::pretrain_affine;
use brenier::neural::monge_gap_plain_step;
use brenier::prelude::*;
use brenier::solver::{DivergenceLoss, EnergyLoss, Epsilon, SinkhornConfig, Stop};

use crate::contest::{Finished, Run};
use crate::recipe::{FittingLoss, Start};
use crate::start::{adam, Icnn};

type Config = MongeGapConfig<HalfSqEuclidean, HalfSqEuclidean>;

impl<const N: usize> Run<'_, N> {
    /// A perceptron as displacement, with the conservative term.
    pub fn monge_gap_mlp<const H: usize>(&self) -> anyhow::Result<Finished> {
        let config = self.monge_gap();
        let [init, fit, moments] = self.init().split();
        let mut map: Displacement<Mlp<N, H, 2, N, Gelu>> = build(init);
        if self.job.recipe.start == Start::Affine {
            let [there, _] = self.affine(moments)?;
            map = pretrain_affine(map, &there, self.pair.source(), fit, self.fit_steps())?;
        }
        let step = |s, b: &Batch<N>, k| monge_gap_step(&config, s, b, k);
        let image = |t: &Displacement<Mlp<N, H, 2, N, Gelu>>, x| t.forward(x);
        Ok(self.contest(1, monge_gap_init(&config, map)?, step, image)?.0)
    }

    /// The gradient of a DenseICNN, whose Jacobian is symmetric by itself.
    pub fn monge_gap_icnn<const H: usize, const L: usize>(&self) -> anyhow::Result<Finished> {
        let config = Config { conservative_weight: 0.0, ..self.monge_gap() };
        let [u, _]: [Icnn<N, H, L>; 2] = self.convex()?;
        let step = |s, b: &Batch<N>, k| monge_gap_plain_step(&config, s, b, k);
        let image = |t: &GradientMap<Icnn<N, H, L>>, x| t.forward(x);
        Ok(self.contest(1, monge_gap_init(&config, GradientMap(u))?, step, image)?.0)
    }

    fn monge_gap(&self) -> Config {
        let r = &self.job.recipe;
        let relative = |epsilon, limit| SinkhornConfig {
            epsilon: Epsilon::RelativeToMean(epsilon),
            stop: Stop::Tolerance { tolerance: r.tolerance, limit },
            ..SinkhornConfig::default()
        };
        let (sinkhorn, target_term) = (relative(r.fitting_epsilon, r.fitting_limit), false);
        let fitting = match r.fitting {
            FittingLoss::Energy => {
                Fitting::Energy(EnergyLoss { cost: HalfSqEuclidean, sinkhorn, target_term })
            }
            FittingLoss::Divergence => Fitting::Divergence(DivergenceLoss {
                sinkhorn,
                target_term,
                ..DivergenceLoss::with_cost(HalfSqEuclidean)
            }),
        };
        Config {
            fitting,
            gap: MongeGap { sinkhorn: relative(r.gap_epsilon, r.gap_limit), cost: HalfSqEuclidean },
            gap_weight: r.gap_weight,
            conservative_weight: r.conservative_weight,
            map: adam(r, r.rate, r.steps),
        }
    }
}
