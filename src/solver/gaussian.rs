//! Optimal transport between Gaussian measures (Bures–Wasserstein), in double precision.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::error::{Error, Result};

/// Mean and covariance of a measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// Mean, length d.
    pub mean: DVector<f64>,
    /// Covariance, d × d.
    pub covariance: DMatrix<f64>,
}

/// The map x ↦ A x + b.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineMap {
    /// A, d × d.
    pub matrix: DMatrix<f64>,
    /// b, length d.
    pub offset: DVector<f64>,
}

impl Gaussian {
    /// Mean and covariance (divided by n) of `n` points of dimension `d`, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are at least two points of dimension `d`; [`Error::NonFinite`] if
    /// a moment is not finite.
    pub fn fit(rows: &[f32], d: usize) -> Result<Self> {
        if d == 0 || !rows.len().is_multiple_of(d) || rows.len() < 2 * d {
            let expected = format!("at least two points of dimension {d}");
            return Err(Error::shape("points", expected, format!("{} numbers", rows.len())));
        }
        let n = rows.len() / d;
        let mut mean = DVector::zeros(d);
        for row in rows.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x));
        }
        mean /= n as f64;
        // In blocks, as products of small matrices: XᵀX of the centred rows.
        let mut covariance = DMatrix::zeros(d, d);
        for block in rows.chunks(4096 * d) {
            let centred =
                DMatrix::from_fn(d, block.len() / d, |j, i| f64::from(block[i * d + j]) - mean[j]);
            covariance += &centred * centred.transpose();
        }
        covariance /= n as f64;
        match mean.iter().chain(covariance.iter()).find(|v| !v.is_finite()) {
            None => Ok(Self { mean, covariance }),
            Some(&value) => Err(Error::NonFinite {
                what: "a moment of the points".into(),
                value,
                step: None,
                remedy: "clean the data first",
            }),
        }
    }

    /// Sum of the variances of the coordinates.
    pub fn total_variance(&self) -> f64 {
        self.covariance.trace()
    }

    /// The optimal map to another Gaussian for the cost |x − y|²:
    /// A = S^{-½} (S^{½} S' S^{½})^{½} S^{-½}, b = m' − A m.
    ///
    /// # Errors
    /// [`Error::Shape`] if the dimensions differ, [`Error::InvalidConfig`] if S is singular.
    pub fn optimal_map(&self, to: &Self) -> Result<AffineMap> {
        self.check_dimension(to)?;
        let (root, inverse) = self.roots()?;
        let middle = power(&(&root * &to.covariance * &root), f64::sqrt);
        let matrix = &inverse * middle * &inverse;
        let offset = &to.mean - &matrix * &self.mean;
        Ok(AffineMap { matrix, offset })
    }

    /// The squared Wasserstein-2 distance to another Gaussian, for the cost |x − y|² (no ½):
    /// |m − m'|² + tr S + tr S' − 2 tr (S^{½} S' S^{½})^{½}.
    ///
    /// # Errors
    /// As [`optimal_map`](Self::optimal_map).
    pub fn squared_distance(&self, to: &Self) -> Result<f64> {
        self.check_dimension(to)?;
        let (root, _) = self.roots()?;
        let middle = power(&(&root * &to.covariance * &root), f64::sqrt);
        let means = (&self.mean - &to.mean).norm_squared();
        let traces = self.total_variance() + to.total_variance() - 2.0 * middle.trace();
        Ok(means + traces.max(0.0))
    }

    fn check_dimension(&self, to: &Self) -> Result<()> {
        let (d, other) = (self.mean.len(), to.mean.len());
        if d == other {
            Ok(())
        } else {
            Err(Error::shape("target moments", format!("dimension {d}"), other))
        }
    }

    /// S^{½} and S^{-½}.
    pub(super) fn roots(&self) -> Result<(DMatrix<f64>, DMatrix<f64>)> {
        let eigen = SymmetricEigen::new(self.covariance.clone());
        let (least, largest) = (eigen.eigenvalues.min(), eigen.eigenvalues.max());
        if least.is_nan() || least <= 1e-12 * largest {
            return Err(Error::config(
                "source covariance",
                format_args!("eigenvalues from {least:e} to {largest:e}"),
                "must be positive definite: drop constant or repeated coordinates",
            ));
        }
        Ok((power(&self.covariance, f64::sqrt), power(&self.covariance, |v| v.sqrt().recip())))
    }
}

impl AffineMap {
    /// A x + b for `n` points, row by row.
    pub fn apply(&self, rows: &[f32]) -> Vec<f32> {
        let d = self.offset.len();
        let columns = DMatrix::from_iterator(d, rows.len() / d, rows.iter().map(|&v| f64::from(v)));
        let mut images = &self.matrix * columns;
        images.column_iter_mut().for_each(|mut image| image += &self.offset);
        images.iter().map(|&v| v as f32).collect()
    }
}

/// f applied to the eigenvalues of a symmetric matrix (negative ones count as zero).
pub(super) fn power(matrix: &DMatrix<f64>, f: impl Fn(f64) -> f64) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new((matrix + matrix.transpose()) * 0.5);
    let values = eigen.eigenvalues.map(|v| f(v.max(0.0)));
    &eigen.eigenvectors * DMatrix::from_diagonal(&values) * eigen.eigenvectors.transpose()
}
