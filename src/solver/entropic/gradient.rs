//! Gradients of the entropic cost in points and weights.

use crate::error::Result;
use crate::ops::Real;
use crate::problem::{Discrete, Relaxation};
use crate::solver::sinkhorn::{Plan, Potentials, Solution};

/// Gradients of an entropic cost.
///
/// Points: `source[i]` is Σⱼ Pᵢⱼ ∂₁c(xᵢ, yⱼ) and `target[j]` is Σᵢ Pᵢⱼ ∂₂c(xᵢ, yⱼ), row by row.
///
/// Weights: with mass(b) the total of the target weights, `source_weights[i]` is fᵢ + ε (mass(b) − 1) where
/// the source is balanced, and λ (1 − exp(−fᵢ/λ)) + ε (mass(b) − exp(−fᵢ/λ)) where it is relaxed; the same
/// for the target. Balanced problems exist for equal masses only, so their gradients mean something along
/// changes that keep the masses equal: a constant added to `source_weights` and taken from
/// `target_weights` changes nothing. Here it is the one of the potentials, ⟨a, f⟩ = ⟨b, g⟩ for those of
/// [`sinkhorn()`](crate::solver::sinkhorn()).
#[derive(Clone, Debug, PartialEq)]
pub struct CostGradient<E = f32> {
    /// In the source points, `[n, d]`.
    pub source: Vec<E>,
    /// In the target points, `[m, d]`.
    pub target: Vec<E>,
    /// In the source weights, `[n]`.
    pub source_weights: Vec<E>,
    /// In the target weights, `[m]`.
    pub target_weights: Vec<E>,
}

impl Solution {
    /// The gradient of [`dual_cost`](Self::dual_cost) in the points and weights of the problem that was
    /// solved, by the envelope theorem: potentials are held fixed, where the dual cost is stationary.
    /// ε is held fixed too, also where it was relative to the costs.
    ///
    /// Points where the cost has a kink count with the gradient 0 that their [`RowCost`] gives. Time
    /// O(n·m·d), memory O((n + m) d): the plan is not stored.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the sizes of the problem differ,
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if it is a cost matrix, or if its cost is
    /// not symmetric and lacks
    /// [`value_and_source_gradient`](crate::geometry::RowCost::value_and_source_gradient).
    ///
    /// ```
    /// use brenier::geometry::SqEuclidean;
    /// use brenier::problem::Discrete;
    /// use brenier::solver::{sinkhorn, SinkhornConfig};
    /// // One point each: the cost is |x − y|².
    /// let problem = Discrete::clouds(&SqEuclidean, &[1.0f32, 0.0], &[4.0, -4.0], 2)?;
    /// let gradient = sinkhorn(&SinkhornConfig::default(), &problem, None)?.gradient(&problem)?;
    /// assert!((gradient.source[0] + 6.0).abs() < 1e-4 && (gradient.source[1] - 8.0).abs() < 1e-4);
    /// # Ok::<(), brenier::Error>(())
    /// ```
    ///
    /// [`RowCost`]: crate::geometry::RowCost
    pub fn gradient<'a, E: Real>(&self, problem: &'a Discrete<'a, E>) -> Result<CostGradient<E>> {
        let [source, target] =
            Plan::new(problem, &self.potentials, self.epsilon)?.pull(None, [true; 2])?;
        let [source_weights, target_weights] =
            weight_slopes(problem, &self.potentials, self.epsilon);
        Ok(CostGradient { source, target, source_weights, target_weights })
    }
}

/// The derivatives of the dual cost in the weights.
pub(super) fn weight_slopes<E: Real>(
    problem: &Discrete<'_, E>,
    potentials: &Potentials,
    epsilon: f64,
) -> [Vec<E>; 2] {
    let masses = problem.masses();
    [(&potentials.f, 0), (&potentials.g, 1)].map(|(f, k)| {
        let slopes = slopes(f, problem.relaxation[k], epsilon, masses[1 - k]);
        slopes.map(E::of).collect()
    })
}

/// The derivative in each weight of a side with these potentials; `mass` is that of the other side.
pub(super) fn slopes(
    f: &[f64],
    relaxation: Relaxation,
    epsilon: f64,
    mass: f64,
) -> impl Iterator<Item = f64> + '_ {
    f.iter().map(move |f| match relaxation {
        Relaxation::Balanced => f + epsilon * (mass - 1.0),
        Relaxation::Kl { tau } => {
            let lambda = epsilon * tau / (1.0 - tau);
            let less = (-f / lambda).exp_m1();
            -lambda * less + epsilon * (mass - 1.0 - less)
        }
    })
}
