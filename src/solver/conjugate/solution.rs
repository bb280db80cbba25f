//! What comes back.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::Real;

/// How the iteration of a point ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ConjugateStatus {
    /// |∇f(x) − y| is at most the tolerance.
    Converged,
    /// The limit was reached before the tolerance.
    IterationLimit,
    /// No step along the last direction improved: f has a kink, is not convex there, or its values are
    /// as exact as the number type allows.
    Stalled,
}

/// Conjugates of a batch of points.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct Conjugates<E> {
    /// The maximisers x, row by row; for smooth convex f these are ∇f*(y).
    pub points: Vec<E>,
    /// f*(y) = ⟨x, y⟩ − f(x).
    pub values: Vec<f64>,
    /// |∇f(x) − y|.
    pub residuals: Vec<f64>,
    /// Iterations of each point.
    pub iterations: Vec<usize>,
    /// How each ended.
    pub status: Vec<ConjugateStatus>,
    /// Values and gradients of f that were computed, in points.
    pub evaluations: usize,
}

impl<E: Real> Conjugates<E> {
    pub(super) fn new(n: usize, dimension: usize) -> Self {
        Self {
            points: vec![E::zero(); n * dimension],
            values: vec![0.0; n],
            residuals: vec![0.0; n],
            iterations: vec![0; n],
            status: vec![ConjugateStatus::IterationLimit; n],
            evaluations: 0,
        }
    }

    /// The share of points that did not converge, in [0, 1].
    pub fn unconverged(&self) -> f64 {
        let open = self.status.iter().filter(|s| **s != ConjugateStatus::Converged).count();
        open as f64 / self.status.len() as f64
    }

    /// These conjugates if all of them converged.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] that names the first point that did not, and its residual.
    pub fn into_converged(self) -> Result<Self> {
        match self.status.iter().position(|s| *s != ConjugateStatus::Converged) {
            None => Ok(self),
            Some(i) => Err(Error::config(
                "limit of the conjugate",
                format_args!(
                    "{} (point {i}: residual {:e})",
                    self.iterations[i], self.residuals[i]
                ),
                "too few iterations, or a function that is not convex: raise the limit or the \
                 tolerance",
            )),
        }
    }
}
