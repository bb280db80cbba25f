//! The iteration: one pass over the rows of the kernel updates both marginals.
//!
//! The plan is Pᵢⱼ = zᵢ Kᵢⱼ wⱼ with K = 2^(p + q + κ), z = a u, w = b v: potentials p, q that are fixed
//! for a while and scalings u, v that change. Row by row, rᵢ = Σⱼ Kᵢⱼ wⱼ gives uᵢ, and with it the row is
//! added to the column sums while it is in cache; those then give v. When scalings grow, they are
//! absorbed into the potentials; where sums under- or overflow, the pass is discarded and both
//! marginals are updated with explicit maxima.

use std::ops::Range;

use super::products::ROWS;
use super::tally::Tally;
use super::tile::Tiles;
use super::update::{Points, Rule, Update};
use crate::error::Result;
use crate::ops::parallel::for_each_chunk;
use crate::ops::{Aligned, Real, Scratch};
use crate::problem::Discrete;

/// Pairs of a chunk of rows, which is the unit that threads share.
const CHUNK: usize = 1 << 17;
/// Most chunks: each has column sums of its own.
const CHUNKS: usize = 32;
/// Most rows of a block.
pub(super) const BLOCK: usize = 64;
/// Bytes of a block of a stored kernel, which is read again from the first-level cache.
const NEAR: usize = 24 << 10;
/// Parts of the logarithm of the largest number within which sums, and scalings, have to stay.
/// Together below one: their products are what marginals are.
const SUMS: f64 = 0.65;
const SCALES: f64 = 0.3;

/// One marginal.
pub(super) struct Side<E> {
    /// Weights of sum 1.
    pub(super) weight: Vec<E>,
    /// Potentials relative to the offsets, in the exponents of the kernel.
    pub(super) potential: Vec<E>,
    /// Potentials with the offsets; only if τ < 1.
    pub(super) absolute: Vec<E>,
    /// Scalings not yet absorbed.
    pub(super) scale: Vec<E>,
    /// Weights times scalings.
    pub(super) product: Vec<E>,
    /// Sums over the kernel, from the last pass.
    pub(super) sums: Vec<E>,
    /// What the marginal should be, from the last update.
    pub(super) due: Vec<E>,
    pub(super) tau: f64,
    /// log₂ of the mass of the other side.
    pub(super) shift: f64,
    /// 2^−shift.
    unit: f64,
}

impl<E: Real> Side<E> {
    pub(super) fn update(&self, rule: Rule<E>, drift: f64) -> Update<E> {
        Update::new(rule, self.tau, self.shift + relief(self.tau) * drift, self.unit)
    }

    /// The marginal of the last pass; 0 without weight, whatever the sum.
    pub(super) fn marginal(&self) -> impl Iterator<Item = f64> + '_ {
        let both = self.product.iter().zip(&self.sums);
        both.map(|(z, r)| if *z > E::zero() { z.double() * r.double() } else { 0.0 })
    }

    pub(super) fn points<'s>(&'s self, range: Range<usize>, sums: &'s [E]) -> Points<'s, E> {
        Points { weight: &self.weight[range.clone()], sums, absolute: &self.absolute[range] }
    }
}

pub(super) struct Engine<'a, E: Real> {
    pub(super) tiles: Tiles<'a, E>,
    pub(super) sides: [Side<E>; 2],
    pub(super) rows_per_chunk: usize,
    pub(super) block: usize,
    /// The kernel, if it is stored.
    pub(super) stored: Option<Aligned<E>>,
    /// Column sums of each chunk.
    pub(super) columns: Vec<E>,
    /// Scalings before the iteration, to go back to.
    pub(super) saved: [Vec<E>; 2],
    /// Whether the next pass goes through the chunks forwards.
    pub(super) forwards: bool,
    /// Where sums and scalings have to stay.
    bounds: [Bounds; 2],
    /// Added to the potentials of the rows and taken from those of the columns.
    pub(super) drift: f64,
}

