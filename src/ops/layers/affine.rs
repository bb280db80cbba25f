//! A scale and a shift for every number of a sample.

use dfdx::prelude::*;

use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::thin::transpose;
use super::super::{Real, Scratch};
use super::norm::Affine;
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::statistics::column_sums;
use super::tape::LayerOp;

/// y = x ∘ weight + bias.
struct Weighted {
    extent: Extent,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// y = x ∘ weight + bias, both with a number for each number of a sample, channel by channel: with
    /// [`norm`](Self::norm) over one group, PyTorch's `LayerNorm((channels, …))`.
    ///
    /// # Panics
    /// If they have not as many.
    pub fn affine<W: Shape, B: Shape>(
        &mut self,
        x: Value,
        (weight, bias): Affine<W, B, E, D>,
    ) -> Value {
        let extent = self.extent(x);
        assert_eq!(weight.shape().num_elements(), extent.len(), "the weight of a sample");
        assert_eq!(bias.shape().num_elements(), extent.len(), "the bias of a sample");
        self.push(Weighted { extent }, &[x], [D::hold(weight), D::hold(bias)], extent)
    }
}

impl Weighted {
    /// Channels last.
    fn inside<E: Real>(&self, v: &[E]) -> Scratch<E> {
        let mut to = Scratch::new(v.len());
        transpose::<E>(v, self.extent.channels, self.extent.positions(), &mut to);
        to
    }

    /// Channels first, added.
    fn add_outside<E: Real>(&self, v: &[E], to: &mut [E]) {
        let mut first = Scratch::new(v.len());
        transpose::<E>(v, self.extent.positions(), self.extent.channels, &mut first);
        to.iter_mut().zip(first.iter()).for_each(|(t, v)| *t += *v);
    }
}

impl<E: Real> Layer<E> for Weighted {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let [weight, bias] = [0, 1].map(|p| self.inside::<E>(&work.parameters[p]));
        let len = self.extent.len();
        for_each_chunk(y, len, |i, y| {
            apply::<E>(&work.inputs[0][i * len..(i + 1) * len], &weight, &bias, y);
        });
        Stash::new()
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        let len = self.extent.len();
        let [products, sums] =
            column_sums(&slopes, (1, work.samples, len), |_, slopes, [p, s], first| {
                sum::<E>(slopes, &work.inputs[0][first * len..], p, s);
            });
        to.parameter(0, |to| self.add_outside(&products, to));
        to.parameter(1, |to| self.add_outside(&sums, to));
        let weight = self.inside::<E>(&work.parameters[0]);
        for_each_chunk(&mut slopes, len, |_, s| times::<E>(s, &weight));
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: true, output: false }
    }
}

vectorised! {
    fn apply<E: Real>(x: &[E], weight: &[E], bias: &[E], y: &mut [E]) {
        for (y, (x, (w, b))) in y.iter_mut().zip(x.iter().zip(weight.iter().zip(bias))) {
            *y = *x * *w + *b;
        }
    }
}
vectorised! {
    /// Adds Σ slope · x and Σ slope over samples.
    fn sum<E: Real>(slopes: &[E], x: &[E], products: &mut [E], sums: &mut [E]) {
        let len = sums.len();
        for (s, x) in slopes.chunks_exact(len).zip(x.chunks_exact(len)) {
            for i in 0..len {
                products[i] += s[i] * x[i];
                sums[i] += s[i];
            }
        }
    }
}
vectorised! {
    fn times<E: Real>(v: &mut [E], by: &[E]) {
        v.iter_mut().zip(by).for_each(|(v, by)| *v *= *by);
    }
}
