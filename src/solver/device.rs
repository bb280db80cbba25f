//! Where entropic problems are solved.

use super::coupling::Draw;
use super::sinkhorn::{sinkhorn, sinkhorn_batch, Potentials, SinkhornConfig, Solution};
use crate::error::Result;
use crate::ops::Real;
use crate::problem::Discrete;
use crate::random::Key;

/// A device that solves entropic problems and draws pairs from their plans: the [`Host`], or a
/// `cuda::CudaDevice` (feature `cuda`). Problems, configurations and results are the same on every one.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Discrete;
/// use brenier::solver::{Host, SinkhornConfig, SolverDevice};
/// use brenier::Result;
/// fn cost(device: &impl SolverDevice) -> Result<f64> {
///     let problem = Discrete::clouds(&SqEuclidean, &[0.0f32, 5.0], &[5.0, 0.0], 1)?;
///     Ok(device.sinkhorn(&SinkhornConfig::default(), &problem, None)?.transport_cost)
/// }
/// assert!(cost(&Host)? < 1e-3);
/// # Ok::<(), brenier::Error>(())
/// ```
pub trait SolverDevice<E: Real = f32> {
    /// [`sinkhorn()`] here.
    ///
    /// # Errors
    /// Those of [`sinkhorn()`], and of the device.
    fn sinkhorn(
        &self,
        config: &SinkhornConfig,
        problem: &Discrete<'_, E>,
        start: Option<&Potentials>,
    ) -> Result<Solution>;

    /// [`sinkhorn_batch`] here.
    ///
    /// # Errors
    /// Those of [`sinkhorn_batch`], and of the device.
    fn sinkhorn_batch(
        &self,
        config: &SinkhornConfig,
        problems: &[Discrete<'_, E>],
    ) -> Result<Vec<Solution>>;

    /// Pairs drawn from the entropic plan: solves, then [`Plan::sample`](super::Plan::sample) or
    /// [`Plan::sample_distinct`](super::Plan::sample_distinct). The same key gives the same pairs on every
    /// device, but for those that rounding moves.
    ///
    /// # Errors
    /// Those of the solver and of the draw.
    fn entropic_pairs(
        &self,
        config: &SinkhornConfig,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>>;
}

/// The processor that the program runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host;

impl<E: Real> SolverDevice<E> for Host {
    fn sinkhorn(
        &self,
        config: &SinkhornConfig,
        problem: &Discrete<'_, E>,
        start: Option<&Potentials>,
    ) -> Result<Solution> {
        sinkhorn(config, problem, start)
    }

    fn sinkhorn_batch(
        &self,
        config: &SinkhornConfig,
        problems: &[Discrete<'_, E>],
    ) -> Result<Vec<Solution>> {
        sinkhorn_batch(config, problems)
    }

    fn entropic_pairs(
        &self,
        config: &SinkhornConfig,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>> {
        let solution = sinkhorn(config, problem, None)?;
        let plan = solution.plan(problem)?;
        match draw {
            Draw::WithReplacement(k) => plan.sample(key, k),
            Draw::WithoutReplacement(k) => plan.sample_distinct(key, k),
        }
    }
}
