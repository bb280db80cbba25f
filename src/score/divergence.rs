//! Sinkhorn divergences between samplers, and of the images of a map, with the ε that they belong to.

use std::fmt;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{check_count, Result};
use crate::geometry::RowCost;
use crate::problem::Sampler;
use crate::random::Key;
use crate::solver::{DivergenceLoss, Status};
use crate::tensor::Points;

/// A Sinkhorn divergence with what it depends on. Values for different ε do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DivergenceScore {
    /// S.
    pub value: f64,
    /// ε in the units of the cost.
    pub epsilon: f64,
    /// Points drawn of each measure.
    pub points: usize,
    /// How the worst of the iterations ended.
    pub status: Status,
}

impl fmt::Display for DivergenceScore {
    /// `0.0123 (ε = 0.05, 4096 points)`, and how the iteration ended if it did not converge.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, epsilon, points, status } = self;
        write!(f, "{value:.4e} (ε = {epsilon:.3e}, {points} points")?;
        match status {
            Status::Converged => write!(f, ")"),
            other => write!(f, ", {other:?})"),
        }
    }
}

/// The Sinkhorn divergence between `n` points of each measure. The sampling error is of the order of
/// 1/√n, and positive; that between two draws of the same measure shows its size.
///
/// # Errors
/// Those of the samplers and of
/// [`sinkhorn_divergence`](crate::solver::sinkhorn_divergence); `InvalidConfig` for `n = 0`.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::score::sinkhorn_divergence;
/// use brenier::solver::{DivergenceLoss, Epsilon};
/// let (p, q) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let mut loss = DivergenceLoss::with_cost(SqEuclidean);
/// loss.sinkhorn.epsilon = Epsilon::RelativeToStd(0.05); // the default of ott-jax
/// let apart = sinkhorn_divergence(&loss, &p, &q, Key::new(0), 256)?;
/// let noise = sinkhorn_divergence(&loss, &p, &p, Key::new(0), 256)?;
/// assert!(apart.value > 3.0 * noise.value);
/// println!("{apart}");
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn sinkhorn_divergence<const N: usize, C, P, Q>(
    loss: &DivergenceLoss<C>,
    p: &P,
    q: &Q,
    key: Key,
    n: usize,
) -> Result<DivergenceScore>
where
    C: RowCost<f32>,
    P: Sampler<N>,
    Q: Sampler<N>,
{
    check_count("points of a score", n)?;
    let [first, second] = key.split();
    between(loss, p.sample(first, n)?, q.sample(second, n)?)
}

/// The Sinkhorn divergence between the images of `n` points of the source and as many of the target.
///
/// # Errors
/// As [`sinkhorn_divergence`].
pub fn map_divergence<const N: usize, C, T, P, Q>(
    loss: &DivergenceLoss<C>,
    map: &T,
    source: &P,
    target: &Q,
    key: Key,
    n: usize,
) -> Result<DivergenceScore>
where
    C: RowCost<f32>,
    T: Module<Points<N>, Output = Points<N>>,
    P: Sampler<N>,
    Q: Sampler<N>,
{
    check_count("points of a score", n)?;
    let [first, second] = key.split();
    between(loss, map.forward(source.sample(first, n)?), target.sample(second, n)?)
}

pub(super) fn between<const N: usize, C: RowCost<f32>>(
    loss: &DivergenceLoss<C>,
    x: Points<N>,
    y: Points<N>,
) -> Result<DivergenceScore> {
    let points = x.shape().0;
    let (_, d) = loss.between(x, y)?;
    Ok(DivergenceScore { value: d.value, epsilon: d.epsilon, points, status: d.status() })
}
