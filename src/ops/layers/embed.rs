//! Numbers as waves: embeddings of times and noise levels.

use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// Cosines and sines of a number times frequencies.
struct Waves {
    frequencies: Vec<f64>,
    cosines_first: bool,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// The sinusoidal embedding of a number t in `channels` (even) numbers: sin(tωᵢ), then cos(tωᵢ), with
    /// ωᵢ = 10 000^(−i / (k − 1)), i < k = `channels` / 2, as transformers and diffusion models have it.
    ///
    /// # Panics
    /// If x is not one number, or `channels` not even and at least 4.
    pub fn sinusoidal(&mut self, x: Value, channels: usize) -> Value {
        self.waves(x, channels, 1, false)
    }

    /// The embedding of EDM (arXiv:2206.00364, `PositionalEmbedding`): cos(tωᵢ), then sin(tωᵢ), with
    /// ωᵢ = 10 000^(−i / k), i < k = `channels` / 2. For a noise level σ, t = ln σ / 4.
    ///
    /// # Panics
    /// As [`sinusoidal`](Self::sinusoidal).
    pub fn edm_embedding(&mut self, x: Value, channels: usize) -> Value {
        self.waves(x, channels, 0, true)
    }

    fn waves(&mut self, x: Value, channels: usize, less: usize, cosines_first: bool) -> Value {
        assert_eq!(self.extent(x), Extent::vector(1), "what is embedded is a number");
        assert!(channels >= 4 && channels.is_multiple_of(2), "an even number of channels");
        let half = channels / 2;
        let power = |i: usize| 1e4f64.powf(-(i as f64) / (half - less) as f64);
        let layer = Waves { frequencies: (0..half).map(power).collect(), cosines_first };
        self.push(layer, &[x], [], Extent::vector(channels))
    }
}

impl Waves {
    /// Where sines and cosines begin.
    fn parts(&self) -> (usize, usize) {
        let half = self.frequencies.len();
        if self.cosines_first {
            (half, 0)
        } else {
            (0, half)
        }
    }
}

impl<E: Real> Layer<E> for Waves {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let (sines, cosines) = self.parts();
        let rows = y.chunks_exact_mut(2 * self.frequencies.len());
        for (t, y) in work.inputs[0].iter().zip(rows) {
            for (i, w) in self.frequencies.iter().enumerate() {
                let (sin, cos) = (t.double() * w).sin_cos();
                (y[sines + i], y[cosines + i]) = (E::of(sin), E::of(cos));
            }
        }
        Stash::new()
    }

    fn backward(&self, work: Backward<E>, slopes: Scratch<E>, to: &mut Slopes<E>) {
        let (sines, cosines) = self.parts();
        to.input(0, |to, fresh| {
            let width = 2 * self.frequencies.len();
            let rows = slopes.chunks_exact(width).zip(work.output.chunks_exact(width));
            for (to, (slope, y)) in to.iter_mut().zip(rows) {
                let mut sum = if fresh { E::zero() } else { *to };
                for (i, w) in self.frequencies.iter().enumerate() {
                    let (sin, cos) = (y[sines + i], y[cosines + i]);
                    sum += E::of(*w) * (slope[sines + i] * cos - slope[cosines + i] * sin);
                }
                *to = sum;
            }
        });
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: false, output: true }
    }
}
