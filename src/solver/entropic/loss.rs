//! Entropic costs and Sinkhorn divergences as losses on the tape.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::divergence::{
    sinkhorn_divergence, sinkhorn_divergence_gradient, Divergence, DivergenceConfig,
};
use super::gradient::weight_slopes;
use super::taken::{finite, Taken, Weights};
use crate::error::Result;
use crate::geometry::{RowCost, SqEuclidean};
use crate::ops::{Engine, Real};
use crate::problem::Relaxation;
use crate::solver::sinkhorn::{sinkhorn, Plan, Potentials, SinkhornConfig, Solution};
use crate::tensor::{Points, Scalar};

/// The entropy that an entropic cost contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entropy {
    /// ⟨P, C⟩ + ε KL(P | a⊗b), the dual cost of [`sinkhorn()`](crate::solver::sinkhorn()): `reg_ot_cost`
    /// of ott-jax.
    #[default]
    Relative,
    /// ⟨P, C⟩ − ε H(P) with H(P) = −Σ Pᵢⱼ log Pᵢⱼ for balanced marginals of mass 1: `ent_reg_cost` of
    /// ott-jax, less than the other by ε (H(a) + H(b)). For n equal weights on both sides that is 2 ε log n.
    Shannon,
}

/// The entropic transport cost between points as a loss, with its envelope gradients.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::solver::{Entropy, EntropicLoss};
/// use dfdx::prelude::*;
/// let (x, y) = (points::<2>(vec![0.0, 0.0])?, points::<2>(vec![3.0, 4.0])?);
/// let loss = EntropicLoss { entropy: Entropy::Relative, ..EntropicLoss::with_cost(SqEuclidean) };
/// let (value, _) = loss.between(x.leaky_trace(), y.clone())?;
/// assert!((value.array() - 25.0).abs() < 1e-4);
/// let gradient = rows(&value.backward().get(&x));
/// assert!((gradient[0] + 6.0).abs() < 1e-4 && (gradient[1] + 8.0).abs() < 1e-4);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct EntropicLoss<C = SqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// ε and when to stop.
    pub sinkhorn: SinkhornConfig,
    /// Of the source and the target marginal.
    pub relaxation: [Relaxation; 2],
    /// The entropy in the value.
    pub entropy: Entropy,
}

/// The Sinkhorn divergence between points as a loss, with its envelope gradients; see
/// [`sinkhorn_divergence`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct DivergenceLoss<C = SqEuclidean> {
    /// The ground cost c.
    pub cost: C,
    /// ε and when to stop.
    pub sinkhorn: SinkhornConfig,
    /// Of both marginals.
    pub relaxation: Relaxation,
    /// Whether the term of the target with itself is computed, which is constant for a fixed target.
    pub target_term: bool,
}

impl<C: Default> Default for DivergenceLoss<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> EntropicLoss<C> {
    /// The defaults of [`SinkhornConfig`], balanced, relative to the product, with this cost.
    pub fn with_cost(cost: C) -> Self {
        let (sinkhorn, relaxation) = (SinkhornConfig::default(), [Relaxation::Balanced; 2]);
        Self { cost, sinkhorn, relaxation, entropy: Entropy::Relative }
    }

