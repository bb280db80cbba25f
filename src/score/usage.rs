//! How much of the target a partial transport uses.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::function::NonPositive;
use crate::tensor::{rows, Points};

/// The share of the points `y` of the target that the potential of a partial transport counts as used up,
/// f(y) < −`tolerance`. Where less arrives than could, the optimal f is 0 (arXiv:2301.12874, proposition 4);
/// a tolerance of a few hundredths of the range of f tells the two apart.
///
/// # Errors
/// [`Error::InvalidConfig`] if the tolerance is negative or NaN.
pub fn used_share<const N: usize>(
    potential: &impl NonPositive<N>,
    y: &Points<N>,
    tolerance: f64,
) -> Result<f64> {
    if tolerance.is_nan() || tolerance < 0.0 {
        return Err(Error::config("tolerance", tolerance, "must not be negative"));
    }
    let values = rows(&Module::<Points<N>>::forward(potential, y.clone()));
    let used = values.iter().filter(|f| f64::from(**f) < -tolerance).count();
    Ok(used as f64 / values.len() as f64)
}
