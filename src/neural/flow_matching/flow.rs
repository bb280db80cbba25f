//! The flow of a velocity, and its energy.

use dfdx::prelude::*;

use crate::error::Result;
use crate::function::{Condition, Velocity};
use crate::ops::{Engine, Real};
use crate::solver::{integrate_points, OdeConfig, OdePath};
use crate::tensor::{rows, Points, Values};

/// The points `x` `[n, N]` along dx/dt = v(t, x | q), from the first of `times` to the last: from 0 to 1
/// for the images under the flow, from 1 to 0 for its inverse. A condition of vectors has one for each
/// point.
///
/// # Errors
/// Those of [`integrate`](crate::solver::integrate), and
/// [`Error::Shape`](crate::Error::Shape) if there are fewer conditions than points.
pub fn flow<const N: usize, Q, E, D, V>(
    velocity: &V,
    config: &OdeConfig,
    x: &Points<N, E, D>,
    condition: &Q,
    times: &[f64],
) -> Result<OdePath<E>>
where
    E: Real,
    D: Engine<E>,
    Q: Condition<E, D>,
    V: Velocity<N, Q, E, D>,
{
    let device = x.device();
    let everyone: Vec<usize> = (0..x.shape().0).collect();
    condition.of_points(&everyone)?;
    let field = |points: &[usize], times: &[f64], x: &[E], v: &mut [E]| {
        v.copy_from_slice(&at(velocity, device, condition, points, times, x));
    };
    integrate_points(config, field, &rows(x), N, times)
}

/// v at points and times, with the conditions of these points. NaN if there is no condition.
fn at<const N: usize, Q, E, D, V>(
    velocity: &V,
    device: &D,
    condition: &Q,
    points: &[usize],
    times: &[f64],
    x: &[E],
) -> Vec<E>
where
    E: Real,
    D: Engine<E>,
    Q: Condition<E, D>,
    V: Velocity<N, Q, E, D>,
{
    let Ok(condition) = condition.of_points(points) else {
        return vec![E::of(f64::NAN); x.len()];
    };
    let x: Points<N, E, D> = device.tensor_from_vec(x.to_vec(), (points.len(), Const));
    let t: Values<E, D> =
        device.tensor_from_vec(times.iter().map(|t| E::of(*t)).collect(), (points.len(),));
    rows(&velocity.forward((x, t, condition)))
}

/// The energy of a flow, with its end.
#[derive(Clone, Debug, PartialEq)]
pub struct PathEnergy<E> {
    /// E ∫₀¹ |v(t, x(t))|² dt over the points. At least W₂² between start and end, and equal to it for
    /// the flow of the optimal map.
    pub energy: f64,
    /// E |x(1) − x(0)|: the mean distance between start and end.
    pub displacement: f64,
    /// E ∫₀¹ |v(t, x(t))| dt: the mean length of the paths.
    pub length: f64,
    /// The points at t = 1, `[n, N]`.
    pub end: Vec<E>,
    /// Evaluations of the velocity a point.
    pub evaluations: f64,
}

/// The energy of the flow from t = 0 to 1 of the points `x` `[n, N]`, integrated together with it.
///
/// # Errors
/// Those of [`flow`], and those of [`into_reached`](OdePath::into_reached) if a point does not arrive.
pub fn path_energy<const N: usize, Q, E, D, V>(
    velocity: &V,
    config: &OdeConfig,
    x: &Points<N, E, D>,
    condition: &Q,
) -> Result<PathEnergy<E>>
where
    E: Real,
    D: Engine<E>,
    Q: Condition<E, D>,
    V: Velocity<N, Q, E, D>,
{
    let device = x.device();
    let everyone: Vec<usize> = (0..x.shape().0).collect();
    let count = everyone.len() as f64;
    condition.of_points(&everyone)?;
    let field = |points: &[usize], times: &[f64], state: &[E], out: &mut [E]| {
        let x: Vec<E> = state.chunks_exact(N + 2).flat_map(|s| &s[..N]).copied().collect();
        let v = at(velocity, device, condition, points, times, &x);
        for (out, v) in out.chunks_exact_mut(N + 2).zip(v.chunks_exact(N)) {
            out[..N].copy_from_slice(v);
            let square = v.iter().fold(E::zero(), |sum, v| sum + *v * *v);
            (out[N], out[N + 1]) = (square, square.sqrt());
        }
    };
    let start = rows(x);
    let with_sums = |x: &[E]| x.iter().copied().chain([E::zero(); 2]).collect::<Vec<E>>();
    let state: Vec<E> = start.chunks_exact(N).flat_map(with_sums).collect();
    let path = integrate_points(config, field, &state, N + 2, &[0.0, 1.0])?.into_reached()?;
    let mean =
        |of: &dyn Fn(&[E]) -> f64| path.end().chunks_exact(N + 2).map(of).sum::<f64>() / count;
    let end: Vec<E> = path.end().chunks_exact(N + 2).flat_map(|s| &s[..N]).copied().collect();
    let apart = |(x, y): (&[E], &[E])| {
        let square = |(x, y): (&E, &E)| (y.double() - x.double()).powi(2);
        x.iter().zip(y).map(square).sum::<f64>().sqrt()
    };
    let displacement = start.chunks_exact(N).zip(end.chunks_exact(N)).map(apart).sum::<f64>();
    Ok(PathEnergy {
        energy: mean(&|s| s[N].double()),
        displacement: displacement / count,
        length: mean(&|s| s[N + 1].double()),
        end,
        evaluations: path.evaluations(),
    })
}
