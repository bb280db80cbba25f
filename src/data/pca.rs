//! Principal components.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::standardised::check_points;
use crate::error::{Error, Result};

/// The orthogonal projection on the `k` directions of largest variance, y = Vᵀ (x − m), and its right
/// inverse x = m + V y, which is the nearest point of the plane that the directions span.
///
/// Each direction has its entry of largest magnitude positive, so that equal data give equal components.
/// Time is that of n·d·min(n, d) multiply-adds and an eigenproblem of size min(n, d).
///
/// ```
/// use brenier::data::Pca;
/// // On the line x₁ = 2 x₀ one component says it all.
/// let rows = [0.0, 0.0, 1.0, 2.0, 2.0, 4.0];
/// let pca = Pca::fit(&rows, 2, 1)?;
/// let back = pca.invert(&pca.apply(&rows)?)?;
/// assert!(back.iter().zip(rows).all(|(a, b)| (a - b).abs() < 1e-6));
/// assert!((pca.explained()[0] - 1.0).abs() < 1e-12);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: DVector<f64>,
    /// V, d × k.
    directions: DMatrix<f64>,
    variances: Vec<f64>,
    total: f64,
}

impl Pca {
    /// The first `k` principal components of points of dimension `d`, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the rows are whole points; [`Error::InvalidConfig`] unless
    /// 1 ≤ k ≤ min(n − 1, d); [`Error::NonFinite`] if a coordinate is.
    pub fn fit(rows: &[f32], d: usize, k: usize) -> Result<Self> {
        check_points(rows, d)?;
        let n = rows.len() / d;
        if k == 0 || k > d.min(n - 1) {
            let rule =
                "must be at least 1, at most the dimension, and less than the number of points";
            return Err(Error::config("principal components", k, rule));
        }
        if let Some(i) = rows.iter().position(|v| !v.is_finite()) {
            return Err(Error::NonFinite {
                what: format!("coordinate {} of point {}", i % d, i / d),
                value: rows[i].into(),
                step: None,
                remedy: "clean the data first",
            });
        }
        let mut centred = DMatrix::from_fn(d, n, |j, i| f64::from(rows[i * d + j]));
        let mean = centred.column_mean();
        centred.column_iter_mut().for_each(|mut x| x -= &mean);
        // XXᵀ and XᵀX have the same eigenvalues but for zeros: the smaller is taken.
        let (values, directions) = if d <= n {
            let (values, vectors) = largest(&centred * centred.transpose(), k);
            (values, vectors)
        } else {
            let (values, vectors) = largest(centred.transpose() * &centred, k);
            let mut directions = &centred * vectors;
            directions.column_iter_mut().zip(&values).for_each(|(mut v, s)| v /= s.sqrt());
            (values, directions)
        };
        let total = centred.norm_squared() / n as f64;
        if values.iter().any(|v| *v <= 1e-14 * n as f64 * total) {
            let rule = "exceeds the rank of the points: ask for fewer";
            return Err(Error::config("principal components", k, rule));
        }
        let variances = values.iter().map(|v| v / n as f64).collect();
        Ok(Self { mean, directions: with_fixed_signs(directions), variances, total })
    }

    /// Vᵀ (x − m) for points of dimension d, row by row: `[n, k]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the rows are whole points.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let d = self.mean.len();
        check_points(rows, d)?;
        let mut x = DMatrix::from_iterator(d, rows.len() / d, rows.iter().map(|&v| f64::from(v)));
        x.column_iter_mut().for_each(|mut x| x -= &self.mean);
        Ok((self.directions.transpose() * x).iter().map(|&v| v as f32).collect())
    }

    /// m + V y for points of dimension k, row by row: `[n, d]`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn invert(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let k = self.directions.ncols();
        check_points(rows, k)?;
        let y = DMatrix::from_iterator(k, rows.len() / k, rows.iter().map(|&v| f64::from(v)));
        let mut x = &self.directions * y;
        x.column_iter_mut().for_each(|mut x| x += &self.mean);
        Ok(x.iter().map(|&v| v as f32).collect())
    }

    /// The variance along each direction (divided by n), the largest first.
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// The share of the total variance along each direction.
    pub fn explained(&self) -> Vec<f64> {
        self.variances.iter().map(|v| v / self.total).collect()
    }
}

/// The k largest eigenvalues of a symmetric matrix with their eigenvectors.
fn largest(matrix: DMatrix<f64>, k: usize) -> (Vec<f64>, DMatrix<f64>) {
    let eigen = SymmetricEigen::new(matrix);
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order.truncate(k);
    let values = order.iter().map(|&i| eigen.eigenvalues[i].max(0.0)).collect();
    (values, eigen.eigenvectors.select_columns(&order))
}

fn with_fixed_signs(mut directions: DMatrix<f64>) -> DMatrix<f64> {
    for mut column in directions.column_iter_mut() {
        if column[column.icamax()] < 0.0 {
            column.neg_mut();
        }
    }
    directions
}
