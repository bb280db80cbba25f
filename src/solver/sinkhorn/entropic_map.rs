//! Maps and potentials of a solution at points that it has not seen.

use std::sync::Arc;

use dfdx::prelude::{Cpu, Device, Module};

use super::softmin::Softmin;
use super::solution::Solution;
use crate::error::{Error, Result};
use crate::geometry::TranslationInvariant;
use crate::ops::gemm::{multiply_here, Into, Matrix};
use crate::ops::parallel::map_each;
use crate::ops::{CostForm, Real};
use crate::problem::{Discrete, Ground, Relaxation};
use crate::tensor::{points_on, rows, Points};

/// Points that a thread takes at once.
const CHUNK: usize = 64;

/// The entropic map of a solution and its inverse direction, and both potentials, at any points.
///
/// The potentials extend to f(x) = −τ ε log Σⱼ bⱼ exp((gⱼ − c(x, yⱼ)) / ε), and g in the same way. With
/// probabilities pⱼ(x) ∝ bⱼ exp((gⱼ − c(x, yⱼ)) / ε) and c(x, y) = h(x − y), the maps are
///
/// - forward T(x) = x − ∇h\*(Σⱼ pⱼ(x) ∇h(x − yⱼ)), which is x − ∇h\*(∇f(x)) where the source is balanced,
/// - backward S(y) = y + ∇h\*(Σᵢ pᵢ(y) ∇h(xᵢ − y)).
///
/// For squared distances they are the averages Σⱼ pⱼ(x) yⱼ and Σᵢ pᵢ(y) xᵢ, which at the points of the
/// problem are the barycentric projections of the plan.
///
/// The map owns its points and potentials. n points take O(n·m·d) time, over the threads, and O(n·d)
/// memory; results do not depend on the number of threads. It is a `dfdx` module on points
/// `[n, N]`, so that [`map_error`](crate::score::map_error) takes it; `forward` of the module panics
/// where [`forward`](Self::forward) is an error.
///
/// Sources: Pooladian and Niles-Weed, arXiv:2109.12004, equation 3 (squared distances); Cuturi, Klein
/// and Ablin, arXiv:2302.04953, section 3 (other h).
#[derive(Clone, Debug)]
pub struct EntropicMap<E: Real, C> {
    cost: C,
    epsilon: f64,
    dimension: usize,
    source: Side<E>,
    target: Side<E>,
}

#[derive(Clone, Debug)]
struct Side<E> {
    points: Vec<E>,
    weights: Vec<E>,
    potential: Vec<f64>,
    relaxation: Relaxation,
}

impl Solution {
    /// The entropic map of this solution of `problem`, whose cost is `cost`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the problem is a cost matrix, if `cost` is not its cost or is not
    /// strictly convex; [`Error::Shape`] if the sizes of problem and solution differ.
    ///
    /// ```
    /// use brenier::geometry::SqEuclidean;
    /// use brenier::problem::Discrete;
    /// use brenier::solver::{sinkhorn, Epsilon, SinkhornConfig, Stop};
    /// let problem = Discrete::clouds(&SqEuclidean, &[0.0f64, 1.0], &[2.0, 3.0], 1)?;
    /// let stop = Stop::Tolerance { tolerance: 1e-12, limit: 1000 };
    /// let config =
    ///     SinkhornConfig { epsilon: Epsilon::Absolute(0.5), stop, ..Default::default() };
    /// let map = sinkhorn(&config, &problem, None)?.entropic_map(&problem, &SqEuclidean)?;
    /// // By symmetry the middle goes to the middle.
    /// assert!((map.forward(&[0.5])?[0] - 2.5).abs() < 1e-9);
    /// assert!((map.backward(&[2.5])?[0] - 0.5).abs() < 1e-9);
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub fn entropic_map<E: Real, C: TranslationInvariant<E>>(
        &self,
        problem: &Discrete<'_, E>,
        cost: &C,
    ) -> Result<EntropicMap<E, C>> {
        self.potentials.check(problem)?;
        let Ground::Clouds { x, y, d, value, .. } = &problem.ground else {
            let rule = "needs points: make the problem from clouds";
            return Err(Error::config("entropic map", "a cost matrix", rule));
        };
        if !cost.is_strictly_convex() {
            let rule = "must be strictly convex in x − y: else the map is not unique";
            return Err(Error::config("cost", "not strictly convex", rule));
        }
        let ends = [(&x[..*d], &y[..*d]), (&x[x.len() - d..], &y[y.len() - d..])];
        if ends.iter().any(|(x, y)| value(x, y) != cost.value(x, y)) {
            let rule = "must be the cost of the problem";
            return Err(Error::config("cost", "another one", rule));
        }
        let [first, second] = problem.relaxation;
        let side = |points: &[E], weights: &[E], potential: &[f64], relaxation| Side {
            points: points.to_vec(),
            weights: weights.to_vec(),
            potential: potential.to_vec(),
            relaxation,
        };
        Ok(EntropicMap {
            cost: cost.clone(),
            epsilon: self.epsilon,
            dimension: *d,
            source: side(x, &problem.source, &self.potentials.f, first),
            target: side(y, &problem.target, &self.potentials.g, second),
        })
    }
}

