//! Sliced Wasserstein distances: transport on random lines, and on the line that separates most.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::univariate::Univariate;
use crate::error::{check_count, Error, Result};
use crate::ops::simd::vectorised;
use crate::ops::{Engine, Real};
use crate::random::Key;
use crate::tensor::{rows, Points};

/// How [`sliced_wasserstein`] and [`max_sliced_wasserstein`] measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlicedConfig {
    /// The exponent p ≥ 1.
    pub p: f64,
    /// Random directions.
    pub projections: usize,
    /// Steps of the ascent of the max-sliced distance at most.
    pub ascent_steps: usize,
}

impl Default for SlicedConfig {
    /// p = 2, 128 directions, 100 steps.
    fn default() -> Self {
        Self { p: 2.0, projections: 128, ascent_steps: 100 }
    }
}

impl SlicedConfig {
    fn check(&self) -> Result<()> {
        check_count("projections", self.projections)?;
        if self.p >= 1.0 && self.p.is_finite() {
            Ok(())
        } else {
            Err(Error::config("p", self.p, "must be finite and at least 1"))
        }
    }
}

/// An estimate of a sliced distance.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sliced {
    /// SW_p.
    pub distance: f64,
    /// SW_pᵖ: the mean over the directions.
    pub power: f64,
    /// Standard error of that mean; 0 for one direction.
    pub standard_error: f64,
}

/// The direction on which two clouds are farthest apart.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct MaxSliced {
    /// W_p of the projections on it.
    pub distance: f64,
    /// A unit vector.
    pub direction: Vec<f64>,
    /// Steps of the ascent that were accepted.
    pub steps: usize,
}

/// SW_p(x, y) = (mean over directions θ of W_p(θ·x, θ·y)ᵖ)^{1/p} for clouds with equal weights in
/// each, as many points as they like, and the same directions for equal keys.
///
/// O(L n (N + log n)) for L directions, on all threads, with the same bytes on any number of them;
/// O(n) memory a thread.
///
/// Source: Bonneel, Rabin, Peyré and Pfister, Sliced and Radon Wasserstein barycenters of measures
/// (2015), definition 2.
///
/// # Errors
/// [`Error::InvalidConfig`] for no directions or p < 1; [`Error::NonFinite`] for such a coordinate or
/// a power that overflows.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::solver::{sliced_wasserstein, SlicedConfig};
/// // A shift by s has SW₂² = |s|²/N.
/// let x = points::<2>(Key::new(0).normal(128))?;
/// let y = points::<2>(rows(&x).chunks(2).flat_map(|p| [p[0] + 3.0, p[1]]).collect())?;
/// let config = SlicedConfig { projections: 4096, ..Default::default() };
/// let found = sliced_wasserstein(&x, &y, &config, Key::new(1))?;
/// assert!((found.power - 4.5).abs() < 5.0 * found.standard_error);
/// # Ok::<(), Error>(())
/// ```
pub fn sliced_wasserstein<const N: usize, E: Real, D: Engine<E>>(
    x: &Points<N, E, D>,
    y: &Points<N, E, D>,
    config: &SlicedConfig,
    key: Key,
) -> Result<Sliced> {
    config.check()?;
    let (x, y) = (rows(x), rows(y));
    let directions = directions(N, config.projections, key);
    let powers = powers::<E>(&x, &y, N, &directions, config.p)?;
    let count = powers.len() as f64;
    let power = powers.iter().sum::<f64>() / count;
    let spread = powers.iter().map(|w| (w - power).powi(2)).sum::<f64>();
    let standard_error = (spread / (count * (count - 1.0).max(1.0))).sqrt();
    Ok(Sliced { distance: power.powf(config.p.recip()), power, standard_error })
}

