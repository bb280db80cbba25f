//! A convolution followed by a ReLU, and pooling.

use rayon::prelude::*;

use super::map::Map;
use crate::ops::conv::{convolve, convolve_adjoint, Convolution, Extra};

/// max(w ∗ x + b, 0).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    pub(super) padding: [usize; 2],
    /// `[outputs, inputs, kernel]`
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Unit {
    /// The sizes of a unit whose numbers are still to come.
    pub(super) fn new(inputs: usize, outputs: usize, kernel: [usize; 2]) -> Self {
        let (weights, bias) = (Vec::new(), Vec::new());
        Self { inputs, outputs, kernel, stride: 1, padding: [0; 2], weights, bias }
    }

    pub(super) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// As much padding as keeps the size at stride 1, for odd kernels.
    pub(super) fn same(self) -> Self {
        Self { padding: self.kernel.map(|k| k / 2), ..self }
    }

    pub(super) fn weight_shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs, self.kernel[0], self.kernel[1]]
    }

    fn geometry(&self, size: [usize; 2]) -> Convolution {
        let mut c = Convolution::image(self.inputs, self.outputs, size, self.kernel);
        c.stride = [1, self.stride, self.stride];
        c.padding = [0, self.padding[0], self.padding[1]];
        c
    }

    /// The size of the output, if the kernel fits.
    pub(super) fn output_size(&self, size: [usize; 2]) -> Option<[usize; 2]> {
        let c = self.geometry(size);
        c.check().ok()?;
        let [_, height, width] = c.output_size();
        Some([height, width])
    }

    /// The kernel must fit.
    pub(super) fn run(&self, x: &Map) -> Map {
        let c = self.geometry([x.height, x.width]);
        let [_, height, width] = c.output_size();
        let mut y = Map::zeros(x.n, [height, width], self.outputs);
        let extra = Extra { bias: &self.bias, scale: 1.0, onto: false, slope: 0.0 };
        convolve(&c, &x.values, &self.weights, &mut y.values, extra);
        y
    }

    /// The gradient in x, given y and the gradient in y, which is used up.
    pub(super) fn pull(&self, x: &Map, y: &Map, mut slope: Map) -> Map {
        let cut = slope.values.par_iter_mut().with_min_len(1 << 14).zip(&y.values);
        cut.for_each(|(s, y)| *s = if *y > 0.0 { *s } else { 0.0 });
        let mut out = Map::zeros(x.n, [x.height, x.width], self.inputs);
        let c = self.geometry([x.height, x.width]);
        convolve_adjoint(&c, &slope.values, &self.weights, &mut out.values, Extra::none(1.0));
        out
    }
}

