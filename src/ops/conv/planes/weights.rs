//! The gradient of the weights: for every tap the products of planes, summed over positions.

use pulp::Simd;

use super::super::memory::{get, lanes, load_at, put};
use crate::ops::Real;

/// Registers of positions that all taps go over before the next: their gradients stay in the first-level
/// cache.
const TOGETHER: usize = 64;

/// The products of the gradients of some outputs with the taps of the inputs.
pub(super) struct Products<'a, E> {
    /// Planes of the inputs in their frames.
    pub(super) x: &'a [E],
    /// The distances of the taps of all inputs.
    pub(super) taps: &'a [usize],
    /// Where in `x` each register of positions begins.
    pub(super) places: &'a [usize],
    /// Planes of the gradients in their frames, and where in the first each register begins: what lies beyond
    /// the positions is zero.
    pub(super) slopes: &'a [E],
    pub(super) slope_places: &'a [usize],
    /// Numbers of such a plane.
    pub(super) plane: usize,
}

impl<E: Real> Products<'_, E> {
    /// Adds to `[output, tap, lanes]`, the last tap being that of the bias: the sums of gradients alone.
    #[inline(always)]
    pub(super) fn add_to<S: Simd>(&self, simd: S, sums: &mut [E]) {
        let (lanes, taps) = (lanes::<E, S>(), self.taps.len());
        let outputs = sums.len() / ((taps + 1) * lanes);
        // What the inner loops rely on.
        let reach = self.taps.iter().max().map_or(0, |most| most + lanes);
        assert!(self.places.iter().all(|place| place + reach <= self.x.len()));
        let reach = outputs.saturating_sub(1) * self.plane + lanes;
        assert!(self.slope_places.iter().all(|place| place + reach <= self.slopes.len()));
        assert_eq!(self.places.len(), self.slope_places.len());
        for first in (0..self.places.len()).step_by(TOGETHER) {
            let here = first..self.places.len().min(first + TOGETHER);
            let mut output = 0;
            while output < outputs {
                let sums = &mut sums[output * (taps + 1) * lanes..];
                output += match outputs - output {
                    4.. => self.rows::<S, 4>(simd, output, here.clone(), sums),
                    _ => self.rows::<S, 1>(simd, output, here.clone(), sums),
                };
            }
        }
    }

    /// `R` outputs at the positions of some registers.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(
        &self,
        simd: S,
        output: usize,
        here: std::ops::Range<usize>,
        sums: &mut [E],
    ) -> usize {
        let mut tap = 0;
        while tap + 3 <= self.taps.len() {
            self.tile::<S, R, 3>(simd, output, tap, here.clone(), sums);
            tap += 3;
        }
        while tap < self.taps.len() {
            self.tile::<S, R, 1>(simd, output, tap, here.clone(), sums);
            tap += 1;
        }
        let of_bias = |r: usize| (r * (tap + 1) + tap) * lanes::<E, S>();
        let mut bias: [E::Of<S>; R] = std::array::from_fn(|r| get(simd, &sums[of_bias(r)..]));
        for place in &self.slope_places[here] {
            for (r, bias) in bias.iter_mut().enumerate() {
                let at = place + (output + r) * self.plane;
                // SAFETY: as in `tile`.
                *bias = E::plus(simd, *bias, unsafe { load_at::<E, S>(self.slopes, at) });
            }
        }
        for (r, bias) in bias.into_iter().enumerate() {
            put(simd, &mut sums[of_bias(r)..], bias);
        }
        R
    }

    /// `R` outputs and `T` taps.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices, see `sweep.rs`")]
    fn tile<S: Simd, const R: usize, const T: usize>(
        &self,
        simd: S,
        output: usize,
        tap: usize,
        here: std::ops::Range<usize>,
        sums: &mut [E],
    ) {
        let (lanes, pitch) = (lanes::<E, S>(), self.taps.len() + 1);
        let mut all = [[E::splat(simd, E::zero()); T]; R];
        for r in 0..R {
            for t in 0..T {
                all[r][t] = get(simd, &sums[(r * pitch + tap + t) * lanes..]);
            }
        }
        let taps: [usize; T] = std::array::from_fn(|t| self.taps[tap + t]);
        let places = self.places[here.clone()].iter().zip(&self.slope_places[here]);
        for (place, slope_place) in places {
            let mut x = [E::splat(simd, E::zero()); T];
            for t in 0..T {
                // SAFETY: `add_to` has checked that a register from every place at every tap lies in `x`.
                x[t] = unsafe { load_at::<E, S>(self.x, place + taps[t]) };
            }
            for r in 0..R {
                let at = slope_place + (output + r) * self.plane;
                // SAFETY: it has checked so for the gradients of every output, too.
                let slope = unsafe { load_at::<E, S>(self.slopes, at) };
                for t in 0..T {
                    all[r][t] = E::fma(simd, slope, x[t], all[r][t]);
                }
            }
        }
        for r in 0..R {
            for t in 0..T {
                put(simd, &mut sums[(r * pitch + tap + t) * lanes..], all[r][t]);
            }
        }
    }
}