/// Which way a map goes.
#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Forward,
    Backward,
}

impl<E: Real, C: TranslationInvariant<E>> EntropicMap<E, C> {
    /// T(x) for each row of `x`: `[n, d] -> [n, d]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is empty or its length is no multiple of d; [`Error::NonFinite`] for a
    /// coordinate, or for a cost that overflows when divided by ε.
    pub fn forward(&self, x: &[E]) -> Result<Vec<E>> {
        self.images(x, Direction::Forward)
    }

    /// S(y) for each row of `y`: `[n, d] -> [n, d]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn backward(&self, y: &[E]) -> Result<Vec<E>> {
        self.images(y, Direction::Backward)
    }

    /// f(x) for each row of `x`: `[n, d] -> [n]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn source_potential(&self, x: &[E]) -> Result<Vec<f64>> {
        self.potential(x, Direction::Forward)
    }

    /// g(y) for each row of `y`: `[n, d] -> [n]`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn target_potential(&self, y: &[E]) -> Result<Vec<f64>> {
        self.potential(y, Direction::Backward)
    }

    /// From `at` to the points of the other side.
    fn problem<'b>(&'b self, at: &'b [E], direction: Direction) -> Result<Discrete<'b, E>> {
        let end = self.end(direction);
        let mut problem = Discrete::clouds(&self.cost, at, &end.points, self.dimension)?;
        problem.target.copy_from_slice(&end.weights);
        if direction == Direction::Backward {
            if let Ground::Clouds { value, .. } = &mut problem.ground {
                let cost = self.cost.clone();
                *value = Arc::new(move |y, x| cost.value(x, y));
            }
        }
        Ok(problem)
    }

    /// The side that a direction ends at.
    fn end(&self, direction: Direction) -> &Side<E> {
        match direction {
            Direction::Forward => &self.target,
            Direction::Backward => &self.source,
        }
    }

    fn potential(&self, at: &[E], direction: Direction) -> Result<Vec<f64>> {
        let problem = self.problem(at, direction)?;
        let softmin = Softmin::new(&problem, &self.end(direction).potential, self.epsilon);
        let start = match direction {
            Direction::Forward => &self.source,
            Direction::Backward => &self.target,
        };
        let unit = -start.relaxation.tau() * self.epsilon * std::f64::consts::LN_2;
        in_chunks(at.len() / self.dimension, |from, to| {
            let mut out = Vec::with_capacity(to - from);
            softmin.rows(from, to, |_, _, _, logs| out.extend(logs.iter().map(|l| unit * l)))?;
            Ok(out)
        })
    }

    fn images(&self, at: &[E], direction: Direction) -> Result<Vec<E>> {
        let (d, end) = (self.dimension, self.end(direction));
        let problem = self.problem(at, direction)?;
        let softmin = Softmin::new(&problem, &end.potential, self.epsilon);
        let average = matches!(self.cost.form(), CostForm::SquaredDistance { .. });
        in_chunks(at.len() / d, |from, to| {
            let mut out = vec![E::zero(); (to - from) * d];
            softmin.rows(from, to, |first, terms, sums, _| {
                let here = &mut out[(first - from) * d..][..sums.len() * d];
                if average {
                    averages(terms, sums, &end.points, d, here);
                } else {
                    let at = &at[first * d..];
                    self.along_gradients(direction, at, terms, sums, here);
                }
            })?;
            Ok(out)
        })
    }

    /// Images of the points `at` under a general h.
    fn along_gradients(
        &self,
        direction: Direction,
        at: &[E],
        terms: &[E],
        sums: &[E],
        out: &mut [E],
    ) {
        let (d, m) = (self.dimension, terms.len() / sums.len());
        // Terms below this change nothing.
        let least = E::epsilon() * E::epsilon();
        let (mut z, mut slope) = (vec![E::zero(); d], vec![E::zero(); d]);
        let mut mean = vec![E::zero(); d];
        let rows = at.chunks_exact(d).zip(terms.chunks_exact(m)).zip(sums);
        for (((at, terms), sum), out) in rows.zip(out.chunks_exact_mut(d)) {
            mean.fill(E::zero());
            let points = self.end(direction).points.chunks_exact(d);
            for (point, p) in points.zip(terms).filter(|(_, p)| **p > least) {
                let (x, y) = match direction {
                    Direction::Forward => (at, point),
                    Direction::Backward => (point, at),
                };
                for ((z, x), y) in z.iter_mut().zip(x).zip(y) {
                    *z = *x - *y;
                }
                self.cost.h_gradient(&z, &mut slope);
                mean.iter_mut().zip(&slope).for_each(|(m, s)| *m += *p * *s);
            }
            mean.iter_mut().for_each(|m| *m /= *sum);
            self.cost.h_star_gradient(&mean, &mut slope);
            for ((out, at), step) in out.iter_mut().zip(at).zip(&slope) {
                *out = match direction {
                    Direction::Forward => *at - *step,
                    Direction::Backward => *at + *step,
                };
            }
        }
    }
}

