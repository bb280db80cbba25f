//! Pairs of measures whose optimal map is known: Q = (∇ψ)#P for a convex ψ.

use std::sync::Arc;

use rayon::prelude::*;

use super::GaussianMixture;
use crate::error::{check_positive, Error, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::solver::Gaussian;
use crate::tensor::{points, rows, Points};

/// Points from which a pair is standardised and its moments are estimated.
const STANDARDISE: usize = 1 << 17;

/// The gradient of a convex function, hence an optimal map for the squared distance.
pub trait ConvexGradient: std::fmt::Debug + Send + Sync {
    /// ∇ψ at `n` points, row by row.
    fn gradient(&self, rows: &[f32]) -> Vec<f32>;
}

/// P, Q and the optimal map T* = a (∇ψ + s) between them, for the costs |x − y|², ½|x − y|² and −⟨x, y⟩.
///
/// By Brenier's theorem the gradient of a convex function is the optimal map from any measure with a
/// density to its image. This is the ground truth of the Wasserstein-2 benchmark (arXiv:2106.01954).
#[derive(Clone, Debug)]
pub struct KnownPair<const N: usize> {
    source: GaussianMixture<N>,
    psi: Arc<dyn ConvexGradient>,
    shift: Vec<f32>,
    scale: f32,
    target_variance: f64,
}

/// The measure T#P: images of points of another sampler.
#[derive(Clone, Debug)]
pub struct PushForward<const N: usize>(KnownPair<N>);

impl<const N: usize> KnownPair<N> {
    /// The pair of a source and a convex gradient as they are: shift `[N]` and scale are applied after
    /// the gradient, T* = scale · (∇ψ + shift). The total variance of Q is estimated from 2¹⁷ points.
    ///
    /// # Errors
    /// [`Error::Shape`] for a shift of another length, [`Error::InvalidConfig`] for a scale that is not
    /// positive, and errors of the source.
    pub fn new(
        source: GaussianMixture<N>,
        psi: Arc<dyn ConvexGradient>,
        shift: Vec<f32>,
        scale: f32,
    ) -> Result<Self> {
        let mut pair = Self::with_target_variance(source, psi, shift, scale, 1.0)?;
        let sample = pair.target().sample(Key::new(0), STANDARDISE)?;
        pair.target_variance = Gaussian::fit(&rows(&sample), N)?.total_variance();
        check_positive("variance of the target", pair.target_variance)?;
        Ok(pair)
    }

    /// [`new`](Self::new) with the sum of the variances of the coordinates of Q, where it is known.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::InvalidConfig`] for a variance that is not positive.
    pub fn with_target_variance(
        source: GaussianMixture<N>,
        psi: Arc<dyn ConvexGradient>,
        shift: Vec<f32>,
        scale: f32,
        target_variance: f64,
    ) -> Result<Self> {
        check_positive("scale of a known map", scale.into())?;
        check_positive("variance of the target", target_variance)?;
        if shift.len() != N {
            return Err(Error::shape("shift of a known map", N, shift.len()));
        }
        Ok(Self { source, psi, shift, scale, target_variance })
    }

    /// The pair with shift and scale such that Q has mean zero and coordinates of mean variance one.
    ///
    /// # Errors
    /// Those of the source; [`Error::NonFinite`] if the gradient is not finite.
    pub fn standardised(source: GaussianMixture<N>, psi: Arc<dyn ConvexGradient>) -> Result<Self> {
        let sample = source.sample(Key::new(1), STANDARDISE)?;
        let moments = Gaussian::fit(&psi.gradient(&rows(&sample)), N)?;
        let shift = moments.mean.iter().map(|&m| -m as f32).collect();
        let scale = (N as f64 / moments.total_variance()).sqrt();
        Self::new(source, psi, shift, scale as f32)
    }

    /// A random pair that needs no file: a mixture of three Gaussians, pushed through the gradient of a
    /// random [`LogSumExp`] and standardised. Equal keys give equal pairs.
    ///
    /// # Errors
    /// None that a key can cause; those of [`standardised`](Self::standardised).
    pub fn random(key: Key) -> Result<Self> {
        let [means, factors, psi] = key.split();
        let tilt = 0.3 / (N as f32).sqrt();
        let mut factors: Vec<f32> = factors.normal(3 * N * N).iter().map(|f| tilt * f).collect();
        for factor in factors.chunks_exact_mut(N * N) {
            factor.iter_mut().step_by(N + 1).for_each(|diagonal| *diagonal += 0.5);
        }
        let source = GaussianMixture::new(means.normal(3 * N), factors)?;
        Self::standardised(source, Arc::new(LogSumExp::random(psi, N)))
    }

    /// P.
    pub fn source(&self) -> &GaussianMixture<N> {
        &self.source
    }

    /// Q = T*#P.
    pub fn target(&self) -> PushForward<N> {
        PushForward(self.clone())
    }

    /// T* at the given points.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if an image is.
    pub fn transport(&self, x: &Points<N>) -> Result<Points<N>> {
        let mut images = self.psi.gradient(&rows(x));
        for image in images.chunks_exact_mut(N) {
            image.iter_mut().zip(&self.shift).for_each(|(y, s)| *y = self.scale * (*y + s));
        }
        points(images)
    }

    /// The sum of the variances of the coordinates of Q.
    pub fn target_variance(&self) -> f64 {
        self.target_variance
    }
}

impl<const N: usize> Sampler<N> for PushForward<N> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        self.0.transport(&self.0.source.sample(key, n)?)
    }
}

