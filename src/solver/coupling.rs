//! Pairs of a minibatch: independent, exact, entropic, unbalanced.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::device::{Host, SolverDevice};
use super::draw::{with_replacement, without_replacement, RowLaw};
use super::masses::Transfer;
use super::sinkhorn::SinkhornConfig;
use super::transport::{exact_transport, ExactConfig};
use crate::error::{Error, Result};
use crate::ops::parallel::map_each;
use crate::ops::Real;
use crate::problem::{Discrete, Ground, Relaxation};
use crate::random::Key;

/// How many pairs, and whether a pair may come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Draw {
    /// So many independent pairs.
    WithReplacement(usize),
    /// So many different pairs: each by the law restricted to those not drawn before.
    WithoutReplacement(usize),
}

/// A law on the pairs (i, j) of sources and targets of a problem.
///
/// Laws, which the tests check for every coupling here: pure in the key, the same on any number of
/// threads; pairs of weight zero are not drawn; with replacement, sources are distributed as the source
/// weights unless the coupling relaxes that marginal, and targets as the target weights up to the
/// tolerance of the solver.
///
/// Implement it for a coupling of your own, which then fits wherever the ones here do.
pub trait Coupling<E: Real = f32> {
    /// Pairs of indices (i, j).
    ///
    /// # Errors
    /// Those of the solver, and [`Error::InvalidConfig`] for more different pairs than have mass.
    fn pairs(&self, problem: &Discrete<'_, E>, draw: Draw, key: Key)
        -> Result<Vec<(usize, usize)>>;
}

/// The couplings of minibatches, as a choice.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Discrete;
/// use brenier::random::Key;
/// use brenier::solver::{Coupling, Draw, ExactConfig, MinibatchCoupling};
/// let (x, y) = ([0.0f32, 1.0, 2.0], [2.1f32, 0.1, 1.1]);
/// let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1)?;
/// let coupling = MinibatchCoupling::Exact(ExactConfig::default());
/// // All pairs of the assignment, in random order.
/// let mut pairs = coupling.pairs(&problem, Draw::WithoutReplacement(3), Key::new(0))?;
/// pairs.sort();
/// assert_eq!(pairs, [(0, 1), (1, 2), (2, 0)]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MinibatchCoupling {
    /// The product of the weights.
    Independent,
    /// The exact plan: of equally many points of equal weights an assignment, so that
    /// [`Draw::WithoutReplacement`] of all n gives every source and every target once (arXiv:2302.00482,
    /// section 3.3).
    Exact(ExactConfig),
    /// The entropic plan, with the relaxations of the problem. See [`Plan::sample`](super::Plan::sample)
    /// for the exact law where the solver stopped before its tolerance.
    Entropic(SinkhornConfig),
    /// The entropic plan with these τ of source and target, whatever the problem says
    /// (arXiv:2311.15100). Points that are dear to transport are drawn less often.
    Unbalanced {
        /// Choices of the solver.
        sinkhorn: SinkhornConfig,
        /// τ = λ / (λ + ε) of the source and of the target, in (0, 1].
        tau: [f64; 2],
    },
}

impl MinibatchCoupling {
    /// The same coupling with its entropic plans solved and drawn from on `device`. Independent and exact
    /// pairs come from the host in any case.
    pub fn on<D>(self, device: D) -> CouplingOn<D> {
        CouplingOn { coupling: self, device }
    }