/// Σⱼ pⱼ yⱼ / Σⱼ pⱼ for each row of terms.
fn averages<E: Real>(terms: &[E], sums: &[E], points: &[E], d: usize, out: &mut [E]) {
    let m = points.len() / d;
    let terms = Matrix::new(terms, sums.len(), m);
    multiply_here(terms, Matrix::new(points, m, d), out, d, Into::Overwrite);
    for (row, sum) in out.chunks_exact_mut(d).zip(sums) {
        row.iter_mut().for_each(|v| *v /= *sum);
    }
}

/// The values of `each(from, to)` over chunks of `0..n`, in order.
fn in_chunks<V: Send + Clone>(
    n: usize,
    each: impl Fn(usize, usize) -> Result<Vec<V>> + Sync + Send,
) -> Result<Vec<V>> {
    let parts = map_each(n.div_ceil(CHUNK), |c| each(c * CHUNK, (c * CHUNK + CHUNK).min(n)));
    Ok(parts.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

impl<const N: usize, E: Real, C: TranslationInvariant<E>> Module<Points<N, E>> for EntropicMap<E, C>
where
    Cpu: Device<E>,
{
    type Output = Points<N, E>;
    type Error = Error;

    fn try_forward(&self, x: Points<N, E>) -> Result<Points<N, E>> {
        if N != self.dimension {
            return Err(Error::shape("dimension of the points", self.dimension, N));
        }
        points_on(&Cpu::default(), self.forward(&rows(&x))?)
    }
}
