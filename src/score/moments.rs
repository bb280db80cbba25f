//! Mean and covariance of features that come in batches, and their files.

use std::path::Path;

use nalgebra::{DMatrix, DVector};

use crate::data::{write_npz, Array, Npz};
use crate::error::{check_count, Error, Result};
use crate::ops::gemm::{multiply, Into, Matrix};
use crate::solver::Gaussian;

/// Rows that are summed at once. Fixed, so that the sums do not depend on how the rows arrive.
const BLOCK: usize = 512;

/// Mean and covariance of rows that are added bit by bit, in double precision: memory is d², time d² a row.
///
/// Blocks of 512 rows are summed around their own mean and merged (Chan, Golub, LeVeque), so that a large
/// mean costs no digits; the result does not depend on the sizes of the batches.
///
/// ```
/// use brenier::score::Moments;
/// let mut moments = Moments::new(2)?;
/// moments.add(&[1.0, 0.0, 3.0, 0.0])?;
/// moments.add(&[5.0, 3.0])?;
/// let normal = moments.finish()?;
/// assert_eq!(normal.mean.as_slice(), [3.0, 1.0]);
/// assert_eq!(normal.covariance.as_slice(), [4.0, 3.0, 3.0, 3.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Moments {
    n: usize,
    mean: Vec<f64>,
    /// Σ (x − m)(x − m)ᵀ of the rows of whole blocks.
    scatter: Vec<f64>,
    /// Rows of the block that is not full.
    pending: Vec<f64>,
}

impl Moments {
    /// No rows, of dimension `d`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for `d = 0`.
    pub fn new(d: usize) -> Result<Self> {
        check_count("dimension of features", d)?;
        Ok(Self { n: 0, mean: vec![0.0; d], scatter: vec![0.0; d * d], pending: Vec::new() })
    }

    /// Adds rows of dimension d.
    ///
    /// # Errors
    /// [`Error::Shape`] unless they are whole rows, [`Error::NonFinite`] if a number is; then none was added.
    pub fn add(&mut self, rows: &[f32]) -> Result<()> {
        let d = self.mean.len();
        if !rows.len().is_multiple_of(d) {
            let found = format!("{} numbers", rows.len());
            return Err(Error::shape("features", format!("rows of {d}"), found));
        }
        if let Some(i) = rows.iter().position(|v| !v.is_finite()) {
            return Err(Error::NonFinite {
                what: format!("feature {} of row {}", i % d, i / d),
                value: rows[i].into(),
                step: None,
                remedy: "look at the images that the features were computed from",
            });
        }
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK * d - self.pending.len()));
            self.pending.extend(now.iter().map(|&v| f64::from(v)));
            rest = later;
            if self.pending.len() == BLOCK * d {
                self.merge();
            }
        }
        Ok(())
    }

    /// How many rows were added.
    pub fn len(&self) -> usize {
        self.n + self.pending.len() / self.mean.len()
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Mean and covariance, the latter divided by n − 1 as `numpy.cov` does.
    ///
    /// # Errors
    /// [`Error::Shape`] for fewer than two rows.
    pub fn finish(mut self) -> Result<Gaussian> {
        self.merge();
        if self.n < 2 {
            return Err(Error::shape("rows of features", "at least two", self.n));
        }
        let d = self.mean.len();
        let scale = 1.0 / (self.n - 1) as f64;
        let covariance = DMatrix::from_vec(d, d, self.scatter) * scale;
        Ok(Gaussian { mean: DVector::from_vec(self.mean), covariance })
    }

    fn merge(&mut self) {
        let d = self.mean.len();
        let (n, m) = (self.n as f64, (self.pending.len() / d) as f64);
        if self.pending.is_empty() {
            return;
        }
        let mut mean = vec![0.0; d];
        for row in self.pending.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(s, x)| *s += x / m);
        }
        for row in self.pending.chunks_exact_mut(d) {
            row.iter_mut().zip(&mean).for_each(|(x, m)| *x -= m);
        }
        let rows = Matrix::new(&self.pending, m as usize, d);
        multiply(rows.transposed(), rows, &mut self.scatter, Into::Add);
        let shift: Vec<f64> = mean.iter().zip(&self.mean).map(|(b, a)| b - a).collect();
        let weight = n * m / (n + m);
        for (line, s) in self.scatter.chunks_exact_mut(d).zip(&shift) {
            line.iter_mut().zip(&shift).for_each(|(c, t)| *c += weight * s * t);
        }
        self.mean.iter_mut().zip(&shift).for_each(|(a, s)| *a += m / (n + m) * s);
        self.n += m as usize;
        self.pending.clear();
    }
}

/// Writes mean and covariance as arrays `mu` `[d]` and `sigma` `[d, d]`, as pytorch-fid does.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn save_statistics(path: &Path, statistics: &Gaussian) -> Result<()> {
    let d = statistics.mean.len();
    let mean = Array::new(vec![d], statistics.mean.as_slice().to_vec())?;
    let covariance = Array::new(vec![d, d], statistics.covariance.transpose().as_slice().to_vec())?;
    write_npz(path, &[("mu", &mean), ("sigma", &covariance)])
}

/// Reads what [`save_statistics`] or pytorch-fid wrote.
///
/// # Errors
/// [`Error::Io`]; [`Error::Format`] if an array is missing or of another shape, or a number is not finite.
pub fn load_statistics(path: &Path) -> Result<Gaussian> {
    let mut file = Npz::open(path)?;
    let (mean, covariance): (Array, Array) = (file.array("mu")?, file.array("sigma")?);
    let d = mean.values.len();
    if mean.shape != [d] || covariance.shape != [d, d] || d == 0 {
        let problem = format!("mu is {:?} and sigma {:?}", mean.shape, covariance.shape);
        return Err(Error::format(path, problem));
    }
    if mean.values.iter().chain(&covariance.values).any(|v| !v.is_finite()) {
        return Err(Error::format(path, "mu or sigma holds numbers that are not finite"));
    }
    Ok(Gaussian {
        mean: DVector::from_vec(mean.values),
        covariance: DMatrix::from_row_slice(d, d, &covariance.values),
    })
}
