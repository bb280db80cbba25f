//! Pairs drawn from a plan that is not stored.

use std::borrow::Cow;

use super::plan::Plan;
use super::softmin::Softmin;
use crate::error::Result;
use crate::ops::parallel::map_each;
use crate::ops::Real;
use crate::problem::{Discrete, Ground, Relaxation};
use crate::random::Key;
use crate::solver::draw::{with_replacement, without_replacement, RowLaw};

/// Rows that a thread takes at once.
const CHUNK: usize = 64;

impl<E: Real> Plan<'_, E> {
    /// `k` independent pairs (i, j) of source and target.
    ///
    /// Sources are drawn by what the potentials prescribe as the source marginal, aᵢ or aᵢ exp(−fᵢ / λ),
    /// and targets by Pᵢⱼ within the row. That is the plan after one more update of f; it differs from
    /// the plan, in total variation, by at most half its marginal error. The same pairs for the same
    /// key, on any number of threads.
    ///
    /// Only rows that are drawn are computed, each once: O(k·m·d) time at most and O(m + k·d) memory.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if a cost is not, or overflows when divided by ε.
    ///
    /// ```
    /// use brenier::geometry::SqEuclidean;
    /// use brenier::problem::Discrete;
    /// use brenier::random::Key;
    /// use brenier::solver::{sinkhorn, SinkhornConfig};
    /// let problem = Discrete::clouds(&SqEuclidean, &[0.0f32, 5.0], &[5.1, 0.2], 1)?;
    /// let solution = sinkhorn(&SinkhornConfig::default(), &problem, None)?;
    /// let pairs = solution.plan(&problem)?.sample(Key::new(0), 20)?;
    /// assert!(pairs.iter().all(|&(i, j)| j == 1 - i));
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub fn sample(&self, key: Key, k: usize) -> Result<Vec<(usize, usize)>> {
        with_replacement(&Law::new(self), key, k)
    }

    /// `k` different pairs: each by the law of [`sample`](Self::sample), restricted to the pairs that were
    /// not drawn before.
    ///
    /// As long as repetitions are few it takes as long as [`sample`](Self::sample); else one pass over
    /// all n·m pairs.
    ///
    /// # Errors
    /// As [`sample`](Self::sample), and [`Error::InvalidConfig`](crate::Error::InvalidConfig) if there are
    /// fewer than `k` pairs of points that have mass.
    pub fn sample_distinct(&self, key: Key, k: usize) -> Result<Vec<(usize, usize)>> {
        without_replacement(&Law::new(self), key, k)
    }
}

struct Law<'p, 'a, E: Real> {
    plan: &'p Plan<'a, E>,
    masses: Vec<f64>,
}

impl<'p, 'a, E: Real> Law<'p, 'a, E> {
    fn new(plan: &'p Plan<'a, E>) -> Self {
        let masses = prescribed_rows(plan.problem, &plan.potentials.f, plan.epsilon);
        Self { plan, masses }
    }
}

/// What the potentials f prescribe as the source marginal, up to a factor: a, or a exp(−f / λ).
pub(crate) fn prescribed_rows<E: Real>(
    problem: &Discrete<'_, E>,
    f: &[f64],
    epsilon: f64,
) -> Vec<f64> {
    let relaxation = problem.relaxation[0];
    let weights = problem.source.iter().map(|w| w.double());
    if relaxation == Relaxation::Balanced {
        return weights.collect();
    }
    let tau = relaxation.tau();
    let lambda = epsilon * tau / (1.0 - tau);
    // Relative to the largest exponent of a point that has weight.
    let present = || problem.source.iter().zip(f).filter(|(w, _)| **w > E::zero());
    let least = present().fold(f64::INFINITY, |l, (_, f)| l.min(*f));
    let mass = |(w, f): (f64, &f64)| if w > 0.0 { w * ((least - f) / lambda).exp() } else { w };
    weights.zip(f).map(mass).collect()
}

impl<E: Real> RowLaw<E> for Law<'_, '_, E> {
    fn masses(&self) -> &[f64] {
        &self.masses
    }

    fn support(&self) -> usize {
        self.plan.problem.target.iter().filter(|w| **w > E::zero()).count()
    }

    fn map_rows<V: Send>(
        &self,
        rows: &[usize],
        each: impl Fn(usize, &[E]) -> V + Sync + Send,
    ) -> Result<Vec<V>> {
        let Plan { problem, potentials, epsilon, .. } = self.plan;
        // The rows of clouds are gathered, so that they are computed in blocks.
        let gathered = gather(problem, rows);
        let softmin = Softmin::new(gathered.as_ref().unwrap_or(problem), &potentials.g, *epsilon);
        let m = problem.sizes().1;
        let parts = map_each(rows.len().div_ceil(CHUNK), |c| {
            let start = c * CHUNK;
            let end = (start + CHUNK).min(rows.len());
            let mut values = Vec::with_capacity(end - start);
            let mut take = |from, to| {
                softmin.rows(from, to, |_, terms, _, _| {
                    for row in terms.chunks_exact(m) {
                        values.push(each(start + values.len(), row));
                    }
                })
            };
            match gathered {
                Some(_) => take(start, end)?,
                None => rows[start..end].iter().try_for_each(|i| take(*i, *i + 1))?,
            }
            Ok(values)
        });
        let parts = parts.into_iter().collect::<Result<Vec<Vec<V>>>>()?;
        Ok(parts.into_iter().flatten().collect())
    }
}

/// The problem with these rows alone, if it has points.
fn gather<'b, E: Real>(problem: &'b Discrete<'_, E>, rows: &[usize]) -> Option<Discrete<'b, E>> {
    let Ground::Clouds { x, y, d, form, value, slope } = &problem.ground else { return None };
    let points: Vec<E> = rows.iter().flat_map(|i| &x[i * d..(i + 1) * d]).copied().collect();
    Some(Discrete {
        ground: Ground::Clouds {
            x: Cow::Owned(points),
            y: Cow::Borrowed(y),
            d: *d,
            form: *form,
            value: value.clone(),
            slope: slope.clone(),
        },
        source: vec![E::one(); rows.len()],
        target: problem.target.clone(),
        relaxation: problem.relaxation,
    })
}
