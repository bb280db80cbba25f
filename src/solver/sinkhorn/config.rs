//! What can be chosen.

use serde::{Deserialize, Serialize};

use crate::error::{check_count, check_positive, Error, Result};

/// The strength of the entropic regularisation. The value used is in the solution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Epsilon {
    /// In the units of the cost.
    Absolute(f64),
    /// A multiple of the mean of all n·m costs, which must be positive.
    RelativeToMean(f64),
    /// A multiple of the standard deviation of all n·m costs.
    RelativeToStd(f64),
    /// A multiple of the largest absolute value of all n·m costs.
    RelativeToMax(f64),
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stop {
    /// When the marginal error (see [`Solution::marginal_error`](super::Solution::marginal_error)) is
    /// at most `tolerance`, or after `limit` iterations.
    Tolerance {
        /// Largest accepted error.
        tolerance: f64,
        /// Most iterations.
        limit: usize,
    },
    /// After this many iterations, whatever the error.
    Iterations(usize),
}

/// A decreasing sequence of ε that ends with the ε asked for: ε₀, ε₀ q, ε₀ q², …
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Annealing {
    /// ε₀ as a multiple of the final ε, at least 1.
    pub start: f64,
    /// q, in (0, 1).
    pub factor: f64,
    /// Iterations at each ε above the final one; they count in the total.
    pub iterations: usize,
}

impl Default for Annealing {
    /// From 1000 ε by halves, three iterations at each.
    fn default() -> Self {
        Self { start: 1000.0, factor: 0.5, iterations: 3 }
    }
}

/// Over-relaxation of the updates, log u ← (1 − ω) log u + ω log(update).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Acceleration {
    /// ω from the observed rate of convergence, back to plain iterations where the error does not
    /// fall. Does nothing with [`Stop::Iterations`], whose iterations are always plain.
    #[default]
    Automatic,
    /// Plain iterations, ω = 1.
    Off,
}

/// How an iteration computes its kernel exp((f + g − C) / ε).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Form {
    /// The quicker of the others for the sizes; [`Form::Online`] where a stored kernel would exceed
    /// 1 GiB.
    #[default]
    Auto,
    /// Stored, n·m numbers, read once per iteration.
    Stored,
    /// Recomputed from points and potentials in every iteration, O(n + m) numbers.
    Online,
    /// Axis by axis: the form of grids ([`sinkhorn_grid`](super::sinkhorn_grid)), and only theirs.
    Separable,
}

/// Choices of [`sinkhorn`](super::sinkhorn()).
///
/// ```
/// use brenier::solver::{Epsilon, SinkhornConfig};
/// let config = SinkhornConfig { epsilon: Epsilon::Absolute(0.1), ..Default::default() };
/// assert_eq!(config.annealing, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SinkhornConfig {
    /// ε.
    pub epsilon: Epsilon,
    /// When to stop.
    pub stop: Stop,
    /// A sequence of larger ε to pass through first. Pays for ε below 1e-3 of the cost.
    pub annealing: Option<Annealing>,
    /// Over-relaxation.
    pub acceleration: Acceleration,
    /// How the kernel is computed.
    pub form: Form,
}

impl Default for SinkhornConfig {
    /// ε = 0.05 of the mean cost, to an error of 1e-3 within 2000 iterations, no annealing.
    fn default() -> Self {
        Self {
            epsilon: Epsilon::RelativeToMean(0.05),
            stop: Stop::Tolerance { tolerance: 1e-3, limit: 2000 },
            annealing: None,
            acceleration: Acceleration::default(),
            form: Form::default(),
        }
    }
}

impl SinkhornConfig {
    pub(crate) fn check(&self) -> Result<()> {
        let (Epsilon::Absolute(epsilon)
        | Epsilon::RelativeToMean(epsilon)
        | Epsilon::RelativeToStd(epsilon)
        | Epsilon::RelativeToMax(epsilon)) = self.epsilon;
        check_positive("epsilon", epsilon)?;
        check_count("iterations", self.limit())?;
        if let Stop::Tolerance { tolerance, .. } = self.stop {
            check_positive("tolerance", tolerance)?;
        }
        if let Some(Annealing { start, factor, iterations }) = self.annealing {
            if !(start >= 1.0 && start.is_finite()) {
                return Err(Error::config("annealing.start", start, "must be finite, at least 1"));
            }
            if !(factor > 0.0 && factor <= 0.99) {
                return Err(Error::config("annealing.factor", factor, "must be in (0, 0.99]"));
            }
            check_count("annealing.iterations", iterations)?;
        }
        Ok(())
    }

    /// Each ε in its turn.
    pub(super) fn stages(&self, epsilon: f64) -> Vec<Stage> {
        let mut stages = Vec::new();
        if let Some(annealing) = self.annealing {
            let mut times = annealing.start;
            while times > 1.0 + 1e-9 {
                let iterations = Some(annealing.iterations);
                stages.push(Stage { epsilon: epsilon * times, iterations });
                times *= annealing.factor;
            }
        }
        stages.push(Stage { epsilon, iterations: None });
        stages
    }

    /// Most iterations.
    pub(crate) fn limit(&self) -> usize {
        match self.stop {
            Stop::Tolerance { limit, .. } => limit,
            Stop::Iterations(limit) => limit,
        }
    }

    /// The tolerance, if one decides.
    pub(crate) fn tolerance(&self) -> Option<f64> {
        match self.stop {
            Stop::Tolerance { tolerance, .. } => Some(tolerance),
            Stop::Iterations(_) => None,
        }
    }
}

/// Iterations at one ε.
pub(super) struct Stage {
    pub(super) epsilon: f64,
    /// How many; `None` at the last ε, which stops as configured.
    pub(super) iterations: Option<usize>,
}
