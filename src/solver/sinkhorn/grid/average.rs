//! Averages under the terms of the sums along one axis.

use super::axis::{complete, line_of, rounded, Kernel, Panel, Place};
use crate::ops::gemm::{multiply_here, Into, Matrix};
use crate::ops::parallel::for_each_chunk;
use crate::ops::simd::vectorised;
use crate::ops::{Real, Scratch};
use crate::solver::sinkhorn::shape::Contract;

/// What is averaged: numbers t(i, r), plus `price` times the costs of the axis in units of ε ln 2.
#[derive(Clone, Copy)]
pub(super) struct Averaged<'a, E> {
    pub(super) t: &'a [E],
    pub(super) price: E,
}

impl<E: Real> Kernel<E> {
    /// z(r, j), the mean of t(i, r) + price · C̃ᵢⱼ with weights 2^(x(i, r) − C̃ᵢⱼ); `logs` are the sums
    /// of a pass from `x`.
    pub(super) fn averages(&self, x: &[E], logs: &[E], of: Averaged<'_, E>, z: &mut [E]) {
        let lines = x.len() / self.n;
        let size = self.chunk(lines);
        let priced: Option<Vec<E>> = (of.price != E::zero()).then(|| {
            let both = self.powers.iter().zip(&self.exponents);
            both.map(|(k, e)| -of.price * *k * *e).collect()
        });
        for_each_chunk(z, size, |c, z| {
            let place = self.place(lines, c * size, z.len());
            let mut panel = Panel::new(x, lines, &place);
            let mut sums = Scratch::new(z.len());
            let times = |panel: &Panel<E>, kernel: &[E], out: &mut [E], into| {
                let kernel: Matrix<'_, E> = self.columns(kernel, &place);
                multiply_here(panel.matrix(self.n), kernel, out, place.width, into);
            };
            times(&panel, &self.powers, &mut sums, Into::Overwrite);
            if let Some(priced) = &priced {
                times(&panel, priced, z, Into::Overwrite);
            } else {
                z.fill(E::zero());
            }
            panel.weigh(of.t, lines, &place);
            times(&panel, &self.powers, z, Into::Add);
            for (l, (mean, sums)) in
                z.chunks_exact_mut(place.width).zip(sums.chunks_exact(place.width)).enumerate()
            {
                if complete::<E>(sums, self.least) {
                    mean.iter_mut().zip(sums).for_each(|(m, s)| *m /= *s);
                } else {
                    let logs = &logs[c * size + l * place.width..][..place.width];
                    let [x, t] = [x, of.t].map(|v| line_of(v, lines, place.line + l, self.n));
                    self.explicit_average([&x, &t, logs], of.price, &place, mean);
                }
            }
        });
    }

    /// A line with powers relative to each sum.
    fn explicit_average(&self, [x, t, logs]: [&[E]; 3], price: E, place: &Place, mean: &mut [E]) {
        let mut weights = Scratch::new(mean.len());
        weights.fill(E::zero());
        mean.fill(E::zero());
        for ((x, t), e) in x.iter().zip(t).zip(self.exponents.chunks_exact(self.m)) {
            let e = &e[place.columns()];
            rounded!(add_average([*x, *t, price], e, logs, &mut weights, mean));
        }
        mean.iter_mut().zip(weights.iter()).for_each(|(m, w)| *m /= *w);
    }
}

impl<E: Real> Panel<E> {
    /// Multiplies the powers by `t`.
    fn weigh(&mut self, t: &[E], lines: usize, place: &Place) {
        let width = place.lines();
        for (row, t) in self.powers.chunks_exact_mut(width).zip(t.chunks_exact(lines)) {
            row.iter_mut().zip(&t[place.line..]).for_each(|(p, t)| *p *= *t);
        }
    }
}

vectorised! {
    /// Adds w = 2^(x + e − log) to the weights and w (t − price e) to the means.
    fn add_average<E: Real, T: Contract>(
        terms: [E; 3], e: &[E], log: &[E], weights: &mut [E], mean: &mut [E],
    ) {
        let [x, t, price] = terms;
        let m = e.len();
        let (log, weights, mean) = (&log[..m], &mut weights[..m], &mut mean[..m]);
        for j in 0..m {
            let w = T::exp2(x + e[j] - log[j]);
            weights[j] += w;
            mean[j] = T::fma(w, t - price * e[j], mean[j]);
        }
    }
}
