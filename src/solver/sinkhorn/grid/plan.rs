//! The plan of given potentials on grids.

use super::cost::marginal;
use super::engine::Engine;
use crate::error::{Error, Result};
use crate::ops::Real;
use crate::problem::Gridded;
use crate::solver::sinkhorn::solution::{Potentials, Solution};

/// A transport plan between grids, Pᵢⱼ = aᵢ bⱼ exp((fᵢ + gⱼ − Cᵢⱼ) / ε), that is never stored: each question
/// takes O(N Σₖ nₖ) time for each column of what it is applied to, and O(N) memory. Computed in double
/// precision.
pub struct GridPlan<E: Real> {
    pub(super) engine: Engine<f64>,
    marginals: [Vec<E>; 2],
}

impl Solution {
    /// The plan of these potentials for the grid that was solved (or another of its sizes).
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes of the problem differ; the error of the solver if a side has no mass;
    /// [`Error::NonFinite`] if a cost overflows
    /// when divided by ε.
    pub fn grid_plan<E: Real>(&self, problem: &Gridded<E>) -> Result<GridPlan<E>> {
        self.potentials.check_sizes(problem.sizes())?;
        problem.check_masses()?;
        let mut engine = Engine::<f64>::new(problem, [1.0; 2], self.epsilon)?;
        let unit = self.epsilon * std::f64::consts::LN_2;
        let Potentials { f, g } = &self.potentials;
        for (side, values) in engine.sides.iter_mut().zip([f, g]) {
            side.potential = values.iter().map(|v| v / unit).collect();
        }
        let marginals = [0, 1].map(|k| {
            let (side, sums) = (&engine.sides[k], engine.sums(k));
            let terms = side.weight.iter().zip(&side.potential).zip(sums.iter());
            terms.map(|((a, f), s)| E::of(marginal(*a, f + s))).collect()
        });
        Ok(GridPlan { engine, marginals })
    }
}

impl<E: Real> GridPlan<E> {
    /// Row sums `[N]` and column sums `[M]`.
    pub fn marginals(&self) -> (&[E], &[E]) {
        let [rows, columns] = &self.marginals;
        (rows, columns)
    }

    /// P v for `v` of shape `[M, columns]`, row by row: shape `[N, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `v` does not have M rows of at least one column.
    pub fn apply(&self, v: &[E]) -> Result<Vec<E>> {
        self.weighted(v, 0)
    }

    /// Pᵀ v for `v` of shape `[N, columns]`, row by row: shape `[M, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `v` does not have N rows of at least one column.
    pub fn apply_transpose(&self, v: &[E]) -> Result<Vec<E>> {
        self.weighted(v, 1)
    }

    /// Σⱼ Pᵢⱼ vⱼ / Σⱼ Pᵢⱼ for `v` of shape `[M, columns]`: shape `[N, columns]`. For the coordinates of the
    /// target grid this is the barycentric projection. Points without mass have the limit of small
    /// masses.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn average(&self, v: &[E]) -> Result<Vec<E>> {
        self.means(v, 0)
    }

    /// The same from targets to sources: `[N, columns]` to `[M, columns]`.
    ///
    /// # Errors
    /// As [`apply_transpose`](Self::apply_transpose).
    pub fn average_transpose(&self, v: &[E]) -> Result<Vec<E>> {
        self.means(v, 1)
    }

    fn weighted(&self, v: &[E], side: usize) -> Result<Vec<E>> {
        let mut out = self.means(v, side)?;
        let columns = out.len() / self.marginals[side].len();
        for (row, p) in out.chunks_exact_mut(columns).zip(&self.marginals[side]) {
            row.iter_mut().for_each(|o| *o *= *p);
        }
        Ok(out)
    }

    fn means(&self, v: &[E], side: usize) -> Result<Vec<E>> {
        let (to, from) = (self.marginals[side].len(), self.marginals[1 - side].len());
        if v.is_empty() || !v.len().is_multiple_of(from) {
            let expected = format!("a positive multiple of {from} numbers");
            return Err(Error::shape("what a plan is applied to", expected, v.len()));
        }
        let columns = v.len() / from;
        let mut out = vec![E::zero(); to * columns];
        for k in 0..columns {
            let column: Vec<f64> = v.iter().skip(k).step_by(columns).map(|v| v.double()).collect();
            let means = self.engine.averages(side, &column, 0.0);
            for (out, mean) in out[k..].iter_mut().step_by(columns).zip(means.iter()) {
                *out = E::of(*mean);
            }
        }
        Ok(out)
    }
}
