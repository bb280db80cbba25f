//! The laws of a velocity field.

use dfdx::prelude::*;

use super::{relative, Broken, Laws};
use crate::function::{Condition, Velocity};
use crate::random::Key;
use crate::tensor::{rows, Points, Values};

/// Points of a check: more than a chunk of the networks here.
const COUNT: usize = 300;

/// Rounding of a few thousand operations in double precision.
const ROUNDING: f64 = 1e-12;

/// The laws of a velocity field, in double precision, with a condition for each of 300 points: there is
/// one velocity a point, which does not depend on the other points or on their order, and recorded
/// velocities are the velocities.
///
/// # Errors
/// A sentence for every law that is broken.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::testing::check_velocity;
/// let v: VelocityMlp<5, 16, 1, 2, Silu, f64> = build(Key::new(0));
/// assert_eq!(check_velocity::<2, _, _>(&v, &()), Ok(()));
/// ```
pub fn check_velocity<const N: usize, Q, V>(v: &V, conditions: &Q) -> Result<(), Broken>
where
    Q: Condition<f64, Cpu>,
    V: Velocity<N, Q, f64>,
{
    let mut laws = Laws::default();
    let places: Vec<f64> = Key::new(31).normal(COUNT * N).into_iter().map(f64::from).collect();
    let times: Vec<f64> = Key::new(32).uniform(COUNT).into_iter().map(f64::from).collect();
    let device = Cpu::default();
    let of = |indices: &[usize]| {
        let x = indices.iter().flat_map(|i| &places[i * N..(i + 1) * N]).copied().collect();
        let x: Points<N, f64> = device.tensor_from_vec(x, (indices.len(), Const));
        let t: Vec<f64> = indices.iter().map(|i| times[*i]).collect();
        let t: Values<f64> = device.tensor_from_vec(t, (indices.len(),));
        conditions.of_points(indices).map(|q| (x, t, q)).map_err(|e| vec![e.to_string()])
    };
    let order: Vec<usize> = (0..COUNT).collect();
    let (x, t, q) = of(&order)?;
    let all = rows(&v.forward((x.clone(), t.clone(), q.clone())));
    laws.holds(all.len() == COUNT * N, || format!("{} coordinates of velocities", all.len()));
    let recorded = v.forward((x.leaky_trace(), t, q)).as_vec();
    laws.holds(recorded == all, || "recorded velocities are not the velocities".into());
    let backwards: Vec<usize> = order.iter().rev().copied().collect();
    for chosen in [&backwards[..], &[0], &[97], &[COUNT - 1]] {
        let found = rows(&v.forward(of(chosen)?));
        let here = chosen.iter().flat_map(|i| all.get(i * N..(i + 1) * N).unwrap_or(&[]));
        let error = relative(&found, &here.copied().collect::<Vec<f64>>());
        laws.holds(error < ROUNDING, || {
            format!(
                "velocities depend on the other points, by {error:e} for {} of them",
                chosen.len()
            )
        });
    }
    laws.end()
}
