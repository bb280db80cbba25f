//! How far the images of a map are from the target as measures.

use dfdx::prelude::*;

use super::divergence::{between, DivergenceScore};
use crate::data::KnownPair;
use crate::error::{check_count, Error, Result};
use crate::geometry::SqEuclidean;
use crate::problem::Sampler;
use crate::random::Key;
use crate::solver::{DivergenceLoss, Epsilon};
use crate::tensor::{rows, Points};

/// ε relative to the standard deviation of |y − y'|² between points of the target.
const RELATIVE: f64 = 0.05;

/// The Sinkhorn divergence of `n` images of a map and `n` points of the target, arXiv:2302.04953 (figure 6),
/// for the cost |x − y|², debiased: even the true map has one of about the size that two samples of Q have.
///
/// ε is 0.05 of the standard deviation of |y − y'|² between points of the target. It depends on the pair,
/// key and n alone, so that maps of the same pair are comparable. Time is that of three Sinkhorn problems
/// between n points.
///
/// # Errors
/// Those of the samplers and of [`sinkhorn_divergence`](crate::solver::sinkhorn_divergence); `InvalidConfig` for `n < 2`.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::score::pair_divergence;
/// let pair = KnownPair::<2>::random(Key::new(0))?;
/// let truth = pair_divergence(&pair, |x| pair.transport(&x), Key::new(1), 256)?;
/// let identity = pair_divergence(&pair, Ok, Key::new(1), 256)?;
/// assert!(truth.epsilon == identity.epsilon && truth.value < 0.2 * identity.value);
/// # Ok::<(), Error>(())
/// ```
pub fn pair_divergence<const N: usize>(
    pair: &KnownPair<N>,
    map: impl FnOnce(Points<N>) -> Result<Points<N>>,
    key: Key,
    n: usize,
) -> Result<DivergenceScore> {
    check_count("points of a divergence", n / 2)?;
    let [source, target] = key.split();
    let images = map(pair.source().sample(source, n)?)?;
    if images.shape().0 != n {
        return Err(Error::shape("images of a map", n, images.shape().0));
    }
    let target = pair.target().sample(target, n)?;
    let mut loss = DivergenceLoss::with_cost(SqEuclidean);
    loss.sinkhorn.epsilon = Epsilon::Absolute(RELATIVE * deviation_of_costs(&rows(&target), N));
    between(&loss, images, target)
}

/// The standard deviation of |y − y'|² over pairs from the two halves of a sample.
fn deviation_of_costs(sample: &[f32], d: usize) -> f64 {
    let half = sample.len() / d / 2 * d;
    let pairs = sample[..half].chunks_exact(d).zip(sample[half..2 * half].chunks_exact(d));
    let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let costs: Vec<f64> = pairs.map(|(a, b)| a.iter().zip(b).map(square).sum()).collect();
    let n = costs.len() as f64;
    let mean = costs.iter().sum::<f64>() / n;
    (costs.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n).sqrt()
}
