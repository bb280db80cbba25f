//! The energy distance of minibatches: a divergence of measures whose estimate from samples is unbiased.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::taken::{finite, Taken};
use crate::error::{Error, Result};
use crate::geometry::{RowCost, SqEuclidean};
use crate::ops::parallel::map_each;
use crate::ops::{Engine, Real};
use crate::problem::Discrete;
use crate::solver::sinkhorn::{sinkhorn, Epsilon, Plan, SinkhornConfig, Solution};
use crate::tensor::{Points, Scalar};

/// The energy distance between two clouds, each cut into halves X, X' and Y, Y':
///
/// ¼ [OT(X, Y) + OT(X, Y') + OT(X', Y) + OT(X', Y')] − ½ OT(X, X') − ½ OT(Y, Y').
///
/// OT is the dual cost of [`sinkhorn()`](crate::solver::sinkhorn()). A Sinkhorn divergence of two samples of one
/// measure is positive, the more so the higher the dimension, and falls when one of them contracts: a
/// map that is fitted by it on minibatches contracts too. Here all terms compare independent samples;
/// the expectation is 0, and stationary, where the measures are equal. The value of a batch may be
/// negative.
///
/// Costs about as much as one Sinkhorn problem between the clouds.
///
/// # Source
/// The minibatch energy distance of arXiv:1803.05573.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::solver::EnergyLoss;
/// let cloud = |key: u64| points::<2>(Key::new(key).normal(400));
/// let loss: EnergyLoss = EnergyLoss::default();
/// let (same, _) = loss.between(cloud(0)?, cloud(1)?)?;
/// let (apart, _) = loss.between(cloud(0)?, cloud(1)? + 1.0)?;
/// // Moving by (1, 1) costs 2.
/// assert!(rows(&same)[0].abs() < 0.2 && (rows(&apart)[0] - 2.0).abs() < 0.5);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct EnergyLoss<C = SqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// ε and when to stop; a relative ε is that of the costs between X and Y, for all terms.
    pub sinkhorn: SinkhornConfig,
    /// Whether the term of the target with itself is computed, which is constant for a fixed target.
    pub target_term: bool,
}

impl<C: Default> Default for EnergyLoss<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

/// Halves that are compared: of the source 0 and 1, of the target 2 and 3; and the factor of the term.
const TERMS: [([usize; 2], f64); 6] = [
    ([0, 2], 0.25),
    ([0, 3], 0.25),
    ([1, 2], 0.25),
    ([1, 3], 0.25),
    ([0, 1], -0.5),
    ([2, 3], -0.5),
];

impl<C> EnergyLoss<C> {
    /// The defaults of [`SinkhornConfig`] and all terms, with this cost.
    pub fn with_cost(cost: C) -> Self {
        Self { cost, sinkhorn: SinkhornConfig::default(), target_term: true }
    }

    /// The distance between points of equal weights, `[n, N], [m, N] -> []`, differentiable in both, and
    /// the solutions of its terms in the order of the formula.
    ///
    /// # Errors
    /// [`Error::Shape`] if a side has less than two points; those of [`sinkhorn()`](crate::solver::sinkhorn())
    /// and of [`Solution::gradient`]; [`Error::NonFinite`] if an iteration diverged.
    pub fn between<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
    ) -> Result<(Scalar<E, D, T>, Vec<Solution>)>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        let taken = Taken::new(x, y, [None; 2]);
        let [x, y] = &taken.numbers.points;
        for (what, cloud) in [("source points", x), ("target points", y)] {
            if cloud.len() < 2 * N {
                return Err(Error::shape(what, "two at least, to be halved", cloud.len() / N));
            }
        }
        let ((a, b), (c, d)) = (x.split_at(x.len() / N / 2 * N), y.split_at(y.len() / N / 2 * N));
        let halves = [a, b, c, d];
        let wanted = if T::OWNS_TAPE { taken.wanted() } else { [false; 2] };
        let terms = &TERMS[..if self.target_term { 6 } else { 5 }];
        let one = |(ends, factor): ([usize; 2], f64), config: &SinkhornConfig| {
            let [p, q] = ends;
            let problem = Discrete::clouds(&self.cost, halves[p], halves[q], N)?;
            let solution = finite(sinkhorn(config, &problem, None)?, |s| s.status)?;
            let wanted = ends.map(|end| wanted[end / 2]);
            let slopes = match wanted {
                [false, false] => [Vec::new(), Vec::new()],
                _ => Plan::new(&problem, &solution.potentials, solution.epsilon)?
                    .pull(None, wanted)?,
            };
            Ok((ends, factor, solution, slopes))
        };
        let first = one(terms[0], &self.sinkhorn)?;
        let epsilon = Epsilon::Absolute(first.2.epsilon);
        let shared = SinkhornConfig { epsilon, ..self.sinkhorn };
        let mut all = vec![first];
        let others = map_each(terms.len() - 1, |k| one(terms[k + 1], &shared));
        all.extend(others.into_iter().collect::<Result<Vec<_>>>()?);

        let mut sums = halves.map(|half| vec![E::zero(); half.len()]);
        let (mut value, mut solutions) = (0.0, Vec::new());
        for (ends, factor, solution, slopes) in all {
            value += factor * solution.dual_cost;
            for (end, slope) in ends.into_iter().zip(slopes) {
                let scaled = slope.into_iter().map(|s| s * E::of(factor));
                sums[end].iter_mut().zip(scaled).for_each(|(sum, s)| *sum += s);
            }
            solutions.push(solution);
        }
        let [a, b, c, d] = sums;
        let slopes = vec![[a, b].concat(), [c, d].concat()];
        Ok((taken.attach(value, slopes), solutions))
    }
}
