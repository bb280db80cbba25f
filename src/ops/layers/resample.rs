//! Linear maps between positions, the same for all channels: average pooling and upsampling.

use super::super::conv::Convolution;
use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// Weights of positions in positions, row by row.
struct Matrix {
    /// Where each row begins and, at last, the end.
    rows: Vec<usize>,
    /// Positions with their weights.
    entries: Vec<(usize, f64)>,
}

impl Matrix {
    /// The product of one matrix for each axis, given as lists of (position, weight).
    fn product(axes: &[Vec<Vec<(usize, f64)>>; 3], from: [usize; 3]) -> Self {
        let (mut rows, mut entries) = (vec![0], Vec::new());
        for z in &axes[0] {
            for y in &axes[1] {
                for x in &axes[2] {
                    for (z, wz) in z {
                        for (y, wy) in y {
                            for (x, wx) in x {
                                let position = (z * from[1] + y) * from[2] + x;
                                entries.push((position, wz * wy * wx));
                            }
                        }
                    }
                    rows.push(entries.len());
                }
            }
        }
        Self { rows, entries }
    }

    fn transposed(&self, columns: usize) -> Self {
        let mut rows = vec![0; columns + 1];
        self.entries.iter().for_each(|(c, _)| rows[c + 1] += 1);
        (0..columns).for_each(|c| rows[c + 1] += rows[c]);
        let (mut next, mut entries) = (rows.clone(), vec![(0, 0.0); self.entries.len()]);
        for r in 0..self.rows.len() - 1 {
            for (c, w) in &self.entries[self.rows[r]..self.rows[r + 1]] {
                entries[next[*c]] = (r, *w);
                next[*c] += 1;
            }
        }
        Self { rows, entries }
    }
}

struct Resampled {
    matrix: Matrix,
    /// Positions of an input.
    from: usize,
    channels: usize,
}

/// How numbers between pixels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The pixel that covers the place.
    Nearest,
    /// Linear on every axis (bilinear, trilinear), the outermost pixels' centres being kept: PyTorch's
    /// `align_corners = true`.
    LinearCorners,
    /// Linear on every axis, the outermost pixels' edges being kept: `align_corners = false`.
    LinearEdges,
}

impl Interpolation {
    /// The pixels that make up each of `to` pixels of an axis, out of `from`.
    fn axis(self, from: usize, to: usize) -> Vec<Vec<(usize, f64)>> {
        let last = (from - 1) as f64;
        let place = |i: usize| match self {
            Self::Nearest => (i * from / to) as f64,
            Self::LinearCorners if to == 1 => 0.0,
            Self::LinearCorners => i as f64 * last / (to - 1) as f64,
            Self::LinearEdges => {
                ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, last)
            }
        };
        let pixels = |i: usize| {
            let (place, here) = (place(i), place(i) as usize);
            let beyond = place - here as f64;
            if beyond == 0.0 || here + 1 == from {
                vec![(here, 1.0)]
            } else {
                vec![(here, 1.0 - beyond), (here + 1, beyond)]
            }
        };
        (0..to).map(pixels).collect()
    }
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// Each axis as many times as long: depth, height and width.
    pub fn upsample(&mut self, x: Value, times: [usize; 3], how: Interpolation) -> Value {
        let from = self.extent(x).size;
        self.resize(x, [0, 1, 2].map(|a| from[a] * times[a]), how)
    }

    /// To another size.
    pub fn resize(&mut self, x: Value, size: [usize; 3], how: Interpolation) -> Value {
        let from = self.extent(x);
        let axes = [0, 1, 2].map(|a| how.axis(from.size[a], size[a]));
        self.resampled(x, &axes, size)
    }

    /// The means of the windows of a convolution, whose channels do not matter. With `inside`, of the
    /// part of a window in the image; else zeros of the padding count, as in PyTorch's default.
    ///
    /// # Panics
    /// If a window does not fit.
    pub fn average_pool(&mut self, x: Value, windows: Convolution, inside: bool) -> Value {
        assert_eq!(self.extent(x).size, windows.size, "the image that is pooled");
        assert!(windows.check().is_ok(), "windows that fit: {:?}", windows.check());
        let size = windows.output_size();
        let axes = [0, 1, 2].map(|a| {
            let window = |p: usize| -> Vec<(usize, f64)> {
                let first = p * windows.stride[a];
                let taps = (0..windows.kernel[a]).map(|k| first + k * windows.dilation[a]);
                let at = taps.filter_map(|i| i.checked_sub(windows.padding[a]));
                let at: Vec<usize> = at.filter(|i| *i < windows.size[a]).collect();
                let count = if inside { at.len() } else { windows.kernel[a] };
                at.into_iter().map(|i| (i, 1.0 / count as f64)).collect()
            };
            (0..size[a]).map(window).collect::<Vec<_>>()
        });
        self.resampled(x, &axes, size)
    }

    /// The mean over all positions of each channel.
    pub fn mean(&mut self, x: Value) -> Value {
        let size = self.extent(x).size;
        self.average_pool(x, Convolution::volume(1, 1, size, size), false)
    }

    fn resampled(
        &mut self,
        x: Value,
        axes: &[Vec<Vec<(usize, f64)>>; 3],
        size: [usize; 3],
    ) -> Value {
        let from = self.extent(x);
        let matrix = Matrix::product(axes, from.size);
        let layer = Resampled { matrix, from: from.positions(), channels: from.channels };
        self.push(layer, &[x], [], Extent { size, ..from })
    }
}

impl<E: Real> Layer<E> for Resampled {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (from, to) = (self.from * self.channels, (self.matrix.rows.len() - 1) * self.channels);
        for_each_chunk(y, to, |i, y| {
            let x = &work.inputs[0][i * from..(i + 1) * from];
            combine::<E>(&self.matrix.rows, &self.matrix.entries, x, self.channels, y, true);
        });
        Stash::new()
    }

    fn backward(&self, _: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let len = (self.matrix.rows.len() - 1) * self.channels;
        let back = self.matrix.transposed(self.from);
        to.input(0, |to, fresh| {
            for_each_chunk(to, self.from * self.channels, |i, to| {
                let slopes = &slopes[i * len..(i + 1) * len];
                combine::<E>(&back.rows, &back.entries, slopes, self.channels, to, fresh);
            });
        });
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}

vectorised! {
    /// y[p] = Σ w x[q] over the entries of row p, or added to what is there.
    fn combine<E: Real>(
        rows: &[usize],
        entries: &[(usize, f64)],
        x: &[E],
        channels: usize,
        y: &mut [E],
        fresh: bool,
    ) {
        for (bounds, y) in rows.windows(2).zip(y.chunks_exact_mut(channels)) {
            if fresh {
                y.fill(E::zero());
            }
            for (q, w) in &entries[bounds[0]..bounds[1]] {
                let w = E::of(*w);
                for (y, x) in y.iter_mut().zip(&x[q * channels..(q + 1) * channels]) {
                    *y += w * *x;
                }
            }
        }
    }
}
