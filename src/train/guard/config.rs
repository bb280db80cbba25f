//! When a run has diverged, and what to do about it.

use serde::{Deserialize, Serialize};

use crate::error::{check_count, check_positive, Error, Result};

/// When a run has diverged, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuardConfig {
    /// Steps between snapshots, at least 1.
    pub every: u64,
    /// So many last values of a reading say what is usual; at least 8.
    pub window: usize,
    /// A reading this many mean absolute deviations of its window away from the window's median is a
    /// sign of divergence; positive. Infinite: only non-finite readings and the proxy count.
    pub outlier: f64,
    /// Signs at so many steps in a row are a divergence; at least 1. A single odd batch is none.
    pub patience: u32,
    /// The proxy has diverged when it is above its best value times this, more than 1.
    pub worse: f64,
    /// Factor on all learning rates at a rollback, in (0, 1].
    pub slow_down: f64,
    /// Rollbacks that are allowed; the next divergence is an error.
    pub rollbacks: u32,
}

impl Default for GuardConfig {
    /// A snapshot every 100 steps; 5 readings in a row 20 deviations off over 100 steps, or the proxy 3
    /// times its best; half the rate, 5 times at most.
    fn default() -> Self {
        Self {
            every: 100,
            window: 100,
            outlier: 20.0,
            patience: 5,
            worse: 3.0,
            slow_down: 0.5,
            rollbacks: 5,
        }
    }
}

impl GuardConfig {
    pub(super) fn check(&self) -> Result<()> {
        check_count("every", self.every as usize)?;
        check_count("patience", self.patience as usize)?;
        if self.window < 8 {
            return Err(Error::config("window", self.window, "must be at least 8 steps"));
        }
        if self.outlier.is_nan() || self.outlier <= 0.0 {
            return Err(Error::config("outlier", self.outlier, "must be positive"));
        }
        if self.worse.is_nan() || self.worse <= 1.0 {
            return Err(Error::config("worse", self.worse, "must be more than 1"));
        }
        if self.slow_down > 1.0 {
            return Err(Error::config("slow_down", self.slow_down, "must be in (0, 1]"));
        }
        check_positive("slow_down", self.slow_down)
    }
}
