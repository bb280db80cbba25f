//! Sums over taps, a row of positions in registers: the forward pass, and the gradient in the input.

use pulp::Simd;

use super::super::memory::{get, lanes, load_at, put, store_at};
use super::frame::Register;
use crate::ops::Real;

/// Registers of positions of a tile.
const WIDE: usize = 4;

/// The sums of some outputs over the taps of framed planes.
pub(super) struct Multiply<'a, E> {
    /// Planes in their frames.
    pub(super) x: &'a [E],
    /// The distances of the taps of all planes.
    pub(super) taps: &'a [usize],
    /// Where in `x` each register of positions begins.
    pub(super) places: &'a [usize],
    pub(super) registers: &'a [Register],
    /// `[output, tap]`.
    pub(super) weights: &'a [E],
    /// One for each output, or none.
    pub(super) bias: &'a [E],
    /// Whether the sums are added to what is there.
    pub(super) onto: bool,
    /// Of the activation below zero, if there is one.
    pub(super) slope: Option<E>,
}

impl<E: Real> Multiply<'_, E> {
    /// Into the planes `y` of the outputs.
    #[inline(always)]
    pub(super) fn run<S: Simd>(&self, simd: S, y: &mut [E]) {
        let taps = self.taps.len();
        let (outputs, most) = (self.weights.len() / taps, self.taps.iter().max());
        // What the inner loop relies on.
        let reach = most.map_or(0, |most| most + lanes::<E, S>());
        assert!(self.places.iter().all(|place| place + reach <= self.x.len()));
        assert_eq!(self.weights.len(), outputs * taps);
        let plane = y.len() / outputs;
        let mut output = 0;
        while output < outputs {
            let y = &mut y[output * plane..];
            // Sums of 512 bits are of a processor with twice as many registers.
            output += match outputs - output {
                6.. if size_of::<E::Of<S>>() >= 64 => self.rows::<S, 6>(simd, output, plane, y),
                3.. => self.rows::<S, 3>(simd, output, plane, y),
                2 => self.rows::<S, 2>(simd, output, plane, y),
                _ => self.rows::<S, 1>(simd, output, plane, y),
            };
        }
    }

    /// The planes of `R` outputs.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(
        &self,
        simd: S,
        output: usize,
        plane: usize,
        y: &mut [E],
    ) -> usize {
        for first in (0..self.places.len()).step_by(WIDE) {
            self.tile::<S, R>(simd, output, first, plane, y);
        }
        R
    }

    /// `R` outputs at the positions of [`WIDE`] registers from `first` on. Where there are no more of them
    /// the last is repeated, and so are its sums.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices, see `sweep.rs`")]
    fn tile<S: Simd, const R: usize>(
        &self,
        simd: S,
        output: usize,
        first: usize,
        plane: usize,
        y: &mut [E],
    ) {
        let last = self.places.len() - 1;
        let at: [usize; WIDE] = std::array::from_fn(|q| (first + q).min(last));
        let places = at.map(|at| self.places[at]);
        let whole = at.iter().all(|at| self.registers[*at].len == lanes::<E, S>());
        let to = at.map(|at| self.registers[at].position);
        let taps = self.taps.len();
        let weights = &self.weights[output * taps..(output + R) * taps];
        // What loads and stores of whole registers rely on.
        assert!(
            y.len() >= R * plane && to.iter().all(|to| !whole || to + lanes::<E, S>() <= plane)
        );
        let mut sums = [[E::splat(simd, E::zero()); WIDE]; R];
        for r in 0..R {
            let bias = self.bias.get(output + r).copied().unwrap_or(E::zero());
            for q in 0..WIDE {
                sums[r][q] = E::splat(simd, bias);
            }
        }
        if self.onto {
            for r in 0..R {
                for q in 0..WIDE {
                    let from = r * plane + to[q];
                    let there = match whole {
                        // SAFETY: whole registers lie in their planes, as was checked.
                        true => unsafe { load_at::<E, S>(y, from) },
                        false => get(simd, &y[from..][..self.registers[at[q]].len]),
                    };
                    sums[r][q] = E::plus(simd, sums[r][q], there);
                }
            }
        }
        for (t, tap) in self.taps.iter().enumerate() {
            let mut w = [E::splat(simd, E::zero()); R];
            for r in 0..R {
                // SAFETY: there are R rows of as many weights as taps.
                w[r] = E::splat(simd, unsafe { *weights.get_unchecked(r * taps + t) });
            }
            for q in 0..WIDE {
                // SAFETY: `run` has checked that a register from every place at every tap lies in `x`.
                let x = unsafe { load_at::<E, S>(self.x, places[q] + tap) };
                for r in 0..R {
                    sums[r][q] = E::fma(simd, x, w[r], sums[r][q]);
                }
            }
        }
        if let Some(slope) = self.slope {
            let slope = E::splat(simd, slope);
            for r in 0..R {
                for q in 0..WIDE {
                    // NaN stays NaN, the second operand being returned then.
                    sums[r][q] = E::most(simd, E::times(simd, sums[r][q], slope), sums[r][q]);
                }
            }
        }
        if whole {
            for r in 0..R {
                for q in 0..WIDE {
                    // SAFETY: as for what was there.
                    unsafe { store_at::<E, S>(sums[r][q], y, r * plane + to[q]) };
                }
            }
        } else {
            for r in 0..R {
                for q in 0..WIDE {
                    let len = self.registers[at[q]].len;
                    put(simd, &mut y[r * plane + to[q]..][..len], sums[r][q]);
                }
            }
        }
    }
}
