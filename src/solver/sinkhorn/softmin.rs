//! Rows of a plan that need no source potential: log Σⱼ bⱼ exp((gⱼ − c(x, yⱼ)) / ε) and its terms.

use super::shape::{Contract, Fused, Separate};
use super::tile::Tiles;
use crate::error::{Error, Result};
use crate::ops::simd::{level, vectorised, Level};
use crate::ops::{Real, Scratch};
use crate::problem::Discrete;

/// Stands for log₂ 0: far below every exponent, yet finite.
const NOTHING: f64 = -1e30;
/// Exponents beyond this are taken for overflow.
const MOST: f64 = 1e28;

const LANES: usize = 16;

vectorised! {
    /// Replaces exponents by powers of two relative to the largest, and by zero where `present` is
    /// zero. The largest, the sum of the powers, and 0 if all exponents are finite (else NaN).
    fn powers<E: Real, T: Contract>(row: &mut [E], present: &[E]) -> [E; 3] {
        let (mut best, mut poison) = ([E::min_value(); LANES], [E::zero(); LANES]);
        for part in row.chunks(LANES) {
            for (l, v) in part.iter().enumerate() {
                best[l] = if *v > best[l] { *v } else { best[l] };
                poison[l] += *v * E::zero();
            }
        }
        let best = best.iter().fold(E::min_value(), |b, v| if *v > b { *v } else { b });
        let mut sums = [E::zero(); LANES];
        let mut parts = row.chunks_exact_mut(LANES);
        let mut marks = present.chunks_exact(LANES);
        for (part, present) in (&mut parts).zip(&mut marks) {
            for l in 0..LANES {
                part[l] = T::exp2(part[l] - best) * present[l];
                sums[l] += part[l];
            }
        }
        for (l, (v, present)) in parts.into_remainder().iter_mut().zip(marks.remainder()).enumerate() {
            *v = T::exp2(*v - best) * *present;
            sums[l] += *v;
        }
        let sum = sums.iter().fold(E::zero(), |s, v| s + *v);
        [best, sum, poison.iter().fold(E::zero(), |s, v| s + *v)]
    }
}

/// The rows of a problem under target potentials g.
pub(super) struct Softmin<'a, E: Real> {
    tiles: Tiles<'a, E>,
    /// log₂ of bⱼ exp(gⱼ / ε), relative to the offsets of the tiles.
    q: Vec<E>,
    /// 1 where bⱼ > 0, else 0.
    present: Vec<E>,
}

impl<'a, E: Real> Softmin<'a, E> {
    /// `g` in the units of the cost.
    pub(super) fn new(problem: &'a Discrete<'a, E>, g: &[f64], epsilon: f64) -> Self {
        let tiles = Tiles::new(problem, epsilon);
        let unit = epsilon * std::f64::consts::LN_2;
        let terms = g.iter().zip(&problem.target).zip(&tiles.offsets[1]);
        let log = |b: f64| if b > 0.0 { b.log2() } else { NOTHING };
        let q = terms.map(|((g, b), sigma)| E::of(g / unit - sigma + log(b.double()))).collect();
        let present = |b: &E| if *b > E::zero() { E::one() } else { E::zero() };
        Self { q, present: problem.target.iter().map(present).collect(), tiles }
    }

    /// For blocks of the rows `from..to`: `each(first, terms, sums, logs)`. The terms of a row are
    /// relative to the largest of them, `sums` are the sums of the terms, and `logs` is log₂ of the
    /// whole sum.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if a cost is not, or overflows when divided by ε.
    pub(super) fn rows(
        &self,
        from: usize,
        to: usize,
        mut each: impl FnMut(usize, &[E], &[E], &[f64]),
    ) -> Result<()> {
        let (m, block) = (self.q.len(), self.tiles.block());
        let zeros = vec![E::zero(); block];
        let mut scratch = Scratch::new(block.min(to - from) * m);
        let (mut sums, mut logs) = (vec![E::zero(); block], vec![0.0; block]);
        for start in (from..to).step_by(block) {
            let end = (start + block).min(to);
            let terms = &mut scratch[..(end - start) * m];
            self.tiles.exponents(start, &zeros[..end - start], &self.q, terms);
            for (k, row) in terms.chunks_exact_mut(m).enumerate() {
                let [best, sum, poison] = if level() == Level::Portable {
                    powers::<E, Separate>(row, &self.present)
                } else {
                    powers::<E, Fused>(row, &self.present)
                };
                if poison != E::zero() || best.double().abs() > MOST {
                    return Err(not_finite(start + k));
                }
                sums[k] = sum;
                logs[k] = best.double() + sum.double().log2() - self.tiles.offsets[0][start + k];
            }
            each(start, terms, &sums[..end - start], &logs[..end - start]);
        }
        Ok(())
    }
}

fn not_finite(row: usize) -> Error {
    Error::NonFinite {
        what: format!("a cost of point {row}, divided by epsilon"),
        value: f64::NAN,
        step: None,
        remedy: "scale the points, clean what the cost function returns, or raise epsilon",
    }
}
