//! Sums over taps at all positions: the forward pass, and the gradient in the input.
//!
//! Images lie channels last. A tile of outputs is a few positions by a few registers of channels, all
//! of whose sums stay in registers; for each tap and channel of the input one number of each position
//! is multiplied with the registers of weights. A part of the weights that fits the first-level cache
//! goes over a block of positions before the next one.

use pulp::{Simd, WithSimd};

use super::super::{Real, Scratch};
use super::memory::{load, store};
use super::panels::Panels;
use super::taps::{Class, Taps};

/// Positions of a block.
const BLOCK: usize = 240;
/// Rows of weights that go over a block of positions together: 32 KiB in `f32`.
const ROWS: usize = 128;
/// The most positions of a tile.
const MOST: usize = 8;

/// What happens to the sums.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a, E> {
    /// Added to every position; empty for none. As long as the tiles are wide.
    pub(super) bias: &'a [E],
    /// Whether the sums are added to what is there.
    pub(super) onto: bool,
    /// The slope of the activation below zero: 1 for none, 0 for ReLU.
    pub(super) slope: E,
}

/// Which channels of an image take part, and how many there are.
#[derive(Clone, Copy)]
pub(super) struct Channels {
    pub(super) all: usize,
    pub(super) first: usize,
    pub(super) some: usize,
}

/// Part of a run of a tap.
#[derive(Clone, Copy)]
struct Piece {
    tap: usize,
    from: usize,
    len: usize,
}

/// One sweep over the samples of `x` and `y`.
pub(super) struct Sweep<'a, E: Real> {
    pub(super) taps: &'a Taps,
    pub(super) panels: &'a Panels<E>,
    /// `[sample, position, channel]`.
    pub(super) x: &'a [E],
    pub(super) from: Channels,
    /// Positions of an input.
    pub(super) from_positions: usize,
    pub(super) y: &'a mut [E],
    pub(super) to: Channels,
    pub(super) finish: Finish<'a, E>,
}

/// The positions of a block: where they are in `x` (but for the tap) and `y`, and their columns.
struct Slots {
    x: [usize; BLOCK + MOST],
    y: [usize; BLOCK + MOST],
    column: [usize; BLOCK + MOST],
}

impl<E: Real> WithSimd for Sweep<'_, E> {
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

impl<E: Real> Sweep<'_, E> {
    /// Tiles of `P` positions and `Q` registers.
    #[inline(always)]
    fn run<S: Simd, const P: usize, const Q: usize>(mut self, simd: S) {
        let samples = self.y.len() / (self.to.all * self.taps.columns());
        assert_eq!(self.x.len(), samples * self.from_positions * self.from.all);
        assert!(self.to.first + self.to.some <= self.to.all);
        let pieces = self.pieces();
        let mut slots =
            Slots { x: [0; BLOCK + MOST], y: [0; BLOCK + MOST], column: [0; BLOCK + MOST] };
        for class in &self.taps.classes {
            let (len, total) = (class.columns.len(), class.columns.len() * samples);
            for block in (0..total).step_by(BLOCK) {
                let here = (total - block).min(BLOCK);
                for s in 0..here + MOST {
                    // Slots past the last repeat it: their sums are not stored.
                    let at = block + s.min(here - 1);
                    let (sample, column) = (at / len, class.columns.start + at % len);
                    slots.column[s] = column;
                    slots.x[s] = sample * self.from_positions * self.from.all + self.from.first;
                    let position = sample * self.taps.columns() + self.taps.order[column] as usize;
                    slots.y[s] = position * self.to.all + self.to.first;
                }
                for tile in 0..self.panels.tiling.tiles {
                    self.block::<S, P, Q>(simd, class, &pieces, &slots, here, tile);
                }
            }
        }
    }

    /// The runs of all taps, in groups that go over a block together.
    fn pieces(&self) -> Vec<Vec<Piece>> {
        let (run, taps) = (self.panels.run, self.panels.taps);
        let parts = run.div_ceil(ROWS);
        let part = run.div_ceil(parts);
        let all = (0..run).step_by(part).flat_map(|from| {
            (0..taps).map(move |tap| Piece { tap, from, len: part.min(run - from) })
        });
        let together = (ROWS / part).max(1);
        all.collect::<Vec<_>>().chunks(together).map(<[_]>::to_vec).collect()
    }

    /// All sums of a block of positions and a tile of outputs.
    #[inline(always)]
    fn block<S: Simd, const P: usize, const Q: usize>(
        &mut self,
        simd: S,
        class: &Class,
        pieces: &[Vec<Piece>],
        slots: &Slots,
        here: usize,
        tile: usize,
    ) {
        let width = self.panels.tiling.width;
        let outputs = self.panels.tiling.outputs(tile, self.to.some);
        let ragged = outputs.len() < width;
        // Where the last tile holds fewer outputs, its sums are a row for each slot of a buffer.
        let mut buffer = Scratch::new(if ragged { (BLOCK + MOST) * width } else { 0 });
        if ragged && self.finish.onto {
            for (y, to) in slots.y[..here + MOST].iter().zip(buffer.chunks_exact_mut(width)) {
                to[..outputs.len()].copy_from_slice(&self.y[y + outputs.start..][..outputs.len()]);
            }
        }
        let target = if ragged { &mut *buffer } else { &mut *self.y };
        for (i, group) in pieces.iter().enumerate() {
            let work = Work {
                taps: self.taps,
                channels: self.from.all,
                x: self.x,
                panel: self.panels.tile(tile),
                run: self.panels.run,
                bias: match i {
                    0 if !self.finish.bias.is_empty() => &self.finish.bias[tile * width..],
                    _ => &[],
                },
                onto: i > 0 || self.finish.onto,
                slope: (i + 1 == pieces.len() && self.finish.slope != E::one())
                    .then_some(self.finish.slope),
            };
            for slot in (0..here).step_by(P) {
                let rows = std::array::from_fn(|p| match ragged {
                    true => (slot + p) * width,
                    false => slots.y[slot + p] + outputs.start,
                });
                work.tile::<S, P, Q>(simd, class, group, (slots, slot), (target, rows));
            }
        }
        if ragged {
            for (y, from) in slots.y[..here].iter().zip(buffer.chunks_exact(width)) {
                self.y[y + outputs.start..][..outputs.len()]
                    .copy_from_slice(&from[..outputs.len()]);
            }
        }
    }
}

