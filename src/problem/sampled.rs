//! Measures that are known through samples, and the batches a step sees.

use dfdx::prelude::*;

use crate::error::{check_count, Error, Result};
use crate::ops::{Engine, Real};
use crate::random::Key;
use crate::tensor::{rows, Points};

/// A measure on ℝᴺ that can be sampled.
///
/// Laws: pure in the key; `n` points for `n ≥ 1`.
pub trait Sampler<const N: usize> {
    /// `n` independent points: `[n, N]`.
    ///
    /// # Errors
    /// Whatever keeps the sampler from it; [`Error::InvalidConfig`] for `n = 0`.
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>>;
}

impl<const N: usize, S: Sampler<N> + ?Sized> Sampler<N> for &S {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        (**self).sample(key, n)
    }
}

/// Unpaired samples of source and target.
#[derive(Clone, Debug)]
pub struct Batch<const N: usize, E: Real = f32, D: Engine<E> = Cpu> {
    /// Points of the source P: `[n, N]`.
    pub source: Points<N, E, D>,
    /// Points of the target Q: `[m, N]`.
    pub target: Points<N, E, D>,
}

impl<const N: usize, E: Real, D: Engine<E>> Batch<N, E, D> {
    /// A batch of the given points.
    ///
    /// # Errors
    /// [`Error::Shape`] if either side is empty, [`Error::NonFinite`] if a coordinate is.
    pub fn new(source: Points<N, E, D>, target: Points<N, E, D>) -> Result<Self> {
        for (what, side) in [("source points", &source), ("target points", &target)] {
            if side.shape().0 == 0 {
                return Err(Error::shape(what, "at least one point", 0));
            }
            if let Some((i, v)) = rows(side).iter().enumerate().find(|(_, v)| !v.is_finite()) {
                return Err(Error::NonFinite {
                    what: format!("coordinate {} of {what} {}", i % N, i / N),
                    value: v.double(),
                    step: None,
                    remedy: "clean the data before making a batch of it",
                });
            }
        }
        Ok(Self { source, target })
    }

    /// The same batch on another device: a copy through the host.
    pub fn on<D2: Engine<E>>(&self, device: &D2) -> Batch<N, E, D2> {
        let copy = |side: &Points<N, E, D>| {
            device.tensor_from_vec(rows(side), (side.shape().0, Const::<N>))
        };
        Batch { source: copy(&self.source), target: copy(&self.target) }
    }
}

/// Two samplers and the numbers of points to draw from each: a stream of batches.
///
/// ```
/// use brenier::{data::GaussianMixture, problem::Sampled, random::Key};
/// let (p, q) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
/// let mut batches = Sampled::new(p, q, 256)?.batches(Key::new(0));
/// let batch = batches.next().unwrap()?;
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sampled<const N: usize, P, Q> {
    source: P,
    target: Q,
    source_points: usize,
    target_points: usize,
}

impl<const N: usize, P: Sampler<N>, Q: Sampler<N>> Sampled<N, P, Q> {
    /// `n` points of each measure a batch.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `n = 0`.
    pub fn new(source: P, target: Q, n: usize) -> Result<Self> {
        check_count("batch size", n)?;
        Ok(Self { source, target, source_points: n, target_points: n })
    }

    /// `parts` times as many source points: fresh ones for each inner step of an estimator.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `parts = 0`.
    pub fn with_source_parts(self, parts: usize) -> Result<Self> {
        check_count("source parts", parts)?;
        Ok(Self { source_points: self.target_points * parts, ..self })
    }

    /// All batches of a key, from the first. Batch `i` is a function of the key and `i` alone, so that
    /// a resumed run sees what an uninterrupted one would have seen.
    pub fn batches(self, key: Key) -> Batches<N, P, Q> {
        Batches { sampled: self, key, next: 0 }
    }
}

/// The batches of a [`Sampled`] problem: an endless iterator.
#[derive(Clone, Debug)]
pub struct Batches<const N: usize, P, Q> {
    sampled: Sampled<N, P, Q>,
    key: Key,
    next: u64,
}

impl<const N: usize, P: Sampler<N>, Q: Sampler<N>> Batches<N, P, Q> {
    /// Goes on from batch `index`.
    #[must_use]
    pub fn starting_at(self, index: u64) -> Self {
        Self { next: index, ..self }
    }

    /// Batch `index`.
    ///
    /// # Errors
    /// Those of the samplers, and [`Error::NonFinite`] if one of them returns such a point.
    pub fn batch(&self, index: u64) -> Result<Batch<N>> {
        let [source, target] = self.key.fold_in(index).split();
        let s = &self.sampled;
        Batch::new(
            s.source.sample(source, s.source_points)?,
            s.target.sample(target, s.target_points)?,
        )
    }
}

impl<const N: usize, P: Sampler<N>, Q: Sampler<N>> Iterator for Batches<N, P, Q> {
    type Item = Result<Batch<N>>;
    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch(self.next);
        self.next += 1;
        Some(batch)
    }
}
