//! Costs between a point and a measure: those of weak transport.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{DistanceKernel, Kernel};
use crate::error::{Error, Result};
use crate::ops::parallel::map_each;
use crate::ops::{Engine, Real};
use crate::tensor::{rows, Points, Values};

/// A weak cost C(x, μ) = A(x, μ) − γ B(μ), estimated from a sample of μ: A is what it costs to move x, B
/// is how diverse μ is.
///
/// The estimate is unbiased, which takes at least two points. γ is an argument since training raises
/// it from step to step.
pub trait WeakCost<E: Real>: Clone + Send + Sync + 'static {
    /// C(x, μ) for points `y` of μ, row by row, with the gradient in them written to `dy`.
    fn value_and_gradient(&self, gamma: E, x: &[E], y: &[E], dy: &mut [E]) -> E;
}

/// The γ-weak quadratic cost, arXiv:2201.12220:
/// C(x, μ) = E ½|x − y|² − (γ/2) Var μ, Var μ = E|y − E y|².
///
/// For 0 ≤ γ ≤ 1 it is bounded below by ½|x − E y|². Where the potential is linear between its points,
/// every μ of the right mean is a minimiser for γ = 1: the map may drift among these. A
/// [`KernelCost`] with a characteristic kernel has one minimiser.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WeakQuadratic;

/// The γ-weak cost of a kernel, arXiv:2205.15269 (equation 9), with ρ(x, y) = ½|u(x) − u(y)|²:
/// C(x, μ) = E ρ(x, y) − (γ/2) E ρ(y, y'), y' an independent copy of y.
///
/// For the bilinear kernel that is [`WeakQuadratic`], which takes O(Z) operations for Z points where
/// this takes O(Z²).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelCost<K = DistanceKernel>(pub K);

impl<E: Real> WeakCost<E> for WeakQuadratic {
    fn value_and_gradient(&self, gamma: E, x: &[E], y: &[E], dy: &mut [E]) -> E {
        let d = x.len();
        let z = E::of((y.len() / d) as f64);
        let (share, spread) = (z.recip(), gamma * (z - E::one()).recip());
        let mut mean = vec![E::zero(); d];
        for y in y.chunks_exact(d) {
            mean.iter_mut().zip(y).for_each(|(m, y)| *m += *y * share);
        }
        let mut twice = E::zero();
        for (y, dy) in y.chunks_exact(d).zip(dy.chunks_exact_mut(d)) {
            for (((y, dy), x), m) in y.iter().zip(dy).zip(x).zip(&mean) {
                let (moved, off) = (*y - *x, *y - *m);
                twice += share * moved * moved - spread * off * off;
                *dy = share * moved - spread * off;
            }
        }
        E::of(0.5) * twice
    }
}

impl<E: Real, K: Kernel<E>> WeakCost<E> for KernelCost<K> {
    fn value_and_gradient(&self, gamma: E, x: &[E], y: &[E], dy: &mut [E]) -> E {
        let d = x.len();
        let z = E::of((y.len() / d) as f64);
        let share = z.recip();
        // Each pair once: γ/2 of the mean over z (z − 1) ordered pairs.
        let pair = gamma * share * (z - E::one()).recip();
        let mut slope = vec![E::zero(); d];
        let mut cost = E::zero();
        dy.fill(E::zero());
        for j in 0..y.len() / d {
            let (before, here) = dy.split_at_mut(j * d);
            let (here, point) = (&mut here[..d], &y[j * d..][..d]);
            cost += share * self.0.value_and_gradient(x, point, &mut slope);
            here.iter_mut().zip(&slope).for_each(|(h, s)| *h += share * *s);
            for (other, there) in y.chunks_exact(d).zip(before.chunks_exact_mut(d)) {
                cost -= pair * self.0.value_and_gradient(other, point, &mut slope);
                for ((h, t), s) in here.iter_mut().zip(there).zip(&slope) {
                    *h -= pair * *s;
                    *t += pair * *s;
                }
            }
        }
        cost
    }
}

