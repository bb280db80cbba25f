//! Pairs drawn from a plan between grids.

use super::engine::Engine;
use super::plan::GridPlan;
use crate::error::Result;
use crate::ops::parallel::map_each;
use crate::ops::{Real, Scratch};
use crate::random::Key;
use crate::solver::draw::{with_replacement, without_replacement, RowLaw};

impl<E: Real> GridPlan<E> {
    /// `k` independent pairs (i, j) of points of the source and of the target grid, numbered as weights are:
    /// the last axis runs fastest.
    ///
    /// A pair is drawn with the probability Pᵢⱼ / ΣP. The same pairs for the same key, on any number of
    /// threads. Only rows that are drawn are computed, each once: O(k M) time at most, and O(M)
    /// memory a thread.
    ///
    /// # Errors
    /// None at present: costs and masses were checked when the plan was made.
    ///
    /// ```
    /// use brenier::geometry::SqEuclidean;
    /// use brenier::problem::{Axis, Gridded};
    /// use brenier::random::Key;
    /// use brenier::solver::{sinkhorn_grid, Epsilon, SinkhornConfig};
    /// let axis = Axis::regular(&SqEuclidean, 3, 1.0)?;
    /// let problem = Gridded::<f32>::new(vec![axis.clone(), axis])?;
    /// let config = SinkhornConfig { epsilon: Epsilon::Absolute(0.01), ..Default::default() };
    /// let plan = sinkhorn_grid(&config, &problem, None)?.grid_plan(&problem)?;
    /// // Equal weights stay where they are.
    /// assert!(plan.sample(Key::new(0), 20)?.iter().all(|(i, j)| i == j));
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub fn sample(&self, key: Key, k: usize) -> Result<Vec<(usize, usize)>> {
        with_replacement(&Law::new(self), key, k)
    }

    /// `k` different pairs: each by the law of [`sample`](Self::sample), restricted to the pairs that were
    /// not drawn before.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if there are fewer than `k` pairs of points that
    /// have mass.
    pub fn sample_distinct(&self, key: Key, k: usize) -> Result<Vec<(usize, usize)>> {
        without_replacement(&Law::new(self), key, k)
    }
}

struct Law<'p> {
    engine: &'p Engine<f64>,
    masses: Vec<f64>,
    /// log₂ of weights and potentials of the targets.
    terms: Scratch<f64>,
}

impl<'p> Law<'p> {
    fn new<E: Real>(plan: &'p GridPlan<E>) -> Self {
        let masses = plan.marginals().0.iter().map(|p| p.double()).collect();
        Self { engine: &plan.engine, masses, terms: plan.engine.weighted(0) }
    }

    /// Weights of the targets for source `i`, the largest 1.
    fn row(&self, i: usize) -> Vec<f64> {
        let kernels = self.engine.kernels_to_target();
        let (mut exponents, mut before, mut stride) = (vec![0.0], 0, self.masses.len());
        for kernel in kernels {
            stride /= kernel.n;
            let at = (i - before) / stride;
            before += at * stride;
            let line = &kernel.exponents[at * kernel.m..(at + 1) * kernel.m];
            exponents = exponents.iter().flat_map(|e| line.iter().map(move |l| e + l)).collect();
        }
        exponents.iter_mut().zip(self.terms.iter()).for_each(|(e, t)| *e += t);
        let most = exponents.iter().fold(f64::NEG_INFINITY, |m, e| m.max(*e));
        exponents.iter_mut().for_each(|e| *e = (*e - most).exp2());
        exponents
    }
}

impl RowLaw<f64> for Law<'_> {
    fn masses(&self) -> &[f64] {
        &self.masses
    }

    fn support(&self) -> usize {
        self.engine.sides[1].weight.iter().filter(|w| **w > 0.0).count()
    }

    fn map_rows<V: Send>(
        &self,
        rows: &[usize],
        each: impl Fn(usize, &[f64]) -> V + Sync + Send,
    ) -> Result<Vec<V>> {
        Ok(map_each(rows.len(), |k| each(k, &self.row(rows[k]))))
    }
}
