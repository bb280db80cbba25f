//! What is refused of costs and weights.

use super::Relaxation;
use crate::error::{Error, Result};
use crate::ops::Real;

/// Refuses two balanced marginals of different mass, up to rounding, and masses whose products `E` cannot
/// hold.
pub(super) fn check_masses<E: Real>([a, b]: [f64; 2], relaxation: [Relaxation; 2]) -> Result<()> {
    let [least, most] = [E::min_positive_value(), E::max_value()].map(|v| v.double().sqrt());
    if !(a.min(b) >= least && a.max(b) <= most) {
        let rule = "must have products that the number type can hold: scale the weights";
        return Err(Error::config("total masses", format_args!("{a:e} and {b:e}"), rule));
    }
    if relaxation == [Relaxation::Balanced; 2] && (a - b).abs() > 1e-4 * a.max(b) {
        let rule = "balanced marginals need equal mass: normalise the weights or relax a marginal";
        return Err(Error::config("total masses", format_args!("{a} and {b}"), rule));
    }
    Ok(())
}

pub(super) fn check_finite<E: Real>(values: &[E], name: impl Fn(usize) -> String) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::NonFinite {
            what: name(i),
            value: values[i].double(),
            step: None,
            remedy: "clean the data before making a problem of it",
        }),
    }
}

pub(super) fn check_weights<E: Real>(field: &'static str, weights: &[E], n: usize) -> Result<()> {
    if weights.len() != n {
        return Err(Error::shape(field, n, weights.len()));
    }
    check_finite(weights, |i| format!("number {i} of the {field}"))?;
    if let Some(w) = weights.iter().find(|w| **w < E::zero()) {
        return Err(Error::config(field, w.double(), "must not be negative"));
    }
    // Below the normal numbers, weights have lost their digits.
    let largest = weights.iter().fold(E::zero(), |a, b| a.max(*b));
    if largest < E::min_positive_value() {
        return Err(Error::config(field, largest.double(), "must have a positive sum"));
    }
    Ok(())
}
