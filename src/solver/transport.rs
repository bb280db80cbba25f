//! Exact transport between weighted points: one entry for assignment and network simplex.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::assignment::{Assignment, Matching};
use super::masses::{balance, check_costs, Masses, Transfer};
use super::network_simplex::solve;
use crate::error::{Error, Result};
use crate::geometry::Cost;
use crate::ops::{Engine, Real};
use crate::tensor::{rows, Points};

/// How [`exact_transport`] solves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExactConfig {
    /// Which algorithm.
    pub form: ExactForm,
    /// Exchanges of the network simplex before it stops with
    /// [`PivotLimit`](ExactStatus::PivotLimit); `None` for 1000 a point, some thirty times what
    /// point clouds need.
    pub max_pivots: Option<u64>,
}

/// The algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExactForm {
    /// Assignment for equal weights and as many sources as targets, if a few bids leave at most a
    /// quarter of the rows without partner; else the network simplex, from the prices of the bids.
    #[default]
    Automatic,
    /// Shortest augmenting paths, as in [`assignment`](super::assignment).
    Assignment,
    /// The network simplex.
    NetworkSimplex,
}

/// How a solution ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExactStatus {
    /// The plan is optimal to rounding.
    Optimal,
    /// Stopped at the limit: the plan has the right marginals and the potentials are feasible, so
    /// that [`gap`](ExactTransport::gap) bounds the error of the cost.
    PivotLimit,
}

/// An exact plan with the potentials that prove it.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct ExactTransport {
    /// Where mass goes, sorted by source and target: at most n + m − 1 transfers.
    pub plan: Vec<Transfer>,
    /// Σ mass · c.
    pub cost: f64,
    /// Σᵢ aᵢ f(i) + Σⱼ bⱼ g(j): at most the least cost, and equal to it when optimal, to rounding.
    pub dual_cost: f64,
    /// f, with f(i) + g(j) ≤ c(i, j), and equality where mass goes.
    pub source_potential: Vec<f64>,
    /// g.
    pub target_potential: Vec<f64>,
    /// The algorithm that was taken; never [`Automatic`](ExactForm::Automatic).
    pub form: ExactForm,
    /// Exchanges of the network simplex; 0 for an assignment.
    pub pivots: u64,
    /// Whether it is optimal.
    pub status: ExactStatus,
}

impl ExactTransport {
    /// Cost minus dual cost.
    pub fn gap(&self) -> f64 {
        self.cost - self.dual_cost
    }

    /// This solution if it is optimal.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if it stopped at the limit.
    pub fn into_optimal(self) -> Result<Self> {
        match self.status {
            ExactStatus::Optimal => Ok(self),
            ExactStatus::PivotLimit => {
                let value = format_args!("{} (gap {:e})", self.pivots, self.gap());
                Err(Error::config("max_pivots", value, "reached before the optimum: raise it"))
            }
        }
    }
}

