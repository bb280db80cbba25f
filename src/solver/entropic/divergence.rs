//! The Sinkhorn divergence of two discrete measures.

use serde::{Deserialize, Serialize};

use super::gradient::{slopes, CostGradient};
use crate::error::{Error, Result};
use crate::ops::parallel::{map_each, on_pool};
use crate::ops::{CostForm, Real};
use crate::problem::{Discrete, End, Ground};
use crate::solver::sinkhorn::{
    sinkhorn, symmetric, Plan, Potentials, SelfTransport, SinkhornConfig, Solution, Status,
};

/// Choices of [`sinkhorn_divergence`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DivergenceConfig {
    /// Of all three problems, which share their ε; a relative ε is that of the costs between the two
    /// measures.
    pub sinkhorn: SinkhornConfig,
    /// Whether the term of the target with itself is computed. It is constant where the target does not
    /// move.
    pub target_term: bool,
}

impl Default for DivergenceConfig {
    /// ε = 0.05 of the mean cost, all three terms.
    fn default() -> Self {
        Self { sinkhorn: SinkhornConfig::default(), target_term: true }
    }
}

/// A Sinkhorn divergence with the solutions that it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use]
pub struct Divergence {
    /// S(a, b), without its target term if that was not wanted.
    pub value: f64,
    /// ε in the units of the cost.
    pub epsilon: f64,
    /// Between source and target.
    pub cross: Solution,
    /// Between the source and itself.
    pub source: SelfTransport,
    /// Between the target and itself, if wanted.
    pub target: Option<SelfTransport>,
}

impl Divergence {
    /// How the worst of the iterations ended.
    pub fn status(&self) -> Status {
        let own = [Some(&self.source), self.target.as_ref()].into_iter().flatten();
        own.map(|s| s.status).fold(self.cross.status, |worst, s| match (worst, s) {
            (Status::Diverged, _) | (_, Status::Diverged) => Status::Diverged,
            (Status::IterationLimit, _) | (_, Status::IterationLimit) => Status::IterationLimit,
            _ => Status::Converged,
        })
    }

    /// The gradient of [`value`](Self::value) in the points and weights of the problem, by the envelope
    /// theorem as in [`Solution::gradient`]. In the weights it is, in terms of those of
    /// [`CostGradient`], that of the term between the measures, minus that of the term of the measure
    /// with itself (half of it for each side), and ε (mass(a) − mass(b)) or its negative.
    ///
    /// # Errors
    /// As [`Solution::gradient`].
    pub fn gradient<'a, E: Real>(&self, problem: &'a Discrete<'a, E>) -> Result<CostGradient<E>> {
        self.gradient_where(problem, [true; 2])
    }

    /// The same; gradients in points of sides that are not wanted are empty.
    pub(super) fn gradient_where<'a, E: Real>(
        &self,
        problem: &'a Discrete<'a, E>,
        wanted: [bool; 2],
    ) -> Result<CostGradient<E>> {
        on_pool(|| self.slopes(problem, wanted))
    }

    fn slopes<'a, E: Real>(
        &self,
        problem: &'a Discrete<'a, E>,
        wanted: [bool; 2],
    ) -> Result<CostGradient<E>> {
        let Potentials { f, g } = &self.cross.potentials;
        let potentials = [f, g];
        let plan = Plan::new(problem, &self.cross.potentials, self.epsilon)?;
        let [mut source, mut target] = plan.pull(None, wanted)?;
        let mut weights = [Vec::new(), Vec::new()];
        let masses = problem.masses();
        let sides = [
            (End::Source, Some(&self.source), &mut source),
            (End::Target, self.target.as_ref(), &mut target),
        ];
        for (k, (end, own, points)) in sides.into_iter().enumerate() {
            let relaxation = problem.relaxation[k];
            let cross = slopes(potentials[k], relaxation, self.epsilon, masses[1 - k]);
            let apart = self.epsilon * (masses[k] - masses[1 - k]);
            weights[k] = cross.map(|w| w + apart).collect::<Vec<f64>>();
            let Some(own) = own else { continue };
            let less = slopes(&own.potential, relaxation, self.epsilon, masses[k]);
            weights[k].iter_mut().zip(less).for_each(|(w, l)| *w -= l);
            if wanted[k] {
                // Half of the term, whose two sides move together.
                let itself = problem.with_itself(end)?;
                let (f, g) = (own.potential.clone(), own.potential.clone());
                let plan = Plan::new(&itself, &Potentials { f, g }, self.epsilon)?;
                let [less, _] = plan.pull(None, [true, false])?;
                points.iter_mut().zip(less).for_each(|(p, l)| *p -= l);
            }
        }
        let [source_weights, target_weights] =
            weights.map(|w| w.into_iter().map(E::of).collect::<Vec<E>>());
        Ok(CostGradient { source, target, source_weights, target_weights })
    }
}

