//! Densities of a flow: log p₁(x(1)) = log p₀(x(0)) − ∫₀¹ div v(t, x(t)) dt (arXiv:1806.07366).

use dfdx::prelude::*;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::{check_count, Result};
use crate::function::{Condition, Velocity};
use crate::ops::{Constants, Engine, Real};
use crate::random::Key;
use crate::solver::{integrate_points, OdeConfig};
use crate::tensor::{rows, Points, Values};

/// How the divergence Σᵢ ∂vᵢ/∂xᵢ is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DivergenceRule {
    /// A backward pass for each of the N coordinates.
    #[default]
    Exact,
    /// The mean of zᵀ J z over so many random z of ±1 (Hutchinson; arXiv:1810.01367), a backward pass
    /// each. Unbiased; one integration keeps its z.
    Hutchinson {
        /// How many, at least 1.
        probes: usize,
    },
}

/// The divergence of v at points `x` `[n, N]` with times `[n]`: a number for each point. Costs a forward
/// and a backward pass for each coordinate or probe.
///
/// # Errors
/// [`Error::InvalidConfig`](crate::Error::InvalidConfig) for no probes.
///
/// ```
/// use brenier::neural::{divergence, DivergenceRule};
/// use brenier::prelude::*;
/// let v: VelocityMlp<3, 16, 1, 2> = build(Key::new(0));
/// let at = |x: f32, y: f32| {
///     let v = v.forward((points(vec![x, y]).unwrap(), values(vec![0.5]).unwrap(), ()));
///     rows(&v)
/// };
/// let x = points(vec![0.3, -0.2])?;
/// let div = divergence(&v, &x, &values(vec![0.5])?, &(), DivergenceRule::Exact, Key::new(0))?;
/// let h = 1e-2;
/// let by_differences = (at(0.3 + h, -0.2)[0] - at(0.3 - h, -0.2)[0]) / (2.0 * h)
///     + (at(0.3, -0.2 + h)[1] - at(0.3, -0.2 - h)[1]) / (2.0 * h);
/// assert!((div[0] - f64::from(by_differences)).abs() < 1e-3);
/// # Ok::<(), Error>(())
/// ```
pub fn divergence<const N: usize, Q, E, D, V>(
    velocity: &V,
    x: &Points<N, E, D>,
    times: &Values<E, D>,
    condition: &Q,
    rule: DivergenceRule,
    key: Key,
) -> Result<Vec<f64>>
where
    E: Real,
    D: Engine<E>,
    Q: Condition<E, D>,
    V: Velocity<N, Q, E, D>,
{
    let directions = directions::<N, E>(rule, x.shape().0, key)?;
    let everyone: Vec<usize> = (0..x.shape().0).collect();
    Ok(with_value(velocity, (x, times, condition), &directions, &everyone).1)
}

/// Signs for each pass, `[n, N]`; none for the exact rule.
struct Directions<E> {
    signs: Vec<Vec<E>>,
}

fn directions<const N: usize, E: Real>(
    rule: DivergenceRule,
    n: usize,
    key: Key,
) -> Result<Directions<E>> {
    let DivergenceRule::Hutchinson { probes } = rule else {
        return Ok(Directions { signs: Vec::new() });
    };
    check_count("probes", probes)?;
    let probe = |i: usize| {
        let mut rng = key.fold_in(i as u64).rng();
        (0..n * N).map(|_| if rng.gen() { E::one() } else { -E::one() }).collect()
    };
    Ok(Directions { signs: (0..probes).map(probe).collect() })
}