/// ψ(x) = τ log Σⱼ exp((⟨aⱼ, x⟩ − bⱼ) / τ) + β/2 |x|²: smooth and strongly convex; its gradient draws
/// each point towards the anchor aⱼ of its region.
#[derive(Clone, Debug)]
pub struct LogSumExp {
    dimension: usize,
    anchors: Vec<f32>,
    offsets: Vec<f32>,
    temperature: f32,
    strong_convexity: f32,
}

impl LogSumExp {
    /// `2 d + 4` normal anchors, at most 64, with offsets |aⱼ|²/2, temperature 0.2 and β = 0.2.
    pub fn random(key: Key, dimension: usize) -> Self {
        let count = (2 * dimension + 4).min(64);
        let anchors: Vec<f32> = key.normal(count * dimension).iter().map(|a| 1.5 * a).collect();
        let offsets = anchors
            .chunks_exact(dimension)
            .map(|a| 0.5 * a.iter().map(|v| v * v).sum::<f32>())
            .collect();
        Self { dimension, anchors, offsets, temperature: 0.2, strong_convexity: 0.2 }
    }

    fn gradient_at(&self, x: &[f32], out: &mut [f32]) {
        let inner = |a: &[f32]| a.iter().zip(x).map(|(a, x)| a * x).sum::<f32>();
        let anchors = || self.anchors.chunks_exact(self.dimension);
        let heights: Vec<f32> =
            anchors().zip(&self.offsets).map(|(a, b)| (inner(a) - b) / self.temperature).collect();
        let top = heights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = heights.iter().map(|h| (h - top).exp()).collect();
        let total: f32 = weights.iter().sum();
        for (o, x) in out.iter_mut().zip(x) {
            *o = self.strong_convexity * x;
        }
        for (a, w) in anchors().zip(&weights) {
            out.iter_mut().zip(a).for_each(|(o, a)| *o += w / total * a);
        }
    }
}

impl ConvexGradient for LogSumExp {
    fn gradient(&self, rows: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; rows.len()];
        out.par_chunks_mut(self.dimension)
            .zip(rows.par_chunks(self.dimension))
            .for_each(|(out, x)| self.gradient_at(x, out));
        out
    }
}
