//! Entropic transport of a measure to itself.
//!
//! Its two potentials are equal, and averaged half steps f ← ½ (f + T f), with T the update of one side,
//! reduce the error by a half or more each: the derivative of T is −P/a, whose eigenvalues are in [0, 1]
//! for costs with a positive kernel (arXiv:1810.08278, equation 25).

use serde::{Deserialize, Serialize};

use super::config::{Form, SinkhornConfig, Stop};
use super::digits;
use super::engine::{relief, Engine, BLOCK};
use super::plan::Plan;
use super::products;
use super::pull::Pull;
use super::solution::{Potentials, Status};
use super::solve::choose;
use super::tile::{Tiles, FEW};
use crate::error::Result;
use crate::ops::parallel::map_each;
use crate::ops::Real;
use crate::problem::{Discrete, Ground};

/// A solution of the problem between a measure and itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfTransport {
    /// f, which is the potential of both sides.
    pub potential: Vec<f64>,
    /// Half steps, each one pass over the kernel.
    pub iterations: usize,
    /// As [`Solution::marginal_error`](super::Solution::marginal_error), of both sides together.
    pub marginal_error: f64,
    /// How the iteration ended.
    pub status: Status,
    /// As [`Solution::dual_cost`](super::Solution::dual_cost).
    pub dual_cost: f64,
}

/// Logarithms of scalings beyond which they are absorbed, as a part of the range of the number type.
const RANGE: f64 = 0.3;

/// The problem `problem`, whose two sides are the same, at this ε. If `pulled`, also Σⱼ Pᵢⱼ ∂₁c(xᵢ, xⱼ), from
/// the kernel as it is after the last step.
pub(crate) fn symmetric<E: Real>(
    config: &SinkhornConfig,
    problem: &Discrete<'_, E>,
    epsilon: f64,
    start: Option<&[f64]>,
    pulled: bool,
) -> Result<(SelfTransport, Vec<E>)> {
    let [mass, _] = problem.masses();
    let tau = problem.relaxation[0].tau();
    let unit = epsilon * std::f64::consts::LN_2;
    let tiles = Tiles::new(problem, epsilon);
    let stored = choose(config.form, problem, &tiles) == Form::Stored;
    let mut engine = Engine::new(problem, tiles, stored, [mass.log2(); 2]);
    let first = match start {
        Some(f) => {
            Potentials { f: f.to_vec(), g: f.to_vec() }.check(problem)?;
            f.iter().map(|f| f / unit).collect()
        }
        None => vec![0.0; problem.sizes().0],
    };
    engine.set_potentials(&[first.clone(), first]);
    let most = -RANGE * E::min_positive_value().double().log2();
    let mut iterations = 0;
    loop {
        let sums = row_sums(&engine, mass);
        let [low, high] = sums.iter().fold([f64::INFINITY, 0.0], |[low, high], s| {
            let s = s.double();
            // A NaN is out of range on both ends.
            [if s < low || s.is_nan() { s } else { low }, if s > high { s } else { high }]
        });
        let inside = low > 0.0 && low.log2() > -2.0 * most && high.log2() < 2.0 * most;
        let potential = engine.potentials()[0].clone();
        let sums = if inside { sums } else { explicit_sums(&engine, &potential, mass) };
        let error = error(&engine, &sums, &potential, tau);
        let done = match config.stop {
            Stop::Tolerance { tolerance, .. } => error <= tolerance,
            Stop::Iterations(k) => iterations >= k,
        };
        if done || iterations >= config.limit() {
            let f: Vec<f64> = potential.iter().map(|p| p * unit).collect();
            let dual_cost = dual(problem, epsilon, &f, &sums);
            let finite = [error, dual_cost].iter().chain(&f).all(|v| v.is_finite());
            let mut marginal_error = error;
            let mut status = match (finite, done) {
                (false, _) => Status::Diverged,
                (true, true) => Status::Converged,
                (true, false) => Status::IterationLimit,
            };
            if finite {
                let both = Potentials { f: f.clone(), g: f.clone() };
                if let Some(rounded) = Plan::new(problem, &both, epsilon)?.rounded_error() {
                    status = digits::status(status, rounded, config.tolerance());
                    marginal_error = rounded;
                }
            }
            let slopes = if pulled { pull(&mut engine, problem, mass)? } else { Vec::new() };
            let found =
                SelfTransport { potential: f, iterations, marginal_error, status, dual_cost };
            return Ok((found, slopes));
        }
        iterations += 1;
        if inside {
            advance(&mut engine, &sums, &potential, tau, most);
        } else {
            engine.rescue_rows()?;
            let [moved, before] = engine.potentials();
            let average: Vec<f64> = moved.iter().zip(&before).map(|(a, b)| 0.5 * (a + b)).collect();
            engine.set_potentials(&[average.clone(), average]);
        }
    }
}

