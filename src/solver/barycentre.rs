//! Barycentres of Gaussian measures.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use super::gaussian::{power, Gaussian};
use super::masses::total;
use crate::error::{check_count, check_positive, Error, Result};

/// When [`bures_barycentre`] stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BarycentreConfig {
    /// The largest residual that counts as zero.
    pub tolerance: f64,
    /// Iterations at most.
    pub max_iterations: usize,
}

impl Default for BarycentreConfig {
    fn default() -> Self {
        Self { tolerance: 1e-10, max_iterations: 1000 }
    }
}

/// A barycentre of Gaussian measures.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct BuresBarycentre {
    /// The barycentre.
    pub gaussian: Gaussian,
    /// ‖T̄ − I‖ / √d (Frobenius) with T̄ the mean of the optimal maps from the barycentre to the
    /// measures: zero at the solution.
    pub residual: f64,
    /// Iterations done.
    pub iterations: usize,
    /// Whether the residual came under the tolerance.
    pub converged: bool,
}

/// The Gaussian with the least Σ λᵢ W₂²(·, Nᵢ) for weights λ, which are divided by their sum.
///
/// Its mean is Σ λᵢ mᵢ and its covariance the fixed point of
/// S ← S^{-½} (Σ λᵢ (S^{½} Sᵢ S^{½})^{½})² S^{-½}, which converges from any positive definite start
/// (here Σ λᵢ Sᵢ), and the objective falls in every step. O(k d³) time an iteration for k measures of
/// dimension d, O(d²) memory beside them.
///
/// Source: Álvarez-Esteban, del Barrio, Cuesta-Albertos and Matrán, arXiv:1511.05355, (7).
///
/// # Errors
/// [`Error::Shape`] for no measures, another number of weights, or moments whose sizes differ;
/// [`Error::NonFinite`] for a moment that is; [`Error::InvalidConfig`] for a negative weight, weights
/// that sum to zero, a configuration out of range, or if the mean covariance is singular.
///
/// ```
/// use brenier::solver::{bures_barycentre, Gaussian};
/// use nalgebra::{DMatrix, DVector};
/// let normal = |m, v| Gaussian {
///     mean: DVector::from_element(1, m),
///     covariance: DMatrix::from_element(1, 1, v),
/// };
/// // On the line standard deviations are averaged: (1 + 3)/2.
/// let measures = [normal(0.0, 1.0), normal(4.0, 9.0)];
/// let found = bures_barycentre(&measures, &[0.5, 0.5], &Default::default())?;
/// assert!((found.gaussian.mean[0] - 2.0).abs() < 1e-12);
/// assert!((found.gaussian.covariance[0] - 4.0).abs() < 1e-9);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn bures_barycentre(
    measures: &[Gaussian],
    weights: &[f64],
    config: &BarycentreConfig,
) -> Result<BuresBarycentre> {
    check_positive("tolerance", config.tolerance)?;
    check_count("max_iterations", config.max_iterations)?;
    if measures.len() != weights.len() {
        let expected = format!("one for each of {} measures", measures.len());
        return Err(Error::shape("weights", expected, weights.len()));
    }
    let sum = total("weights", weights)?;
    let d = measures[0].mean.len();
    for (i, g) in measures.iter().enumerate() {
        check(i, g, d)?;
    }
    let parts: Vec<(f64, &Gaussian)> = weights.iter().map(|w| w / sum).zip(measures).collect();
    let mean = parts.iter().fold(DVector::zeros(d), |m, (w, g)| m + &g.mean * *w);
    let start = parts.iter().fold(DMatrix::zeros(d, d), |s, (w, g)| s + &g.covariance * *w);
    let mut gaussian = Gaussian { mean, covariance: start };
    let (mut residual, mut iterations) = (f64::INFINITY, 0);
    while iterations < config.max_iterations {
        let (root, inverse) = gaussian.roots()?;
        let middle = parts.iter().fold(DMatrix::zeros(d, d), |sum, (w, g)| {
            sum + power(&(&root * &g.covariance * &root), f64::sqrt) * *w
        });
        let map = &inverse * &middle * &inverse;
        residual = (&map - DMatrix::identity(d, d)).norm() / (d as f64).sqrt();
        if residual <= config.tolerance {
            break;
        }
        let next = &inverse * &middle * &middle * &inverse;
        gaussian.covariance = (&next + next.transpose()) * 0.5;
        iterations += 1;
    }
    Ok(BuresBarycentre { gaussian, residual, iterations, converged: residual <= config.tolerance })
}

fn check(i: usize, g: &Gaussian, d: usize) -> Result<()> {
    if g.mean.len() != d || g.covariance.shape() != (d, d) || d == 0 {
        let found = format!("{} and {:?}", g.mean.len(), g.covariance.shape());
        let expected = format!("a mean of length {d} > 0 and a covariance of {d} × {d}");
        return Err(Error::shape(format!("measure {i}"), expected, found));
    }
    match g.mean.iter().chain(g.covariance.iter()).find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(&value) => Err(Error::NonFinite {
            what: format!("a moment of measure {i}"),
            value,
            step: None,
            remedy: "clean the data first",
        }),
    }
}
