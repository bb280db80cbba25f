//! Scales and shifts of channels that come from another value of a sample.

use super::super::dense::sum_rows;
use super::super::parallel::{for_each_chunk, map_each};
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// y = x ∘ scale + shift.
struct Modulated {
    channels: usize,
    positions: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// y = x ∘ scale + shift at every position, scale and shift being vectors of a number for each
    /// channel of x.
    ///
    /// # Panics
    /// If they are not.
    pub fn modulate(&mut self, x: Value, scale: Value, shift: Value) -> Value {
        let extent = self.extent(x);
        let vector = Extent::vector(extent.channels);
        assert_eq!((self.extent(scale), self.extent(shift)), (vector, vector), "scale and shift");
        let layer = Modulated { channels: extent.channels, positions: extent.positions() };
        self.push(layer, &[x, scale, shift], [], extent)
    }
}

/// y = x + shift.
struct Shifted {
    channels: usize,
    positions: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// y = x + shift at every position, the shift being a vector of a number for each channel of x.
    ///
    /// # Panics
    /// If it is not.
    pub fn shift(&mut self, x: Value, shift: Value) -> Value {
        let extent = self.extent(x);
        assert_eq!(self.extent(shift), Extent::vector(extent.channels), "the shift of channels");
        let layer = Shifted { channels: extent.channels, positions: extent.positions() };
        self.push(layer, &[x, shift], [], extent)
    }
}

impl Modulated {
    fn len(&self) -> usize {
        self.channels * self.positions
    }
}

impl<E: Real> Layer<E> for Modulated {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (len, c) = (self.len(), self.channels);
        for_each_chunk(y, len, |i, y| {
            let of = |input: usize| &work.inputs[input][i * c..(i + 1) * c];
            apply::<E>(&work.inputs[0][i * len..(i + 1) * len], of(1), of(2), y);
        });
        Stash::new()
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (len, c) = (self.len(), self.channels);
        let sums = map_each(slopes.len() / len, |i| {
            let mut sums = Scratch::new(2 * c);
            sums.fill(E::zero());
            let (products, plain) = sums.split_at_mut(c);
            let here = i * len..(i + 1) * len;
            sum::<E>(&slopes[here.clone()], &work.inputs[0][here], products, plain);
            sums
        });
        for (input, from) in [(1, 0), (2, c)] {
            to.input(input, |to, fresh| {
                for (to, sums) in to.chunks_exact_mut(c).zip(&sums) {
                    let sums = &sums[from..from + c];
                    if fresh {
                        to.copy_from_slice(sums);
                    } else {
                        to.iter_mut().zip(sums).for_each(|(t, s)| *t += *s);
                    }
                }
            });
        }
        for_each_chunk(&mut slopes, len, |i, slopes| {
            scale_rows::<E>(slopes, &work.inputs[1][i * c..(i + 1) * c]);
        });
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: true, output: false }
    }
}

impl<E: Real> Layer<E> for Shifted {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (c, len) = (self.channels, self.channels * self.positions);
        for_each_chunk(y, len, |i, y| {
            y.copy_from_slice(&work.inputs[0][i * len..(i + 1) * len]);
            add_to_rows::<E>(y, &work.inputs[1][i * c..(i + 1) * c]);
        });
        Stash::new()
    }

    fn backward(&self, _: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (c, len) = (self.channels, self.channels * self.positions);
        to.input(1, |to, fresh| {
            for_each_chunk(to, c, |i, to| {
                if fresh {
                    to.fill(E::zero());
                }
                sum_rows::<E>(&slopes[i * len..(i + 1) * len], to);
            });
        });
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}

vectorised! {
    fn add_to_rows<E: Real>(rows: &mut [E], shift: &[E]) {
        for row in rows.chunks_exact_mut(shift.len()) {
            row.iter_mut().zip(shift).for_each(|(r, s)| *r += *s);
        }
    }
}
vectorised! {
    fn apply<E: Real>(x: &[E], scale: &[E], shift: &[E], y: &mut [E]) {
        let c = scale.len();
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            for (y, (x, (a, b))) in y.iter_mut().zip(x.iter().zip(scale.iter().zip(shift))) {
                *y = *x * *a + *b;
            }
        }
    }
}
vectorised! {
    /// Σ slope · x and Σ slope over positions.
    fn sum<E: Real>(slopes: &[E], x: &[E], products: &mut [E], sums: &mut [E]) {
        let c = sums.len();
        for (s, x) in slopes.chunks_exact(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                products[i] += s[i] * x[i];
                sums[i] += s[i];
            }
        }
    }
}
vectorised! {
    fn scale_rows<E: Real>(rows: &mut [E], scale: &[E]) {
        for row in rows.chunks_exact_mut(scale.len()) {
            row.iter_mut().zip(scale).for_each(|(r, s)| *r *= *s);
        }
    }
}
