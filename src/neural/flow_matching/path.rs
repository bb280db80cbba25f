//! Probability paths between paired points, and the laws of the time.

use std::f64::consts::FRAC_PI_2;

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ops::Real;
use crate::random::Key;

/// The point xₜ between x₀ and x₁ at time t, with standard normal noise ε, and its velocity u = ∂xₜ/∂t.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FlowPath {
    /// xₜ = (1 − t) x₀ + t x₁ + σ ε, u = x₁ − x₀: arXiv:2302.00482, equations 14 and 15.
    Straight {
        /// σ ≥ 0.
        sigma: f64,
    },
    /// The Brownian bridge xₜ = (1 − t) x₀ + t x₁ + σ √(t(1 − t)) ε with
    /// u = x₁ − x₀ + σ ε (1 − 2t) / (2 √(t(1 − t))): arXiv:2302.00482, section 3.4. With pairs from the
    /// entropic coupling of the squared distance for ε = 2σ² it is the Schrödinger bridge. The speed is
    /// infinite at both ends: times closer to them than 1/1000 are moved there.
    Bridge {
        /// σ ≥ 0.
        sigma: f64,
    },
    /// xₜ = cos(πt/2) x₀ + sin(πt/2) x₁ + σ ε with u = π/2 (cos(πt/2) x₁ − sin(πt/2) x₀): keeps the
    /// variance of independent x₀ and x₁ of equal variance (arXiv:2303.08797).
    VariancePreserving {
        /// σ ≥ 0.
        sigma: f64,
    },
    /// xₜ = (1 − (1 − σ) t) x₀ + t x₁ with u = x₁ − (1 − σ) x₀, for a standard normal source: the law of
    /// x₁ alone decides, blurred by σ at the end (arXiv:2210.02747, equations 20 to 23).
    Target {
        /// σ in [0, 1].
        sigma: f64,
    },
}

impl Default for FlowPath {
    fn default() -> Self {
        Self::Straight { sigma: 0.1 }
    }
}

/// How close to its ends a bridge is asked for its speed.
const END: f64 = 1e-3;

/// The factors of x₀, x₁ and ε in xₜ, and then in u.
pub(super) struct Factors {
    pub(super) place: [f64; 3],
    pub(super) speed: [f64; 3],
}

impl FlowPath {
    /// The factors at time t.
    pub(super) fn factors(&self, t: f64) -> Factors {
        let of = |place, speed| Factors { place, speed };
        match *self {
            Self::Straight { sigma } => of([1.0 - t, t, sigma], [-1.0, 1.0, 0.0]),
            Self::Bridge { sigma } => {
                let root = (t * (1.0 - t)).sqrt();
                of([1.0 - t, t, sigma * root], [-1.0, 1.0, sigma * (0.5 - t) / root])
            }
            Self::VariancePreserving { sigma } => {
                let (sin, cos) = (FRAC_PI_2 * t).sin_cos();
                of([cos, sin, sigma], [-FRAC_PI_2 * sin, FRAC_PI_2 * cos, 0.0])
            }
            Self::Target { sigma } => {
                let rate = 1.0 - sigma;
                of([1.0 - rate * t, t, 0.0], [-rate, 1.0, 0.0])
            }
        }
    }

    /// The time at which a step asks for a point, for a time in [0, 1].
    fn admitted(&self, t: f64) -> f64 {
        match self {
            Self::Bridge { .. } => t.clamp(END, 1.0 - END),
            _ => t,
        }
    }

    /// Whether ε matters.
    pub(super) fn is_noisy(&self) -> bool {
        match *self {
            Self::Straight { sigma }
            | Self::Bridge { sigma }
            | Self::VariancePreserving { sigma } => sigma > 0.0,
            Self::Target { .. } => false,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let (sigma, most, rule) = match *self {
            Self::Target { sigma } => (sigma, 1.0, "must be in [0, 1] on the path of the target"),
            Self::Straight { sigma }
            | Self::Bridge { sigma }
            | Self::VariancePreserving { sigma } => {
                (sigma, f64::MAX, "must be finite and not negative")
            }
        };
        if (0.0..=most).contains(&sigma) {
            Ok(())
        } else {
            Err(Error::config("path.sigma", sigma, rule))
        }
    }

    /// Points xₜ `[n, d]` and velocities u `[n, d]` of pairs with a time each. The conditional flow that
    /// a step regresses on, for steps of one's own.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `x0`, `x1` and `noise` have `d` numbers for each of the times.
    ///
    /// ```
    /// use brenier::neural::FlowPath;
    /// let path = FlowPath::Straight { sigma: 0.0 };
    /// let (x, u) = path.points(&[1.0f32], &[3.0], &[0.0], &[0.25], 1)?;
    /// assert_eq!((x, u), (vec![1.5], vec![2.0]));
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub fn points<E: Real>(
        &self,
        x0: &[E],
        x1: &[E],
        noise: &[E],
        times: &[f64],
        d: usize,
    ) -> Result<(Vec<E>, Vec<E>)> {
        for (what, side) in [("sources", x0), ("targets", x1), ("noise", noise)] {
            if side.len() != times.len() * d || d == 0 {
                let expected = format!("{d} numbers for each of {} times", times.len());
                return Err(Error::shape(what, expected, side.len()));
            }
        }
        let (mut x, mut u) = (Vec::with_capacity(x0.len()), Vec::with_capacity(x0.len()));
        let sides = x0.chunks_exact(d).zip(x1.chunks_exact(d)).zip(noise.chunks_exact(d));
        for (((x0, x1), noise), t) in sides.zip(times) {
            let Factors { place, speed } = self.factors(*t);
            let mixed = |factors: [f64; 3]| {
                let [a, b, c] = factors.map(E::of);
                let sides = x0.iter().zip(x1).zip(noise);
                sides.map(move |((x0, x1), e)| a * *x0 + b * *x1 + c * *e)
            };
            x.extend(mixed(place));
            u.extend(mixed(speed));
        }
        Ok((x, u))
    }
}

/// The law of the times of a batch, uniform on [0, 1] for each pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowTimes {
    /// One in each of n equal parts, in random order: the mean over a batch varies less.
    #[default]
    Stratified,
    /// Independent.
    Independent,
}

impl FlowTimes {
    /// `n` times for pairs on a path.
    pub(super) fn draw(self, path: &FlowPath, n: usize, key: Key) -> Vec<f64> {
        let [uniform, order] = key.split();
        let uniform = uniform.uniform(n).into_iter().map(f64::from);
        let mut times: Vec<f64> = match self {
            Self::Independent => uniform.collect(),
            Self::Stratified => {
                uniform.enumerate().map(|(i, u)| (i as f64 + u) / n as f64).collect()
            }
        };
        times.iter_mut().for_each(|t| *t = path.admitted(*t));
        if self == Self::Stratified {
            times.shuffle(&mut order.rng());
        }
        times
    }
}