/// The plan π ≥ 0 with the least Σᵢⱼ cᵢⱼ πᵢⱼ whose rows sum to the source weights and whose columns
/// sum to the target weights.
///
/// `cost` is the n × m matrix row by row, n and m the numbers of weights. Weights need not sum to
/// one, but to the same; a difference within (n + m) ε of the type of the weights, at most 1e-4,
/// counts as rounding and is spread over the target. Points of weight zero get no mass but a feasible
/// potential. In double precision inside, whatever the types. Deterministic: of several optimal
/// plans, the order of the points decides.
///
/// Time has no good bound in general; a pivot takes O(n + m), and clouds of points need some 5 to 30
/// pivots a point. Memory is O(n + m) beside the matrix, which is not copied. One thread.
///
/// Sources: Ahuja, Magnanti and Orlin, Network Flows (1993), chapter 11 (strongly feasible trees);
/// for the assignment see [`assignment`](super::assignment).
///
/// # Errors
/// [`Error::Shape`] for empty weights or a matrix of another size; [`Error::NonFinite`] for a NaN or
/// an infinity; [`Error::InvalidConfig`] for a negative weight, no mass, sums that differ, costs
/// whose sums overflow, or [`ExactForm::Assignment`] where it does not apply.
///
/// ```
/// use brenier::solver::{exact_transport, ExactConfig, Transfer};
/// // From 0 and 1 to 0, 1 and 2, for |x − y|.
/// let cost = [0.0, 1.0, 2.0, 1.0, 0.0, 1.0];
/// let found = exact_transport(&cost, &[0.5, 0.5], &[0.5, 0.25, 0.25], &ExactConfig::default())?;
/// assert_eq!(found.cost, 0.25);
/// assert_eq!(found.plan[2], Transfer { source: 1, target: 2, mass: 0.25 });
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn exact_transport<E: Real, W: Real>(
    cost: &[E],
    source: &[W],
    target: &[W],
    config: &ExactConfig,
) -> Result<ExactTransport> {
    let masses = balance(source, target)?;
    let (n, m) = (source.len(), target.len());
    let scale = check_costs(cost, n, m)?;
    let assignable = n == m && masses.uniform;
    if config.form == ExactForm::Assignment && !assignable {
        let rule = "an assignment needs equal weights and as many sources as targets";
        return Err(Error::config("form", "Assignment", rule));
    }
    let mut prices = vec![0.0; m];
    if assignable && config.form != ExactForm::NetworkSimplex {
        let mut matching = Matching::new(cost, n);
        matching.bid();
        if config.form == ExactForm::Assignment || matching.free().count() <= n / 4 {
            return Ok(of_assignment(matching.complete(), &masses));
        }
        prices = matching.prices;
    }
    let limit = config.max_pivots.unwrap_or(1000 * (n + m) as u64);
    let basis = solve(cost, &masses, &prices, scale, limit);
    let (f, g) = (basis.source_potential, basis.target_potential);
    Ok(ExactTransport {
        cost: basis.plan.iter().map(|t| t.mass * cost[t.source * m + t.target].double()).sum(),
        dual_cost: dual_cost(&masses, &f, &g),
        plan: basis.plan,
        source_potential: f,
        target_potential: g,
        form: ExactForm::NetworkSimplex,
        pivots: basis.pivots,
        status: if basis.optimal { ExactStatus::Optimal } else { ExactStatus::PivotLimit },
    })
}

/// [`exact_transport`] between point clouds, every point with weight 1/n and 1/m.
///
/// # Errors
/// As [`exact_transport`].
///
/// ```
/// use brenier::prelude::*;
/// use brenier::solver::exact_between;
/// let x = points::<1>(vec![0.0, 1.0, 5.0])?;
/// let y = points::<1>(vec![6.0, 0.0, 2.0])?;
/// let found = exact_between(&SqEuclidean, &x, &y, &Default::default())?;
/// assert!((found.cost - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), Error>(())
/// ```
pub fn exact_between<const N: usize, E: Real, D: Engine<E>, C: Cost<N, E, D>>(
    cost: &C,
    x: &Points<N, E, D>,
    y: &Points<N, E, D>,
    config: &ExactConfig,
) -> Result<ExactTransport> {
    let uniform = |n: usize| vec![1.0 / n as f64; n];
    for (what, side) in [("source points", x), ("target points", y)] {
        if side.shape().0 == 0 || N == 0 {
            return Err(Error::shape(what, "at least one point of dimension 1", 0));
        }
    }
    let matrix = rows(&cost.pairwise(x, y));
    exact_transport(&matrix, &uniform(x.shape().0), &uniform(y.shape().0), config)
}

fn of_assignment(found: Assignment, masses: &Masses) -> ExactTransport {
    let transfer = |(source, &target)| Transfer { source, target, mass: masses.unit };
    let (f, g) = (found.source_potential, found.target_potential);
    ExactTransport {
        plan: found.targets.iter().enumerate().map(transfer).collect(),
        cost: found.cost * masses.unit,
        dual_cost: dual_cost(masses, &f, &g),
        source_potential: f,
        target_potential: g,
        form: ExactForm::Assignment,
        pivots: 0,
        status: ExactStatus::Optimal,
    }
}

/// Σ a f + Σ b g.
fn dual_cost(masses: &Masses, f: &[f64], g: &[f64]) -> f64 {
    let dot = |w: &[f64], v: &[f64]| w.iter().zip(v).map(|(w, v)| w * v).sum::<f64>();
    (dot(&masses.supply, f) + dot(&masses.demand, g)) * masses.unit
}
