//! Normalisation over positions: batch, group and instance norm, with an activation.

use std::marker::PhantomData;

use dfdx::prelude::*;

use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Activation, Real, Scratch};
use super::program::{Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::statistics::{column_sums, Coefficients};
use super::tape::LayerOp;

/// Added to variances; PyTorch's default.
pub(super) const EPSILON: f64 = 1e-5;
/// How much of a running mean or variance a batch replaces; PyTorch's default.
const MOMENTUM: f64 = 0.1;
/// Positions that a thread takes at once.
const ROWS: usize = 256;

/// Over which numbers mean and variance are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// All samples and positions of a channel.
    Batch,
    /// The positions and channels of a group of channels of a sample; with one group, all of a sample,
    /// with as many groups as channels, instance normalisation.
    Groups(usize),
    /// The positions of each channel of a sample, the variance with Bessel's correction: what conditional
    /// instance normalisation takes.
    UnbiasedInstance,
}

/// Weight and bias of a norm, one number for each channel.
pub type Affine<'a, W, B, E, D> = (&'a Tensor<W, E, D>, &'a Tensor<B, E, D>);

/// Mean and variance of each channel that batch norm uses where it does not learn.
///
/// While parameters of a batch norm are learned it normalises with the statistics of the batch, and
/// leaves a tenth of the difference between the running statistics and those of the batch as their
/// *gradient*; a [`Learner`](crate::function::Learner) subtracts that with its update, without a rate.
/// A forward pass so stays a pure function, and a network a plain set of arrays.
pub struct Running<'a, S: Shape, E: Real, D: LayerOp<E>> {
    /// Mean of each channel.
    pub mean: &'a Tensor<S, E, D>,
    /// Variance of each channel, with Bessel's correction.
    pub variance: &'a Tensor<S, E, D>,
}

/// y = σ((x − mean) / √(variance + ε) · weight + bias).
struct Normed<A> {
    kind: NormKind,
    channels: usize,
    positions: usize,
    affine: bool,
    running: bool,
    activation: PhantomData<A>,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// σ of the input, normalised over positions, times the weight plus the bias of its channel, if
    /// there are any.
    ///
    /// # Panics
    /// If there is not one number for each channel, or the groups do not divide the channels.
    pub fn norm<A: Activation, W: Shape, B: Shape, R: Shape>(
        &mut self,
        x: Value,
        kind: NormKind,
        affine: Option<Affine<W, B, E, D>>,
        running: Option<Running<R, E, D>>,
    ) -> Value {
        let extent = self.extent(x);
        let channels = extent.channels;
        if let NormKind::Groups(groups) = kind {
            assert!(groups > 0 && channels.is_multiple_of(groups), "groups of channels");
        }
        let mut held = Vec::new();
        if let Some((weight, bias)) = affine {
            assert_eq!(weight.shape().num_elements(), channels, "the weight of a norm");
            assert_eq!(bias.shape().num_elements(), channels, "the bias of a norm");
            held.extend([D::hold(weight), D::hold(bias)]);
        }
        let (affine, kept) = (affine.is_some(), running.is_some());
        if let Some(Running { mean, variance }) = running {
            assert_eq!(mean.shape().num_elements(), channels, "the running mean of a norm");
            assert_eq!(variance.shape().num_elements(), channels, "the variance of a norm");
            held.extend([D::hold(mean), D::hold(variance)]);
        }
        let layer = Normed::<A> {
            kind,
            channels,
            positions: extent.positions(),
            affine,
            running: kept,
            activation: PhantomData,
        };
        self.push(layer, &[x], held, extent)
    }
}

impl<A: Activation> Normed<A> {
    /// How many times, over how many positions, and in how many groups of channels statistics are
    /// taken.
    fn sets(&self, samples: usize) -> (usize, usize, usize) {
        match self.kind {
            NormKind::Batch => (1, samples * self.positions, self.channels),
            NormKind::Groups(groups) => (samples, self.positions, groups),
            NormKind::UnbiasedInstance => (samples, self.positions, self.channels),
        }
    }

