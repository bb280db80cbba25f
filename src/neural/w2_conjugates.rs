//! Where a step of [`w2_dual_step`](super::w2_dual_step) takes its conjugates from, and what their network
//! learns.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{check_count, check_positive, Result};
use crate::function::{Descent, InputGradient, Learner, TransportMap};
use crate::geometry::{Cost, NegDot, SqEuclidean};
use crate::ops::{Engine, Real};
use crate::solver::{conjugates, ConjugateConfig};
use crate::tensor::{points_on, rows, Points, Scalar, Taped};

/// Where x̂ comes from and what G learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Conjugation {
    /// x̂ = G(y) after so many descents of mean[ψ(G(y)) − ⟨G(y), y⟩], at least 1: the minimax form
    /// (arXiv:1908.10962 for convex networks).
    Minimax {
        /// Descents of G before each one of ψ.
        map_steps: usize,
    },
    /// x̂ = G(y). ψ and G also descend w/2 (mean|∇ψ(G(y)) − y|² + mean|G(∇ψ(x)) − x|²), and G nothing
    /// else: not a minimax problem (arXiv:1909.13082). The reference code takes w = N.
    Cycle {
        /// w, positive.
        weight: f64,
    },
    /// x̂ from a solver that starts at G(y) (arXiv:2210.12153).
    FineTuned {
        /// The solver.
        solver: ConjugateConfig,
        /// How G learns to start closer.
        amortisation: Amortisation,
    },
}

/// How the start of a solver is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Amortisation {
    /// Descent of mean|G(y) − x̂|².
    #[default]
    Regression,
    /// Descent of mean[ψ(G(y)) − ⟨G(y), y⟩].
    Objective,
}

impl Default for Conjugation {
    fn default() -> Self {
        Self::FineTuned {
            solver: ConjugateConfig::default(),
            amortisation: Amortisation::default(),
        }
    }
}

impl Conjugation {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Minimax { map_steps } => check_count("map_steps", *map_steps),
            Self::Cycle { weight } => check_positive("weight", *weight),
            Self::FineTuned { solver, .. } => solver.check(),
        }
    }
}

/// x̂ of the target points, and how G fared.
pub(super) struct Answer<const N: usize, E: Real, D: Engine<E>> {
    pub(super) best: Points<N, E, D>,
    /// Of G, the last one.
    pub(super) descent: Descent,
    /// What ψ descends besides.
    pub(super) regulariser: Option<Scalar<E, D, Taped<E, D>>>,
    /// Mean iterations of the solver; 0 without one.
    pub(super) iterations: f64,
    /// Share of points whose iteration did not converge.
    pub(super) unconverged: f64,
}

/// x̂ of the target points `y`, with the descents of G that belong to it.
pub(super) fn answer<const N: usize, E, D, F, G>(
    conjugation: &Conjugation,
    (potential, conjugate): (&Learner<F, E, D>, &mut Learner<G, E, D>),
    [x, y]: [&Points<N, E, D>; 2],
) -> Result<Answer<N, E, D>>
where
    E: Real,
    D: Engine<E>,
    F: InputGradient<N, E, D>,
    G: TransportMap<N, E, D>,
{
    let without = |best, descent, regulariser| Answer {
        best,
        descent,
        regulariser,
        iterations: 0.0,
        unconverged: 0.0,
    };
    match conjugation {
        Conjugation::Minimax { map_steps } => {
            let mut descent = Descent { loss: f64::NAN, gradient_norm: f64::NAN };
            for _ in 0..*map_steps {
                let moved: Points<N, E, D, Taped<E, D>> = conjugate.traced(y);
                descent = conjugate.descend(objective(potential, y, moved)?)?;
            }
            Ok(without(conjugate.params().forward(y.clone()), descent, None))
        }
        Conjugation::Cycle { weight } => {
            let (loss, cycle) = cycles(potential, conjugate, x, y, E::of(0.5 * weight))?;
            let best = conjugate.params().forward(y.clone());
            Ok(without(best, conjugate.descend(cycle)?, Some(loss)))
        }
        Conjugation::FineTuned { solver, amortisation } => {
            let moved: Points<N, E, D, Taped<E, D>> = conjugate.traced(y);
            let slopes = potential.params().slopes();
            let found = conjugates(slopes, &rows(y), &moved.as_vec(), N, solver)?;
            let total: usize = found.iterations.iter().sum();
            let (iterations, unconverged) =
                (total as f64 / found.iterations.len() as f64, found.unconverged());
            let best = points_on(y.device(), found.points)?;
            let loss = match amortisation {
                Amortisation::Regression => SqEuclidean.paired(&best, moved)?.mean(),
                Amortisation::Objective => objective(potential, y, moved)?,
            };
            let descent = conjugate.descend(loss)?;
            Ok(Answer { best, descent, regulariser: None, iterations, unconverged })
        }
    }
}

/// mean[ψ(G(y)) − ⟨G(y), y⟩], with ψ frozen.
fn objective<const N: usize, E, D, F>(
    potential: &Learner<F, E, D>,
    y: &Points<N, E, D>,
    moved: Points<N, E, D, Taped<E, D>>,
) -> Result<Scalar<E, D, Taped<E, D>>>
where
    E: Real,
    D: Engine<E>,
    F: InputGradient<N, E, D>,
{
    let products = NegDot.paired(y, moved.retaped::<Taped<E, D>>())?.mean();
    let values: Points<1, E, D, Taped<E, D>> = potential.frozen(moved);
    Ok(values.mean() + products)
}

/// `half` · (mean|∇ψ(G(y)) − y|² + mean|G(∇ψ(x)) − x|²), recorded for ψ and for G.
type Cycles<E, D> = (Scalar<E, D, Taped<E, D>>, Scalar<E, D, Taped<E, D>>);
fn cycles<const N: usize, E, D, F, G>(
    potential: &Learner<F, E, D>,
    conjugate: &Learner<G, E, D>,
    x: &Points<N, E, D>,
    y: &Points<N, E, D>,
    half: E,
) -> Result<Cycles<E, D>>
where
    E: Real,
    D: Engine<E>,
    F: InputGradient<N, E, D>,
    G: TransportMap<N, E, D>,
{
    type Recorded<const N: usize, E, D> = Points<N, E, D, Taped<E, D>>;
    let gradient = |f: &F, at: Recorded<N, E, D>| f.input_gradient(at);
    let back: Recorded<N, E, D> = conjugate.traced(y);
    let forth: Recorded<N, E, D> = potential.traced_by(x, gradient);
    let (images, sources) = (forth.retaped::<NoneTape>(), back.retaped::<NoneTape>());

    let there: Recorded<N, E, D> = potential.traced_by(&sources, gradient);
    let again: Recorded<N, E, D> = conjugate.frozen(forth);
    let of_potential = SqEuclidean.paired(y, there)?.mean() + SqEuclidean.paired(x, again)?.mean();

    let there: Recorded<N, E, D> = potential.frozen_by(back, gradient);
    let again: Recorded<N, E, D> = conjugate.traced(&images);
    let of_conjugate = SqEuclidean.paired(y, there)?.mean() + SqEuclidean.paired(x, again)?.mean();
    Ok((of_potential * half, of_conjugate * half))
}
