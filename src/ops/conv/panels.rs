//! Weights in the order in which the sweeps read them.

use pulp::{Simd, WithSimd};

use super::super::parallel::for_each_chunk;
use super::super::{Aligned, Real};

/// Most registers of outputs that are summed at once: four of 512 bits, two of 256, which leaves room
/// for the positions they are summed at.
fn most_vectors(lanes: usize, size: usize) -> usize {
    if lanes * size >= 64 {
        4
    } else {
        2
    }
}

/// Numbers of a register of this processor.
pub(super) fn lanes<E: Real>() -> usize {
    struct Lanes<E>(std::marker::PhantomData<E>);
    impl<E: Real> WithSimd for Lanes<E> {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            size_of::<E::Of<S>>() / size_of::<E>()
        }
    }
    super::arch().dispatch(Lanes::<E>(std::marker::PhantomData))
}

/// How many registers of outputs go together, and how often.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    /// Registers of a tile.
    pub(super) vectors: usize,
    /// Outputs of a tile.
    pub(super) width: usize,
    /// Number of tiles; the last may hold fewer outputs.
    pub(super) tiles: usize,
}

impl Tiling {
    pub(super) fn of<E: Real>(outputs: usize) -> Self {
        let lanes = lanes::<E>();
        let all = outputs.div_ceil(lanes);
        let tiles = all.div_ceil(most_vectors(lanes, size_of::<E>()));
        let vectors = all.div_ceil(tiles);
        Self { vectors, width: vectors * lanes, tiles: all.div_ceil(vectors) }
    }

    /// Outputs of a tile, out of `outputs`.
    pub(super) fn outputs(&self, tile: usize, outputs: usize) -> std::ops::Range<usize> {
        tile * self.width..outputs.min((tile + 1) * self.width)
    }
}

/// Where a weight lies: that of output o, tap t and place r of a run at `o·output + r·run + t`.
#[derive(Clone, Copy)]
pub(super) struct Strides {
    pub(super) output: usize,
    pub(super) run: usize,
}

/// Weights cut into tiles of outputs: `[tile, tap, run, width]`, zero beyond the last output.
pub(super) struct Panels<E: Real> {
    pub(super) tiling: Tiling,
    pub(super) taps: usize,
    pub(super) run: usize,
    pub(super) numbers: Aligned<E>,
}

/// Places of a run that are moved together.
const PLACES: usize = 8;

impl<E: Real> Panels<E> {
    /// With arbitrary numbers.
    pub(super) fn new(outputs: usize, taps: usize, run: usize) -> Self {
        let tiling = Tiling::of::<E>(outputs);
        let numbers = Aligned::new(tiling.tiles * taps * run * tiling.width);
        Self { tiling, taps, run, numbers }
    }

    /// The weights of `outputs`, each multiplied by `scale`.
    pub(super) fn pack(
        weights: &[E],
        (outputs, taps, run): (usize, usize, usize),
        strides: Strides,
        scale: E,
    ) -> Self {
        let mut panels = Self::new(outputs, taps, run);
        let (tiling, len) = (panels.tiling, panels.tile_len());
        for_each_chunk(&mut panels.numbers, len, |tile, to| {
            let from = tiling.outputs(tile, outputs);
            if from.len() < tiling.width {
                to.fill(E::zero());
            }
            for places in (0..run).step_by(PLACES).map(|r| r..run.min(r + PLACES)) {
                for (lane, o) in from.clone().enumerate() {
                    for r in places.clone() {
                        let taps = &weights[o * strides.output + r * strides.run..][..taps];
                        for (t, w) in taps.iter().enumerate() {
                            to[(t * run + r) * tiling.width + lane] = *w * scale;
                        }
                    }
                }
            }
        });
        panels
    }

    /// Adds the panels, each number multiplied by `scale`, to weights that lie as in
    /// [`pack`](Self::pack).
    pub(super) fn add_to(&self, weights: &mut [E], outputs: usize, strides: Strides, scale: E) {
        // Outputs outermost: each thread has weights of its own.
        for_each_chunk(weights, strides.output * PLACES, |block, to| {
            let first = block * PLACES;
            for (o, to) in (first..outputs).zip(to.chunks_mut(strides.output)) {
                let (tile, lane) = (o / self.tiling.width, o % self.tiling.width);
                let panel = &self.numbers[tile * self.tile_len()..][..self.tile_len()];
                for r in 0..self.run {
                    let taps = &mut to[r * strides.run..][..self.taps];
                    for (t, w) in taps.iter_mut().enumerate() {
                        *w += panel[(t * self.run + r) * self.tiling.width + lane] * scale;
                    }
                }
            }
        });
    }

    /// Numbers of a tile.
    pub(super) fn tile_len(&self) -> usize {
        self.taps * self.run * self.tiling.width
    }

    pub(super) fn tile(&self, tile: usize) -> &[E] {
        &self.numbers[tile * self.tile_len()..(tile + 1) * self.tile_len()]
    }
}
