//! Networks whose gradient starts as a map that is known: the identity, or the best affine map.

use dfdx::prelude::*;

use super::adam::AdamConfig;
use super::learner::Learner;
use super::potential::{GradientMap, InputGradient, TransportMap};
use super::schedule::Schedule;
use crate::error::{Error, Result};
use crate::geometry::{Cost, SqEuclidean};
use crate::ops::Engine;
use crate::problem::Sampler;
use crate::random::Key;
use crate::solver::AffineMap;
use crate::tensor::{points, points_on, rows};

/// Points of a batch, as in the reference code.
const BATCH: usize = 1024;

/// Points of a batch of [`pretrain_affine`].
const AFFINE_BATCH: usize = 512;

/// Fits ∇f to the identity on x ~ 3·N(0, I), arXiv:2106.01954: Adam with rate 1e-3 for at most `steps`
/// steps, fewer if the mean squared error of a coordinate falls to 1e-3 before.
///
/// # Errors
/// [`NonFinite`](crate::Error::NonFinite) if the fit diverges.
///
/// ```
/// use brenier::{function::{build, pretrain_identity, DenseIcnn, InputGradient}, prelude::*};
/// let [init, fit] = Key::new(0).split();
/// let v: DenseIcnn<2, 64, 0, 32> = pretrain_identity(build(init), fit, 1000)?;
/// let g = rows(&v.input_gradient(points(vec![1.0, -1.0])?));
/// assert!((g[0] - 1.0).abs() < 0.2 && (g[1] + 1.0).abs() < 0.2);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn pretrain_identity<const N: usize, D, F>(f: F, key: Key, steps: u64) -> Result<F>
where
    D: Engine<f32>,
    F: InputGradient<N, f32, D> + Clone,
{
    let device = D::seeded(key.seed());
    let mut learner = Learner::<_, f32, D>::new(GradientMap(f), AdamConfig::default())?;
    for i in 0..steps {
        let normal = key.fold_in(i).normal(BATCH * N);
        let x = points_on::<N, f32, D>(&device, normal.iter().map(|z| 3.0 * z).collect())?;
        let loss = SqEuclidean.paired(&x, learner.traced(&x))?.mean() / N as f32;
        if learner.descend(loss)?.loss < 1e-3 {
            break;
        }
    }
    Ok(learner.params().0.clone())
}

/// Fits a map (∇f as `GradientMap(f)`) to an affine one, such as the optimal map between the Gaussians with
/// the moments of two measures, on points of `source`: Adam with rate 2e-3 along half a cosine, `steps` steps with batches
/// of 512 points.
///
/// # Errors
/// Those of the sampler; [`Shape`](crate::Error::Shape) if the map is of another dimension;
/// [`NonFinite`](crate::Error::NonFinite) if the fit diverges.
///
/// ```
/// use brenier::{function::pretrain_affine, prelude::*, solver::Gaussian};
/// let [p, q, init, fit] = Key::new(0).split();
/// let pair = KnownPair::<2>::random(Key::new(1))?;
/// let moments = |sample: Points<2>| Gaussian::fit(&rows(&sample), 2);
/// let source = moments(pair.source().sample(p, 4096)?)?;
/// let affine = source.optimal_map(&moments(pair.target().sample(q, 4096)?)?)?;
/// let net = GradientMap(build::<DenseIcnn<2, 64, 0, 32>, _, _>(init));
/// let net = pretrain_affine(net, &affine, pair.source(), fit, 500)?;
/// let x = vec![0.3, -0.4];
/// let (fitted, wanted) = (rows(&net.forward(points(x.clone())?)), affine.apply(&x));
/// assert!(fitted.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 0.02));
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn pretrain_affine<const N: usize, T>(
    map: T,
    to: &AffineMap,
    source: &impl Sampler<N>,
    key: Key,
    steps: u64,
) -> Result<T>
where
    T: TransportMap<N> + Clone,
{
    if to.offset.len() != N {
        return Err(Error::shape("affine map", format!("dimension {N}"), to.offset.len()));
    }
    let schedule = Schedule::Cosine { warm_up: 0, total: steps.max(1), floor: 0.05 };
    let adam = AdamConfig { schedule, ..AdamConfig::with_rate(2e-3) };
    let mut learner = Learner::<_>::new(map, adam)?;
    for i in 0..steps {
        let x = source.sample(key.fold_in(i), AFFINE_BATCH)?;
        let images = points::<N>(to.apply(&rows(&x)))?;
        learner.descend(SqEuclidean.paired(&images, learner.traced(&x))?.mean() / N as f32)?;
    }
    Ok(learner.params().clone())
}
