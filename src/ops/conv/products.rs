//! The gradient of the weights: for every tap the products of inputs and output gradients, summed over
//! all positions.
//!
//! The same tiles as in `sweep.rs`, the sums being weights: a few places of a run by a few registers
//! of outputs, over a block of positions whose output gradients lie together in the first-level cache.

use pulp::{Simd, WithSimd};

use super::super::{Aligned, Real};
use super::memory::{copy, load, store};
use super::panels::Panels;
use super::sweep::Channels;
use super::taps::{Class, Taps};

/// Positions of a block: 24 KiB of output gradients in `f32`.
const BLOCK: usize = 96;

/// One sweep over the samples of `x` and `slopes` for one tile of outputs.
pub(super) struct Products<'a, E: Real> {
    pub(super) taps: &'a Taps,
    /// `[sample, position, channel]`.
    pub(super) x: &'a [E],
    pub(super) from: Channels,
    pub(super) from_positions: usize,
    /// Gradients of the outputs.
    pub(super) slopes: &'a [E],
    pub(super) to: Channels,
    /// Layout of the sums.
    pub(super) panels: &'a Panels<E>,
    pub(super) tile: usize,
    /// The sums of the tile: `[tap, run, width]`; added to.
    pub(super) sums: &'a mut [E],
}

impl<E: Real> WithSimd for Products<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.panels.tiling.vectors {
            1 => self.run::<S, 8, 1>(simd),
            2 if size_of::<E::Of<S>>() < 64 => self.run::<S, 6, 2>(simd),
            2 => self.run::<S, 8, 2>(simd),
            3 => self.run::<S, 8, 3>(simd),
            _ => self.run::<S, 6, 4>(simd),
        }
    }
}

impl<E: Real> Products<'_, E> {
    /// Tiles of `R` places and `Q` registers.
    #[inline(always)]
    fn run<S: Simd, const R: usize, const Q: usize>(mut self, simd: S) {
        let width = self.panels.tiling.width;
        let samples = self.slopes.len() / (self.to.all * self.taps.columns());
        assert_eq!(self.x.len(), samples * self.from_positions * self.from.all);
        let mut slopes = Aligned::new(BLOCK * width);
        let (mut sample_of, mut column_of) = ([0; BLOCK], [0; BLOCK]);
        for class in &self.taps.classes {
            let (len, total) = (class.columns.len(), class.columns.len() * samples);
            for block in (0..total).step_by(BLOCK) {
                let here = (total - block).min(BLOCK);
                for s in 0..here {
                    let at = block + s;
                    (sample_of[s], column_of[s]) = (at / len, class.columns.start + at % len);
                }
                self.gather(&sample_of[..here], &column_of[..here], &mut slopes);
                self.block::<S, R, Q>(simd, class, &sample_of[..here], &column_of[..here], &slopes);
            }
        }
    }

    /// The output gradients of a block, one position after another.
    #[inline(always)]
    fn gather(&self, sample_of: &[usize], column_of: &[usize], to: &mut [E]) {
        let width = self.panels.tiling.width;
        let outputs = self.panels.tiling.outputs(self.tile, self.to.some);
        let positions = sample_of.iter().zip(column_of);
        for ((sample, column), to) in positions.zip(to.chunks_exact_mut(width)) {
            let position = sample * self.taps.columns() + self.taps.order[*column] as usize;
            let at = position * self.to.all + self.to.first + outputs.start;
            let (own, beyond) = to.split_at_mut(outputs.len());
            copy(&self.slopes[at..][..outputs.len()], own);
            beyond.fill(E::zero());
        }
    }

    #[inline(always)]
    fn block<S: Simd, const R: usize, const Q: usize>(
        &mut self,
        simd: S,
        class: &Class,
        sample_of: &[usize],
        column_of: &[usize],
        slopes: &[E],
    ) {
        let (run, width) = (self.panels.run, self.panels.tiling.width);
        let mut at = [0; BLOCK];
        let at = &mut at[..sample_of.len()];
        let slopes = &E::split::<S>(slopes).0[..sample_of.len() * Q];
        for tap in (0..self.taps.taps).filter(|tap| class.reads[*tap]) {
            let row = self.taps.row(tap);
            for (at, (sample, column)) in at.iter_mut().zip(sample_of.iter().zip(column_of)) {
                let position = sample * self.from_positions + row[*column] as usize;
                *at = position * self.from.all + self.from.first;
                // What the inner loop relies on.
                assert!(*at + run <= self.x.len());
            }
            let sums = &mut self.sums[tap * run * width..(tap + 1) * run * width];
            places::<E, S, R, Q>(simd, self.x, at, run, slopes, sums);
        }
    }
}

/// Adds Σ x[at + r] · slopes to the sums of all places r of a run. The caller has checked that a run from
/// each of `at` lies in `x`.
#[inline(always)]
pub(super) fn places<E: Real, S: Simd, const R: usize, const Q: usize>(
    simd: S,
    x: &[E],
    at: &[usize],
    run: usize,
    slopes: &[E::Of<S>],
    sums: &mut [E],
) {
    let mut place = 0;
    while place + R <= run {
        tile::<E, S, R, Q>(simd, x, at, place, slopes, sums);
        place += R;
    }
    while place + 3 <= run {
        tile::<E, S, 3, Q>(simd, x, at, place, slopes, sums);
        place += 3;
    }
    while place < run {
        tile::<E, S, 1, Q>(simd, x, at, place, slopes, sums);
        place += 1;
    }
}

/// Adds Σ x[at + place + r] · slopes to the sums of `R` places. All of `at`, `place` and `R` stay within
/// a run that the caller has checked to be in `x`.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "registers by constant indices, see `sweep.rs`")]
fn tile<E: Real, S: Simd, const R: usize, const Q: usize>(
    simd: S,
    x: &[E],
    at: &[usize],
    place: usize,
    slopes: &[E::Of<S>],
    sums: &mut [E],
) {
    let width = Q * size_of::<E::Of<S>>() / size_of::<E>();
    let sums = &mut sums[place * width..(place + R) * width];
    let mut all = [[E::splat(simd, E::zero()); Q]; R];
    for (all, sums) in all.iter_mut().zip(sums.chunks_exact(width)) {
        *all = load(sums);
    }
    for (at, slopes) in at.iter().zip(slopes.chunks_exact(Q)) {
        for r in 0..R {
            // SAFETY: `block` has checked that a run from `at` lies in `x`, and place + r is in it.
            let x = E::splat(simd, unsafe { *x.get_unchecked(*at + place + r) });
            for q in 0..Q {
                all[r][q] = E::fma(simd, x, slopes[q], all[r][q]);
            }
        }
    }
    for (all, sums) in all.iter().zip(sums.chunks_exact_mut(width)) {
        store(*all, sums);
    }
}
