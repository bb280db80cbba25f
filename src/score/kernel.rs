//! Distances between samples by sums over pairs: maximum mean discrepancy and energy distance.

use rayon::prelude::*;

use crate::error::{check_positive, Error, Result};

/// Points of a tile. Fixed, so that sums do not depend on the number of threads.
const TILE: usize = 128;

/// The bandwidths γ of the single-cell literature (CellOT, conditional Monge gap).
pub const GAMMAS: [f64; 6] = [2.0, 1.0, 0.5, 0.1, 0.01, 0.005];

/// Which pairs of equal points count in the sums within one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pairs {
    /// All pairs (V-statistic): never negative, zero for equal samples, biased upwards.
    #[default]
    All,
    /// Pairs of different points (U-statistic): without bias, and possibly negative.
    Distinct,
}

/// The squared maximum mean discrepancy of `[n, d]` and `[m, d]`, averaged over Gaussian kernels
/// exp(−γ|x − y|²): mean k(x, x') − 2 mean k(x, y) + mean k(y, y').
///
/// Time is that of (n + m)²/2 · d multiply-adds and as many exponentials for each γ; memory is constant.
///
/// # Errors
/// [`Error::Shape`] unless both are whole points, at least one (two for [`Pairs::Distinct`]);
/// [`Error::InvalidConfig`] for a γ that is not positive, or none; [`Error::NonFinite`] for a coordinate
/// that is not finite.
///
/// ```
/// use brenier::score::{mmd, Pairs};
/// let value = mmd(&[0.0], &[2.0], 1, &[0.25], Pairs::All)?;
/// assert!((value - (2.0 - 2.0 * (-1f64).exp())).abs() < 1e-12);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn mmd(x: &[f32], y: &[f32], d: usize, gammas: &[f64], pairs: Pairs) -> Result<f64> {
    if gammas.is_empty() {
        return Err(Error::config("gammas", "[]", "must be at least one"));
    }
    gammas.iter().try_for_each(|&g| check_positive("gamma", g))?;
    let share = 1.0 / gammas.len() as f64;
    let kernel = |square: f64| gammas.iter().map(|g| share * (-g * square).exp()).sum();
    let [within_x, between, within_y] = means(x, y, d, pairs, kernel)?;
    Ok(within_x - 2.0 * between + within_y)
}

/// The energy distance of `[n, d]` and `[m, d]`: 2 mean |x − y| − mean |x − x'| − mean |y − y'|.
///
/// Time and memory as of [`mmd`].
///
/// # Errors
/// As [`mmd`].
///
/// ```
/// use brenier::score::{energy_distance, Pairs};
/// assert_eq!(energy_distance(&[0.0, 0.0], &[3.0, 4.0], 2, Pairs::All)?, 10.0);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn energy_distance(x: &[f32], y: &[f32], d: usize, pairs: Pairs) -> Result<f64> {
    let [within_x, between, within_y] = means(x, y, d, pairs, f64::sqrt)?;
    Ok(2.0 * between - within_x - within_y)
}

/// The means of k(|a − b|²) within x, between x and y, and within y.
fn means(
    x: &[f32],
    y: &[f32],
    d: usize,
    pairs: Pairs,
    k: impl Fn(f64) -> f64 + Sync,
) -> Result<[f64; 3]> {
    let [n, m] = [check("first sample", x, d, pairs)?, check("second sample", y, d, pairs)?];
    let within = |rows: &[f32], n: usize| {
        let n = n as f64;
        let off_diagonal = 2.0 * sum(rows, rows, d, true, &k);
        match pairs {
            Pairs::All => (off_diagonal + n * k(0.0)) / (n * n),
            Pairs::Distinct => off_diagonal / (n * (n - 1.0)),
        }
    };
    let between = sum(x, y, d, false, &k) / (n as f64 * m as f64);
    Ok([within(x, n), between, within(y, m)])
}

fn check(what: &str, rows: &[f32], d: usize, pairs: Pairs) -> Result<usize> {
    let least = if pairs == Pairs::Distinct { 2 } else { 1 };
    if d == 0 || !rows.len().is_multiple_of(d) || rows.len() < least * d {
        let expected = format!("points of dimension {d}, at least {least}");
        return Err(Error::shape(what, expected, format!("{} numbers", rows.len())));
    }
    if let Some(i) = rows.iter().position(|v| !v.is_finite()) {
        return Err(Error::NonFinite {
            what: format!("coordinate {} of point {} of the {what}", i % d, i / d),
            value: rows[i].into(),
            step: None,
            remedy: "clean the data first",
        });
    }
    Ok(rows.len() / d)
}

/// Σ k(|xᵢ − yⱼ|²) over all pairs, or over i < j only.
fn sum(x: &[f32], y: &[f32], d: usize, upper: bool, k: &(impl Fn(f64) -> f64 + Sync)) -> f64 {
    let tiles: Vec<f64> = x
        .par_chunks(TILE * d)
        .enumerate()
        .map(|(t, tile)| {
            let mut total = 0.0;
            for (i, a) in tile.chunks_exact(d).enumerate() {
                let first = if upper { t * TILE + i + 1 } else { 0 };
                total += y[first * d..].chunks_exact(d).map(|b| k(square(a, b))).sum::<f64>();
            }
            total
        })
        .collect();
    tiles.iter().sum()
}

/// |a − b|², exact differences in double precision, in four interleaved sums.
fn square(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0; 4];
    let mut pairs = a.chunks_exact(4).zip(b.chunks_exact(4));
    for (a, b) in pairs.by_ref() {
        for (l, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            let difference = f64::from(*a) - f64::from(*b);
            *l += difference * difference;
        }
    }
    let rest = a.len() / 4 * 4;
    let tail = a[rest..].iter().zip(&b[rest..]);
    let tail: f64 = tail.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    lanes.iter().sum::<f64>() + tail
}