    fn pairs_on<E: Real>(
        &self,
        device: &impl SolverDevice<E>,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>> {
        match self {
            Self::Independent => drawn(&Product::new(problem), draw, key),
            Self::Exact(config) => {
                let plan = Sparse::new(config, problem)?;
                let pairs = drawn(&plan, draw, key)?.into_iter();
                let pair = |(t, _): (usize, usize)| (plan.plan[t].source, plan.plan[t].target);
                Ok(pairs.map(pair).collect())
            }
            Self::Entropic(config) => device.entropic_pairs(config, problem, draw, key),
            Self::Unbalanced { sinkhorn, tau } => {
                let [source, target] = tau.map(|tau| Relaxation::Kl { tau });
                let relaxed = problem.clone().relaxed(source, target)?;
                device.entropic_pairs(sinkhorn, &relaxed, draw, key)
            }
        }
    }
}

impl<E: Real> Coupling<E> for MinibatchCoupling {
    fn pairs(
        &self,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>> {
        self.pairs_on(&Host, problem, draw, key)
    }
}

/// A [`MinibatchCoupling`] on a device: what [`MinibatchCoupling::on`] gives. A coupling like any other.
#[derive(Clone, Debug)]
pub struct CouplingOn<D> {
    coupling: MinibatchCoupling,
    device: D,
}

impl<E: Real, D: SolverDevice<E>> Coupling<E> for CouplingOn<D> {
    fn pairs(
        &self,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>> {
        self.coupling.pairs_on(&self.device, problem, draw, key)
    }
}

/// Pairs of a law.
pub(crate) fn drawn<E: Real>(
    law: &impl RowLaw<E>,
    draw: Draw,
    key: Key,
) -> Result<Vec<(usize, usize)>> {
    match draw {
        Draw::WithReplacement(k) => with_replacement(law, key, k),
        Draw::WithoutReplacement(k) => without_replacement(law, key, k),
    }
}

/// a ⊗ b.
struct Product<'a, E> {
    masses: Vec<f64>,
    columns: &'a [E],
}

impl<'a, E: Real> Product<'a, E> {
    fn new(problem: &'a Discrete<'_, E>) -> Self {
        let masses = problem.source.iter().map(|w| w.double()).collect();
        Self { masses, columns: &problem.target }
    }
}

impl<E: Real> RowLaw<E> for Product<'_, E> {
    fn masses(&self) -> &[f64] {
        &self.masses
    }
    fn support(&self) -> usize {
        self.columns.iter().filter(|w| **w > E::zero()).count()
    }
    fn map_rows<V: Send>(
        &self,
        rows: &[usize],
        each: impl Fn(usize, &[E]) -> V + Sync + Send,
    ) -> Result<Vec<V>> {
        Ok(map_each(rows.len(), |k| each(k, self.columns)))
    }
}

/// An exact plan: a row for each transfer, with a single column.
struct Sparse {
    plan: Vec<Transfer>,
    masses: Vec<f64>,
}

impl Sparse {
    fn new<E: Real>(config: &ExactConfig, problem: &Discrete<'_, E>) -> Result<Self> {
        if problem.relaxation != [Relaxation::Balanced; 2] {
            let rule = "must be Balanced for an exact coupling: use an entropic one to relax";
            return Err(Error::config(
                "relaxation",
                format_args!("{:?}", problem.relaxation),
                rule,
            ));
        }
        let plan = exact_transport(&costs(problem), &problem.source, &problem.target, config)?
            .into_optimal()?
            .plan;
        let masses = plan.iter().map(|t| t.mass).collect();
        Ok(Self { plan, masses })
    }
}

impl RowLaw<f64> for Sparse {
    fn masses(&self) -> &[f64] {
        &self.masses
    }
    fn support(&self) -> usize {
        1
    }
    fn map_rows<V: Send>(
        &self,
        rows: &[usize],
        each: impl Fn(usize, &[f64]) -> V + Sync + Send,
    ) -> Result<Vec<V>> {
        Ok((0..rows.len()).map(|k| each(k, &[1.0])).collect())
    }
}

/// All costs `[n, m]`.
fn costs<'b, E: Real>(problem: &'b Discrete<'_, E>) -> Cow<'b, [E]> {
    match &problem.ground {
        Ground::Matrix(costs) => Cow::Borrowed(costs),
        Ground::Clouds { x, y, d, value, .. } => {
            let row = |i: usize| {
                let x = &x[i * d..(i + 1) * d];
                y.chunks_exact(*d).map(|y| value(x, y)).collect::<Vec<E>>()
            };
            Cow::Owned(map_each(x.len() / d, row).concat())
        }
    }
}
