//! The laws of a sampler.

use dfdx::prelude::*;

use super::{Broken, Laws};
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::rows;

/// The laws of a sampler: equal keys give equal points and other keys others, there are as many finite
/// points as asked for, none are an error, and the number of threads does not matter.
///
/// # Errors
/// A sentence for every law that is broken.
///
/// ```
/// use brenier::{data::GaussianMixture, testing::check_sampler};
/// assert_eq!(check_sampler(&GaussianMixture::<2>::eight_gaussians()), Ok(()));
/// ```
pub fn check_sampler<const N: usize, S: Sampler<N> + Sync>(sampler: &S) -> Result<(), Broken> {
    let mut laws = Laws::default();
    let draw = |seed, n| sampler.sample(Key::new(seed), n).map(|x| (x.shape().0, rows(&x)));
    for n in [1, 5, 5000] {
        match (draw(1, n), draw(1, n), draw(2, n)) {
            (Ok((count, points)), Ok((_, again)), Ok((_, other))) => {
                laws.holds(count == n, || format!("{count} points where {n} were asked for"));
                laws.holds(points.iter().all(|v| v.is_finite()), || "a point is not finite".into());
                laws.holds(points == again, || "equal keys give different points".into());
                laws.holds(points != other, || "different keys give equal points".into());
                let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
                let there = pool.map(|pool| pool.install(|| draw(1, n).map(|(_, points)| points)));
                laws.holds(matches!(there, Ok(Ok(p)) if p == points), || {
                    "the number of threads matters".into()
                });
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                laws.holds(false, || format!("{n} points are refused: {error}"));
            }
        }
    }
    laws.holds(draw(1, 0).is_err(), || "no points are no error".into());
    laws.end()
}
