//! Statistics of the costs of a grid, and costs of a finished iteration.

use super::engine::{Engine, Side};
use crate::ops::Real;
use crate::problem::Gridded;
use crate::solver::sinkhorn::epsilon::Statistics;

/// Of all N·M costs, from those of the axes.
pub(super) fn statistics<E: Real>(problem: &Gridded<E>) -> Statistics {
    let (mut mean, mut variance) = (0.0, 0.0);
    let (mut low, mut high) = (0.0, 0.0);
    for axis in &problem.axes {
        let costs = axis.costs();
        let n = costs.len() as f64;
        let of_axis = costs.iter().sum::<f64>() / n;
        mean += of_axis;
        variance += costs.iter().map(|c| (c - of_axis).powi(2)).sum::<f64>() / n;
        low += costs.iter().fold(f64::INFINITY, |l, c| l.min(*c));
        high += costs.iter().fold(f64::NEG_INFINITY, |h, c| h.max(*c));
    }
    Statistics { mean, deviation: variance.sqrt(), largest: f64::max(-low, high) }
}

pub(super) struct Costs {
    pub(super) marginal_error: f64,
    pub(super) mass: f64,
    pub(super) transport: f64,
    pub(super) primal: f64,
    pub(super) dual: f64,
    /// In units of ε ln 2.
    pub(super) potentials: [Vec<f64>; 2],
}

pub(super) fn costs<E: Real, W: Real>(
    problem: &Gridded<W>,
    engine: &mut Engine<E>,
    epsilon: f64,
    balanced: bool,
) -> Costs {
    let masses = problem.masses();
    let unit = epsilon * std::f64::consts::LN_2;
    let product = masses[0] * masses[1];
    // What the engine's plan is to be multiplied with, and what then belongs to its exponents.
    let (times, constant) =
        if balanced { (masses[0], -0.5 * masses[1].log2()) } else { (1.0, 0.0) };
    let mut marginal_error = 0.0;
    let marginals = [0, 1].map(|k| {
        let (tally, sums) = engine.update(k, 0.0);
        marginal_error += tally.relative();
        let Side { weight, potential, .. } = &engine.sides[k];
        let terms = weight.iter().zip(potential).zip(sums.iter());
        terms
            .map(|((a, f), s)| times * marginal(a.double(), f.double() + s.double()))
            .collect::<Vec<f64>>()
    });
    let potentials = potentials(engine, balanced);
    let mass: f64 = marginals[0].iter().sum();
    let entropy = epsilon * (mass - product);
    let (mut primal, mut dual) = (-entropy, -entropy);
    for k in 0..2 {
        let weights = if k == 0 { &problem.source } else { &problem.target };
        for ((a, p), phi) in weights.iter().zip(&marginals[k]).zip(&potentials[k]) {
            let f = (phi + constant) * unit;
            let [of_primal, of_dual] = problem.relaxation[k].objectives(epsilon, a.double(), *p, f);
            primal += of_primal;
            dual += of_dual;
        }
    }
    let zeros = vec![E::zero(); problem.target.len()];
    // In units of ε ln 2, which the number type need not hold.
    let means = engine.averages(0, &zeros, 1.0);
    let priced = marginals[0].iter().zip(means.iter()).filter(|(p, _)| **p > 0.0);
    let transport = priced.map(|(p, c)| p * unit * c.double()).sum();
    Costs { marginal_error, mass, transport, primal, dual, potentials }
}

/// a 2^exponent; 0 without weight, whatever the exponent.
pub(super) fn marginal(a: f64, exponent: f64) -> f64 {
    if a > 0.0 {
        a * exponent.exp2()
    } else {
        0.0
    }
}

/// In double precision; the constant that balanced potentials share makes ⟨a, f⟩ = ⟨b, g⟩.
fn potentials<E: Real>(engine: &Engine<E>, balanced: bool) -> [Vec<f64>; 2] {
    let [a, b] = engine.sides.each_ref().map(|s| {
        let both = s.weight.iter().zip(&s.potential);
        both.map(|(w, p)| w.double() * p.double()).sum::<f64>()
    });
    let half = if balanced { 0.5 * (b - a) } else { 0.0 };
    let shifted = |k: usize, by: f64| {
        engine.sides[k].potential.iter().map(|p| p.double() + by).collect::<Vec<f64>>()
    };
    [shifted(0, half), shifted(1, -half)]
}
