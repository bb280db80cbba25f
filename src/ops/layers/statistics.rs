//! Means and deviations of channels over positions, with a fixed partition of the sums.

use super::super::parallel::map_each;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};

/// Positions whose numbers are summed before the sums are added.
const ROWS: usize = 512;

/// Two sums for each channel of each of `sets` sets of `rows` positions: `each(set, numbers, sums,
/// first)` adds those of some positions, the first of which is given.
pub(super) fn column_sums<E: Real>(
    v: &[E],
    (sets, rows, channels): (usize, usize, usize),
    each: impl Fn(usize, &[E], [&mut [E]; 2], usize) + Sync + Send,
) -> [Scratch<E>; 2] {
    let parts = rows.div_ceil(ROWS);
    let sums = map_each(sets * parts, |i| {
        let (set, first) = (i / parts, i % parts * ROWS);
        let here =
            (set * rows + first) * channels..(set * rows + rows.min(first + ROWS)) * channels;
        let mut sums = [Scratch::new(channels), Scratch::new(channels)];
        let [a, b] = &mut sums;
        a.fill(E::zero());
        b.fill(E::zero());
        each(set, &v[here], [a, b], first);
        sums
    });
    let mut all = [Scratch::new(sets * channels), Scratch::new(sets * channels)];
    for (i, part) in sums.iter().enumerate() {
        let at = i / parts * channels..(i / parts + 1) * channels;
        for (all, part) in all.iter_mut().zip(part) {
            if i % parts == 0 {
                all[at.clone()].copy_from_slice(part);
            } else {
                all[at.clone()].iter_mut().zip(part.iter()).for_each(|(a, p)| *a += *p);
            }
        }
    }
    all
}

/// Mean and reciprocal deviation of each channel of each set.
pub(super) struct Coefficients<E: Real> {
    pub(super) mean: Scratch<E>,
    pub(super) deviation: Scratch<E>,
    pub(super) channels: usize,
}

impl<E: Real> Coefficients<E> {
    /// Those of `x`: `sets` sets of `rows` positions, channels in `groups`. The variance is a second
    /// pass over the numbers, less their mean; its
    /// divisor is `lost` less than their number.
    pub(super) fn of(
        x: &[E],
        (sets, rows, channels, groups): (usize, usize, usize, usize),
        lost: usize,
        epsilon: E,
    ) -> Self {
        let each = rows * (channels / groups);
        let (count, divisor) = (E::of(each as f64), E::of((each - lost) as f64));
        let [mut mean, _] = column_sums(x, (sets, rows, channels), |_, x, [sums, _], _| {
            super::super::dense::sum_rows::<E>(x, sums);
        });
        share(&mut mean, channels / groups, |sum| sum / count);
        let [mut deviation, _] = column_sums(x, (sets, rows, channels), |set, x, [sums, _], _| {
            sum_squares::<E>(x, &mean[set * channels..(set + 1) * channels], sums);
        });
        share(&mut deviation, channels / groups, |sum| E::one() / (sum / divisor + epsilon).sqrt());
        Self { mean, deviation, channels }
    }

    /// Given ones, the same for all samples.
    pub(super) fn settled(mean: &[E], variance: &[E], epsilon: E) -> Self {
        let mut deviation = Scratch::copy_of(variance);
        deviation.iter_mut().for_each(|v| *v = E::one() / (*v + epsilon).sqrt());
        Self { mean: Scratch::copy_of(mean), deviation, channels: mean.len() }
    }

    /// Mean and reciprocal deviation of a set; settled ones are the same for all.
    pub(super) fn of_set(&self, set: usize) -> [&[E]; 2] {
        let at = set * self.channels..(set + 1) * self.channels;
        [&self.mean[at.clone()], &self.deviation[at]]
    }

    /// Slope and shift of x ↦ (x − mean) · deviation · weight + bias: `[set, 2, channel]`.
    pub(super) fn lines(&self, weight: &[E], bias: &[E]) -> Scratch<E> {
        let c = self.channels;
        let mut lines = Scratch::new(2 * self.mean.len());
        for (set, lines) in lines.chunks_exact_mut(2 * c).enumerate() {
            let [mean, deviation] = self.of_set(set);
            for i in 0..c {
                let slope = deviation[i] * weight.get(i).copied().unwrap_or(E::one());
                lines[i] = slope;
                lines[c + i] = bias.get(i).copied().unwrap_or(E::zero()) - mean[i] * slope;
            }
        }
        lines
    }

    /// The gradient in x is a · slope + b · x + c: `[set, 3, channel]`. With Σ s and Σ s n over slopes s
    /// and normalised numbers n, and M the mean over a group of channels,
    /// dx = d (w s − M(w Σs) − n M(w Σ s n)), without the means where statistics are settled.
    pub(super) fn backward_lines(
        &self,
        weight: &[E],
        (sums, products): (&[E], &[E]),
        (rows, groups, lost): (usize, usize, usize),
        settled: bool,
    ) -> Scratch<E> {
        let (c, each) = (self.channels, self.channels / groups);
        let weighted = |v: &[E], count: usize| {
            let count = E::of(count as f64);
            let mut out = Scratch::copy_of(v);
            for (i, v) in out.iter_mut().enumerate() {
                *v *= weight.get(i % c).copied().unwrap_or(E::one());
            }
            let mean = |sum: E| if settled { E::zero() } else { sum / count };
            share(&mut out, each, mean);
            out
        };
        let (means, slopes) = (weighted(sums, rows * each), weighted(products, rows * each - lost));
        let mut lines = Scratch::new(3 * self.mean.len());
        for (set, lines) in lines.chunks_exact_mut(3 * c).enumerate() {
            let [mean, deviation] = self.of_set(set);
            for i in 0..c {
                let (m, s, d) = (means[set * c + i], slopes[set * c + i], deviation[i]);
                lines[i] = d * weight.get(i).copied().unwrap_or(E::one());
                lines[c + i] = -d * d * s;
                lines[2 * c + i] = d * (mean[i] * d * s - m);
            }
        }
        lines
    }
}

/// Replaces the numbers of each `size` neighbours by a function of their sum.
fn share<E: Real>(v: &mut [E], size: usize, of: impl Fn(E) -> E) {
    for group in v.chunks_exact_mut(size) {
        let sum = group.iter().fold(E::zero(), |sum, v| sum + *v);
        group.fill(of(sum));
    }
}

vectorised! {
    fn sum_squares<E: Real>(x: &[E], mean: &[E], sums: &mut [E]) {
        for x in x.chunks_exact(mean.len()) {
            for (s, (x, m)) in sums.iter_mut().zip(x.iter().zip(mean)) {
                let d = *x - *m;
                *s += d * d;
            }
        }
    }
}
