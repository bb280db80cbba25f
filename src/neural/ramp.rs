//! Numbers of a loss that change along a run.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A number that goes linearly from `from` to `to` in the first `steps` steps of a run, and stays there.
///
/// ```
/// use brenier::neural::Ramp;
/// let gamma = Ramp { from: 0.0, to: 0.5, steps: 100 };
/// assert_eq!((gamma.at(0), gamma.at(50), gamma.at(1000)), (0.0, 0.25, 0.5));
/// assert_eq!(Ramp::constant(2.0).at(0), 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// The number at step 0.
    pub from: f64,
    /// The number from step `steps` on.
    pub to: f64,
    /// Steps of the way; 0 for a constant `to`.
    pub steps: u64,
}

impl Ramp {
    /// The same number at every step.
    pub const fn constant(value: f64) -> Self {
        Self { from: value, to: value, steps: 0 }
    }

    /// The number at a step.
    pub fn at(&self, step: u64) -> f64 {
        if step >= self.steps {
            return self.to;
        }
        self.from + (self.to - self.from) * (step as f64 / self.steps as f64)
    }

    /// Refuses numbers below `least`, NaN and infinity.
    pub(super) fn check(&self, field: &'static str, least: f64, rule: &'static str) -> Result<()> {
        match [self.from, self.to].into_iter().find(|v| !(*v >= least && v.is_finite())) {
            Some(value) => Err(Error::config(field, value, rule)),
            None => Ok(()),
        }
    }
}
