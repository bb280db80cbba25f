//! How strictly weights bind.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How strictly the plan must keep a marginal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Relaxation {
    /// The marginal is kept.
    #[default]
    Balanced,
    /// The marginal may differ at the price λ KL(marginal | weights), with τ = λ / (λ + ε) in (0, 1]; a
    /// problem takes τ = 1 as [`Balanced`](Self::Balanced).
    Kl {
        /// τ = λ / (λ + ε): at 1 the marginal binds, near 0 it is ignored.
        tau: f64,
    },
}

impl Relaxation {
    /// τ, which is 1 for a balanced marginal.
    pub fn tau(self) -> f64 {
        match self {
            Self::Balanced => 1.0,
            Self::Kl { tau } => tau,
        }
    }

    /// What a point of this weight, marginal p and potential f adds to the primal cost of a plan, p f and
    /// λ KL(p | weight), and to the dual cost. Without weight it adds nothing, whatever its potential.
    pub(crate) fn objectives(self, epsilon: f64, weight: f64, p: f64, f: f64) -> [f64; 2] {
        if weight == 0.0 {
            return [0.0; 2];
        }
        let tau = self.tau();
        if tau == 1.0 {
            return [p * f, weight * f];
        }
        let lambda = epsilon * tau / (1.0 - tau);
        let logarithm = if p > 0.0 { p * (p / weight).ln() } else { 0.0 };
        let primal = p * f + lambda * (logarithm - p + weight);
        [primal, -lambda * weight * (-f / lambda).exp_m1()]
    }

    /// The same with τ = 1 as `Balanced`.
    pub(super) fn checked(self) -> Result<Self> {
        match self {
            Self::Kl { tau: 1.0 } => Ok(Self::Balanced),
            Self::Kl { tau } if !(tau > 0.0 && tau < 1.0) => {
                let rule = "must be in (0, 1]: 1 for a marginal that binds, smaller to relax it";
                Err(Error::config("tau", tau, rule))
            }
            _ => Ok(self),
        }
    }
}
