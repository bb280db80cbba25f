//! Layer normalisation: over the channels of each position, with a weight and a bias.

use dfdx::prelude::*;

use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::norm::{Affine, EPSILON};
use super::program::{Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::statistics::column_sums;
use super::tape::LayerOp;

/// Positions that a thread takes at once.
const ROWS: usize = 256;
/// Sums that a row is cut into, so that they fill registers.
const LANES: usize = 16;

/// y = n ∘ weight + bias, n = (x − mean) / √(variance + ε) over the channels of a position.
struct OverChannels {
    channels: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// Each position with mean 0 and variance 1 over its channels, times the weight plus the bias of the
    /// channel: PyTorch's `LayerNorm(channels)` on tokens. Over all numbers of a sample, take
    /// [`norm`](Self::norm) with one group and [`affine`](Self::affine).
    ///
    /// # Panics
    /// If there is not one number for each channel.
    pub fn layer_norm<W: Shape, B: Shape>(
        &mut self,
        x: Value,
        (weight, bias): Affine<W, B, E, D>,
    ) -> Value {
        let extent = self.extent(x);
        assert_eq!(weight.shape().num_elements(), extent.channels, "the weight of a norm");
        assert_eq!(bias.shape().num_elements(), extent.channels, "the bias of a norm");
        let layer = OverChannels { channels: extent.channels };
        self.push(layer, &[x], [D::hold(weight), D::hold(bias)], extent)
    }
}

impl<E: Real> Layer<E> for OverChannels {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (x, [weight, bias]) = (work.inputs[0], [&work.parameters[0], &work.parameters[1]]);
        let c = self.channels;
        y.copy_from_slice(x);
        for_each_chunk(y, ROWS * c, |_, y| {
            normalise::<E>(y, c);
            weigh::<E>(y, weight, bias);
        });
        Stash::new()
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (c, weight) = (self.channels, &work.parameters[0]);
        let mut normal = Scratch::copy_of(work.inputs[0]);
        let mut scales = Scratch::new(normal.len() / c);
        for_each_chunk(&mut scales, ROWS, |i, scales| {
            let x = &work.inputs[0][i * ROWS * c..][..scales.len() * c];
            deviations::<E>(x, scales);
        });
        for_each_chunk(&mut normal, ROWS * c, |_, rows| normalise::<E>(rows, c));
        let [products, sums] =
            column_sums(&slopes, (1, scales.len(), c), |_, slopes, [p, s], first| {
                sum::<E>(slopes, &normal[first * c..], p, s);
            });
        to.parameter(0, |to| to.iter_mut().zip(products.iter()).for_each(|(t, p)| *t += *p));
        to.parameter(1, |to| to.iter_mut().zip(sums.iter()).for_each(|(t, s)| *t += *s));
        for_each_chunk(&mut slopes, ROWS * c, |i, slopes| {
            let n = slopes.len() / c;
            let (normal, scales) = (&normal[i * ROWS * c..], &scales[i * ROWS..][..n]);
            back::<E>(slopes, normal, scales, weight);
        });
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: true, output: false }
    }
}

/// Σ of(aᵢ, bᵢ) in a fixed order.
#[inline(always)]
fn total<E: Real>(a: &[E], b: &[E], of: impl Fn(E, E) -> E) -> E {
    let mut lanes = [E::zero(); LANES];
    let (whole, rest) = (a.chunks_exact(LANES), a.chunks_exact(LANES).remainder());
    for (a, b) in whole.zip(b.chunks_exact(LANES)) {
        for i in 0..LANES {
            lanes[i] += of(a[i], b[i]);
        }
    }
    let from = a.len() - rest.len();
    for (lane, (a, b)) in lanes.iter_mut().zip(rest.iter().zip(&b[from..])) {
        *lane += of(*a, *b);
    }
    lanes.iter().fold(E::zero(), |sum, v| sum + *v)
}

/// Mean and reciprocal deviation of a row.
#[inline(always)]
fn moments<E: Real>(row: &[E]) -> (E, E) {
    let n = E::of(row.len() as f64);
    let mean = total(row, row, |v, _| v) / n;
    let variance = total(row, row, |v, _| (v - mean) * (v - mean)) / n;
    (mean, E::one() / (variance + E::of(EPSILON)).sqrt())
}

vectorised! {
    /// Rows with mean 0 and variance 1.
    fn normalise<E: Real>(rows: &mut [E], width: usize) {
        for row in rows.chunks_exact_mut(width) {
            let (mean, scale) = moments(row);
            row.iter_mut().for_each(|v| *v = (*v - mean) * scale);
        }
    }
}
vectorised! {
    /// The reciprocal deviations of rows.
    fn deviations<E: Real>(rows: &[E], to: &mut [E]) {
        let width = rows.len() / to.len();
        for (row, to) in rows.chunks_exact(width).zip(to) {
            *to = moments(row).1;
        }
    }
}
vectorised! {
    fn weigh<E: Real>(rows: &mut [E], weight: &[E], bias: &[E]) {
        for row in rows.chunks_exact_mut(weight.len()) {
            for (v, (w, b)) in row.iter_mut().zip(weight.iter().zip(bias)) {
                *v = *v * *w + *b;
            }
        }
    }
}
vectorised! {
    /// Adds Σ slope · normalised and Σ slope over rows.
    fn sum<E: Real>(slopes: &[E], normal: &[E], products: &mut [E], sums: &mut [E]) {
        let c = sums.len();
        for (s, n) in slopes.chunks_exact(c).zip(normal.chunks_exact(c)) {
            for i in 0..c {
                products[i] += s[i] * n[i];
                sums[i] += s[i];
            }
        }
    }
}
vectorised! {
    /// slopes ← d (g − mean g − n · mean(g n)) with g = slopes ∘ weight, row by row.
    fn back<E: Real>(slopes: &mut [E], normal: &[E], scales: &[E], weight: &[E]) {
        let (c, count) = (weight.len(), E::of(weight.len() as f64));
        let rows = slopes.chunks_exact_mut(c).zip(normal.chunks_exact(c)).zip(scales);
        for ((row, normal), scale) in rows {
            row.iter_mut().zip(weight).for_each(|(s, w)| *s *= *w);
            let mean = total(row, row, |s, _| s) / count;
            let along = total(row, normal, |s, n| s * n) / count;
            for (s, n) in row.iter_mut().zip(normal) {
                *s = (*s - mean - *n * along) * *scale;
            }
        }
    }
}
