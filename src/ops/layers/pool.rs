//! Max pooling.

use super::super::conv::Convolution;
use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// The taps of each window that lie inside the image, with the positions they read.
struct Windows {
    rows: Vec<usize>,
    taps: Vec<(u32, usize)>,
}

struct Largest {
    windows: Windows,
    /// Positions of an input.
    from: usize,
    channels: usize,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// The largest numbers of the windows of a convolution, whose channels do not matter, for each
    /// channel. The gradient goes to the first of equals.
    ///
    /// # Panics
    /// If a window does not fit.
    pub fn max_pool(&mut self, x: Value, windows: Convolution) -> Value {
        let from = self.extent(x);
        assert_eq!(from.size, windows.size, "the image that is pooled");
        assert!(windows.check().is_ok(), "windows that fit: {:?}", windows.check());
        let to = Extent { size: windows.output_size(), ..from };
        let (from, channels) = (from.positions(), from.channels);
        self.push(Largest { windows: Windows::of(&windows), from, channels }, &[x], [], to)
    }
}

impl Windows {
    fn of(c: &Convolution) -> Self {
        let (out, mut rows, mut taps) = (c.output_size(), vec![0], Vec::new());
        let at = |a: usize, p: usize, k: usize| {
            let i = (c.stride[a] * p + c.dilation[a] * k).checked_sub(c.padding[a])?;
            (i < c.size[a]).then_some(i)
        };
        let [kz, ky, kx] = c.kernel;
        for p in 0..out.iter().product() {
            let [z, y, x] = [p / (out[1] * out[2]), p / out[2] % out[1], p % out[2]];
            for tap in 0..kz * ky * kx {
                let k = [tap / (ky * kx), tap / kx % ky, tap % kx];
                if let (Some(z), Some(y), Some(x)) =
                    (at(0, z, k[0]), at(1, y, k[1]), at(2, x, k[2]))
                {
                    taps.push((tap as u32, (z * c.size[1] + y) * c.size[2] + x));
                }
            }
            rows.push(taps.len());
        }
        Self { rows, taps }
    }

    fn count(&self) -> usize {
        self.rows.len() - 1
    }
}

impl<E: Real> Layer<E> for Largest {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (from, to) = (self.from * self.channels, self.windows.count() * self.channels);
        let (rows, taps) = (&self.windows.rows[..], &self.windows.taps[..]);
        let x = |i: usize| &work.inputs[0][i * from..(i + 1) * from];
        for_each_chunk(y, to, |i, y| most::<E>(rows, taps, x(i), self.channels, y));
        if !work.recorded {
            return Stash::new();
        }
        let mut winners = Scratch::new(y.len());
        for_each_chunk(&mut winners, to, |i, winners| {
            winning::<E>(rows, taps, x(i), &y[i * to..(i + 1) * to], self.channels, winners);
        });
        vec![winners]
    }

    fn backward(&self, work: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let len = self.windows.count() * self.channels;
        to.input(0, |to, fresh| {
            for_each_chunk(to, self.from * self.channels, |i, to| {
                if fresh {
                    to.fill(E::zero());
                }
                let here = i * len..(i + 1) * len;
                let (slopes, winners) = (&slopes[here.clone()], &work.stash[0][here]);
                let (rows, taps) = (&self.windows.rows[..], &self.windows.taps[..]);
                spread::<E>(rows, taps, slopes, winners, self.channels, to);
            });
        });
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}

vectorised! {
    /// The largest number of each window; NaN wins.
    fn most<E: Real>(
        rows: &[usize], taps: &[(u32, usize)], x: &[E], channels: usize, y: &mut [E],
    ) {
        for (bounds, y) in rows.windows(2).zip(y.chunks_exact_mut(channels)) {
            y.fill(E::neg_infinity());
            for (_, p) in &taps[bounds[0]..bounds[1]] {
                for (y, x) in y.iter_mut().zip(&x[p * channels..(p + 1) * channels]) {
                    *y = if *y >= *x || y.is_nan() { *y } else { *x };
                }
            }
        }
    }
}
vectorised! {
    /// The first tap that has the largest number `y`.
    fn winning<E: Real>(
        rows: &[usize],
        taps: &[(u32, usize)],
        x: &[E],
        y: &[E],
        channels: usize,
        winners: &mut [E],
    ) {
        let windows = winners.chunks_exact_mut(channels).zip(y.chunks_exact(channels));
        for (bounds, (winners, y)) in rows.windows(2).zip(windows) {
            winners.fill(E::zero());
            for (tap, p) in taps[bounds[0]..bounds[1]].iter().rev() {
                let tap = E::of(f64::from(*tap));
                let x = &x[p * channels..(p + 1) * channels];
                for (winner, (x, y)) in winners.iter_mut().zip(x.iter().zip(y)) {
                    *winner = if *x == *y { tap } else { *winner };
                }
            }
        }
    }
}
vectorised! {
    /// Adds each slope to the position that won.
    fn spread<E: Real>(
        rows: &[usize],
        taps: &[(u32, usize)],
        slopes: &[E],
        winners: &[E],
        channels: usize,
        to: &mut [E],
    ) {
        let windows = slopes.chunks_exact(channels).zip(winners.chunks_exact(channels));
        for (bounds, (slopes, winners)) in rows.windows(2).zip(windows) {
            for (tap, p) in &taps[bounds[0]..bounds[1]] {
                let tap = E::of(f64::from(*tap));
                let to = &mut to[p * channels..(p + 1) * channels];
                for (to, (slope, winner)) in to.iter_mut().zip(slopes.iter().zip(winners)) {
                    *to += if *winner == tap { *slope } else { E::zero() };
                }
            }
        }
    }
}
