//! The losses of the Monge gap estimator: the gap itself, and how far images are from a target.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::geometry::{Cost, RowCost, SqEuclidean};
use crate::ops::{Constants, Engine, Real};
use crate::problem::Relaxation;
use crate::solver::{
    DivergenceLoss, EnergyLoss, EntropicLoss, Entropy, Epsilon, SinkhornConfig, Solution,
};
use crate::tensor::{Points, Scalar};

/// The Monge gap of a map at n points, M(T) = (1/n) Σ c(xᵢ, T(xᵢ)) − W(ε), where W(ε) is the transport cost
/// between the points and their images minus ε H(P) ([`Entropy::Shannon`]).
///
/// M is at least ε log n, and at most 2 ε log n if T is optimal: the coupling x ↦ T(x) has the entropy
/// log n, and no coupling has more than 2 log n.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, bound(deserialize = "C: Default + Deserialize<'de>"))]
pub struct MongeGap<C = SqEuclidean> {
    /// The ground cost c, any.
    pub cost: C,
    /// ε, absolute or relative, and when to stop.
    pub sinkhorn: SinkhornConfig,
}

impl<C: Default> Default for MongeGap<C> {
    fn default() -> Self {
        Self::with_cost(C::default())
    }
}

impl<C> MongeGap<C> {
    /// ε = 0.01 of the mean cost, to a marginal error of 1e-3, with this cost.
    pub fn with_cost(cost: C) -> Self {
        let epsilon = Epsilon::RelativeToMean(0.01);
        Self { cost, sinkhorn: SinkhornConfig { epsilon, ..Default::default() } }
    }
}

/// What a Monge gap is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct GapTerms {
    /// M(T).
    pub gap: f64,
    /// (1/n) Σ c(xᵢ, T(xᵢ)).
    pub transport_cost: f64,
    /// W(ε) and how it was found.
    pub solution: Solution,
}

/// The Monge gap of a map with the images `moved` of the points `x`: `[n, N], [n, N] -> []`,
/// differentiable in the images. The plan counts as constant (envelope theorem).
///
/// # Errors
/// [`Error::Shape`] if there are not as many images as points, and those of
/// [`EntropicLoss::weighted`].
pub fn monge_gap_loss<const N: usize, E, D, C, T>(
    config: &MongeGap<C>,
    x: &Points<N, E, D>,
    moved: Points<N, E, D, T>,
) -> Result<(Scalar<E, D, T>, GapTerms)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    T: Tape<E, D>,
{
    let entropic = EntropicLoss {
        cost: config.cost.clone(),
        sinkhorn: config.sinkhorn,
        relaxation: [Relaxation::Balanced; 2],
        entropy: Entropy::Shannon,
    };
    let (moved, tape) = moved.split_tape();
    let costs = config.cost.paired(x, moved.clone().put_tape(tape))?;
    let transport_cost = mean(&costs.as_vec());
    let still = x.retaped::<T>();
    let within = || entropic.between(still, moved.retaped::<T>());
    let (entropic, solution) = Constants::default().tensor(x).scope(within)?;
    // In double precision, from the numbers that the solver saw.
    let n = x.shape().0 as f64;
    let gap = transport_cost - (solution.dual_cost - 2.0 * solution.epsilon * n.ln());
    Ok((costs.mean() - entropic, GapTerms { gap, transport_cost, solution }))
}

/// How far the images are from the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "C: Default + Deserialize<'de>"))]
pub enum Fitting<C = SqEuclidean> {
    /// The Sinkhorn divergence, which is 0 for equal measures.
    Divergence(DivergenceLoss<C>),
    /// The energy distance of minibatches, whose expectation has its minimum where the measures are
    /// equal, however small the batch.
    Energy(EnergyLoss<C>),
    /// The entropic transport cost, whose minimum contracts the images by about √ε.
    Entropic(EntropicLoss<C>),
}

impl<C: Default> Default for Fitting<C> {
    /// The Sinkhorn divergence with ε = 0.1 of the mean cost, without the constant term of the target.
    fn default() -> Self {
        let epsilon = Epsilon::RelativeToMean(0.1);
        let sinkhorn = SinkhornConfig { epsilon, ..Default::default() };
        let loss = DivergenceLoss::with_cost(C::default());
        Self::Divergence(DivergenceLoss { sinkhorn, target_term: false, ..loss })
    }
}

/// What is seen of a fitting loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FittingTerms {
    /// Its value.
    pub value: f64,
    /// ε in the units of the cost.
    pub epsilon: f64,
    /// Iterations of the problem between images and target.
    pub iterations: usize,
    /// Its marginal error.
    pub marginal_error: f64,
}

/// The fitting loss between images and target: `[n, N], [m, N] -> []`, differentiable in the images.
///
/// # Errors
/// Those of [`DivergenceLoss::weighted`], [`EnergyLoss::between`] and [`EntropicLoss::weighted`].
pub fn fitting_loss<const N: usize, E, D, C, T>(
    config: &Fitting<C>,
    moved: Points<N, E, D, T>,
    target: &Points<N, E, D>,
) -> Result<(Scalar<E, D, T>, FittingTerms)>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    T: Tape<E, D>,
{
    let fixed = Constants::default().tensor(target);
    let terms = |value, s: &Solution| FittingTerms {
        value,
        epsilon: s.epsilon,
        iterations: s.iterations,
        marginal_error: s.marginal_error,
    };
    match config {
        Fitting::Divergence(loss) => {
            let (value, d) = fixed.scope(|| loss.between(moved, target.clone()))?;
            Ok((value, terms(d.value, &d.cross)))
        }
        Fitting::Energy(loss) => {
            let (value, all) = fixed.scope(|| loss.between(moved, target.clone()))?;
            let seen = value.as_vec().first().map_or(f64::NAN, |v| v.double());
            let first = all.first().ok_or_else(|| Error::shape("terms of a loss", "one", 0))?;
            Ok((value, terms(seen, first)))
        }
        Fitting::Entropic(loss) => {
            let (value, s) = fixed.scope(|| loss.between(moved, target.clone()))?;
            let seen = value.as_vec().first().map_or(f64::NAN, |v| v.double());
            Ok((value, terms(seen, &s)))
        }
    }
}

fn mean<E: Real>(values: &[E]) -> f64 {
    values.iter().map(|v| v.double()).sum::<f64>() / values.len() as f64
}
