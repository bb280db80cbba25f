//! Laws of noise levels, and the weights of their losses.

use serde::{Deserialize, Serialize};

use crate::error::{check_positive, Error, Result};
use crate::random::Key;

/// The law of the noise level σ > 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum NoiseLaw {
    /// log σ ~ N(mean, deviation²). [`NoiseLaw::EDM`] is that of arXiv:2206.00364.
    LogNormal {
        /// Mean of log σ.
        mean: f64,
        /// Standard deviation of log σ, not negative.
        deviation: f64,
    },
    /// log σ uniform between log `least` and log `largest`.
    LogUniform {
        /// The least σ, positive.
        least: f64,
        /// The largest σ, at least that.
        largest: f64,
    },
}

/// The weight λ(σ) of the loss at a noise level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum NoiseWeight {
    /// 1.
    Uniform,
    /// (σ² + s²) / (σ s)² for data of deviation s: that of arXiv:2206.00364, 1/σ² for small σ and 1/s² for
    /// large ones.
    Edm {
        /// s, positive.
        data_deviation: f64,
    },
    /// 1/σ².
    InverseSquare,
}

impl NoiseLaw {
    /// log σ ~ N(−1.2, 1.2²).
    pub const EDM: Self = Self::LogNormal { mean: -1.2, deviation: 1.2 };
    /// log σ uniform on σ in [0.02, 100], the variance-exploding range of the same paper.
    pub const VE: Self = Self::LogUniform { least: 0.02, largest: 100.0 };

    /// `n` independent levels.
    ///
    /// ```
    /// use brenier::{neural::NoiseLaw, random::Key};
    /// let mut levels = NoiseLaw::EDM.levels(Key::new(0), 10_001);
    /// levels.sort_by(f64::total_cmp);
    /// assert!((levels[5000].ln() + 1.2).abs() < 0.06); // the median, to 4 standard errors
    /// ```
    pub fn levels(&self, key: Key, n: usize) -> Vec<f64> {
        match *self {
            Self::LogNormal { mean, deviation } => {
                let level = |z| (mean + deviation * f64::from(z)).exp();
                key.normal(n).into_iter().map(level).collect()
            }
            Self::LogUniform { least, largest } => {
                let ratio = largest / least;
                let level = |u| least * ratio.powf(f64::from(u));
                key.uniform(n).into_iter().map(level).collect()
            }
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::LogNormal { mean, deviation } => {
                if !mean.is_finite() {
                    return Err(Error::config("mean of log σ", mean, "must be finite"));
                }
                if !(deviation >= 0.0 && deviation.is_finite()) {
                    let rule = "must be finite and not negative";
                    return Err(Error::config("deviation of log σ", deviation, rule));
                }
                Ok(())
            }
            Self::LogUniform { least, largest } => {
                check_positive("least σ", least)?;
                check_positive("largest σ", largest)?;
                if largest < least {
                    let rule = "must be at least the least σ";
                    return Err(Error::config("largest σ", largest, rule));
                }
                Ok(())
            }
        }
    }
}

impl NoiseWeight {
    /// λ(σ).
    ///
    /// ```
    /// use brenier::neural::NoiseWeight;
    /// assert_eq!(NoiseWeight::Edm { data_deviation: 0.5 }.at(0.5), 8.0);
    /// ```
    pub fn at(&self, sigma: f64) -> f64 {
        match *self {
            Self::Uniform => 1.0,
            Self::Edm { data_deviation: s } => (sigma * sigma + s * s) / (sigma * s * sigma * s),
            Self::InverseSquare => 1.0 / (sigma * sigma),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::Edm { data_deviation } => check_positive("data_deviation", data_deviation),
            Self::Uniform | Self::InverseSquare => Ok(()),
        }
    }
}
