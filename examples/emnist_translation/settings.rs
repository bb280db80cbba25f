//! What can be set, by layers of files (base, data set, method) and `--set`.

use brenier::function::Clip;
use brenier::neural::{Draws, FlowPath, Pairing};
use brenier::prelude::*;
use brenier::solver::{Epsilon, MinibatchCoupling, OdeConfig, OdeMethod, SinkhornConfig, Stop};
use serde::{Deserialize, Serialize};

/// All settings of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub training: Training,
    pub path: Path,
    pub method: Method,
    pub evaluation: Evaluation,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Training {
    pub steps: u64,
    pub batch_size: usize,
    pub rate: f64,
    /// Updates of the linear rise of the rate; afterwards it falls along half a cosine.
    pub warm_up: u64,
    /// Largest norm of the gradient.
    pub clip: f64,
    /// Decay of the average of the velocity, which is what is evaluated.
    pub ema: f64,
    /// Steps between stored velocities.
    pub checkpoint_every: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Path {
    pub sigma: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The name of the runs.
    pub name: String,
    pub pairs: Pairs,
    /// ε of the entropic plan, as a part of the mean cost.
    pub epsilon: f64,
    /// τ of source and target.
    pub tau: [f64; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pairs {
    Independent,
    Entropic,
    Exact,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Tolerance of the adaptive integration.
    pub tolerance: f64,
    /// Euler steps instead, if not 0.
    pub euler_steps: usize,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            steps: 5000,
            batch_size: 256,
            rate: 1e-3,
            warm_up: 200,
            clip: 1.0,
            ema: 0.999,
            checkpoint_every: 2500,
        }
    }
}

impl Default for Path {
    fn default() -> Self {
        Self { sigma: 0.1 }
    }
}

impl Default for Method {
    fn default() -> Self {
        Self { name: "fm".into(), pairs: Pairs::Independent, epsilon: 0.01, tau: [1.0, 1.0] }
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { tolerance: 1e-4, euler_steps: 0 }
    }
}

impl Settings {
    pub fn flow_matching(&self) -> FlowMatchingConfig {
        let coupling = match self.method.pairs {
            Pairs::Independent => None,
            Pairs::Exact => Some(MinibatchCoupling::Exact(Default::default())),
            Pairs::Entropic => Some(MinibatchCoupling::Unbalanced {
                sinkhorn: SinkhornConfig {
                    epsilon: Epsilon::RelativeToMean(self.method.epsilon),
                    stop: Stop::Tolerance { tolerance: 1e-2, limit: 1000 },
                    ..SinkhornConfig::default()
                },
                tau: self.method.tau,
            }),
        };
        let coupled = |coupling| Pairing::Coupled { coupling, draws: Draws::Independent };
        let t = &self.training;
        FlowMatchingConfig {
            path: FlowPath::Straight { sigma: self.path.sigma },
            pairing: coupling.map_or(Pairing::AsDrawn, coupled),
            velocity: AdamConfig {
                clip: Clip::Norm(t.clip),
                schedule: Schedule::Cosine {
                    warm_up: t.warm_up.min(t.steps),
                    total: t.steps.max(1),
                    floor: 0.01,
                },
                ..AdamConfig::with_rate(t.rate)
            },
            ..FlowMatchingConfig::exact()
        }
    }

    pub fn integration(&self) -> OdeConfig {
        match self.evaluation.euler_steps {
            0 => OdeConfig::adaptive(OdeMethod::Tsitouras, self.evaluation.tolerance),
            steps => OdeConfig::fixed(OdeMethod::Euler, steps),
        }
    }
}