/// max over directions θ of W_p(θ·x, θ·y): the best of `projections` random directions, improved by
/// projected gradient ascent (the step is halved when it does not help, doubled when it does) until
/// no step helps or `ascent_steps` are done. A lower bound of the maximum, which may be a local one.
///
/// Time and memory as of [`sliced_wasserstein`], with one direction more for each trial step.
///
/// Source: Deshpande et al., arXiv:1904.05877, (9).
///
/// # Errors
/// As [`sliced_wasserstein`].
///
/// ```
/// use brenier::prelude::*;
/// use brenier::solver::max_sliced_wasserstein;
/// let x = points::<2>(Key::new(0).normal(128))?;
/// let y = points::<2>(rows(&x).chunks(2).flat_map(|p| [p[0] + 3.0, p[1] - 4.0]).collect())?;
/// let found = max_sliced_wasserstein(&x, &y, &Default::default(), Key::new(1))?;
/// assert!((found.distance - 5.0).abs() < 1e-5);
/// # Ok::<(), Error>(())
/// ```
pub fn max_sliced_wasserstein<const N: usize, E: Real, D: Engine<E>>(
    x: &Points<N, E, D>,
    y: &Points<N, E, D>,
    config: &SlicedConfig,
    key: Key,
) -> Result<MaxSliced> {
    config.check()?;
    let (x, y) = (rows(x), rows(y));
    let directions = directions(N, config.projections, key);
    let powers = powers::<E>(&x, &y, N, &directions, config.p)?;
    let mut best = 0;
    for (k, power) in powers.iter().enumerate() {
        if *power > powers[best] {
            best = k;
        }
    }
    let (mut theta, mut power) = (directions[best * N..][..N].to_vec(), powers[best]);
    let (mut steps, mut size) = (0, 1.0f64);
    let mut slope = gradient(&x, &y, &theta, config.p)?;
    for _ in 0..config.ascent_steps {
        let length = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
        if length == 0.0 || size < 1e-12 {
            break;
        }
        // Of the length of the direction for a size of 1, and back onto the sphere.
        let mut trial: Vec<f64> =
            theta.iter().zip(&slope).map(|(t, g)| t + size * g / length).collect();
        normalise(&mut trial);
        let value = line(&x, &trial)?.cost(&line(&y, &trial)?, config.p)?;
        if value > power {
            (theta, power) = (trial, value);
            slope = gradient(&x, &y, &theta, config.p)?;
            steps += 1;
            size *= 2.0;
        } else {
            size *= 0.5;
        }
    }
    Ok(MaxSliced { distance: power.powf(config.p.recip()), direction: theta, steps })
}

/// `count` unit vectors, uniform on the sphere.
fn directions(d: usize, count: usize, key: Key) -> Vec<f64> {
    let mut all: Vec<f64> = key.normal(count * d).into_iter().map(f64::from).collect();
    all.chunks_mut(d.max(1)).for_each(normalise);
    all
}

fn normalise(direction: &mut [f64]) {
    let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
    if length > 0.0 {
        direction.iter_mut().for_each(|v| *v /= length);
    } else if let Some(first) = direction.first_mut() {
        *first = 1.0;
    }
}

/// W_pᵖ on each direction, in order.
fn powers<E: Real>(x: &[E], y: &[E], d: usize, directions: &[f64], p: f64) -> Result<Vec<f64>> {
    let each = |theta: &[f64]| line(x, theta)?.cost(&line(y, theta)?, p);
    directions.par_chunks(d.max(1)).map(each).collect()
}

/// The projections of the points.
fn line<E: Real>(points: &[E], direction: &[f64]) -> Result<Univariate> {
    let mut values = vec![0.0; points.len() / direction.len().max(1)];
    project(points, direction, &mut values);
    Univariate::new(&values)
}

/// The gradient of W_pᵖ in the direction, for the coupling that is optimal there:
/// Σ mass · p |θ·δ|^{p−1} sign(θ·δ) δ with δ = x − y, without its part along the direction.
fn gradient<E: Real>(x: &[E], y: &[E], theta: &[f64], p: f64) -> Result<Vec<f64>> {
    let d = theta.len();
    let mut slope = vec![0.0; d];
    for t in line(x, theta)?.coupling(&line(y, theta)?)? {
        let (x, y) = (&x[t.source * d..][..d], &y[t.target * d..][..d]);
        let delta = || x.iter().zip(y).map(|(x, y)| x.double() - y.double());
        let along: f64 = delta().zip(theta).map(|(v, t)| v * t).sum();
        let weight = t.mass * p * along.abs().powf(p - 1.0) * along.signum();
        slope.iter_mut().zip(delta()).for_each(|(g, v)| *g += weight * v);
    }
    let along: f64 = slope.iter().zip(theta).map(|(g, t)| g * t).sum();
    slope.iter_mut().zip(theta).for_each(|(g, t)| *g -= along * t);
    Ok(slope)
}

vectorised! {
    /// The products of the rows of `points` with a vector.
    fn project<E: Real>(points: &[E], direction: &[f64], values: &mut [f64]) {
        const LANES: usize = 8;
        let d = direction.len();
        let full = d - d % LANES;
        for (value, point) in values.iter_mut().zip(points.chunks_exact(d.max(1))) {
            let mut lanes = [0.0; LANES];
            for k in (0..full).step_by(LANES) {
                let (x, t) = (&point[k..][..LANES], &direction[k..][..LANES]);
                for l in 0..LANES {
                    lanes[l] += x[l].double() * t[l];
                }
            }
            let rest = (full..d).fold(0.0, |s, k| s + point[k].double() * direction[k]);
            *value = lanes.iter().fold(rest, |s, l| s + l);
        }
    }
}
