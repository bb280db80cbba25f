//! The loop on grids.

use super::cost::{costs, statistics, Costs};
use super::engine::Engine;
use crate::error::{Error, Result};
use crate::ops::parallel::{map_each, on_pool};
use crate::ops::Real;
use crate::problem::Gridded;
use crate::solver::sinkhorn::config::{Acceleration, Form, SinkhornConfig};
use crate::solver::sinkhorn::epsilon::relative;
use crate::solver::sinkhorn::relax::Relaxation;
use crate::solver::sinkhorn::solution::{Potentials, Solution, Status};

/// [`sinkhorn()`](super::super::sinkhorn()) between densities on grids.
///
/// The same problem, conventions and result, but the sums over a grid are done axis by axis: with N
/// points on a grid of extents nₖ, a half step takes N Σₖ nₖ multiply-adds instead of N², and
/// O(N + Σₖ nₖ²) memory. Lines whose sums would underflow, which happens at small ε, take exponentials
/// instead. Potentials are on the grid, in row-major order. Where ε is so small that single precision
/// would round C / ε by a tenth of the tolerance, or τ so that it would round a marginal, the work is in
/// double precision.
///
/// The plan is asked by [`Solution::grid_plan`].
///
/// # Errors
/// As [`sinkhorn()`](super::super::sinkhorn()), and
/// [`Error::InvalidConfig`] for a form other than `Auto` or `Separable`.
///
/// # Sources
/// Solomon et al., Convolutional Wasserstein distances, ACM Trans. Graph. 34 (2015); in the logarithmic
/// domain: Feydy, Geometric data analysis, beyond convolutions (2020), section 3.3.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::{Axis, Gridded};
/// use brenier::solver::{sinkhorn_grid, SinkhornConfig};
/// // All mass moves from one corner of a 3 × 3 grid to the opposite one.
/// let axis = Axis::regular(&SqEuclidean, 3, 1.0)?;
/// let (mut a, mut b) = ([0.0f32; 9], [0.0; 9]);
/// (a[0], b[8]) = (1.0, 1.0);
/// let problem = Gridded::new(vec![axis.clone(), axis])?;
/// let problem = problem.with_source_weights(&a)?.with_target_weights(&b)?;
/// let solution = sinkhorn_grid(&SinkhornConfig::default(), &problem, None)?.into_converged()?;
/// assert!((solution.transport_cost - 8.0).abs() < 1e-5);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn sinkhorn_grid<E: Real>(
    config: &SinkhornConfig,
    problem: &Gridded<E>,
    start: Option<&Potentials>,
) -> Result<Solution> {
    config.check()?;
    problem.check_masses()?;
    if !matches!(config.form, Form::Auto | Form::Separable) {
        let rule = "grids have the form Separable: choose that or Auto";
        return Err(Error::config("form", format_args!("{:?}", config.form), rule));
    }
    start.map_or(Ok(()), |p| p.check_sizes(problem.sizes()))?;
    let epsilon = relative(config.epsilon, || Ok(statistics(problem)))?;
    // Of an exponent, and of what a relaxed marginal should be.
    let least = problem.relaxation.iter().fold(1.0, |l: f64, r| l.min(r.tau()));
    let rounding = E::epsilon().double() * (statistics(problem).largest / epsilon + 1.0 / least);
    let solution = on_pool(|| {
        if rounding > 0.1 * config.tolerance().unwrap_or(1e-3) {
            solve::<f64, E>(config, problem, epsilon, start)
        } else {
            solve::<E, E>(config, problem, epsilon, start)
        }
    });
    Ok(solution?.judged::<E>(config.tolerance()))
}

/// In the number type `E`.
fn solve<E: Real, W: Real>(
    config: &SinkhornConfig,
    problem: &Gridded<W>,
    epsilon: f64,
    start: Option<&Potentials>,
) -> Result<Solution> {
    let balanced = problem.relaxation.iter().all(|r| r.tau() == 1.0);
    let masses = problem.masses();
    // Balanced problems are solved between probabilities.
    let (divisors, constant) =
        if balanced { (masses, 0.5 * epsilon * masses[1].ln()) } else { ([1.0; 2], 0.0) };
    let stages = config.stages(epsilon);
    let mut engine = Engine::<E>::new(problem, divisors, stages[0].epsilon)?;
    if let Some(start) = start {
        let unit = stages[0].epsilon * std::f64::consts::LN_2;
        for (side, values) in engine.sides.iter_mut().zip([&start.f, &start.g]) {
            let scaled = values.iter().map(|v| E::of((v + constant) / unit));
            side.potential.iter_mut().zip(scaled).for_each(|(p, v)| *p = v);
        }
    }
    let mut progress = (0, Status::IterationLimit);
    for (k, stage) in stages.iter().enumerate() {
        if k > 0 {
            engine.change(problem, stages[k - 1].epsilon, stage.epsilon)?;
        }
        iterate(config, stage.iterations, &mut engine, &mut progress);
    }
    let (iterations, status) = progress;
    let unit = epsilon * std::f64::consts::LN_2;
    let Costs { marginal_error, mass, transport, primal, dual, potentials } =
        costs(problem, &mut engine, epsilon, balanced);
    let [f, g] = potentials.map(|v| v.iter().map(|v| v * unit - constant).collect::<Vec<f64>>());
    Ok(Solution {
        potentials: Potentials { f, g },
        epsilon,
        iterations,
        marginal_error,
        status,
        form: Form::Separable,
        mass,
        transport_cost: transport,
        primal_cost: primal,
        dual_cost: dual,
    })
}

/// [`sinkhorn_grid`] for several pairs of densities, one per thread at a time: the same solutions as one
/// by one, in the order of the problems.
///
/// # Errors
/// Those of the first problem that has one.
pub fn sinkhorn_grid_batch<E: Real>(
    config: &SinkhornConfig,
    problems: &[Gridded<E>],
) -> Result<Vec<Solution>> {
    map_each(problems.len(), |k| sinkhorn_grid(config, &problems[k], None)).into_iter().collect()
}

/// Iterates at one ε: so often, or until the configuration says so.
fn iterate<E: Real>(
    config: &SinkhornConfig,
    iterations: Option<usize>,
    engine: &mut Engine<E>,
    (done, status): &mut (usize, Status),
) {
    let limit = config.limit();
    let end = iterations.map_or(limit, |k| (*done + k).min(limit));
    let tolerance = config.tolerance().filter(|_| iterations.is_none());
    let accelerated = tolerance.is_some() && config.acceleration == Acceleration::Automatic;
    let mut relaxation = Relaxation::new();
    let mut before = 1.0;
    // No evaluation before this iteration.
    let mut patience = 0;
    while *done < end {
        let omega = if accelerated { relaxation.omega } else { 1.0 };
        let [rows, columns] = [0, 1].map(|k| engine.update(k, omega).0.relative());
        engine.translate();
        *done += 1;
        let Some(tolerance) = tolerance else { continue };
        // After a plain iteration the columns are met exactly.
        let exact = omega == 1.0 && before == 1.0;
        before = omega;
        let error = rows + if exact { 0.0 } else { columns };
        if error <= tolerance && *done >= patience {
            let [rows, columns] = [0, 1].map(|k| engine.update(k, 0.0).0.relative());
            if rows + columns <= tolerance {
                *status = Status::Converged;
                return;
            }
            relaxation.restart();
            patience = *done + 4;
        } else if error.is_finite() {
            relaxation.observe(error);
        } else {
            relaxation.restart();
        }
    }
    if tolerance.is_none() && iterations.is_none() {
        *status = Status::Converged;
    }
}
