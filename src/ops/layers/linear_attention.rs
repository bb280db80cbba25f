//! Attention in a time that is linear in the positions.

use super::super::gemm::{multiply_here, Into, Matrix};
use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// For each head, Q (softmax(K)ᵀ V), the softmax over positions.
struct Gathered {
    positions: usize,
    channels: usize,
    heads: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// Linear attention (arXiv:1812.01243) of `heads` heads: x holds queries, keys and values as for
    /// [`attention`](Self::attention); every head gives Q (softmax(K)ᵀ V), the softmax over positions for
    /// each channel of the keys. Time and memory grow with the positions, not with their square.
    ///
    /// # Panics
    /// If the channels are not a multiple of three times the heads.
    pub fn linear_attention(&mut self, x: Value, heads: usize) -> Value {
        let from = self.extent(x);
        assert!(heads > 0 && from.channels.is_multiple_of(3 * heads), "channels of heads");
        let channels = from.channels / 3;
        let layer = Gathered { positions: from.positions(), channels, heads };
        self.push(layer, &[x], [], Extent { channels, ..from })
    }
}

impl Gathered {
    /// Channels of a head.
    fn width(&self) -> usize {
        self.channels / self.heads
    }

    /// The channels of a head of queries (0) or values (2).
    fn part<'a, E: Real>(&self, x: &'a [E], head: usize, part: usize) -> Matrix<'a, E> {
        let from = part * self.channels + head * self.width();
        Matrix::new(x, self.positions, 3 * self.channels).some_columns(from, self.width())
    }

    /// The channels of a head of `[positions, channels]`.
    fn head<'a, E: Real>(&self, v: &'a [E], head: usize) -> Matrix<'a, E> {
        let all = Matrix::new(v, self.positions, self.channels);
        all.some_columns(head * self.width(), self.width())
    }

    /// softmax(K)ᵀ V of a head.
    fn square<'a, E: Real>(&self, all: &'a [E], head: usize) -> &'a [E] {
        let len = self.width() * self.width();
        &all[head * len..(head + 1) * len]
    }
}

impl<E: Real> Layer<E> for Gathered {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (p, c, d) = (self.positions, self.channels, self.width());
        let x = |sample: usize| &work.inputs[0][sample * 3 * p * c..(sample + 1) * 3 * p * c];
        let mut keys = Scratch::new(work.samples * p * c);
        for_each_chunk(&mut keys, p * c, |sample, keys| {
            for (to, x) in keys.chunks_exact_mut(c).zip(x(sample).chunks_exact(3 * c)) {
                to.copy_from_slice(&x[c..2 * c]);
            }
            softmax::<E>(keys, c);
        });
        let mut squares = Scratch::new(work.samples * c * d);
        for_each_chunk(&mut squares, c * d, |sample, squares| {
            let keys = &keys[sample * p * c..(sample + 1) * p * c];
            for (head, to) in squares.chunks_exact_mut(d * d).enumerate() {
                let (keys, values) = (self.head(keys, head), self.part(x(sample), head, 2));
                multiply_here(keys.transposed(), values, to, d, Into::Overwrite);
            }
        });
        for_each_chunk(y, p * c, |sample, y| {
            let squares = &squares[sample * c * d..(sample + 1) * c * d];
            for head in 0..self.heads {
                let square = Matrix::new(self.square(squares, head), d, d);
                let queries = self.part(x(sample), head, 0);
                multiply_here(queries, square, &mut y[head * d..], c, Into::Overwrite);
            }
        });
        vec![keys, squares]
    }

    fn backward(&self, work: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (p, c, d) = (self.positions, self.channels, self.width());
        to.input(0, |to, fresh| {
            for_each_chunk(to, 3 * p * c, |sample, to| {
                if fresh {
                    to.fill(E::zero());
                }
                let x = &work.inputs[0][sample * 3 * p * c..][..3 * p * c];
                let slopes = &slopes[sample * p * c..][..p * c];
                let keys = &work.stash[0][sample * p * c..][..p * c];
                let squares = &work.stash[1][sample * c * d..][..c * d];
                let (mut of_square, mut of_keys) = (Scratch::new(d * d), Scratch::new(p * c));
                for head in 0..self.heads {
                    let at = |part: usize| part * c + head * d;
                    let slopes = self.head(slopes, head);
                    let square = Matrix::new(self.square(squares, head), d, d).transposed();
                    multiply_here(slopes, square, &mut to[at(0)..], 3 * c, Into::Add);
                    let queries = self.part(x, head, 0).transposed();
                    multiply_here(queries, slopes, &mut of_square, d, Into::Overwrite);
                    let of_square = Matrix::new(&of_square, d, d);
                    let keys = self.head(keys, head);
                    multiply_here(keys, of_square, &mut to[at(2)..], 3 * c, Into::Add);
                    let (values, back) = (self.part(x, head, 2), of_square.transposed());
                    multiply_here(values, back, &mut of_keys[head * d..], c, Into::Overwrite);
                }
                through_softmax::<E>(&mut of_keys, keys, c);
                for (to, from) in to.chunks_exact_mut(3 * c).zip(of_keys.chunks_exact(c)) {
                    to[c..2 * c].iter_mut().zip(from).for_each(|(t, f)| *t += *f);
                }
            });
        });
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: true, output: false }
    }
}

vectorised! {
    /// Each column as the softmax of its numbers.
    fn softmax<E: Real>(rows: &mut [E], width: usize) {
        let (mut most, mut sums) = (Scratch::copy_of(&rows[..width]), Scratch::new(width));
        for row in rows.chunks_exact(width) {
            most.iter_mut().zip(row).for_each(|(m, v)| *m = if *v > *m { *v } else { *m });
        }
        sums.fill(E::zero());
        for row in rows.chunks_exact_mut(width) {
            for (v, (m, s)) in row.iter_mut().zip(most.iter().zip(sums.iter_mut())) {
                *v = (*v - *m).fast_exp();
                *s += *v;
            }
        }
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(sums.iter()).for_each(|(v, s)| *v /= *s);
        }
    }
}
vectorised! {
    /// slopes ← weights ∘ (slopes − Σ slopes ∘ weights), column by column.
    fn through_softmax<E: Real>(slopes: &mut [E], weights: &[E], width: usize) {
        let mut means = Scratch::new(width);
        means.fill(E::zero());
        for (s, w) in slopes.chunks_exact(width).zip(weights.chunks_exact(width)) {
            means.iter_mut().zip(s.iter().zip(w)).for_each(|(m, (s, w))| *m += *s * *w);
        }
        for (s, w) in slopes.chunks_exact_mut(width).zip(weights.chunks_exact(width)) {
            for (s, (w, m)) in s.iter_mut().zip(w.iter().zip(means.iter())) {
                *s = *w * (*s - *m);
            }
        }
    }
}
