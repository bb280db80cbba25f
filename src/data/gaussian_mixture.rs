//! Mixtures of Gaussian measures.

use rayon::prelude::*;

use crate::error::{check_count, Error, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::{points, Points};

/// A mixture of K Gaussians with equal weights: x = M_k z + m_k, z ~ N(0, I), k uniform.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianMixture<const N: usize> {
    /// m_k, `[K, N]`.
    means: Vec<f32>,
    /// The transposes of the M_k, `[K, N, N]`: a row a coordinate of z.
    transposed: Vec<f32>,
}

/// Points of a chunk that one thread makes.
const CHUNK: usize = 1024;

impl<const N: usize> GaussianMixture<N> {
    /// A mixture of the given means `[K, N]` and factors `[K, N, N]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit or K = 0, [`Error::NonFinite`] if a number is not finite.
    pub fn new(means: Vec<f32>, factors: Vec<f32>) -> Result<Self> {
        let k = means.len() / N.max(1);
        if N == 0 || k == 0 || means.len() != k * N || factors.len() != k * N * N {
            let expected = format!("K × {N} means and K × {N} × {N} factors, K ≥ 1");
            let found = format!("{} and {} numbers", means.len(), factors.len());
            return Err(Error::shape("a Gaussian mixture", expected, found));
        }
        if let Some(&v) = means.iter().chain(&factors).find(|v| !v.is_finite()) {
            return Err(Error::NonFinite {
                what: "a parameter of a Gaussian mixture".into(),
                value: v.into(),
                step: None,
                remedy: "means and factors must be finite",
            });
        }
        Ok(Self { means, transposed: transposed::<N>(&factors) })
    }

    /// N(0, I).
    pub fn standard() -> Self {
        Self { means: vec![0.0; N], transposed: scaled_identity::<N>(1.0) }
    }

    /// Isotropic Gaussians of one standard deviation at the given means `[K, N]`.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::InvalidConfig`] for a negative deviation.
    pub fn isotropic(means: Vec<f32>, deviation: f32) -> Result<Self> {
        if !(deviation >= 0.0 && deviation.is_finite()) {
            let rule = "must be finite and not negative";
            return Err(Error::config("standard deviation", deviation, rule));
        }
        let k = means.len() / N.max(1);
        Self::new(means, scaled_identity::<N>(deviation).repeat(k))
    }

    /// x = M_k z + m_k.
    fn place(&self, k: usize, z: &[f32], x: &mut [f32]) {
        x.copy_from_slice(&self.means[k * N..(k + 1) * N]);
        let columns = self.transposed[k * N * N..(k + 1) * N * N].chunks_exact(N);
        for (column, z) in columns.zip(z) {
            x.iter_mut().zip(column).for_each(|(x, m)| *x += m * z);
        }
    }

    fn components(&self) -> usize {
        self.means.len() / N
    }
}

impl GaussianMixture<2> {
    /// Eight Gaussians of deviation 0.1 on a circle of radius 2.
    pub fn eight_gaussians() -> Self {
        let angles = (0..8).map(|i| std::f32::consts::FRAC_PI_4 * i as f32);
        let means = angles.flat_map(|a| [2.0 * a.cos(), 2.0 * a.sin()]).collect();
        Self { means, transposed: scaled_identity::<2>(0.1).repeat(8) }
    }
}

fn scaled_identity<const N: usize>(scale: f32) -> Vec<f32> {
    (0..N * N).map(|i| if i / N == i % N { scale } else { 0.0 }).collect()
}

fn transposed<const N: usize>(matrices: &[f32]) -> Vec<f32> {
    let one = |m: &[f32]| (0..N * N).map(|p| m[p % N * N + p / N]).collect::<Vec<_>>();
    matrices.chunks_exact(N * N).flat_map(one).collect()
}

impl<const N: usize> Sampler<N> for GaussianMixture<N> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        check_count("sample size", n)?;
        let [which, noise] = key.split();
        let z = noise.normal(n * N);
        let k = which.indices(n, self.components());
        let mut out = vec![0.0; n * N];
        out.par_chunks_mut(CHUNK * N).enumerate().for_each(|(i, chunk)| {
            let z = z[i * CHUNK * N..].chunks_exact(N).zip(&k[i * CHUNK..]);
            chunk.chunks_exact_mut(N).zip(z).for_each(|(x, (z, &k))| self.place(k, z, x));
        });
        points(out)
    }
}
