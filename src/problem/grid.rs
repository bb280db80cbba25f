//! Measures on regular grids, with costs that are sums over the axes.

use super::checks::{check_finite, check_masses, check_weights};
use super::relaxation::Relaxation;
use crate::error::{check_count, check_positive, Error, Result};
use crate::ops::{Real, RowCost};

/// The costs along one axis, between n source and m target coordinates.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Axis;
/// // Three pixels, half a unit apart.
/// let axis = Axis::regular(&SqEuclidean, 3, 0.5)?;
/// assert_eq!(axis.costs(), [0.0, 0.25, 1.0, 0.25, 0.0, 0.25, 1.0, 0.25, 0.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    costs: Vec<f64>,
    sizes: (usize, usize),
}

impl Axis {
    /// Costs between coordinates: any cost between points of dimension 1. A grid adds them over its
    /// axes; for [`SqEuclidean`](crate::geometry::SqEuclidean),
    /// [`HalfSqEuclidean`](crate::geometry::HalfSqEuclidean) and [`PNorm`](crate::geometry::PNorm) that is
    /// the same cost between its points.
    ///
    /// # Errors
    /// [`Error::Shape`] for no coordinates; [`Error::NonFinite`] for a coordinate or cost that is not
    /// finite.
    pub fn new<C: RowCost<f64>>(cost: &C, x: &[f64], y: &[f64]) -> Result<Self> {
        for (what, v) in
            [("source coordinates of an axis", x), ("target coordinates of an axis", y)]
        {
            if v.is_empty() {
                return Err(Error::shape(what, "at least one", 0));
            }
            check_finite(v, |i| format!("number {i} of the {what}"))?;
        }
        let row = |x: &[f64]| y.chunks_exact(1).map(|y| cost.value(x, y)).collect::<Vec<_>>();
        let costs: Vec<f64> = x.chunks_exact(1).flat_map(row).collect();
        Self::matrix(costs, x.len(), y.len())
    }

    /// `n` coordinates, `spacing` apart, the same for source and target.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `n = 0` or a spacing that is not positive and finite.
    pub fn regular<C: RowCost<f64>>(cost: &C, n: usize, spacing: f64) -> Result<Self> {
        check_count("extent of an axis", n)?;
        check_positive("spacing of an axis", spacing)?;
        let x: Vec<f64> = (0..n).map(|i| i as f64 * spacing).collect();
        Self::new(cost, &x, &x)
    }

    /// Any costs `[n, m]`, row by row; they may be negative.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not n · m costs, or none; [`Error::NonFinite`] if one is NaN or
    /// infinite.
    pub fn matrix(costs: Vec<f64>, n: usize, m: usize) -> Result<Self> {
        if costs.is_empty() || n.checked_mul(m) != Some(costs.len()) {
            let expected = format!("{n} × {m} numbers, not none");
            return Err(Error::shape("costs of an axis", expected, costs.len()));
        }
        check_finite(&costs, |i| {
            format!("the cost of row {}, column {} of an axis", i / m, i % m)
        })?;
        Ok(Self { costs, sizes: (n, m) })
    }

    /// (n, m): how many source and target coordinates there are.
    pub fn sizes(&self) -> (usize, usize) {
        self.sizes
    }

    /// The costs `[n, m]`, row by row.
    pub fn costs(&self) -> &[f64] {
        &self.costs
    }
}

/// A transport problem between measures on grids: c(i, j) = Σₖ cₖ(iₖ, jₖ) over the axes k, a density on
/// the source grid and one on the target grid, and a [`Relaxation`] for each.
///
/// Densities are in row-major order, the last axis fastest. They are uniform, 1/N and 1/M, unless given.
/// Of the N × M costs only those along the axes are stored.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::{Axis, Gridded};
/// let axes = vec![Axis::regular(&SqEuclidean, 2, 1.0)?, Axis::regular(&SqEuclidean, 3, 1.0)?];
/// let problem = Gridded::new(axes)?.with_source_weights(&[1.0f32, 0.0, 0.0, 0.0, 0.0, 0.0])?;
/// assert_eq!(problem.sizes(), (6, 6));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Gridded<E: Real = f32> {
    pub(crate) axes: Vec<Axis>,
    pub(crate) source: Vec<E>,
    pub(crate) target: Vec<E>,
    pub(crate) relaxation: [Relaxation; 2],
}

impl<E: Real> Gridded<E> {
    /// The grid of these axes, the slowest first.
    ///
    /// # Errors
    /// [`Error::Shape`] for no axes or more points than can be counted.
    pub fn new(axes: Vec<Axis>) -> Result<Self> {
        let product = |size: fn(&Axis) -> usize| {
            axes.iter().try_fold(1usize, |product, axis| product.checked_mul(size(axis)))
        };
        let (Some(n), Some(m), false) =
            (product(|a| a.sizes.0), product(|a| a.sizes.1), axes.is_empty())
        else {
            return Err(Error::shape(
                "axes of a grid",
                "one or more, of countable size",
                axes.len(),
            ));
        };
        let uniform = |n: usize| vec![E::of(1.0 / n as f64); n];
        let relaxation = [Relaxation::Balanced; 2];
        Ok(Self { axes, source: uniform(n), target: uniform(m), relaxation })
    }

    /// The same problem with a source density of any positive total mass.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are N numbers; [`Error::NonFinite`] if one is NaN or infinite;
    /// [`Error::InvalidConfig`] if one is negative or all are zero.
    pub fn with_source_weights(mut self, weights: &[E]) -> Result<Self> {
        check_weights("source weights", weights, self.source.len())?;
        self.source.copy_from_slice(weights);
        Ok(self)
    }

    /// The same problem with a target density of any positive total mass.
    ///
    /// # Errors
    /// As [`with_source_weights`](Self::with_source_weights).
    pub fn with_target_weights(mut self, weights: &[E]) -> Result<Self> {
        check_weights("target weights", weights, self.target.len())?;
        self.target.copy_from_slice(weights);
        Ok(self)
    }

    /// The same problem with these relaxations of the source and the target marginal.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if a τ is not in (0, 1].
    pub fn relaxed(mut self, source: Relaxation, target: Relaxation) -> Result<Self> {
        self.relaxation = [source.checked()?, target.checked()?];
        Ok(self)
    }

    /// (N, M): how many points the source and the target grid have.
    pub fn sizes(&self) -> (usize, usize) {
        (self.source.len(), self.target.len())
    }

    /// The axes, the slowest first.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Source and target densities.
    pub fn weights(&self) -> (&[E], &[E]) {
        (&self.source, &self.target)
    }

    /// Relaxations of the source and the target marginal.
    pub fn relaxation(&self) -> [Relaxation; 2] {
        self.relaxation
    }

    /// Total masses of the densities.
    pub(crate) fn masses(&self) -> [f64; 2] {
        [&self.source, &self.target].map(|w| w.iter().map(|v| v.double()).sum())
    }

    /// Refuses two balanced marginals of different mass, up to rounding, and masses whose products the
    /// number type cannot hold.
    pub(crate) fn check_masses(&self) -> Result<()> {
        check_masses::<E>(self.masses(), self.relaxation)
    }
}
