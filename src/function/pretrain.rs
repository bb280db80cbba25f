//! Networks whose gradient starts as the identity.

use dfdx::prelude::*;

use super::adam::AdamConfig;
use super::learner::Learner;
use super::potential::{GradientMap, InputGradient};
use crate::error::Result;
use crate::geometry::{Cost, SqEuclidean};
use crate::ops::Engine;
use crate::random::Key;
use crate::tensor::points_on;

/// Points of a batch, as in the reference code.
const BATCH: usize = 1024;

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
