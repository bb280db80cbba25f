//! The Sinkhorn divergence of two discrete measures.

use serde::{Deserialize, Serialize};

use super::gradient::{slopes, CostGradient};
use crate::error::{Error, Result};
use crate::ops::parallel::on_pool;
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
    /// How the worst of the iterations ended; [`Status::Diverged`] too where the value is not finite.
    pub fn status(&self) -> Status {
        if !self.value.is_finite() {
            return Status::Diverged;
        }
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
        on_pool(|| {
            let plan = Plan::new(problem, &self.cross.potentials, self.epsilon)?;
            let cross = plan.pull(None, [true; 2])?;
            let of = |end, own: Option<&SelfTransport>| {
                let Some(own) = own else { return Ok(Vec::new()) };
                let itself = problem.with_itself(end)?;
                let (f, g) = (own.potential.clone(), own.potential.clone());
                let plan = Plan::new(&itself, &Potentials { f, g }, self.epsilon)?;
                let [slopes, _] = plan.pull(None, [true, false])?;
                Ok::<_, Error>(slopes)
            };
            let own =
                [of(End::Source, Some(&self.source))?, of(End::Target, self.target.as_ref())?];
            Ok(self.assemble(problem, cross, own))
        })
    }

    /// From the gradients in the points of each term: of the term between the measures, and of those
    /// of the measures with themselves, half of them for each of their two sides.
    fn assemble<'a, E: Real>(
        &self,
        problem: &'a Discrete<'a, E>,
        mut cross: [Vec<E>; 2],
        own: [Vec<E>; 2],
    ) -> CostGradient<E> {
        for (cross, own) in cross.iter_mut().zip(&own) {
            cross.iter_mut().zip(own).for_each(|(c, o)| *c -= *o);
        }
        let Potentials { f, g } = &self.cross.potentials;
        let potentials =
            [(f, Some(&self.source)), (g, self.target.as_ref())].map(|(f, own)| (&f[..], own));
        let masses = problem.masses();
        let mut weights = [0, 1].map(|k| {
            let (f, own) = potentials[k];
            let relaxation = problem.relaxation[k];
            let apart = self.epsilon * (masses[k] - masses[1 - k]);
            let mut of_cross = slopes(f, relaxation, self.epsilon, masses[1 - k]);
            let of_own = own.map(|own| {
                slopes(&own.potential, relaxation, self.epsilon, masses[k]).collect::<Vec<f64>>()
            });
            let less = |i: usize| of_own.as_ref().map_or(0.0, |own| own[i]);
            (0..f.len())
                .map(|i| E::of(of_cross.next().unwrap_or(0.0) + apart - less(i)))
                .collect::<Vec<E>>()
        });
        let [source, target] = cross;
        let [source_weights, target_weights] = weights.each_mut().map(std::mem::take);
        CostGradient { source, target, source_weights, target_weights }
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
/// arXiv:1810.08278; relaxed marginals: arXiv:1910.12958, equation 15.
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
    check(problem)?;
    let (divergence, _) = on_pool(|| solve(config, problem, start, [false; 2]))?;
    Ok(divergence)
}

/// [`sinkhorn_divergence`] with its [`gradient`](Divergence::gradient), in less time than one after the
/// other: the kernels of the symmetric terms are used while they are stored. Gradients in points of sides
/// that are not `wanted` are empty.
///
/// # Errors
/// As [`sinkhorn_divergence`] and [`Divergence::gradient`].
pub fn sinkhorn_divergence_gradient<'a, E: Real>(
    config: &DivergenceConfig,
    problem: &'a Discrete<'a, E>,
    start: Option<&Divergence>,
    wanted: [bool; 2],
) -> Result<(Divergence, CostGradient<E>)> {
    check(problem)?;
    on_pool(|| {
        let (divergence, own) = solve(config, problem, start, wanted)?;
        let plan = Plan::new(problem, &divergence.cross.potentials, divergence.epsilon)?;
        let cross = plan.pull(None, wanted)?;
        let gradient = divergence.assemble(problem, cross, own);
        Ok((divergence, gradient))
    })
}

/// The divergence, and the gradients in points of its symmetric terms where they are wanted.
fn solve<'a, E: Real>(
    config: &DivergenceConfig,
    problem: &'a Discrete<'a, E>,
    start: Option<&Divergence>,
    wanted: [bool; 2],
) -> Result<(Divergence, [Vec<E>; 2])> {
    let cross = sinkhorn(&config.sinkhorn, problem, start.map(|s| &s.cross.potentials))?;
    let epsilon = cross.epsilon;
    let one = |end, before: Option<&SelfTransport>, wanted| {
        let itself = problem.with_itself(end)?;
        let start = before.map(|s| &s.potential[..]);
        symmetric(&config.sinkhorn, &itself, epsilon, start, wanted)
    };
    let (source, of_source) = one(End::Source, start.map(|s| &s.source), wanted[0])?;
    let (target, of_target) = if config.target_term {
        let before = start.and_then(|s| s.target.as_ref());
        let (target, slopes) = one(End::Target, before, wanted[1])?;
        (Some(target), slopes)
    } else {
        (None, Vec::new())
    };
    let [a, b] = problem.masses();
    let value = cross.dual_cost - 0.5 * source.dual_cost
        + 0.5 * (epsilon * (a - b).powi(2) - target.as_ref().map_or(0.0, |t| t.dual_cost));
    Ok((Divergence { value, epsilon, cross, source, target }, [of_source, of_target]))
}

/// Refuses relaxations that differ and costs that are seen not to be symmetric.
fn check<E: Real>(problem: &Discrete<'_, E>) -> Result<()> {
    let [first, second] = problem.relaxation();
    if first != second {
        let found = format_args!("{first:?} and {second:?}");
        let rule = "must be the same for both marginals of a divergence";
        return Err(Error::config("relaxation", found, rule));
    }
    check_symmetry(problem)
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