/// The Sinkhorn divergence
///
/// S(a, b) = OT(a, b) − ½ OT(a, a) − ½ OT(b, b) + ε/2 (mass(a) − mass(b))²,
///
/// where OT is the dual cost of [`sinkhorn()`](crate::solver::sinkhorn()) at one ε, with the relaxation of the
/// problem, which must be the same for both marginals. It is 0 for a = b, and for costs with a positive
/// kernel exp(−c/ε), such as |x − y| and its square, positive otherwise and convex in each measure. As ε
/// grows it tends to the energy distance of the cost, as ε falls to the transport cost.
///
/// The symmetric terms take one pass over their kernel per half step and a few steps. `start`, a
/// divergence of measures nearby and of the same sizes, warm-starts all three problems. Time and memory
/// are those of [`sinkhorn()`](crate::solver::sinkhorn()).
///
/// # Errors
/// Those of [`sinkhorn()`](crate::solver::sinkhorn()); [`Error::InvalidConfig`] if the problem is a cost
/// matrix, if the relaxations of the marginals differ, or if the cost is not symmetric.
///
/// # Sources
/// arXiv:1810.08278; relaxed marginals: arXiv:1910.12958, definition 8.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Discrete;
/// use brenier::solver::{sinkhorn_divergence, DivergenceConfig};
/// let (x, y) = ([0.0f64, 1.0, 2.0], [3.0, 4.0, 5.0]);
/// // Of |x − y|² between translates it is the squared distance, for every ε.
/// let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1)?;
/// let mut config = DivergenceConfig::default();
/// config.sinkhorn.stop = brenier::solver::Stop::Tolerance { tolerance: 1e-8, limit: 10_000 };
/// let divergence = sinkhorn_divergence(&config, &problem, None)?;
/// assert!((divergence.value - 9.0).abs() < 1e-6);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn sinkhorn_divergence<'a, E: Real>(
    config: &DivergenceConfig,
    problem: &'a Discrete<'a, E>,
    start: Option<&Divergence>,
) -> Result<Divergence> {
    let [first, second] = problem.relaxation();
    if first != second {
        let found = format_args!("{first:?} and {second:?}");
        let rule = "must be the same for both marginals of a divergence";
        return Err(Error::config("relaxation", found, rule));
    }
    check_symmetry(problem)?;
    on_pool(|| solve(config, problem, start))
}

fn solve<'a, E: Real>(
    config: &DivergenceConfig,
    problem: &'a Discrete<'a, E>,
    start: Option<&Divergence>,
) -> Result<Divergence> {
    let cross = sinkhorn(&config.sinkhorn, problem, start.map(|s| &s.cross.potentials))?;
    let epsilon = cross.epsilon;
    let ends = [End::Source, End::Target];
    let own = map_each(if config.target_term { 2 } else { 1 }, |k| {
        let itself = problem.with_itself(ends[k])?;
        let before = start.and_then(|s| [Some(&s.source), s.target.as_ref()][k]);
        symmetric(&config.sinkhorn, &itself, epsilon, before.map(|s| &s.potential[..]))
    });
    let mut own = own.into_iter();
    // Two at most, the first of which is always there.
    let (Some(source), target) = (own.next().transpose()?, own.next().transpose()?) else {
        return Err(Error::config("target_term", config.target_term, "leaves no term"));
    };
    let [a, b] = problem.masses();
    let value = cross.dual_cost - 0.5 * source.dual_cost
        + 0.5 * (epsilon * (a - b).powi(2) - target.as_ref().map_or(0.0, |t| t.dual_cost));
    Ok(Divergence { value, epsilon, cross, source, target })
}

/// Refuses a cost that is seen not to be symmetric at a few pairs.
fn check_symmetry<E: Real>(problem: &Discrete<'_, E>) -> Result<()> {
    let Ground::Clouds { x, y, d, form: CostForm::Other, value, .. } = &problem.ground else {
        return Ok(());
    };
    for (x, y) in x.chunks_exact(*d).zip(y.chunks_exact(*d)).take(16) {
        let (c, swapped) = (value(x, y).double(), value(y, x).double());
        if (c - swapped).abs() > 1e-3 * c.abs().max(swapped.abs()) {
            let found = format_args!("{c} and {swapped}");
            let rule = "differ: a divergence needs a symmetric cost";
            return Err(Error::config("c(x, y) and c(y, x)", found, rule));
        }
    }
    Ok(())
}