impl<'a, E: Real> Engine<'a, E> {
    /// `shifts`: log₂ of the masses of target and source.
    pub(super) fn new(
        problem: &Discrete<'_, E>,
        tiles: Tiles<'a, E>,
        stored: bool,
        shifts: [f64; 2],
    ) -> Self {
        let (n, m) = problem.sizes();
        let chunks = (n.saturating_mul(m) / CHUNK).clamp(1, CHUNKS);
        let rows_per_chunk = n.div_ceil(chunks).next_multiple_of(ROWS);
        let masses = problem.masses();
        let side = |k: usize, weights: &[E]| {
            let one = vec![E::one(); weights.len()];
            let zero = vec![E::zero(); weights.len()];
            Side {
                weight: weights.iter().map(|w| E::of(w.double() / masses[k])).collect(),
                potential: zero.clone(),
                absolute: zero.clone(),
                scale: one,
                product: zero.clone(),
                sums: zero.clone(),
                due: zero,
                tau: problem.relaxation[k].tau(),
                shift: shifts[k],
                unit: (-shifts[k]).exp2(),
            }
        };
        Self {
            block: match stored {
                true => (NEAR / (m * size_of::<E>())).clamp(ROWS, BLOCK) / ROWS * ROWS,
                false => tiles.block().min(BLOCK),
            },
            tiles,
            sides: [side(0, &problem.source), side(1, &problem.target)],
            rows_per_chunk,
            stored: stored.then(|| Aligned::new(n * m)),
            columns: vec![E::zero(); n.div_ceil(rows_per_chunk) * m],
            saved: [vec![E::zero(); n], vec![E::zero(); m]],
            forwards: true,
            bounds: [Bounds::new::<E>(SUMS), Bounds::new::<E>(SCALES)],
            drift: 0.0,
        }
    }

    /// The same measures at another ε, from these potentials.
    pub(super) fn change(&mut self, tiles: Tiles<'a, E>, potentials: &[Vec<f64>; 2]) {
        self.tiles = tiles;
        self.set_potentials(potentials);
    }

    /// The potentials in double precision, with offsets and scalings, in units of ε ln 2.
    pub(super) fn potentials(&self) -> [Vec<f64>; 2] {
        [(0, self.drift), (1, -self.drift)].map(|(k, drift)| {
            let Side { potential, scale, .. } = &self.sides[k];
            let both = potential.iter().zip(scale).zip(&self.tiles.offsets[k]);
            both.map(|((p, s), offset)| p.double() + offset + drift + s.double().log2()).collect()
        })
    }

    /// Starts from potentials as [`potentials`](Self::potentials) gives them: what rounding takes
    /// from them stays in the scalings.
    pub(super) fn set_potentials(&mut self, potentials: &[Vec<f64>; 2]) {
        for (k, potentials) in potentials.iter().enumerate() {
            self.set_side(k, potentials);
        }
        self.drift = 0.0;
        self.refill();
    }

    pub(super) fn set_side(&mut self, k: usize, potentials: &[f64]) {
        let side = &mut self.sides[k];
        for (i, (phi, offset)) in potentials.iter().zip(&self.tiles.offsets[k]).enumerate() {
            let p = E::of(phi - offset);
            side.potential[i] = p;
            side.absolute[i] = E::of(p.double() + offset);
            // Finite also where the rounding of p is an exponent out of range.
            side.scale[i] = E::of((phi - offset - p.double()).exp2()).min(E::max_value());
            side.product[i] = side.weight[i] * side.scale[i];
        }
    }

    pub(super) fn absorb(&mut self) {
        let potentials = self.potentials();
        self.set_potentials(&potentials);
    }

