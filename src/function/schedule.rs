//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

use crate::error::{check_positive, Error, Result};

/// A factor on the learning rate, as a function of the number of updates made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// Linear from 0 to 1 over `warm_up` updates, then a half cosine from 1 to `floor` at `total`.
    Cosine {
        /// Updates of the linear rise; may be 0.
        warm_up: u64,
        /// Update at which `floor` is reached; constant from there.
        total: u64,
        /// Final factor, in [0, 1].
        floor: f64,
    },
    /// Multiplied by `factor` at each of the milestones.
    MultiStep {
        /// Numbers of updates.
        milestones: Vec<u64>,
        /// Factor, positive.
        factor: f64,
    },
}

impl Schedule {
    /// The factor for the update that follows `done` updates.
    ///
    /// ```
    /// use brenier::function::Schedule;
    /// let s = Schedule::Cosine { warm_up: 10, total: 110, floor: 0.1 };
    /// assert_eq!(s.factor(4), 0.5);
    /// assert_eq!(s.factor(10), 1.0);
    /// assert!((s.factor(60) - 0.55).abs() < 1e-12);
    /// assert_eq!(s.factor(1000), 0.1);
    /// ```
    pub fn factor(&self, done: u64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Cosine { warm_up, .. } if done < *warm_up => (done + 1) as f64 / *warm_up as f64,
            Self::Cosine { warm_up, total, floor } => {
                let length = total.saturating_sub(*warm_up).max(1) as f64;
                let t = ((done - warm_up) as f64 / length).min(1.0);
                if t == 1.0 {
                    return *floor;
                }
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * t).cos())
            }
            Self::MultiStep { milestones, factor } => {
                factor.powi(milestones.iter().filter(|&&m| m <= done).count() as i32)
            }
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Constant => Ok(()),
            Self::Cosine { floor, .. } if !(0.0..=1.0).contains(floor) => {
                Err(Error::config("schedule.floor", floor, "must be in [0, 1]"))
            }
            Self::Cosine { total: 0, .. } => {
                Err(Error::config("schedule.total", 0, "must be at least 1 update"))
            }
            Self::Cosine { warm_up, total, .. } if warm_up > total => {
                Err(Error::config("schedule.warm_up", warm_up, "must not exceed schedule.total"))
            }
            Self::Cosine { .. } => Ok(()),
            Self::MultiStep { factor, .. } => check_positive("schedule.factor", *factor),
        }
    }
}
