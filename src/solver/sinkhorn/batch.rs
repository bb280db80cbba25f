//! Many problems at once.

use super::config::SinkhornConfig;
use super::solution::Solution;
use super::solve::sinkhorn;
use crate::error::Result;
use crate::ops::parallel::{map_each, on_pool};
use crate::ops::Real;
use crate::problem::Discrete;

/// [`sinkhorn()`](super::sinkhorn()) for problems of any sizes, one per thread at a time, so that each
/// stays in the cache of its core. The solutions are in the order of the problems and the same as one
/// by one.
///
/// # Errors
/// Those of the first problem that has one.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Discrete;
/// use brenier::solver::{sinkhorn, sinkhorn_batch, SinkhornConfig};
/// let (x, y) = ([0.0f32, 1.0, 2.0], [0.5f32, 1.5]);
/// let problems =
///     [Discrete::clouds(&SqEuclidean, &x, &y, 1)?, Discrete::clouds(&SqEuclidean, &y, &x, 1)?];
/// let config = SinkhornConfig::default();
/// let solutions = sinkhorn_batch(&config, &problems)?;
/// assert_eq!(solutions.len(), 2);
/// assert_eq!(solutions[1], sinkhorn(&config, &problems[1], None)?);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn sinkhorn_batch<E: Real>(
    config: &SinkhornConfig,
    problems: &[Discrete<'_, E>],
) -> Result<Vec<Solution>> {
    let solutions = on_pool(|| map_each(problems.len(), |k| sinkhorn(config, &problems[k], None)));
    solutions.into_iter().collect()
}