    /// By how much the divisor of a variance is less than the number of its summands.
    fn lost(&self) -> usize {
        usize::from(self.kind == NormKind::UnbiasedInstance && self.positions > 1)
    }

    /// Whether the running statistics are used.
    fn settled(&self, learning: bool) -> bool {
        self.running && !learning
    }

    /// The running mean and variance.
    fn running<'a, E: Real>(&self, parameters: &'a [Scratch<E>]) -> [&'a [E]; 2] {
        let first = if self.affine { 2 } else { 0 };
        [&parameters[first], &parameters[first + 1]]
    }

    /// Weight and bias, or nothing.
    fn affine<'a, E: Real>(&self, parameters: &'a [Scratch<E>]) -> [&'a [E]; 2] {
        if self.affine {
            [&parameters[0], &parameters[1]]
        } else {
            [&[], &[]]
        }
    }
}

impl<E: Real, A: Activation> Layer<E> for Normed<A> {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (sets, rows, groups) = self.sets(work.samples);
        let (x, c) = (work.inputs[0], self.channels);
        let [weight, bias] = self.affine(work.parameters);
        let at = if self.settled(work.learning) {
            let [mean, variance] = self.running(work.parameters);
            Coefficients::settled(mean, variance, E::of(EPSILON))
        } else {
            Coefficients::of(x, (sets, rows, c, groups), self.lost(), E::of(EPSILON))
        };
        let lines = at.lines(weight, bias);
        for_each_chunk(y, ROWS * c, |i, y| {
            let x = &x[i * ROWS * c..][..y.len()];
            apply::<E, A>(x, &lines, c, i * ROWS, rows, y);
        });
        vec![at.mean, at.deviation]
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (sets, rows, groups) = self.sets(work.samples);
        let (x, c) = (work.inputs[0], self.channels);
        let mut stash = work.stash.into_iter();
        let (Some(mean), Some(deviation)) = (stash.next(), stash.next()) else { return };
        let at = Coefficients { mean, deviation, channels: c };
        let [weight, bias] = self.affine(work.parameters);
        let lines = at.lines(weight, bias);
        for_each_chunk(&mut slopes, ROWS * c, |i, slopes| {
            let x = &x[i * ROWS * c..][..slopes.len()];
            times_slopes::<E, A>(x, &lines, c, i * ROWS, rows, slopes);
        });
        // Σ slope and Σ slope · normalised, for each set and channel.
        let [sums, products] =
            column_sums(&slopes, (sets, rows, c), |set, slopes, [s, p], from| {
                let here = (set * rows + from) * c..(set * rows + from) * c + slopes.len();
                let [mean, deviation] = at.of_set(set);
                sum_products::<E>(slopes, &x[here], mean, deviation, s, p);
            });
        if self.affine {
            to.parameter(0, |to| products.chunks_exact(c).for_each(|p| add(to, p)));
            to.parameter(1, |to| sums.chunks_exact(c).for_each(|s| add(to, s)));
        }
        let settled = self.settled(work.learning);
        if self.running && !settled {
            self.leave_statistics(&at, rows, work.parameters, to);
        }
        let back = {
            let counts = (rows, groups, self.lost());
            at.backward_lines(weight, (&sums, &products), counts, settled)
        };
        to.input(0, |to, fresh| {
            for_each_chunk(to, ROWS * c, |i, to| {
                let here = i * ROWS * c..i * ROWS * c + to.len();
                let at = (i * ROWS, rows);
                combine::<E>(&slopes[here.clone()], &x[here], &back, c, at, fresh, to);
            });
        });
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: true, output: false }
    }
}

