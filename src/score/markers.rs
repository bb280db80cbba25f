//! Predicted and observed populations, marker by marker.

use crate::error::{Error, Result};

/// How well the distribution of one coordinate is met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarkerScore {
    /// Mean of the prediction less the mean of the observation.
    pub bias: f64,
    /// The Wasserstein-1 distance of the two distributions of this coordinate: ∫ |F⁻¹ − G⁻¹|.
    pub w1: f64,
    /// 1 − W₂² / Var(observed): the share of the variance of the observed quantiles that the predicted
    /// quantiles explain. 1 where the distributions agree; 0 or less where the observed mean does as well.
    pub r2: f64,
}

/// A score for each of the `d` coordinates of predicted `[n, d]` and observed `[m, d]` points, which are
/// not paired.
///
/// # Errors
/// [`Error::Shape`] unless both are whole points, at least one; [`Error::NonFinite`] for a coordinate that
/// is not finite.
///
/// ```
/// use brenier::score::marker_scores;
/// // The first marker is met, in another order; the second is 1 too high.
/// let scores = marker_scores(&[0.0, 1.0, 2.0, 3.0], &[2.0, 2.0, 0.0, 0.0], 2)?;
/// assert_eq!((scores[0].bias, scores[0].w1, scores[0].r2), (0.0, 0.0, 1.0));
/// assert_eq!((scores[1].bias, scores[1].w1, scores[1].r2), (1.0, 1.0, 0.0));
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn marker_scores(predicted: &[f32], observed: &[f32], d: usize) -> Result<Vec<MarkerScore>> {
    check("predicted points", predicted, d)?;
    check("observed points", observed, d)?;
    Ok((0..d).map(|j| one(&sorted(predicted, d, j), &sorted(observed, d, j))).collect())
}

/// The squared correlation over markers of the predicted and the observed means: the r² of the
/// perturbation literature (CellOT). It does not see a common shift or scale; [`marker_scores`] does.
///
/// # Errors
/// As [`marker_scores`]; [`Error::Shape`] for fewer than two markers.
pub fn r2_of_means(predicted: &[f32], observed: &[f32], d: usize) -> Result<f64> {
    check("predicted points", predicted, d)?;
    check("observed points", observed, d)?;
    if d < 2 {
        return Err(Error::shape("markers of a correlation", "at least two", d));
    }
    let means = |rows: &[f32]| -> Vec<f64> {
        let n = (rows.len() / d) as f64;
        (0..d).map(|j| column(rows, d, j).sum::<f64>() / n).collect()
    };
    let (a, b) = (means(predicted), means(observed));
    let centre = |v: &[f64]| v.iter().sum::<f64>() / d as f64;
    let (p, q) = (centre(&a), centre(&b));
    let dot = |u: &[f64], c: f64, v: &[f64], e: f64| {
        u.iter().zip(v).map(|(x, y)| (x - c) * (y - e)).sum::<f64>()
    };
    let variances = dot(&a, p, &a, p) * dot(&b, q, &b, q);
    Ok(if variances > 0.0 { dot(&a, p, &b, q).powi(2) / variances } else { 0.0 })
}

fn check(what: &str, rows: &[f32], d: usize) -> Result<()> {
    if d == 0 || rows.is_empty() || !rows.len().is_multiple_of(d) {
        let expected = format!("points of dimension {d}, at least one");
        return Err(Error::shape(what, expected, format!("{} numbers", rows.len())));
    }
    match rows.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::NonFinite {
            what: format!("marker {} of row {} of {what}", i % d, i / d),
            value: rows[i].into(),
            step: None,
            remedy: "clean the data first",
        }),
    }
}

fn column(rows: &[f32], d: usize, j: usize) -> impl Iterator<Item = f64> + '_ {
    rows.iter().skip(j).step_by(d).map(|&v| f64::from(v))
}

fn sorted(rows: &[f32], d: usize, j: usize) -> Vec<f64> {
    let mut values: Vec<f64> = column(rows, d, j).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Both quantile functions are steps: their difference is summed over the pieces on which both are
/// constant, whose ends are multiples of 1/n and of 1/m.
fn one(a: &[f64], b: &[f64]) -> MarkerScore {
    let (n, m) = (a.len(), b.len());
    let (mut i, mut j, mut at) = (0, 0, 0u128);
    // Positions in units of 1 / (n m).
    let (whole, mut w1, mut w2) = ((n * m) as f64, 0.0, 0.0);
    while i < n && j < m {
        let (end_a, end_b) = ((i as u128 + 1) * m as u128, (j as u128 + 1) * n as u128);
        let end = end_a.min(end_b);
        let share = (end - at) as f64 / whole;
        let difference = a[i] - b[j];
        w1 += share * difference.abs();
        w2 += share * difference * difference;
        i += usize::from(end == end_a);
        j += usize::from(end == end_b);
        at = end;
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let centre = mean(b);
    let variance = b.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / m as f64;
    let r2 = match variance > 0.0 {
        true => 1.0 - w2 / variance,
        false => f64::from(u8::from(w2 == 0.0)),
    };
    MarkerScore { bias: mean(a) - centre, w1, r2 }
}