/// C(xᵢ, μᵢ) where the rows `samples` i … `samples` (i + 1) − 1 of `y` are the points of μᵢ:
/// `[n, N], [n·samples, N] -> [n]`, differentiable in y.
///
/// # Errors
/// [`Error::InvalidConfig`] for fewer than two samples, [`Error::Shape`] if there are not as many points
/// as that.
///
/// ```
/// use brenier::geometry::{weak_costs, WeakQuadratic};
/// use brenier::tensor::{points, rows};
/// let (x, y) = (points::<1>(vec![0.0])?, points::<1>(vec![1.0, 3.0])?);
/// let cost = |gamma| weak_costs(&WeakQuadratic, gamma, &x, y.clone(), 2).map(|c| rows(&c)[0]);
/// assert_eq!(cost(0.0)?, 0.5 * (1.0 + 9.0) / 2.0); // the strong cost
/// assert_eq!(cost(1.0)?, 2.5 - 0.5 * 2.0); // less half the variance
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn weak_costs<const N: usize, E, D, C, T>(
    cost: &C,
    gamma: f64,
    x: &Points<N, E, D>,
    y: Points<N, E, D, T>,
    samples: usize,
) -> Result<Values<E, D, T>>
where
    E: Real,
    D: Engine<E>,
    C: WeakCost<E>,
    T: Tape<E, D>,
{
    check_samples(samples)?;
    let (n, m) = (x.shape().0, y.shape().0);
    if m != n * samples {
        return Err(Error::shape("points of a weak cost", format!("{n} × {samples}"), m));
    }
    let (y, tape) = y.contiguous().split_tape();
    let (source, images, gamma) = (rows(x), rows(&y), E::of(gamma));
    let each = |i: usize| {
        let (x, y) = (&source[i * N..][..N], &images[i * samples * N..][..samples * N]);
        let mut slope = vec![E::zero(); samples * N];
        let value = cost.value_and_gradient(gamma, x, y, &mut slope);
        (value, slope)
    };
    let parts = map_each(n, each);
    let values = parts.iter().map(|(value, _)| *value).collect();
    let values = x.device().tensor_from_vec(values, (n,));
    Ok(D::attach(values, vec![D::input(&y)], tape, move |seed| {
        let mut slopes = Vec::with_capacity(n * samples * N);
        for (s, (_, slope)) in seed.iter().zip(&parts) {
            slopes.extend(slope.iter().map(|v| *s * *v));
        }
        vec![slopes]
    }))
}

/// Refuses fewer than two points of a conditional measure: the variance of one is not defined.
pub(crate) fn check_samples(samples: usize) -> Result<()> {
    if samples >= 2 {
        return Ok(());
    }
    let rule = "must be at least 2: a weak cost needs the diversity of the images of a point";
    Err(Error::config("samples", samples, rule))
}

/// mean Var μᵢ for the points `[n·samples, d]` of μ₁, …, μₙ, row by row: the sum over coordinates of the
/// unbiased variance; NaN for fewer than two samples.
///
/// ```
/// use brenier::geometry::conditional_variance;
/// assert_eq!(conditional_variance(&[1.0f32, 3.0, 5.0, 5.0], 1, 2), (2.0 + 0.0) / 2.0);
/// ```
pub fn conditional_variance<E: Real>(points: &[E], d: usize, samples: usize) -> f64 {
    let of_one = |points: &[E]| -> f64 {
        let coordinate = |k: usize| {
            let values = || points.iter().skip(k).step_by(d).map(|v| v.double());
            let mean = values().sum::<f64>() / samples as f64;
            values().map(|v| (v - mean) * (v - mean)).sum::<f64>()
        };
        (0..d).map(coordinate).sum::<f64>() / (samples as f64 - 1.0)
    };
    let all = points.chunks_exact(samples * d).map(of_one);
    all.sum::<f64>() / (points.len() / (samples * d)) as f64
}
