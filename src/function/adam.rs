//! The optimiser's configuration.

use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::error::{check_positive, Error, Result};

/// Adam (arXiv:1412.6980) and AdamW (arXiv:1711.05101), in the conventions of PyTorch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdamConfig {
    /// Learning rate, positive.
    pub rate: f64,
    /// Decays of the two moments, in [0, 1).
    pub betas: (f64, f64),
    /// Added to the root of the second moment, positive.
    pub epsilon: f64,
    /// Weight decay.
    pub decay: Decay,
    /// Gradient clipping.
    pub clip: Clip,
    /// Factor on the rate over time.
    pub schedule: Schedule,
}

/// Weight decay λ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Decay {
    /// λ = 0.
    #[default]
    None,
    /// λθ is added to the gradient: Adam with an L2 penalty.
    Coupled(f64),
    /// −rate·λθ is added to the step: AdamW.
    Decoupled(f64),
}

/// Gradient clipping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Clip {
    /// The gradient as it is.
    #[default]
    None,
    /// The gradient of all parameters together is scaled to at most this Euclidean norm.
    Norm(f64),
}

impl Default for AdamConfig {
    /// Rate 1e-3, betas (0.9, 0.999), ε = 1e-8, no decay, no clipping, constant.
    fn default() -> Self {
        Self {
            rate: 1e-3,
            betas: (0.9, 0.999),
            epsilon: 1e-8,
            decay: Decay::None,
            clip: Clip::None,
            schedule: Schedule::Constant,
        }
    }
}

impl AdamConfig {
    /// The defaults with another rate.
    pub fn with_rate(rate: f64) -> Self {
        Self { rate, ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<()> {
        check_positive("rate", self.rate)?;
        check_positive("epsilon", self.epsilon)?;
        for beta in [self.betas.0, self.betas.1] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::config("betas", beta, "must be in [0, 1)"));
            }
        }
        match self.decay {
            Decay::Coupled(l) | Decay::Decoupled(l) if !(l >= 0.0 && l.is_finite()) => {
                return Err(Error::config("decay", l, "must be finite and not negative"));
            }
            _ => {}
        }
        if let Clip::Norm(c) = self.clip {
            check_positive("clip", c)?;
        }
        self.schedule.check()
    }
}
