//! The loop: stages of ε, iterations, stopping.

use super::config::{Acceleration, Form, SinkhornConfig, Stage};
use super::cost::{costs, Costs};
use super::engine::{relief, Engine};
use super::epsilon::resolve;
use super::relax;
use super::solution::{Potentials, Solution, Status};
use super::tile::Tiles;
use crate::error::{Error, Result};
use crate::ops::parallel::on_pool;
use crate::ops::Real;
use crate::problem::Discrete;

/// Bytes that a kernel stored unasked may take.
const STORED: usize = 1 << 30;
/// Bytes of a stored kernel that stay in the caches.
const CACHED: usize = 24 << 20;

/// Entropic optimal transport by Sinkhorn's algorithm.
///
/// Minimises ⟨P, C⟩ + ε KL(P | a⊗b) over plans P with marginals a and b; a relaxed marginal may differ
/// from its weights at the price λ KL(marginal | weights) with λ = ε τ / (1 − τ). The dual updates are
/// fᵢ ← −τ ε log Σⱼ bⱼ exp((gⱼ − Cᵢⱼ) / ε), and the same for g; both are done in one pass over the
/// kernel. `start` warm-starts from potentials in the units of the cost; without it g starts at 0.
///
/// Time O(n·m) per iteration and memory O(n·m) where the kernel is stored ([`Form::Stored`]); time
/// O(n·m·d) and memory O(n + m) where it is not ([`Form::Online`]). Sums have a partition that depends
/// on the sizes alone: results are the same on any number of threads.
/// Where τ is so small that single precision would round a marginal by a tenth of the tolerance, the work
/// is in double precision.
///
/// # Errors
/// [`Error::InvalidConfig`](crate::Error::InvalidConfig) for ε ≤ 0, no iterations, balanced marginals of
/// different mass, total masses whose products the number type cannot hold, or ε relative to a mean that
/// is not positive; [`Error::Shape`](crate::Error::Shape) or
/// [`Error::NonFinite`](crate::Error::NonFinite) for a start that does not fit or is not finite, and for
/// costs that overflow when divided by ε. Not converging is a [`Status`], and so are costs that divided by ε
/// are beyond the digits of the number type.
///
/// # Sources
/// Cuturi, arXiv:1306.0895; absorption: Schmitzer, arXiv:1610.06519, algorithm 2; relaxed marginals:
/// Chizat et al., arXiv:1607.05816; translation: Séjourné et al., arXiv:2201.00730; over-relaxation:
/// Thibault et al., arXiv:1711.01851.
///
/// ```
/// use brenier::geometry::SqEuclidean;
/// use brenier::problem::Discrete;
/// use brenier::solver::{sinkhorn, Epsilon, SinkhornConfig};
/// // Two points each: the plan is diagonal up to e^(−1/ε).
/// let problem = Discrete::clouds(&SqEuclidean, &[0.0f64, 1.0], &[0.0, 1.0], 1)?;
/// let config = SinkhornConfig { epsilon: Epsilon::Absolute(0.5), ..Default::default() };
/// let solution = sinkhorn(&config, &problem, None)?.into_converged()?;
/// let plan = solution.plan(&problem)?.matrix();
/// let off = 0.5 * (-2f64).exp() / (1.0 + (-2f64).exp());
/// assert!((plan[1] - off).abs() < 1e-9 && (solution.transport_cost - 2.0 * off).abs() < 1e-9);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn sinkhorn<E: Real>(
    config: &SinkhornConfig,
    problem: &Discrete<'_, E>,
    start: Option<&Potentials>,
) -> Result<Solution> {
    config.check()?;
    problem.check_masses()?;
    if config.form == Form::Separable {
        let rule = "is for grids (sinkhorn_grid): choose Auto, Stored or Online";
        return Err(Error::config("form", "Separable", rule));
    }
    start.map_or(Ok(()), |p| p.check(problem))?;
    // Of what a relaxed marginal should be.
    let most = problem.relaxation.iter().fold(0.0, |m: f64, r| m.max(relief(r.tau())));
    let rounding = E::epsilon().double() * most;
    let wide = size_of::<E>() == size_of::<f64>();
    on_pool(|| {
        let epsilon = resolve(config.epsilon, problem)?;
        let solution = if !wide && rounding > 0.1 * config.tolerance().unwrap_or(1e-3) {
            solve(config, &problem.widened(), epsilon, start)?
        } else {
            solve(config, problem, epsilon, start)?
        };
        solution.judged::<E>(config.tolerance()).in_digits(problem, config.tolerance())
    })
}

