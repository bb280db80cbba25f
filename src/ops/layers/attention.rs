//! Attention between the positions of a sample.

use super::super::gemm::{multiply_here, Into, Matrix};
use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// For each head, softmax(Q Kᵀ / √d) V over positions.
struct Attended {
    positions: usize,
    channels: usize,
    heads: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// Attention of `heads` heads: x holds queries, keys and values, `3 C` channels in this order, in each
    /// of which the heads follow one another; the result has `C` channels. With d = C / heads, every head
    /// gives softmax(Q Kᵀ / √d) V, the softmax over positions. Memory: heads · positions² numbers a
    /// sample.
    ///
    /// # Panics
    /// If the channels are not a multiple of three times the heads.
    pub fn attention(&mut self, x: Value, heads: usize) -> Value {
        let from = self.extent(x);
        assert!(heads > 0 && from.channels.is_multiple_of(3 * heads), "channels of heads");
        let channels = from.channels / 3;
        let layer = Attended { positions: from.positions(), channels, heads };
        self.push(layer, &[x], [], Extent { channels, ..from })
    }
}

impl Attended {
    /// Channels of a head.
    fn width(&self) -> usize {
        self.channels / self.heads
    }

    /// Queries (0), keys (1) or values (2) of a head.
    fn part<'a, E: Real>(&self, x: &'a [E], head: usize, part: usize) -> Matrix<'a, E> {
        let from = part * self.channels + head * self.width();
        Matrix::new(x, self.positions, 3 * self.channels).some_columns(from, self.width())
    }

    /// Weights of a head: a row for each position.
    fn weights<'a, E: Real>(&self, all: &'a [E], head: usize) -> &'a [E] {
        let square = self.positions * self.positions;
        &all[head * square..(head + 1) * square]
    }

    fn scale<E: Real>(&self) -> E {
        E::of(1.0 / (self.width() as f64).sqrt())
    }
}

impl<E: Real> Layer<E> for Attended {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (p, len) = (self.positions, self.positions * self.channels);
        let x = |sample: usize| &work.inputs[0][sample * 3 * len..(sample + 1) * 3 * len];
        let mut weights = Scratch::new(work.samples * self.heads * p * p);
        for_each_chunk(&mut weights, p * p, |i, weights| {
            let (x, head) = (x(i / self.heads), i % self.heads);
            let keys = self.part(x, head, 1).transposed();
            multiply_here(self.part(x, head, 0), keys, weights, p, Into::Overwrite);
            softmax::<E>(weights, p, self.scale());
        });
        for_each_chunk(y, len, |sample, y| {
            let own = &weights[sample * self.heads * p * p..][..self.heads * p * p];
            for head in 0..self.heads {
                let weights = Matrix::new(self.weights(own, head), p, p);
                let (values, to) = (self.part(x(sample), head, 2), &mut y[head * self.width()..]);
                multiply_here(weights, values, to, self.channels, Into::Overwrite);
            }
        });
        vec![weights]
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
                let own = &work.stash[0][sample * self.heads * p * p..][..self.heads * p * p];
                let mut inner = Scratch::new(p * p);
                for head in 0..self.heads {
                    let weights = self.weights(own, head);
                    let slopes = Matrix::new(slopes, p, c).some_columns(head * d, d);
                    let square = Matrix::new(weights, p, p);
                    let at = |part: usize| part * c + head * d;
                    multiply_here(square.transposed(), slopes, &mut to[at(2)..], 3 * c, Into::Add);
                    let values = self.part(x, head, 2).transposed();
                    multiply_here(slopes, values, &mut inner, p, Into::Overwrite);
                    through_softmax::<E>(&mut inner, weights, p, self.scale());
                    let inner = Matrix::new(&inner, p, p);
                    let (queries, keys) = (self.part(x, head, 0), self.part(x, head, 1));
                    multiply_here(inner, keys, &mut to[at(0)..], 3 * c, Into::Add);
                    multiply_here(inner.transposed(), queries, &mut to[at(1)..], 3 * c, Into::Add);
                }
            });
        });
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: true, output: false }
    }
}

vectorised! {
    /// Each row as the softmax of its numbers times `scale`.
    fn softmax<E: Real>(rows: &mut [E], width: usize, scale: E) {
        for row in rows.chunks_exact_mut(width) {
            let most = row.iter().fold(E::neg_infinity(), |m, v| if *v > m { *v } else { m });
            let mut sum = E::zero();
            for v in row.iter_mut() {
                *v = ((*v - most) * scale).fast_exp();
                sum += *v;
            }
            row.iter_mut().for_each(|v| *v /= sum);
        }
    }
}
vectorised! {
    /// slopes ← scale · weights ∘ (slopes − Σ slopes ∘ weights), row by row.
    fn through_softmax<E: Real>(slopes: &mut [E], weights: &[E], width: usize, scale: E) {
        for (s, w) in slopes.chunks_exact_mut(width).zip(weights.chunks_exact(width)) {
            let mean = s.iter().zip(w).fold(E::zero(), |sum, (s, w)| sum + *s * *w);
            s.iter_mut().zip(w).for_each(|(s, w)| *s = scale * *w * (*s - mean));
        }
    }
}