/// Windows of a pooling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pool {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl Pool {
    pub(super) const HALVE: Self = Self { kernel: 2, stride: 2, padding: 0 };
    pub(super) const THREE_BY_TWO: Self = Self { kernel: 3, stride: 2, padding: 0 };
    pub(super) const THREE: Self = Self { kernel: 3, stride: 1, padding: 1 };

    /// The size of the output, if the window fits.
    pub(super) fn output_size(self, size: [usize; 2]) -> Option<[usize; 2]> {
        let one =
            |s: usize| Some((s + 2 * self.padding).checked_sub(self.kernel)? / self.stride + 1);
        Some([one(size[0])?, one(size[1])?])
    }

    /// The part of axis positions `0..size` that output position `i` sees.
    fn window(self, i: usize, size: usize) -> std::ops::Range<usize> {
        let from = i * self.stride;
        from.saturating_sub(self.padding)..(from + self.kernel - self.padding).min(size)
    }

    /// The largest number in each window, channel by channel.
    pub(super) fn largest(self, x: &Map) -> Map {
        self.windows(x, f32::NEG_INFINITY, |to, from| {
            to.iter_mut().zip(from).for_each(|(t, f)| *t = if *f > *t { *f } else { *t });
        })
    }

    /// The mean of each window; `counted` says whether the padding counts as zeros.
    pub(super) fn mean(self, x: &Map, counted: bool) -> Map {
        let mut y = self.windows(x, 0.0, |to, from| {
            to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        });
        let (channels, width, positions) = (y.channels, y.width, y.positions());
        y.values.par_chunks_exact_mut(channels).with_min_len(256).enumerate().for_each(
            |(i, pixel)| {
                let p = i % positions;
                let inside =
                    self.window(p / width, x.height).len() * self.window(p % width, x.width).len();
                let share = 1.0 / if counted { self.kernel * self.kernel } else { inside } as f32;
                pixel.iter_mut().for_each(|v| *v *= share);
            },
        );
        y
    }

    fn windows(self, x: &Map, start: f32, each: impl Fn(&mut [f32], &[f32]) + Sync) -> Map {
        let size = self.output_size([x.height, x.width]).unwrap_or_default();
        let mut y = Map::zeros(x.n, size, x.channels);
        let (c, numbers) = (x.channels, y.numbers().max(1));
        let images = y.values.par_chunks_mut(numbers).zip(x.values.par_chunks(x.numbers().max(1)));
        images.for_each(|(to, from)| {
            for (p, pixel) in to.chunks_exact_mut(c).enumerate() {
                pixel.fill(start);
                for line in self.window(p / size[1], x.height) {
                    for column in self.window(p % size[1], x.width) {
                        each(pixel, &from[(line * x.width + column) * c..][..c]);
                    }
                }
            }
        });
        y
    }

    /// The gradient of [`largest`](Self::largest) in x: all of it to the first of the largest.
    pub(super) fn pull_largest(self, x: &Map, y: &Map, slope: &Map) -> Map {
        let mut out = Map::zeros(x.n, [x.height, x.width], x.channels);
        let (c, numbers) = (x.channels, x.numbers());
        let images =
            out.values.par_chunks_exact_mut(numbers).zip(x.values.par_chunks_exact(numbers));
        let above = y.values.par_chunks_exact(y.numbers());
        let images = images.zip(above.zip(slope.values.par_chunks_exact(y.numbers())));
        images.for_each(|((out, x_one), (y_one, slope))| {
            let mut open = vec![true; c];
            for (p, (top, slope)) in y_one.chunks_exact(c).zip(slope.chunks_exact(c)).enumerate() {
                open.fill(true);
                for line in self.window(p / y.width, x.height) {
                    for column in self.window(p % y.width, x.width) {
                        let at = (line * x.width + column) * c;
                        for k in 0..c {
                            if open[k] && x_one[at + k] == top[k] {
                                out[at + k] += slope[k];
                                open[k] = false;
                            }
                        }
                    }
                }
            }
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    #[test]
    fn means_with_and_without_their_borders() {
        let ones = Map { n: 1, height: 3, width: 4, channels: 2, values: vec![1.0; 24] };
        assert!(Pool::THREE.mean(&ones, false).values.iter().all(|v| (v - 1.0).abs() < 1e-6));
        let counted = Pool::THREE.mean(&ones, true).values;
        // Corners see four of nine, edges six, the inside all.
        for (p, share) in [(0, 4.0), (1, 6.0), (5, 9.0), (11, 4.0)] {
            assert!((counted[2 * p] - share / 9.0).abs() < 1e-6, "{p}");
        }
    }

    #[test]
    fn maxima_and_where_their_gradient_goes() {
        let (h, w, c) = (7, 6, 3);
        let values = Key::new(0).normal(2 * h * w * c);
        let x = Map { n: 2, height: h, width: w, channels: c, values };
        for pool in [Pool::HALVE, Pool::THREE_BY_TWO, Pool::THREE] {
            let y = pool.largest(&x);
            let slope = Map { values: Key::new(1).normal(y.values.len()), ..y.clone() };
            let pulled = pool.pull_largest(&x, &y, &slope);
            let mut wanted = vec![0.0; x.values.len()];
            for (q, top) in y.values.iter().enumerate() {
                let (i, k) = (q / (y.positions() * c), q % c);
                let (row, column) = (q / c % y.positions() / y.width, q / c % y.width);
                let inside = |p: usize, s: usize| {
                    let from = (s * pool.stride) as isize - pool.padding as isize;
                    (from..from + pool.kernel as isize).contains(&(p as isize))
                };
                let window: Vec<usize> = (0..h * w)
                    .filter(|p| inside(p / w, row) && inside(p % w, column))
                    .map(|p| (i * h * w + p) * c + k)
                    .collect();
                let largest = window.iter().map(|&p| x.values[p]).fold(f32::MIN, f32::max);
                assert_eq!(largest, *top, "{pool:?}");
                let Some(at) = window.iter().find(|&&p| x.values[p] == largest) else { continue };
                wanted[*at] += slope.values[q];
            }
            // Up to four slopes are added, in another order.
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            assert!(pulled.values.iter().zip(&wanted).all(close), "{pool:?}");
        }
        // Equal numbers: the first takes all.
        let equal = Map { n: 1, height: 2, width: 2, channels: 1, values: vec![1.0; 4] };
        let y = Pool::HALVE.largest(&equal);
        let slope = Map { values: vec![3.0], ..y.clone() };
        assert_eq!(Pool::HALVE.pull_largest(&equal, &y, &slope).values, [3.0, 0.0, 0.0, 0.0]);
    }
}
