//! The distance of a learned map to the true one, as the Wasserstein-2 benchmark measures it.

use dfdx::prelude::*;

use crate::data::KnownPair;
use crate::error::{check_count, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::solver::Gaussian;
use crate::tensor::{rows, Points};

/// Points from which the linear baseline is fitted.
const FIT: usize = 1 << 16;

/// L2-UVP and cosine of a map against the known optimal one, arXiv:2106.01954, section 4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapError {
    /// 100 · E_P|T(x) − T*(x)|² / Var(Q), in percent; 0 is exact, 100 the constant map.
    pub l2_uvp: f64,
    /// ⟨T − id, T* − id⟩ / (|T − id| |T* − id|) in L2(P); 1 is exact, 0 for the identity.
    pub cosine: f64,
}

/// The error of a map at `n` fresh points of the source (the paper takes 2¹⁴).
///
/// # Errors
/// Those of the pair's sampler; `InvalidConfig` for `n = 0`.
pub fn map_error<const N: usize, T>(
    pair: &KnownPair<N>,
    map: &T,
    key: Key,
    n: usize,
) -> Result<MapError>
where
    T: Module<Points<N>, Output = Points<N>>,
{
    error_of(pair, key, n, |x| rows(&map.forward(x)))
}

/// The maps that need no training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baselines {
    /// T(x) = x.
    pub identity: MapError,
    /// T(x) = E_Q\[y\].
    pub constant: MapError,
    /// The optimal map between the Gaussians with the moments of P and Q.
    pub linear: MapError,
}

/// The errors of the baselines at `n` points.
///
/// # Errors
/// As [`map_error`]; an error if the covariance of the source is singular.
pub fn baselines<const N: usize>(pair: &KnownPair<N>, key: Key, n: usize) -> Result<Baselines> {
    let [source, target, score] = key.split();
    let source = Gaussian::fit(&rows(&pair.source().sample(source, FIT)?), N)?;
    let target = Gaussian::fit(&rows(&pair.target().sample(target, FIT)?), N)?;
    let linear = source.optimal_map(&target)?;
    let mean: Vec<f32> = target.mean.iter().map(|&m| m as f32).collect();
    Ok(Baselines {
        identity: error_of(pair, score, n, |x| rows(&x))?,
        constant: error_of(pair, score, n, |x| mean.repeat(x.shape().0))?,
        linear: error_of(pair, score, n, |x| linear.apply(&rows(&x)))?,
    })
}

/// The error of the map that takes points to the rows of their images.
pub(super) fn error_of<const N: usize>(
    pair: &KnownPair<N>,
    key: Key,
    n: usize,
    map: impl Fn(Points<N>) -> Vec<f32>,
) -> Result<MapError> {
    check_count("points of a score", n)?;
    let x = pair.source().sample(key, n)?;
    let truth = rows(&pair.transport(&x)?);
    let source = rows(&x);
    let learned = map(x);
    let (mut error, mut dot, mut true_cost, mut cost) = (0.0, 0.0, 0.0, 0.0);
    for ((x, t), l) in source.iter().zip(&truth).zip(&learned) {
        let (x, t, l) = (f64::from(*x), f64::from(*t), f64::from(*l));
        error += (l - t) * (l - t);
        dot += (t - x) * (l - x);
        true_cost += (t - x) * (t - x);
        cost += (l - x) * (l - x);
    }
    let norms = (true_cost * cost).sqrt();
    Ok(MapError {
        l2_uvp: 100.0 * error / n as f64 / pair.target_variance(),
        cosine: if norms > 0.0 { dot / norms } else { 0.0 },
    })
}