fn solve<E: Real>(
    config: &SinkhornConfig,
    problem: &Discrete<'_, E>,
    epsilon: f64,
    start: Option<&Potentials>,
) -> Result<Solution> {
    let balanced = problem.relaxation.iter().all(|r| r.tau() == 1.0);
    let masses = problem.masses();
    // Balanced problems are solved between probabilities.
    let shifts = if balanced { [0.0; 2] } else { [masses[1].log2(), masses[0].log2()] };
    let constant = if balanced { 0.5 * epsilon * masses[1].ln() } else { 0.0 };
    let stages = config.stages(epsilon);
    let tiles = Tiles::new(problem, stages[0].epsilon);
    let form = choose(config.form, problem, &tiles);
    let mut engine = Engine::new(problem, tiles, form == Form::Stored, shifts);
    match start {
        None => engine.start()?,
        Some(p) => {
            let unit = stages[0].epsilon * std::f64::consts::LN_2;
            let scaled = |v: &[f64]| v.iter().map(|v| (v + constant) / unit).collect();
            engine.set_potentials(&[scaled(&p.f), scaled(&p.g)]);
        }
    }
    let mut progress = Progress { iterations: 0, status: Status::IterationLimit };
    for (k, stage) in stages.iter().enumerate() {
        if k > 0 {
            let ratio = stages[k - 1].epsilon / stage.epsilon;
            let potentials = engine.potentials().map(|v| v.iter().map(|v| v * ratio).collect());
            engine.change(Tiles::new(problem, stage.epsilon), &potentials);
        }
        iterate(config, stage, &mut engine, &mut progress)?;
    }
    let unit = epsilon * std::f64::consts::LN_2;
    let Costs { marginal_error, mass, transport, primal, dual, potentials } =
        costs(problem, &mut engine, epsilon, balanced);
    let [f, g] = potentials.map(|v| v.iter().map(|v| v * unit - constant).collect::<Vec<f64>>());
    Ok(Solution {
        potentials: Potentials { f, g },
        epsilon,
        iterations: progress.iterations,
        marginal_error,
        status: progress.status,
        form,
        mass,
        transport_cost: transport,
        primal_cost: primal,
        dual_cost: dual,
    })
}

struct Progress {
    iterations: usize,
    status: Status,
}

pub(super) fn choose<E: Real>(form: Form, problem: &Discrete<'_, E>, tiles: &Tiles<'_, E>) -> Form {
    let (n, m) = problem.sizes();
    let bytes = n.saturating_mul(m).saturating_mul(size_of::<E>());
    // Nanoseconds per pair on one thread, from the bandwidths of caches and memory.
    let stored = size_of::<E>() as f64 * if bytes <= CACHED { 0.012 } else { 0.065 };
    match form {
        Form::Auto if bytes > STORED || tiles.pair_cost() < stored => Form::Online,
        Form::Auto => Form::Stored,
        chosen => chosen,
    }
}

/// Iterates at one ε.
fn iterate<E: Real>(
    config: &SinkhornConfig,
    stage: &Stage,
    engine: &mut Engine<'_, E>,
    progress: &mut Progress,
) -> Result<()> {
    let limit = config.limit();
    let end = stage.iterations.map_or(limit, |k| (progress.iterations + k).min(limit));
    let tolerance = config.tolerance().filter(|_| stage.iterations.is_none());
    let accelerated = tolerance.is_some() && config.acceleration == Acceleration::Automatic;
    let mut relaxation = relax::Relaxation::new();
    let mut before = 1.0;
    // No evaluation before this iteration.
    let mut patience = 0;
    while progress.iterations < end {
        let omega = if accelerated { relaxation.omega } else { 1.0 };
        let [rows, columns] = engine.iterate(omega)?;
        engine.translate();
        progress.iterations += 1;
        let Some(tolerance) = tolerance else { continue };
        // After a plain iteration the columns are met exactly.
        let exact = omega == 1.0 && before == 1.0;
        before = omega;
        let error = rows.relative() + if exact { 0.0 } else { columns.relative() };
        if error <= tolerance && progress.iterations >= patience {
            let [rows, columns] = engine.evaluate();
            if rows.relative() + columns.relative() <= tolerance {
                progress.status = Status::Converged;
                return Ok(());
            }
            relaxation.restart();
            patience = progress.iterations + 4;
        } else if error.is_finite() {
            relaxation.observe(error);
        } else {
            relaxation.restart();
        }
    }
    if tolerance.is_none() && stage.iterations.is_none() {
        progress.status = Status::Converged;
    }
    Ok(())
}
