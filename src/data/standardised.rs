//! Coordinates of mean zero and variance one.

use crate::error::{check_count, Error, Result};

/// The invertible map y = (x − m) / s, coordinate by coordinate.
///
/// ```
/// use brenier::data::Standardised;
/// let rows = [0.0, 10.0, 2.0, 30.0];
/// let scaling = Standardised::fit(&rows, 2)?;
/// let y = scaling.apply(&rows)?;
/// assert_eq!(y, [-1.0, -1.0, 1.0, 1.0]);
/// assert_eq!(scaling.invert(&y)?, rows);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Standardised {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standardised {
    /// Means and standard deviations (divided by n) of points of dimension `d`, row by row. A constant
    /// coordinate is only shifted.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the rows are whole points, at least one; [`Error::NonFinite`] if a moment is.
    pub fn fit(rows: &[f32], d: usize) -> Result<Self> {
        check_count("dimension", d)?;
        check_points(rows, d)?;
        let n = (rows.len() / d) as f64;
        let mut mean = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += f64::from(*x) / n);
        }
        let mut variance = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            let moments = variance.iter_mut().zip(&mean).zip(row);
            moments.for_each(|((v, m), x)| *v += (f64::from(*x) - m).powi(2) / n);
        }
        if let Some(&value) = mean.iter().chain(&variance).find(|v| !v.is_finite()) {
            return Err(Error::NonFinite {
                what: "a moment of the points".into(),
                value,
                step: None,
                remedy: "clean the data first",
            });
        }
        let deviation = |v: &f64| if *v > 0.0 { v.sqrt() } else { 1.0 };
        Ok(Self { deviation: variance.iter().map(deviation).collect(), mean })
    }

    /// (x − m) / s.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the rows are whole points.
    pub fn apply(&self, rows: &[f32]) -> Result<Vec<f32>> {
        self.each(rows, |x, m, s| (x - m) / s)
    }

    /// m + s y.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn invert(&self, rows: &[f32]) -> Result<Vec<f32>> {
        self.each(rows, |y, m, s| m + s * y)
    }

    fn each(&self, rows: &[f32], f: impl Fn(f64, f64, f64) -> f64) -> Result<Vec<f32>> {
        let d = self.mean.len();
        check_points(rows, d)?;
        let moments = self.mean.iter().zip(&self.deviation).cycle();
        Ok(rows.iter().zip(moments).map(|(x, (m, s))| f(f64::from(*x), *m, *s) as f32).collect())
    }
}

/// Refuses rows that are not whole points of dimension `d`, at least one.
pub(super) fn check_points(rows: &[f32], d: usize) -> Result<()> {
    if d == 0 || rows.is_empty() || !rows.len().is_multiple_of(d) {
        let expected = format!("points of dimension {d}, at least one");
        return Err(Error::shape("points", expected, format!("{} numbers", rows.len())));
    }
    Ok(())
}
