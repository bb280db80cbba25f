//! Channels side by side, and positions in place of channels.

use super::super::parallel::for_each_chunk;
use super::super::thin::transpose;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// Positions that a thread takes at once.
const ROWS: usize = 512;

/// The channels of a, then those of b.
struct Concatenated {
    first: usize,
    second: usize,
}

/// Positions as channels.
struct Transposed {
    positions: usize,
    channels: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// The channels of a, then those of b, at each position.
    ///
    /// # Panics
    /// If a and b differ in their positions.
    pub fn concat(&mut self, a: Value, b: Value) -> Value {
        let (first, second) = (self.extent(a), self.extent(b));
        assert_eq!(first.size, second.size, "the positions of what is concatenated");
        let extent = Extent { channels: first.channels + second.channels, ..first };
        let layer = Concatenated { first: first.channels, second: second.channels };
        self.push(layer, &[a, b], [], extent)
    }

    /// The positions of x as channels, and its channels as the positions of an image of `size`.
    ///
    /// # Panics
    /// If x has not as many channels as there are positions.
    pub fn transpose(&mut self, x: Value, size: [usize; 3]) -> Value {
        let from = self.extent(x);
        let to = Extent { channels: from.positions(), size };
        assert_eq!(from.channels, to.positions(), "the channels become positions");
        let layer = Transposed { positions: from.positions(), channels: from.channels };
        self.push(layer, &[x], [], to)
    }
}

impl<E: Real> Layer<E> for Concatenated {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (a, b, width) = (self.first, self.second, self.first + self.second);
        for_each_chunk(y, ROWS * width, |i, y| {
            let first = work.inputs[0][i * ROWS * a..].chunks_exact(a);
            let second = work.inputs[1][i * ROWS * b..].chunks_exact(b);
            for (y, (first, second)) in y.chunks_exact_mut(width).zip(first.zip(second)) {
                y[..a].copy_from_slice(first);
                y[a..].copy_from_slice(second);
            }
        });
        Stash::new()
    }

    fn backward(&self, _: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (pitch, part) =
            (self.first + self.second, [(0, self.first), (self.first, self.second)]);
        for (input, (from, width)) in part.into_iter().enumerate() {
            to.input(input, |to, fresh| {
                for_each_chunk(to, ROWS * width, |i, to| {
                    let rows = slopes[i * ROWS * pitch..].chunks_exact(pitch);
                    for (to, row) in to.chunks_exact_mut(width).zip(rows) {
                        let row = &row[from..from + width];
                        if fresh {
                            to.copy_from_slice(row);
                        } else {
                            to.iter_mut().zip(row).for_each(|(t, r)| *t += *r);
                        }
                    }
                });
            });
        }
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}

impl<E: Real> Layer<E> for Transposed {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let len = self.positions * self.channels;
        for_each_chunk(y, len, |i, y| {
            let x = &work.inputs[0][i * len..(i + 1) * len];
            transpose::<E>(x, self.positions, self.channels, y);
        });
        Stash::new()
    }

    fn backward(&self, _: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (len, mut back) = (self.positions * self.channels, Scratch::new(slopes.len()));
        for_each_chunk(&mut back, len, |i, back| {
            let slopes = &slopes[i * len..(i + 1) * len];
            transpose::<E>(slopes, self.channels, self.positions, back);
        });
        to.give(0, back);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}