fn pull<'a, E: Real>(
    engine: &mut Engine<'a, E>,
    problem: &Discrete<'a, E>,
    mass: f64,
) -> Result<Vec<E>> {
    if let Ground::Clouds { d, .. } = &problem.ground {
        // Rows that are worth a matrix product.
        engine.block = if *d > FEW { BLOCK } else { engine.block };
    }
    let (engine, mass) = (&*engine, mass * mass);
    let pull = Pull { problem, engine, mass, reweigh: None, wanted: [true, false] };
    let [slopes, _] = pull.points()?;
    Ok(slopes)
}

/// sᵢ = Σⱼ aⱼ exp((fᵢ + fⱼ − Cᵢⱼ) / ε).
fn row_sums<E: Real>(engine: &Engine<'_, E>, mass: f64) -> Vec<E> {
    let [a, b] = &engine.sides;
    let (n, rows, mass) = (a.weight.len(), engine.rows_per_chunk, E::of(mass));
    let parts = map_each(n.div_ceil(rows), |c| {
        let (from, to) = (c * rows, (c * rows + rows).min(n));
        let mut sums = vec![E::zero(); to - from];
        engine.blocks(from, to, |start, kernel| {
            let here = &mut sums[start - from..][..kernel.len() / b.weight.len()];
            products::dots(kernel, &b.product, here);
            here.iter_mut().zip(&a.scale[start..]).for_each(|(s, u)| *s *= *u * mass);
        });
        sums
    });
    parts.concat()
}

/// The same where sums are out of range: those beyond the largest number are that number, which only a
/// point of tiny or no weight can have.
fn explicit_sums<E: Real>(engine: &Engine<'_, E>, potential: &[f64], mass: f64) -> Vec<E> {
    let logs = engine.row_logs();
    let terms = logs.iter().zip(potential).zip(&engine.tiles.offsets[0]);
    let sum = |((log, p), offset): ((&f64, &f64), &f64)| (log + p - offset).exp2() * mass;
    terms.map(|term| E::of(sum(term)).min(E::max_value())).collect()
}

/// Twice the distance of a marginal to what it should be, relative to the latter.
fn error<E: Real>(engine: &Engine<'_, E>, sums: &[E], potential: &[f64], tau: f64) -> f64 {
    let k = relief(tau);
    let (mut off, mut all) = (0.0, 0.0);
    let points = engine.sides[0].weight.iter().zip(sums).zip(potential);
    for ((w, s), p) in points.filter(|((w, _), _)| **w > E::zero()) {
        let wanted = if k > 0.0 { (-k * p).exp2() } else { 1.0 };
        off += w.double() * (s.double() - wanted).abs();
        all += w.double() * wanted;
    }
    2.0 * off / all
}

/// f ← ½ (f + T f), where T f = τ (f − ε log s).
fn advance<E: Real>(
    engine: &mut Engine<'_, E>,
    sums: &[E],
    potential: &[f64],
    tau: f64,
    most: f64,
) {
    let mut largest = E::zero();
    let [a, b] = &mut engine.sides;
    for (i, s) in sums.iter().enumerate() {
        let factor = if tau == 1.0 {
            s.sqrt().recip()
        } else {
            E::of((-0.5 * ((1.0 - tau) * potential[i] + tau * s.double().log2())).exp2())
        };
        a.scale[i] *= factor;
        largest = largest.max(a.scale[i]).max(a.scale[i].recip());
        a.product[i] = a.weight[i] * a.scale[i];
    }
    b.scale.copy_from_slice(&a.scale);
    b.product.copy_from_slice(&a.product);
    let inside = largest.double().log2() < most;
    if !inside {
        engine.absorb();
    }
}

/// 2⟨a, f⟩ − ε (mass of P − mass of a⊗a), with λ (1 − exp(−f / λ)) for f where the marginals are relaxed.
fn dual<E: Real>(problem: &Discrete<'_, E>, epsilon: f64, f: &[f64], sums: &[E]) -> f64 {
    let [mass, _] = problem.masses();
    let mut total = epsilon * mass * mass;
    let points = problem.source.iter().zip(f).zip(sums);
    for ((a, f), s) in points.filter(|((a, _), _)| **a > E::zero()) {
        let a = a.double();
        let [_, gain] = problem.relaxation[0].objectives(epsilon, a, 0.0, *f);
        total += 2.0 * gain - epsilon * a * s.double();
    }
    total
}
