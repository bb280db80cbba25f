//! The laws of a cost.

use dfdx::prelude::*;

use super::{relative, Broken, Laws};
use crate::geometry::{Cost, TwistCost};
use crate::random::Key;
use crate::tensor::{rows, Points};
use crate::testing::{check_input_gradient, STEP};

/// Points of a check.
const COUNT: usize = 7;

/// Differences of costs of order ten with [`STEP`] are good to 1e-9.
const DIFFERENCE: f64 = 1e-8;

fn cloud<const N: usize>(key: Key, n: usize) -> Points<N, f64> {
    let values = key.normal(n * N).into_iter().map(f64::from).collect();
    Cpu::default().tensor_from_vec(values, (n, Const))
}

/// The laws of a cost, in double precision at normal points: `paired` is the diagonal of `pairwise`,
/// recorded or not, and its gradient in y is that of differences; different numbers of points are an
/// error.
///
/// # Errors
/// A sentence for every law that is broken.
///
/// ```
/// use brenier::geometry::FnCost;
/// use brenier::testing::check_cost;
/// let right = FnCost(|x: &[f64], y: &[f64], dy: &mut [f64]| {
///     dy[0] = 2.0 * (y[0] - x[0]);
///     (y[0] - x[0]).powi(2)
/// });
/// let wrong = FnCost(|x: &[f64], y: &[f64], dy: &mut [f64]| {
///     dy[0] = y[0] - x[0];
///     (y[0] - x[0]).powi(2)
/// });
/// assert_eq!(check_cost::<1, _>(&right), Ok(()));
/// assert!(check_cost::<1, _>(&wrong).unwrap_err()[0].contains("gradient"));
/// ```
pub fn check_cost<const N: usize, C: Cost<N, f64>>(cost: &C) -> Result<(), Broken> {
    let mut laws = Laws::default();
    let [p, q] = Key::new(21).split();
    let (x, y) = (cloud::<N>(p, COUNT), cloud::<N>(q, COUNT));
    let matrix = rows(&cost.pairwise(&x, &y));
    let diagonal: Vec<f64> =
        (0..COUNT).filter_map(|i| matrix.get(i * (COUNT + 1)).copied()).collect();
    match cost.paired(&x, y.clone()) {
        Err(error) => laws.holds(false, || format!("paired fails on as many points: {error}")),
        Ok(paired) => {
            let paired = rows(&paired);
            // The same few roundings, or others.
            let error = relative(&paired, &diagonal);
            laws.holds(error < 1e-12, || format!("paired is off the diagonal by {error:e}"));
            let recorded = cost.paired(&x, y.leaky_trace()).map(|c| c.as_vec());
            laws.holds(recorded.is_ok_and(|r| r == paired), || {
                "recorded costs are not the costs".into()
            });
            let error = check_input_gradient(&y, |y| {
                cost.paired(&x, y).map_or_else(|_| x.leaky_trace().sum(), |c| c.sum())
            });
            laws.holds(error.relative < DIFFERENCE, || {
                format!("the gradient in y is not that of differences: {error:?}")
            });
        }
    }
    laws.holds(cost.paired(&x, cloud::<N>(q, COUNT - 1)).is_err(), || {
        "paired accepts different numbers of points".into()
    });
    laws.end()
}

/// The laws of a twist, in double precision at normal points of dimension `n`: ∇ₓc(x, y) is the slope
/// that y was made from, and `twist_backward` is the reverse of `twist`, both by differences.
///
/// # Errors
/// A sentence for every law that is broken.
pub fn check_twist<C: TwistCost<f64>>(cost: &C, n: usize) -> Result<(), Broken> {
    let mut laws = Laws::default();
    let [p, q, r] = Key::new(22).split();
    let draw = |key: Key| -> Vec<f64> { key.normal(n).into_iter().map(f64::from).collect() };
    let (x, slope, seed) = (draw(p), draw(q), draw(r));
    let image = |slope: &[f64]| {
        let mut y = vec![0.0; n];
        cost.twist(&x, slope, &mut y);
        y
    };
    let y = image(&slope);
    let difference = |of: &dyn Fn(f64) -> f64| (of(STEP) - of(-STEP)) / (2.0 * STEP);
    let moved = |from: &[f64], i: usize, by: f64| {
        let mut to = from.to_vec();
        to[i] += by;
        to
    };
    let gradient: Vec<f64> =
        (0..n).map(|i| difference(&|by| cost.value(&moved(&x, i, by), &y))).collect();
    let error = relative(&gradient, &slope);
    laws.holds(error < DIFFERENCE, || format!("∇ₓc is off the slope by {error:e}"));

    let mut reverse = vec![0.0; n];
    cost.twist_backward(&slope, &seed, &mut reverse);
    let weighted = |slope: &[f64]| image(slope).iter().zip(&seed).map(|(y, s)| y * s).sum::<f64>();
    let exact: Vec<f64> =
        (0..n).map(|i| difference(&|by| weighted(&moved(&slope, i, by)))).collect();
    let error = relative(&reverse, &exact);
    laws.holds(error < DIFFERENCE, || format!("the reverse of the twist is off by {error:e}"));
    laws.end()
}