/// What the tiles of a block have in common.
struct Work<'a, E> {
    taps: &'a Taps,
    channels: usize,
    x: &'a [E],
    panel: &'a [E],
    run: usize,
    bias: &'a [E],
    onto: bool,
    slope: Option<E>,
}

impl<E: Real> Work<'_, E> {
    /// The sums of one tile over some pieces, to `rows` of `target`. Every array of registers is indexed
    /// by constants, in loops small enough to be unrolled: else it would live in memory.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "registers by constant indices")]
    fn tile<S: Simd, const P: usize, const Q: usize>(
        &self,
        simd: S,
        class: &Class,
        pieces: &[Piece],
        (slots, slot): (&Slots, usize),
        (target, rows): (&mut [E], [usize; P]),
    ) {
        let width = Q * size_of::<E::Of<S>>() / size_of::<E>();
        let mut sums = [[E::splat(simd, E::zero()); Q]; P];
        if self.onto {
            for p in 0..P {
                sums[p] = load(&target[rows[p]..rows[p] + width]);
            }
        }
        if !self.bias.is_empty() {
            let bias: [E::Of<S>; Q] = load(&self.bias[..width]);
            for p in 0..P {
                for q in 0..Q {
                    sums[p][q] = E::plus(simd, sums[p][q], bias[q]);
                }
            }
        }
        let x = self.x;
        for piece in pieces.iter().filter(|piece| class.reads[piece.tap]) {
            let row = self.taps.row(piece.tap);
            let mut places = [0; P];
            for p in 0..P {
                let position = row[slots.column[slot + p]] as usize;
                places[p] = slots.x[slot + p] + position * self.channels + piece.from;
                // What the inner loop relies on.
                assert!(places[p] + piece.len <= x.len());
            }
            let weights = &self.panel[(piece.tap * self.run + piece.from) * width..];
            let weights = &E::split::<S>(weights).0[..piece.len * Q];
            for (k, weights) in weights.chunks_exact(Q).enumerate() {
                for p in 0..P {
                    // SAFETY: there are `piece.len` rows of weights, and as many numbers from every
                    // place on, as was checked.
                    let x = E::splat(simd, unsafe { *x.get_unchecked(places[p] + k) });
                    for q in 0..Q {
                        sums[p][q] = E::fma(simd, x, weights[q], sums[p][q]);
                    }
                }
            }
        }
        if let Some(slope) = self.slope {
            let slope = E::splat(simd, slope);
            for p in 0..P {
                for q in 0..Q {
                    // NaN stays NaN, the second operand being returned then.
                    sums[p][q] = E::most(simd, E::times(simd, sums[p][q], slope), sums[p][q]);
                }
            }
        }
        // Slots past the last repeat it, and so do their sums.
        for p in 0..P {
            store(sums[p], &mut target[rows[p]..rows[p] + width]);
        }
    }
}