impl<A: Activation> Normed<A> {
    /// What a learner subtracts from the running statistics.
    fn leave_statistics<E: Real>(
        &self,
        at: &Coefficients<E>,
        rows: usize,
        parameters: &[Scratch<E>],
        to: &mut Slopes<E>,
    ) {
        let [mean, variance] = self.running(parameters);
        let (momentum, epsilon) = (E::of(MOMENTUM), E::of(EPSILON));
        let bessel = E::of(rows as f64 / (rows.max(2) - 1) as f64);
        let first = if self.affine { 2 } else { 0 };
        to.parameter(first, |to| {
            for (to, (running, now)) in to.iter_mut().zip(mean.iter().zip(at.mean.iter())) {
                *to += momentum * (*running - *now);
            }
        });
        to.parameter(first + 1, |to| {
            for (to, (running, d)) in to.iter_mut().zip(variance.iter().zip(at.deviation.iter())) {
                // The reciprocal of the deviation is kept.
                let now = (E::one() / (*d * *d) - epsilon) * bessel;
                *to += momentum * (*running - now);
            }
        });
    }
}

fn add<E: Real>(to: &mut [E], from: &[E]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += *f);
}

/// The coefficients of the set of a row, out of `k` numbers for each channel of a set.
#[inline(always)]
fn of_row<E>(lines: &[E], channels: usize, k: usize, row: usize, rows: usize) -> &[E] {
    &lines[row / rows * channels * k..][..channels * k]
}

vectorised! {
    /// y = σ(slope · x + shift).
    fn apply<E: Real, A: Activation>(
        x: &[E], lines: &[E], c: usize, first: usize, rows: usize, y: &mut [E],
    ) {
        for (i, (x, y)) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)).enumerate() {
            let (slope, shift) = of_row(lines, c, 2, first + i, rows).split_at(c);
            for (y, (x, (a, b))) in y.iter_mut().zip(x.iter().zip(slope.iter().zip(shift))) {
                *y = A::value(*a * *x + *b);
            }
        }
    }
}
vectorised! {
    /// slopes ∘ σ'(slope · x + shift).
    fn times_slopes<E: Real, A: Activation>(
        x: &[E], lines: &[E], c: usize, first: usize, rows: usize, slopes: &mut [E],
    ) {
        for (i, (x, s)) in x.chunks_exact(c).zip(slopes.chunks_exact_mut(c)).enumerate() {
            let (slope, shift) = of_row(lines, c, 2, first + i, rows).split_at(c);
            for (s, (x, (a, b))) in s.iter_mut().zip(x.iter().zip(slope.iter().zip(shift))) {
                let z = *a * *x + *b;
                *s *= A::slope(if A::FROM_OUTPUT { A::value(z) } else { z });
            }
        }
    }
}
vectorised! {
    fn sum_products<E: Real>(
        slopes: &[E], x: &[E], mean: &[E], deviation: &[E], sums: &mut [E], products: &mut [E],
    ) {
        let c = mean.len();
        for (s, x) in slopes.chunks_exact(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                sums[i] += s[i];
                products[i] += s[i] * ((x[i] - mean[i]) * deviation[i]);
            }
        }
    }
}
vectorised! {
    /// a · slope + b · x + c, overwriting or added.
    fn combine<E: Real>(
        slopes: &[E],
        x: &[E],
        back: &[E],
        c: usize,
        at: (usize, usize),
        fresh: bool,
        to: &mut [E],
    ) {
        let all = slopes.chunks_exact(c).zip(x.chunks_exact(c)).zip(to.chunks_exact_mut(c));
        for (i, ((s, x), to)) in all.enumerate() {
            let back = of_row(back, c, 3, at.0 + i, at.1);
            let (a, (b, d)) = (&back[..c], back[c..].split_at(c));
            for i in 0..c {
                let v = a[i] * s[i] + b[i] * x[i] + d[i];
                to[i] = if fresh { v } else { to[i] + v };
            }
        }
    }
}