/// v `[n, N]` and its divergence `[n]` at points with these indices in the batch.
fn with_value<const N: usize, Q, E, D, V>(
    velocity: &V,
    (x, times, condition): (&Points<N, E, D>, &Values<E, D>, &Q),
    directions: &Directions<E>,
    points: &[usize],
) -> (Vec<E>, Vec<f64>)
where
    E: Real,
    D: Engine<E>,
    Q: Clone,
    V: Velocity<N, Q, E, D>,
{
    let (n, exact) = (x.shape().0, directions.signs.is_empty());
    let passes = if exact { N } else { directions.signs.len() };
    let (mut value, mut sums) = (Vec::new(), vec![0.0; n]);
    for pass in 0..passes {
        let mut seed = vec![E::zero(); n * N];
        if exact {
            seed.iter_mut().skip(pass).step_by(N).for_each(|s| *s = E::one());
        } else {
            for (seed, i) in seed.chunks_exact_mut(N).zip(points) {
                seed.copy_from_slice(&directions.signs[pass][i * N..(i + 1) * N]);
            }
        }
        let seeds: Points<N, E, D> = x.device().tensor_from_vec(seed.clone(), (n, Const));
        let constants = Constants::default().parameters(velocity);
        let v = constants
            .scope(|| velocity.forward((x.leaky_trace(), times.clone(), condition.clone())));
        if pass == 0 {
            value = rows(&v.retaped::<NoneTape>());
        }
        let slope = rows(&(v * seeds).sum().backward().get(x));
        let products = slope.chunks_exact(N).zip(seed.chunks_exact(N));
        for (sum, (slope, seed)) in sums.iter_mut().zip(products) {
            *sum += slope.iter().zip(seed).map(|(a, b)| a.double() * b.double()).sum::<f64>();
        }
    }
    if !exact {
        sums.iter_mut().for_each(|s| *s /= passes as f64);
    }
    (value, sums)
}

/// Densities of points under a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Likelihood<E> {
    /// log p₁ at each point.
    pub log_density: Vec<f64>,
    /// Where the points are at t = 0, `[n, N]`.
    pub start: Vec<E>,
    /// ∫₀¹ div v dt along each path.
    pub divergence: Vec<f64>,
    /// Evaluations of the velocity and its divergence a point.
    pub evaluations: f64,
}

/// log p₁ at points `x` `[n, N]`, where p₁ is the density at t = 1 of points that start with log density
/// `base` at t = 0 ([`standard_normal`], say): the flow is followed back in time, together with the
/// integral of its divergence. The key draws the probes, if there are any.
///
/// # Errors
/// Those of [`flow`](super::flow()) and [`divergence`]; those of
/// [`into_reached`](crate::solver::OdePath::into_reached) if a point does not get back to t = 0.
pub fn log_likelihood<const N: usize, Q, E, D, V>(
    velocity: &V,
    config: &OdeConfig,
    x: &Points<N, E, D>,
    condition: &Q,
    base: impl Fn(&[E]) -> f64,
    (rule, key): (DivergenceRule, Key),
) -> Result<Likelihood<E>>
where
    E: Real,
    D: Engine<E>,
    Q: Condition<E, D>,
    V: Velocity<N, Q, E, D>,
{
    let (device, n) = (x.device(), x.shape().0);
    let directions = directions::<N, E>(rule, n, key)?;
    let everyone: Vec<usize> = (0..n).collect();
    condition.of_points(&everyone)?;
    let field = |points: &[usize], times: &[f64], state: &[E], out: &mut [E]| {
        let Ok(condition) = condition.of_points(points) else { return };
        let x = state.chunks_exact(N + 1).flat_map(|s| &s[..N]).copied().collect();
        let x: Points<N, E, D> = device.tensor_from_vec(x, (points.len(), Const));
        let t: Values<E, D> =
            device.tensor_from_vec(times.iter().map(|t| E::of(*t)).collect(), (points.len(),));
        let (v, sums) = with_value(velocity, (&x, &t, &condition), &directions, points);
        for (out, (v, sum)) in out.chunks_exact_mut(N + 1).zip(v.chunks_exact(N).zip(sums)) {
            out[..N].copy_from_slice(v);
            out[N] = E::of(sum);
        }
    };
    let with_sum = |x: &[E]| x.iter().copied().chain([E::zero()]).collect::<Vec<E>>();
    let state: Vec<E> = rows(x).chunks_exact(N).flat_map(with_sum).collect();
    let path = integrate_points(config, field, &state, N + 1, &[1.0, 0.0])?.into_reached()?;
    // Back in time the integral has the other sign.
    let divergence: Vec<f64> = path.end().chunks_exact(N + 1).map(|s| -s[N].double()).collect();
    let start: Vec<E> = path.end().chunks_exact(N + 1).flat_map(|s| &s[..N]).copied().collect();
    let density = |(x, sum): (&[E], &f64)| base(x) - sum;
    let log_density = start.chunks_exact(N).zip(&divergence).map(density).collect();
    Ok(Likelihood { log_density, start, divergence, evaluations: path.evaluations() })
}

/// The log density of N(0, I).
pub fn standard_normal<E: Real>(x: &[E]) -> f64 {
    let square: f64 = x.iter().map(|v| v.double() * v.double()).sum();
    -0.5 * (square + x.len() as f64 * (2.0 * std::f64::consts::PI).ln())
}
