//! Updates with explicit maxima, for where sums over the kernel would under- or overflow.

use rayon::prelude::*;

use super::engine::{relief, Engine, Side};
use super::kernels::{self, contracted};
use super::products;
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::ops::parallel::map_each;
use crate::ops::{Real, Scratch};

/// Stands for log₂ 0: far below every exponent, yet finite.
const NOTHING: f64 = -1e30;

impl<E: Real> Side<E> {
    /// Potentials with log₂ of weights and scalings.
    fn weighted(&self) -> Vec<E> {
        let both = self.potential.iter().zip(&self.product);
        both.map(|(p, w)| *p + log2_of_weight(w)).collect()
    }
}

fn log2_of_weight<E: Real>(w: &E) -> E {
    E::of(if *w > E::zero() { w.double().log2() } else { NOTHING })
}

impl<E: Real> Engine<'_, E> {
    fn chunks<V: Send>(&self, each: impl Fn(usize, usize) -> V + Sync + Send) -> Vec<V> {
        let (n, rows) = (self.sides[0].weight.len(), self.rows_per_chunk);
        map_each(n.div_ceil(rows), |c| each(c * rows, (c * rows + rows).min(n)))
    }

    /// Rows `from..to` of exponents pᵢ + qⱼ + κᵢⱼ, one by one.
    fn exponents(
        &self,
        from: usize,
        to: usize,
        p: &[E],
        q: &[E],
        mut each: impl FnMut(usize, &[E]),
    ) {
        let (m, block) = (q.len(), self.tiles.block());
        let mut scratch = Scratch::new(block * m);
        for start in (from..to).step_by(block) {
            let end = (start + block).min(to);
            let out = &mut scratch[..(end - start) * m];
            self.tiles.exponents(start, &p[start..end], q, out);
            out.chunks_exact(m).enumerate().for_each(|(k, row)| each(start + k, row));
        }
    }

    /// The first potentials, from g = 0.
    ///
    /// # Errors
    /// If an exponent is not finite.
    pub(super) fn start(&mut self) -> Result<()> {
        self.set_side(1, &vec![0.0; self.sides[1].weight.len()]);
        self.start_rows()
    }

    /// p = −maxⱼ (qⱼ + κᵢⱼ) over the targets that have mass, so that every row sum is near 1.
    ///
    /// # Errors
    /// If an exponent is not finite.
    fn start_rows(&mut self) -> Result<()> {
        let [a, b] = &self.sides;
        let (m, rows) = (b.weight.len(), self.rows_per_chunk);
        let logs: Vec<E> = b.weight.iter().map(log2_of_weight).collect();
        let mut p = vec![E::zero(); a.weight.len()];
        let tiles = &self.tiles;
        // Exponents without p, then p, then, where the kernel is stored, the powers.
        let fill = |from: usize, p: &mut [E], out: &mut [E], keep: bool| {
            tiles.exponents(from, p, &b.potential, out);
            for (p, row) in p.iter_mut().zip(out.chunks_exact_mut(m)) {
                *p = -kernels::peak(row, &logs);
                if keep {
                    contracted!(powers::<E>(*p, row));
                }
            }
        };
        if let Some(kernel) = &mut self.stored {
            let chunks = kernel.par_chunks_mut(rows * m).zip(p.par_chunks_mut(rows));
            chunks.enumerate().for_each(|(c, (out, p))| fill(c * rows, p, out, true));
        } else {
            p.par_chunks_mut(rows).enumerate().for_each(|(c, p)| {
                let block = tiles.block();
                let mut scratch = Scratch::new(block * m);
                for (k, p) in p.chunks_mut(block).enumerate() {
                    let out = &mut scratch[..p.len() * m];
                    fill(c * rows + k * block, p, out, false);
                }
            });
        }
        if p.iter().any(|p| !p.is_finite()) {
            return Err(not_finite());
        }
        let offsets = &self.tiles.offsets[0];
        let p: Vec<f64> = p.iter().zip(offsets).map(|(p, o)| p.double() + o).collect();
        self.set_side(0, &p);
        Ok(())
    }

    /// The exact update of the rows; the tally is of the state before.
    pub(super) fn rescue_rows(&mut self) -> Result<Tally> {
        self.settle();
        let logs = self.row_logs();
        self.accept(0, &logs)
    }

    /// The exact update of the columns; the tally is of the state before.
    pub(super) fn rescue_columns(&mut self) -> Result<Tally> {
        self.settle();
        let logs = self.column_logs();
        self.accept(1, &logs)
    }

    /// Tallies of both sides where sums are out of range. What is out of the range of the number type is
    /// its largest number then, which nothing but a point of tiny or no weight can have.
    pub(super) fn evaluate_explicitly(&mut self) -> [Tally; 2] {
        self.absorb();
        [0, 1].map(|k| {
            let logs = if k == 0 { self.row_logs() } else { self.column_logs() };
            let side = &mut self.sides[k];
            for ((sum, log), p) in side.sums.iter_mut().zip(&logs).zip(&side.potential) {
                *sum = E::of((log + p.double()).exp2()).min(E::max_value());
            }
            self.tally(k, &logs)
        })
    }

    /// log₂ of the sums of the rows without their own potentials.
    pub(super) fn row_logs(&self) -> Vec<f64> {
        let q = self.sides[1].weighted();
        let n = self.sides[0].weight.len();
        let zero = vec![E::zero(); n];
        let (zeros, ones) = (vec![E::zero(); q.len()], vec![E::one(); q.len()]);
        let logs = self.chunks(|from, to| {
            let mut all = Vec::with_capacity(to - from);
            let mut powers = Scratch::new(q.len());
            self.exponents(from, to, &zero, &q, |_, row| {
                let best = kernels::peak(row, &zeros);
                powers.copy_from_slice(row);
                contracted!(powers::<E>(-best, &mut powers));
                let mut sum = [E::zero()];
                products::dots(&powers, &ones, &mut sum);
                all.push(best.double() + sum[0].double().log2());
            });
            all
        });
        logs.concat()
    }

    /// log₂ of the sums of the columns without their own potentials.
    fn column_logs(&self) -> Vec<f64> {
        let p = self.sides[0].weighted();
        let m = self.sides[1].weight.len();
        let zero = vec![E::zero(); m];
        let join = |parts: Vec<Vec<E>>, with: fn(&[E], &mut [E])| {
            let mut parts = parts.into_iter();
            let mut all = parts.next().unwrap_or_default();
            parts.for_each(|part| with(&part, &mut all));
            all
        };
        let best = self.chunks(|from, to| {
            let mut best = vec![E::of(2.0 * NOTHING); m];
            self.exponents(from, to, &p, &zero, |_, row| kernels::raise(row, &mut best));
            best
        });
        let best = join(best, |part, all| kernels::raise(part, all));
        let down: Vec<E> = best.iter().map(|b| -*b).collect();
        let sums = self.chunks(|from, to| {
            let (mut sums, block) = (vec![E::zero(); m], self.tiles.block());
            let mut scratch = Scratch::new(block * m);
            for start in (from..to).step_by(block) {
                let end = (start + block).min(to);
                let out = &mut scratch[..(end - start) * m];
                self.tiles.powers(start, 0..down.len(), [&p[start..end], &down], None, out);
                out.chunks_exact(m).for_each(|row| kernels::add(row, &mut sums));
            }
            sums
        });
        let sums = join(sums, |part, all| kernels::add(part, all));
        let logs = best.iter().zip(&sums).map(|(b, s)| b.double() + s.double().log2());
        logs.collect()
    }

    /// Marginal and prescription of side `k`, by log₂ of its sums without its potentials. Both are
    /// relative to the largest of them: all may be below the least number.
    fn tally(&self, k: usize, logs: &[f64]) -> Tally {
        let Side { weight, tau, shift, .. } = &self.sides[k];
        let (potentials, relief) = (&self.potentials()[k], relief(*tau));
        let points = weight.iter().zip(logs).zip(potentials.iter().zip(&self.tiles.offsets[k]));
        let points: Vec<[f64; 3]> = points
            .filter(|((w, _), _)| **w > E::zero())
            .map(|((w, log), (p, offset))| [w.double(), log + p - offset, -shift - relief * p])
            .collect();
        let top = points.iter().fold(f64::NEG_INFINITY, |top, [_, is, due]| top.max(*is).max(*due));
        let mut tally = Tally { error: 0.0, mass: 0.0, ..Tally::UNKNOWN };
        for [w, is, due] in points {
            let due = (due - top).exp2();
            tally.error += w * ((is - top).exp2() - due).abs();
            tally.mass += w * due;
        }
        tally
    }

    /// Puts the drift into the potentials.
    fn settle(&mut self) {
        if self.drift != 0.0 {
            let potentials = self.potentials();
            (0..2).for_each(|k| self.set_side(k, &potentials[k]));
            self.drift = 0.0;
        }
    }

    /// Sets side `k` by log₂ of its sums without its potentials; the tally is of the state before.
    fn accept(&mut self, k: usize, logs: &[f64]) -> Result<Tally> {
        if logs.iter().any(|v| !v.is_finite()) {
            return Err(not_finite());
        }
        let tally = self.tally(k, logs);
        let Side { tau, shift, .. } = self.sides[k];
        let offsets = &self.tiles.offsets[k];
        let update = |(l, offset): (&f64, &f64)| -tau * (l - offset + shift);
        let potentials: Vec<f64> = logs.iter().zip(offsets).map(update).collect();
        self.set_side(k, &potentials);
        self.refill();
        Ok(tally)
    }
}

fn not_finite() -> Error {
    Error::NonFinite {
        what: "a cost divided by epsilon".into(),
        value: f64::NAN,
        step: None,
        remedy: "scale the costs, clean what the cost function returns, or raise epsilon",
    }
}
