//! Weights of a source and a target, checked and brought to one scale.

use crate::error::{Error, Result};
use crate::ops::Real;

/// Mass that goes from one source to one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transfer {
    /// Index of the source.
    pub source: usize,
    /// Index of the target.
    pub target: usize,
    /// The mass, in the units of the weights.
    pub mass: f64,
}

/// Masses of both sides with equal sums. They are whole numbers where all weights of a side are
/// equal, so that sums and differences of them are exact.
pub(super) struct Masses {
    pub supply: Vec<f64>,
    pub demand: Vec<f64>,
    /// What a mass of 1 is in the units of the weights.
    pub unit: f64,
    /// Whether all weights of the source are equal, and all of the target.
    pub uniform: bool,
}

/// Sum of the weights.
///
/// # Errors
/// [`Error::Shape`] for none, [`Error::NonFinite`], [`Error::InvalidConfig`] for a negative weight or
/// a sum of zero.
pub(super) fn total<W: Real>(what: &'static str, weights: &[W]) -> Result<f64> {
    if weights.is_empty() {
        return Err(Error::shape(what, "at least one weight", 0));
    }
    let (mut sum, mut lost) = (0.0, 0.0);
    for (i, w) in weights.iter().enumerate() {
        let w = w.double();
        if !w.is_finite() {
            return Err(not_finite(format!("{what} {i}"), w));
        }
        if w < 0.0 {
            let value = format_args!("{w:e} at {i}");
            return Err(Error::config(
                what,
                value,
                "must be at least 0; a signed measure is not one",
            ));
        }
        // Kahan's summation.
        let (term, before) = (w - lost, sum);
        sum += term;
        lost = (sum - before) - term;
    }
    if !sum.is_finite() {
        return Err(not_finite(format!("the sum of the {what}"), sum));
    }
    if sum <= 0.0 {
        let rule = "the sum must be positive: at least one weight has to be";
        return Err(Error::config(what, sum, rule));
    }
    Ok(sum)
}

/// The weights of both sides on one scale.
///
/// # Errors
/// Those of [`total`], and [`Error::InvalidConfig`] if the sums differ by more than rounding.
pub(super) fn balance<W: Real>(source: &[W], target: &[W]) -> Result<Masses> {
    let (a, b) = (total("source weights", source)?, total("target weights", target)?);
    // What normalisation in the precision of the weights leaves.
    let slack = ((source.len() + target.len()) as f64 * W::epsilon().double()).min(1e-4);
    if (a - b).abs() > slack * a.max(b) {
        return Err(Error::config(
            "total target mass",
            format_args!("{b} (the source has {a}, a difference of {:e})", b - a),
            "must equal that of the source: divide both weights by their sums, \
             or use an unbalanced solver",
        ));
    }
    let equal = |w: &[W]| w.iter().all(|v| *v == w[0]);
    if equal(source) && equal(target) {
        let (n, m) = (source.len(), target.len());
        let (each_source, each_target) = if n == m { (1, 1) } else { (m, n) };
        return Ok(Masses {
            supply: vec![each_source as f64; n],
            demand: vec![each_target as f64; m],
            unit: a / (n as f64 * each_source as f64),
            uniform: true,
        });
    }
    let scaled = |w: &[W], by: f64| w.iter().map(|v| v.double() * by).collect();
    // A power of two brings the largest weights near 1 without rounding.
    let unit = a.log2().floor().clamp(-1000.0, 1000.0).exp2();
    Ok(Masses {
        supply: scaled(source, unit.recip()),
        demand: scaled(target, a / b * unit.recip()),
        unit,
        uniform: false,
    })
}

pub(super) fn not_finite(what: String, value: f64) -> Error {
    Error::NonFinite { what, value, step: None, remedy: "clean the data first" }
}

/// Refuses a cost matrix that is not n × m or not finite; returns its largest absolute entry.
pub(super) fn check_costs<E: Real>(cost: &[E], n: usize, m: usize) -> Result<f64> {
    if n.checked_mul(m) != Some(cost.len()) {
        let expected = format!("{n} × {m} numbers, row by row");
        return Err(Error::shape("cost matrix", expected, cost.len()));
    }
    if n.saturating_add(m) >= u32::MAX as usize {
        return Err(Error::shape(
            "points of both sides",
            "fewer than 2³² − 1",
            n.saturating_add(m),
        ));
    }
    let mut scale = 0.0f64;
    for (i, row) in cost.chunks_exact(m.max(1)).enumerate() {
        let here = super::scan::largest(row);
        if !here.is_finite() {
            let j = row.iter().position(|c| !c.is_finite()).unwrap_or(0);
            return Err(Error::NonFinite {
                what: format!("the cost of row {i}, column {j}"),
                value: row[j].double(),
                step: None,
                remedy: "forbid a pair by a large finite cost, and clean the data before",
            });
        }
        scale = scale.max(here);
    }
    // Potentials and sums of costs are at most this many times the largest cost.
    if scale > f64::MAX / (8.0 * (n + m) as f64) {
        let rule = "sums of it overflow: divide the costs by their scale";
        return Err(Error::config("largest cost", format_args!("{scale:e}"), rule));
    }
    Ok(scale)
}