    /// The cost between points of equal weights: `[n, N], [m, N] -> []`, differentiable in both.
    ///
    /// # Errors
    /// As [`weighted`](Self::weighted).
    pub fn between<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
    ) -> Result<(Scalar<E, D, T>, Solution)>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        self.weighted(x, y, [None; 2], None)
    }

    /// The cost between weighted points, from potentials of an earlier solution if they are given:
    /// differentiable in points and weights. Gradients reach every one of these tensors that is not
    /// declared constant ([`Constants`](crate::ops::Constants)); ε counts as constant.
    ///
    /// Time O(n·m·d) for each iteration and as much for the gradients, which are computed at once.
    ///
    /// # Errors
    /// Those of [`sinkhorn()`](crate::solver::sinkhorn()) and of [`Solution::gradient`];
    /// [`Error::NonFinite`](crate::Error::NonFinite) if the iteration diverged.
    pub fn weighted<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
        weights: Weights<'_, E, D>,
        start: Option<&Potentials>,
    ) -> Result<(Scalar<E, D, T>, Solution)>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        let taken = Taken::new(x, y, weights);
        let problem = taken.numbers.problem(&self.cost, N, self.relaxation)?;
        let solution = finite(sinkhorn(&self.sinkhorn, &problem, start)?, |s| s.status)?;
        let (mut value, epsilon) = (solution.dual_cost, solution.epsilon);
        let mut slopes = Vec::new();
        if T::OWNS_TAPE {
            let plan = Plan::new(&problem, &solution.potentials, epsilon)?;
            slopes.extend(plan.pull(None, taken.wanted())?);
            slopes.extend(weight_slopes(&problem, &solution.potentials, epsilon));
        }
        if self.entropy == Entropy::Shannon {
            let (a, b) = problem.weights();
            for (k, weights) in [a, b].into_iter().enumerate() {
                // Where a weight is 0, x log x has the slope of the smallest number that is not.
                let log = |w: &E| w.max(E::min_positive_value()).double().ln();
                value += epsilon * weights.iter().map(|w| w.double() * log(w)).sum::<f64>();
                if let Some(slope) = slopes.get_mut(2 + k) {
                    let more = weights.iter().map(|w| E::of(epsilon * (log(w) + 1.0)));
                    slope.iter_mut().zip(more).for_each(|(s, m): (&mut E, E)| *s += m);
                }
            }
        }
        drop(problem);
        Ok((taken.attach(value, slopes), solution))
    }
}

impl<C> DivergenceLoss<C> {
    /// The defaults of [`SinkhornConfig`], balanced, all three terms, with this cost.
    pub fn with_cost(cost: C) -> Self {
        let (sinkhorn, relaxation) = (SinkhornConfig::default(), Relaxation::Balanced);
        Self { cost, sinkhorn, relaxation, target_term: true }
    }

    /// The divergence between points of equal weights: `[n, N], [m, N] -> []`, differentiable in both.
    ///
    /// # Errors
    /// As [`weighted`](Self::weighted).
    pub fn between<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
    ) -> Result<(Scalar<E, D, T>, Divergence)>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        self.weighted(x, y, [None; 2], None)
    }

    /// The divergence between weighted points, from an earlier one if it is given: differentiable in
    /// points and weights, as [`EntropicLoss::weighted`].
    ///
    /// # Errors
    /// Those of [`sinkhorn_divergence`] and of [`Divergence::gradient`]; [`Error::NonFinite`](crate::Error::NonFinite) if an
    /// iteration diverged.
    pub fn weighted<const N: usize, E, D, T, R>(
        &self,
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
        weights: Weights<'_, E, D>,
        start: Option<&Divergence>,
    ) -> Result<(Scalar<E, D, T>, Divergence)>
    where
        E: Real,
        D: Engine<E>,
        C: RowCost<E>,
        T: Tape<E, D> + Merge<R>,
        R: Tape<E, D>,
    {
        let taken = Taken::new(x, y, weights);
        let problem = taken.numbers.problem(&self.cost, N, [self.relaxation; 2])?;
        let Self { sinkhorn, target_term, .. } = *self;
        let config = DivergenceConfig { sinkhorn, target_term };
        let (divergence, slopes) = if T::OWNS_TAPE {
            let wanted = taken.wanted();
            let (seen, g) = sinkhorn_divergence_gradient(&config, &problem, start, wanted)?;
            (seen, vec![g.source, g.target, g.source_weights, g.target_weights])
        } else {
            (sinkhorn_divergence(&config, &problem, start)?, Vec::new())
        };
        let divergence = finite(divergence, Divergence::status)?;
        drop(problem);
        Ok((taken.attach(divergence.value, slopes), divergence))
    }
}
