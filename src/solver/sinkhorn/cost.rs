//! Marginals and costs of a finished iteration.

use super::engine::Engine;
use super::kernels;
use super::tally::Tally;
use crate::ops::parallel::map_each;
use crate::ops::Real;
use crate::problem::Discrete;

pub(super) struct Costs {
    pub(super) marginal_error: f64,
    pub(super) mass: f64,
    pub(super) transport: f64,
    pub(super) primal: f64,
    pub(super) dual: f64,
    /// In units of ε ln 2.
    pub(super) potentials: [Vec<f64>; 2],
}

pub(super) fn costs<E: Real>(
    problem: &Discrete<'_, E>,
    engine: &mut Engine<'_, E>,
    epsilon: f64,
    balanced: bool,
) -> Costs {
    let [rows, columns]: [Tally; 2] = engine.evaluate();
    let masses = problem.masses();
    let unit = epsilon * std::f64::consts::LN_2;
    let product = masses[0] * masses[1];
    // What the engine's plan is to be multiplied with, and what then belongs to its exponents.
    let (times, constant) =
        if balanced { (masses[0], -0.5 * masses[1].log2()) } else { (product, 0.0) };
    let mut potentials = engine.potentials();
    if balanced {
        centre(engine, &mut potentials);
    }
    let marginals = [0, 1].map(|k| {
        let side = &engine.sides[k];
        side.marginal().map(|p| times * p).collect::<Vec<f64>>()
    });
    let mass: f64 = marginals[0].iter().sum();
    let entropy = epsilon * (mass - product);
    let (mut primal, mut dual, mut transport) = (-entropy, -entropy, 0.0);
    for k in 0..2 {
        let weights = if k == 0 { &problem.source } else { &problem.target };
        let points = weights.iter().zip(&marginals[k]).zip(&potentials[k]);
        for (((a, p), phi), offset) in points.zip(&engine.tiles.offsets[k]) {
            let f = (phi + constant) * unit;
            transport += unit * p * offset;
            let [of_primal, of_dual] = problem.relaxation[k].objectives(epsilon, a.double(), *p, f);
            primal += of_primal;
            dual += of_dual;
        }
    }
    transport -= times * unit * exponents(engine);
    let marginal_error = rows.relative() + columns.relative();
    Costs { marginal_error, mass, transport, primal, dual, potentials }
}

/// Moves the constant that balanced potentials share, so that ⟨a, f⟩ = ⟨b, g⟩.
fn centre<E: Real>(engine: &Engine<'_, E>, potentials: &mut [Vec<f64>; 2]) {
    let mean = |k: usize| {
        let weights = engine.sides[k].weight.iter();
        weights.zip(&potentials[k]).map(|(w, p)| w.double() * p).sum::<f64>()
    };
    let half = 0.5 * (mean(1) - mean(0));
    potentials[0].iter_mut().for_each(|p| *p += half);
    potentials[1].iter_mut().for_each(|p| *p -= half);
}

/// Σ Pᵢⱼ κᵢⱼ, where κ = log₂ K − p − q.
fn exponents<E: Real>(engine: &Engine<'_, E>) -> f64 {
    let [a, b] = &engine.sides;
    let (n, m) = (a.weight.len(), b.weight.len());
    let rows = engine.rows_per_chunk;
    let parts = map_each(n.div_ceil(rows), |c| {
        let mut sum = 0.0;
        engine.blocks(c * rows, (c * rows + rows).min(n), |first, kernel| {
            let rows = kernel.chunks_exact(m).zip(&a.product[first..]);
            // The kernel of a row without mass may be of any size.
            for (k, z) in rows.filter(|(_, z)| **z > E::zero()) {
                sum += z.double() * kernels::entropy(k, &b.product).double();
            }
        });
        sum
    });
    let potentials: f64 = [a, b]
        .iter()
        .flat_map(|side| side.marginal().zip(&side.potential))
        .map(|(marginal, p)| marginal * p.double())
        .sum();
    parts.iter().sum::<f64>() - potentials
}
