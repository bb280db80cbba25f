//! The entry: checks, the first evaluation, and the choice of the iteration.

use super::config::{ConjugateConfig, ConjugateMethod};
use super::solution::{ConjugateStatus, Conjugates};
use super::{adam, lbfgs};
use crate::error::{Error, Result};
use crate::ops::Real;

/// x = argmaxₓ ⟨x, y⟩ − f(x) for each row y of `targets`, from the same row of `start`.
///
/// `f` takes any number of points of `dimension` coordinates, row by row, and returns the values and
/// the gradients of a function at them ([`InputGradient::slopes`] of a network). Every point has its
/// own iteration; all those that are under way are evaluated together, and a point that is done
/// leaves. Inner products and values of f(x) − ⟨x, y⟩ are summed in double precision; the result does
/// not depend on the number of threads.
///
/// Each iteration of a point costs about one evaluation and 4·memory·dimension multiply-adds
/// (L-BFGS). Memory: 2·(memory + 2)·dimension numbers a point.
///
/// Where f is not convex the result is a critical point, or the last one before the limit.
///
/// Source: arXiv:2210.12153, section 4; Nocedal and Wright, Numerical Optimization, algorithm 7.4.
///
/// # Errors
/// [`Error::Shape`] if the lengths do not fit, [`Error::NonFinite`] if a coordinate is not finite, or
/// f, its slope or f(x) − ⟨x, y⟩ is not at the start, [`Error::InvalidConfig`] if the configuration is out of range.
///
/// ```
/// use brenier::solver::{conjugates, ConjugateConfig};
/// // f(x) = x²: the conjugate is y²/4, at x = y/2.
/// let square = |x: &[f64]| (x.iter().map(|x| x * x).collect(), x.iter().map(|x| 2.0 * x).collect());
/// let config = ConjugateConfig { tolerance: 1e-9, ..ConjugateConfig::default() };
/// let found = conjugates(square, &[3.0, -1.0], &[0.0, 0.0], 1, &config)?.into_converged()?;
/// assert!((found.points[0] - 1.5).abs() < 1e-9 && (found.values[1] - 0.25).abs() < 1e-9);
/// # Ok::<(), brenier::Error>(())
/// ```
///
/// [`InputGradient::slopes`]: crate::function::InputGradient::slopes
pub fn conjugates<E: Real>(
    f: impl Fn(&[E]) -> (Vec<E>, Vec<E>),
    targets: &[E],
    start: &[E],
    dimension: usize,
    config: &ConjugateConfig,
) -> Result<Conjugates<E>> {
    config.check()?;
    if dimension == 0 || targets.is_empty() || !targets.len().is_multiple_of(dimension) {
        let expected = format!("a positive multiple of the dimension, {dimension}");
        return Err(Error::shape("targets of a conjugate", expected, targets.len()));
    }
    if start.len() != targets.len() {
        return Err(Error::shape("start of a conjugate", targets.len(), start.len()));
    }
    for (what, values) in [("target of a conjugate", targets), ("start of a conjugate", start)] {
        finite(what, dimension, values)?;
    }
    let evaluate = |x: &[E]| -> Result<(Vec<E>, Vec<E>)> {
        let (values, gradients) = f(x);
        if values.len() * dimension != x.len() || gradients.len() != x.len() {
            let expected = format!("{} values, {} slopes", x.len() / dimension, x.len());
            let found = format!("{}, {}", values.len(), gradients.len());
            return Err(Error::shape("the function to conjugate", expected, found));
        }
        Ok((values, gradients))
    };
    let (values, gradients) = evaluate(start)?;
    finite("value of the function to conjugate, point", 1, &values)?;
    finite("slope of the function to conjugate, point", dimension, &gradients)?;

    let n = targets.len() / dimension;
    let mut found = Conjugates::new(n, dimension);
    found.evaluations = n;
    let points: Vec<Point<E>> = (0..n)
        .map(|i| {
            let here = i * dimension..(i + 1) * dimension;
            let mut point = Point {
                index: i,
                target: targets[here.clone()].to_vec(),
                x: start[here.clone()].to_vec(),
                residual: vec![E::zero(); dimension],
                value: 0.0,
                iterations: 0,
            };
            (point.value, point.residual) = point.objective(&point.x, values[i], &gradients[here]);
            point
        })
        .collect();
    let objectives: Vec<f64> = points.iter().map(|p| p.value).collect();
    finite("f(x) − ⟨x, y⟩ of the function to conjugate, point", 1, &objectives)?;
    let open = settle(points, &mut found, config, |p| p);
    match config.method {
        ConjugateMethod::Lbfgs { .. } => lbfgs::iterate(evaluate, open, &mut found, config)?,
        ConjugateMethod::Adam { .. } => adam::iterate(evaluate, open, &mut found, config)?,
    }
    Ok(found)
}

/// A point under way: its target y, x, and there f(x) − ⟨x, y⟩ and ∇f(x) − y.
pub(super) struct Point<E> {
    pub(super) index: usize,
    pub(super) target: Vec<E>,
    pub(super) x: Vec<E>,
    pub(super) residual: Vec<E>,
    pub(super) value: f64,
    pub(super) iterations: usize,
}

impl<E: Real> Point<E> {
    /// f(x) − ⟨x, y⟩ and its gradient.
    pub(super) fn objective(&self, x: &[E], value: E, gradient: &[E]) -> (f64, Vec<E>) {
        let residual = gradient.iter().zip(&self.target).map(|(g, y)| *g - *y).collect();
        (value.double() - dot(x, &self.target), residual)
    }

    pub(super) fn residual_norm(&self) -> f64 {
        dot(&self.residual, &self.residual).sqrt()
    }

    /// Writes the point to its place.
    pub(super) fn finish(&self, found: &mut Conjugates<E>, status: ConjugateStatus) {
        let (i, d) = (self.index, self.x.len());
        found.points[i * d..(i + 1) * d].copy_from_slice(&self.x);
        found.values[i] = -self.value;
        found.residuals[i] = self.residual_norm();
        found.iterations[i] = self.iterations;
        found.status[i] = status;
    }
}

/// Writes those that are done to their places, and returns the others.
pub(super) fn settle<E: Real, S>(
    all: Vec<S>,
    found: &mut Conjugates<E>,
    config: &ConjugateConfig,
    point: impl Fn(&S) -> &Point<E>,
) -> Vec<S> {
    all.into_iter()
        .filter(|s| {
            let p = point(s);
            let status = if p.residual_norm() <= config.tolerance {
                ConjugateStatus::Converged
            } else if p.iterations >= config.limit {
                ConjugateStatus::IterationLimit
            } else {
                return true;
            };
            p.finish(found, status);
            false
        })
        .collect()
}

/// Σ aᵢ bᵢ in double precision, in eight interleaved sums.
#[inline(always)]
pub(super) fn dot<E: Real>(a: &[E], b: &[E]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f64 = rest.map(|(a, b)| a.double() * b.double()).sum();
    for (a, b) in left.zip(right) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a.double() * b.double();
        }
    }
    lanes.iter().fold(rest, |s, l| s + l)
}

fn finite<E: Real>(what: &str, width: usize, values: &[E]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::NonFinite {
            what: format!("{what} {}", i / width),
            value: values[i].double(),
            step: None,
            remedy: "clean the data, or go on from a checkpoint of before the network diverged",
        }),
    }
}
