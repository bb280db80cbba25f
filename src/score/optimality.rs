//! Whether a map is optimal between its source and its images: its Monge gap.

use dfdx::prelude::*;

use crate::error::{check_count, Result};
use crate::geometry::RowCost;
use crate::neural::{monge_gap_loss, MongeGap};
use crate::problem::Sampler;
use crate::random::Key;
use crate::solver::Status;
use crate::tensor::Points;

/// The Monge gap of a map with the bounds of its entropic bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GapScore {
    /// M(T) = (1/n) Σ c(xᵢ, T(xᵢ)) − W(ε), at least [`floor`](Self::floor).
    pub gap: f64,
    /// (1/n) Σ c(xᵢ, T(xᵢ)).
    pub transport_cost: f64,
    /// ε in the units of the cost.
    pub epsilon: f64,
    /// ε log n, the least gap of any map at n points.
    pub floor: f64,
    /// 2 ε log n, the largest gap of an optimal map.
    pub ceiling: f64,
    /// How the iteration ended.
    pub status: Status,
}

impl GapScore {
    /// Whether the gap is within the bounds of optimal maps: if not, the map is not optimal at these
    /// points. With a large ε every map passes.
    pub fn allows_optimal(&self) -> bool {
        self.gap <= self.ceiling
    }
}

/// The Monge gap (arXiv:2302.04953) of any map at `n` points of the source: no target is needed.
///
/// # Errors
/// Those of the sampler and of [`monge_gap_loss`]; `InvalidConfig` for `n = 0`.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::score::monge_gap;
/// // A rotation by a quarter turn keeps the normal law; the optimal map would be the identity.
/// #[derive(Clone, Debug)]
/// struct Turn;
/// impl Module<Points<2>> for Turn {
///     type Output = Points<2>;
///     type Error = std::convert::Infallible;
///     fn try_forward(&self, x: Points<2>) -> std::result::Result<Points<2>, Self::Error> {
///         let turned = rows(&x).chunks(2).flat_map(|p| [-p[1], p[0]]).collect();
///         Ok(points(turned).expect("finite points"))
///     }
/// }
/// let source = GaussianMixture::<2>::standard();
/// let config = MongeGap::with_cost(HalfSqEuclidean);
/// let turn = monge_gap(&config, &Turn, &source, Key::new(0), 256)?;
/// assert!(!turn.allows_optimal() && turn.gap > turn.floor);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn monge_gap<const N: usize, C, T, P>(
    config: &MongeGap<C>,
    map: &T,
    source: &P,
    key: Key,
    n: usize,
) -> Result<GapScore>
where
    C: RowCost<f32>,
    T: Module<Points<N>, Output = Points<N>>,
    P: Sampler<N>,
{
    check_count("points of a score", n)?;
    let x = source.sample(key, n)?;
    let (_, terms) = monge_gap_loss(config, &x, map.forward(x.clone()))?;
    let epsilon = terms.solution.epsilon;
    let floor = epsilon * (n as f64).ln();
    Ok(GapScore {
        gap: terms.gap,
        transport_cost: terms.transport_cost,
        epsilon,
        floor,
        ceiling: 2.0 * floor,
        status: terms.solution.status,
    })
}
