//! Over-relaxation from the observed rate of convergence.
//!
//! Near the solution plain iterations reduce the error by a factor η per iteration, and relaxed ones by
//! ω − 1 at the best ω = 2 / (1 + √(1 − η)) (arXiv:1711.01851, arXiv:2012.12562). With ω below the
//! best, the observed factor λ gives η = (λ + ω − 1)² / (λ ω²), as for successive over-relaxation of
//! linear systems.
//!
//! `kernels/control.cuh` does the same on CUDA devices: change both.

/// Iterations over which a rate is observed.
const WINDOW: usize = 6;
/// Largest ω.
const MOST: f64 = 1.95;

/// Largest ω while the error is above `FAR`, where the estimate of the rate is poor.
const MOST_FAR: f64 = 1.5;
const FAR: f64 = 0.1;

pub(crate) struct Relaxation {
    pub(crate) omega: f64,
    /// Errors since the last change of ω.
    errors: Vec<f64>,
    /// The last error of plain iterations.
    pub(crate) plain: f64,
    /// Plain iterations that follow a failure; doubles with each.
    pub(crate) pause: usize,
    /// Largest ω far from the solution and near it.
    pub(crate) caps: [f64; 2],
}

impl Relaxation {
    pub(crate) fn new() -> Self {
        Self {
            omega: 1.0,
            errors: Vec::new(),
            plain: f64::INFINITY,
            pause: WINDOW,
            caps: [MOST_FAR, MOST],
        }
    }

    /// Back to plain iterations, for at least a window.
    pub(crate) fn restart(&mut self) {
        self.omega = 1.0;
        self.errors.clear();
    }

    /// Takes the error before the iteration just done and chooses ω for the next.
    pub(crate) fn observe(&mut self, error: f64) {
        self.errors.push(error);
        if self.omega == 1.0 {
            self.plain = error;
            if self.errors.len() > self.pause {
                self.accelerate(error, 1.0);
            }
        } else if self.fails(error) {
            self.pause *= 2;
            self.caps[usize::from(self.plain <= FAR)] = 1.0 + 0.7 * (self.omega - 1.0);
            self.restart();
        } else if self.errors.len() > 2 * WINDOW {
            self.accelerate(error, self.omega);
        }
    }

    /// Relaxed iterations may rise at first; what must not happen is that they stay high.
    fn fails(&self, error: f64) -> bool {
        let count = self.errors.len();
        let stalled = count > 3 * WINDOW && error > self.errors[count - 1 - 2 * WINDOW];
        error > 10.0 * self.plain || stalled
    }

    fn accelerate(&mut self, error: f64, omega: f64) {
        let (last, half) = (self.errors.len() - 1, WINDOW / 2);
        let rate = |to: usize| (self.errors[to] / self.errors[to - half]).powf(1.0 / half as f64);
        let (lambda, before) = (rate(last), rate(last - half));
        // A rate that still changes says little about the end.
        let steady = (lambda - before).abs() <= 0.3 * (1.0 - lambda.min(before));
        if !(lambda < 1.0 && lambda > 0.3 && steady && lambda > omega - 1.0 + 1e-3) {
            return;
        }
        let eta = ((lambda + omega - 1.0).powi(2) / (lambda * omega * omega)).min(1.0);
        let cap = self.caps[usize::from(error <= FAR)];
        let next = (2.0 / (1.0 + (1.0 - eta).sqrt())).min(cap);
        if next > omega + 0.01 {
            self.omega = next;
            self.errors.clear();
        }
    }
}
