//! Finite sets of points as measures.

use rand::seq::SliceRandom;

use crate::error::{check_count, Error, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::{points, rows, Points};

/// The empirical measure of `n` points: sampling draws from them with replacement.
///
/// ```
/// use brenier::{data::Samples, problem::Sampler, random::Key};
/// let samples = Samples::<2>::new(vec![0.0, 0.0, 1.0, 1.0])?;
/// let drawn = samples.sample(Key::new(0), 5)?;
/// assert!(brenier::tensor::rows(&drawn).chunks(2).all(|p| p[0] == p[1]));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Samples<const N: usize> {
    rows: Vec<f32>,
}

impl<const N: usize> Samples<N> {
    /// The measure of points given row by row.
    ///
    /// # Errors
    /// As [`points`].
    pub fn new(rows: Vec<f32>) -> Result<Self> {
        Ok(Self::of(&points::<N>(rows)?))
    }

    /// The measure of the given points.
    pub fn of(points: &Points<N>) -> Self {
        Self { rows: rows(points) }
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.rows.len() / N
    }

    /// Whether there is none, which no constructor allows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The coordinates, row by row.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The points of the given indices.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is missing or there are none.
    pub fn gather(&self, indices: &[usize]) -> Result<Points<N>> {
        let mut out = Vec::with_capacity(indices.len() * N);
        for &i in indices {
            if i >= self.len() {
                return Err(Error::shape("sample", format!("an index below {}", self.len()), i));
            }
            out.extend_from_slice(&self.rows[i * N..(i + 1) * N]);
        }
        points(out)
    }

    /// Two measures of `first` and of the other points, chosen by the key.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless both get at least one point.
    pub fn split(&self, key: Key, first: usize) -> Result<[Self; 2]> {
        check_count("points of a split", first)?;
        if first >= self.len() {
            let rule = "must be less than the number of points";
            return Err(Error::config("points of a split", first, rule));
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut key.rng());
        let (a, b) = order.split_at(first);
        Ok([Self::of(&self.gather(a)?), Self::of(&self.gather(b)?)])
    }
}

impl<const N: usize> Sampler<N> for Samples<N> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        check_count("sample size", n)?;
        self.gather(&key.indices(n, self.len()))
    }
}