    /// Computes the stored kernel again.
    pub(super) fn refill(&mut self) {
        let [a, b] = &self.sides;
        let Some(kernel) = &mut self.stored else { return };
        let m = b.weight.len();
        let rows = self.rows_per_chunk;
        for_each_chunk(kernel, rows * m, |c, out| {
            let from = c * rows;
            let p = &a.potential[from..from + out.len() / m];
            self.tiles.powers(from, 0..m, [p, &b.potential], None, out);
        });
    }

    /// `each(from, rows of the kernel)` for the blocks of rows `from..to`.
    pub(super) fn blocks(&self, from: usize, to: usize, mut each: impl FnMut(usize, &[E])) {
        let [a, b] = &self.sides;
        let m = b.weight.len();
        let mut scratch = Scratch::new(if self.stored.is_some() { 0 } else { self.block * m });
        for from in (from..to).step_by(self.block) {
            let to = (from + self.block).min(to);
            if let Some(kernel) = &self.stored {
                each(from, &kernel[from * m..to * m]);
                continue;
            }
            let out = &mut scratch[..(to - from) * m];
            let both = [&a.potential[from..to], &b.potential[..]];
            self.tiles.powers(from, 0..m, both, None, out);
            each(from, out);
        }
    }

    /// One iteration with over-relaxation ω: rows, then columns. The tallies are of the state before.
    pub(super) fn iterate(&mut self, omega: f64) -> Result<[Tally; 2]> {
        let rule = if omega == 1.0 { Rule::Plain } else { Rule::Relaxed(E::of(omega)) };
        self.saved[0].copy_from_slice(&self.sides[0].scale);
        let [for_sums, for_scales] = self.bounds;
        let rows = self.pass(rule);
        if !for_sums.hold(rows.sums) {
            self.sides[0].scale.copy_from_slice(&self.saved[0]);
            return Ok([self.rescue_rows()?, self.rescue_columns()?]);
        }
        let columns = self.update_columns(rule);
        if !for_sums.hold(columns.sums) {
            return Ok([rows, self.rescue_columns()?]);
        }
        if !for_scales.hold(rows.scales) || !for_scales.hold(columns.scales) {
            self.absorb();
        }
        Ok([rows, columns])
    }

    /// Where the sums are out of range, the scalings stay as they were and the tally is unknown.
    fn update_columns(&mut self, rule: Rule<E>) -> Tally {
        let side = &mut self.sides[1];
        let update = side.update(rule, -self.drift);
        self.saved[1].copy_from_slice(&side.scale);
        let Side { weight, absolute, scale, product, sums, due, .. } = &mut *side;
        update.apply(&Points { weight, sums, absolute }, scale, product, due);
        let tally = Tally::of(weight, sums, &self.saved[1], scale, due);
        if self.bounds[0].hold(tally.sums) {
            return tally;
        }
        side.scale.copy_from_slice(&self.saved[1]);
        Tally::UNKNOWN
    }

    /// Marginal sums of the present state; tallies of both sides.
    pub(super) fn evaluate(&mut self) -> [Tally; 2] {
        self.saved[0].copy_from_slice(&self.sides[0].scale);
        let rows = self.pass(Rule::Hold);
        let columns = self.update_columns(Rule::Hold);
        if self.bounds[0].hold(rows.sums) && self.bounds[0].hold(columns.sums) {
            return [rows, columns];
        }
        self.evaluate_explicitly()
    }
}

/// ε / λ = (1 − τ) / τ.
pub(super) fn relief(tau: f64) -> f64 {
    (1.0 - tau) / tau
}

/// A range of positive numbers around 1.
#[derive(Clone, Copy)]
struct Bounds([f64; 2]);

impl Bounds {
    /// Those whose logarithms stay within this part of the number type's.
    fn new<E: Real>(part: f64) -> Self {
        let most = E::min_positive_value().double().powf(-part);
        Self([most.recip(), most])
    }

    fn hold(self, [low, high]: [f64; 2]) -> bool {
        low > self.0[0] && high < self.0[1]
    }
}
