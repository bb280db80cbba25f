//! How to solve.

use serde::{Deserialize, Serialize};

use crate::error::{check_count, check_positive, Error, Result};

/// When to stop, and which way to go. The default is that of arXiv:2210.12153: L-BFGS to a gradient
/// of norm 0.1 in at most 100 iterations, which is enough where the result trains a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConjugateConfig {
    /// Euclidean norm of ∇f(x) − y at which a point is done; positive.
    pub tolerance: f64,
    /// Most iterations of a point; at least 1.
    pub limit: usize,
    /// The iteration.
    pub method: ConjugateMethod,
}

/// An iteration on x ↦ f(x) − ⟨x, y⟩.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ConjugateMethod {
    /// L-BFGS with a backtracking line search to Armijo's condition.
    Lbfgs {
        /// Pairs of steps and gradient differences kept; at least 1.
        memory: usize,
        /// Factor on the step length while the condition fails, in (0, 1).
        shrink: f64,
        /// Most trials of a line search; at least 1.
        trials: usize,
    },
    /// Adam with betas (0.9, 0.999), whose rate falls along half a cosine to 0 at the limit.
    Adam {
        /// Rate at the start, positive.
        rate: f64,
    },
}

impl Default for ConjugateConfig {
    fn default() -> Self {
        Self { tolerance: 0.1, limit: 100, method: ConjugateMethod::default() }
    }
}

impl Default for ConjugateMethod {
    fn default() -> Self {
        Self::Lbfgs { memory: 10, shrink: 0.5, trials: 20 }
    }
}

impl ConjugateConfig {
    pub(crate) fn check(&self) -> Result<()> {
        check_positive("tolerance of the conjugate", self.tolerance)?;
        check_count("limit of the conjugate", self.limit)?;
        match self.method {
            ConjugateMethod::Lbfgs { memory, shrink, trials } => {
                check_count("memory", memory)?;
                check_count("trials", trials)?;
                if !(shrink > 0.0 && shrink < 1.0) {
                    return Err(Error::config("shrink", shrink, "must be in (0, 1)"));
                }
                Ok(())
            }
            ConjugateMethod::Adam { rate } => check_positive("rate of the conjugate", rate),
        }
    }
}
