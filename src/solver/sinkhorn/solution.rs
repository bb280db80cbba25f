//! What comes back.

use serde::{Deserialize, Serialize};

use super::config::Form;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::ops::Real;
use crate::problem::Discrete;

/// Dual potentials: f on the sources, g on the targets.
///
/// The plan is Pᵢⱼ = aᵢ bⱼ exp((fᵢ + gⱼ − Cᵢⱼ) / ε). Hence fᵢ + gⱼ ≤ Cᵢⱼ + ε log(1 / max(aᵢ, bⱼ)) for weights
/// of total mass 1, and f + g ≤ C as ε → 0. They are in double precision for every number type, since
/// f / ε is an exponent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Potentials {
    /// f, length n.
    pub f: Vec<f64>,
    /// g, length m.
    pub g: Vec<f64>,
}

/// How the iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Status {
    /// The marginal error is at most the tolerance, or the iterations asked for are done.
    Converged,
    /// The limit was reached before the tolerance.
    IterationLimit,
    /// Potentials, errors, costs or the mass of the plan are not finite in the number type; or C / ε is
    /// beyond its digits, some 10⁶ in single and 10¹⁴ in double precision, and the plan that it makes of
    /// the potentials does not have the marginals.
    Diverged,
}

/// A solution of an entropic transport problem, good to the marginal error that it states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Solution {
    /// Dual potentials.
    pub potentials: Potentials,
    /// ε in the units of the cost.
    pub epsilon: f64,
    /// Iterations, each of which updates both marginals.
    pub iterations: usize,
    /// Distance of both marginals of the plan to what they should be: Σᵢ|P1 − a*|ᵢ / Σᵢ a*ᵢ for the
    /// source, plus the same for the target, computed for the potentials above. Where a marginal is
    /// balanced, a* = a; where it is relaxed, a* = a exp(−f / λ).
    pub marginal_error: f64,
    /// How the iteration ended.
    pub status: Status,
    /// The form taken, [`Form::Stored`] or [`Form::Online`].
    pub form: Form,
    /// Total mass of the plan.
    pub mass: f64,
    /// ⟨P, C⟩.
    pub transport_cost: f64,
    /// ⟨P, C⟩ + ε KL(P | a⊗b) + λ₁ KL(P1 | a) + λ₂ KL(Pᵀ1 | b), where terms of balanced marginals are
    /// left out; KL(p | q) = Σ p log(p / q) − p + q. A balanced marginal is met up to the marginal
    /// error.
    pub primal_cost: f64,
    /// ⟨a, f⟩ + ⟨b, g⟩ − ε (mass of P − mass of a⊗b), where a relaxed marginal has λ ⟨a, 1 − exp(−f / λ)⟩
    /// instead of ⟨a, f⟩. No plan costs less.
    pub dual_cost: f64,
}

impl Solution {
    /// The same with the status that its numbers say: they are to be finite, the mass also as an `E`.
    pub(crate) fn judged<E: Real>(mut self, tolerance: Option<f64>) -> Self {
        let Self { potentials: Potentials { f, g }, marginal_error, mass, .. } = &self;
        let costs = [*mass, self.transport_cost, self.primal_cost, self.dual_cost, *marginal_error];
        let finite = f.iter().chain(g).chain(&costs).all(|v| v.is_finite());
        self.status = match (finite && E::of(*mass).is_finite(), tolerance) {
            (false, _) => Status::Diverged,
            (true, Some(tolerance)) if *marginal_error > tolerance => Status::IterationLimit,
            _ => self.status,
        };
        self
    }

    /// This solution if it converged.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] naming the iteration limit, or [`Error::NonFinite`] if it diverged.
    pub fn into_converged(self) -> Result<Self> {
        match self.status {
            Status::Converged => Ok(self),
            Status::IterationLimit => Err(Error::config(
                "stop.limit",
                format_args!("{} (marginal error {:e})", self.iterations, self.marginal_error),
                "too few iterations: raise the limit, the tolerance or epsilon, or use annealing",
            )),
            Status::Diverged => Err(Error::NonFinite {
                what: "the marginal error".into(),
                value: self.marginal_error,
                step: None,
                remedy: "raise epsilon, scale the costs, or compute in double precision",
            }),
        }
    }

    /// The plan of these potentials for the problem that was solved (or another of its sizes). Nothing
    /// is computed until it is asked something.
    ///
    /// # Errors
    /// [`Error::Shape`] if the sizes of the problem differ.
    pub fn plan<'a, E: Real>(&self, problem: &'a Discrete<'a, E>) -> Result<Plan<'a, E>> {
        Plan::new(problem, &self.potentials, self.epsilon)
    }
}
