//! Half squared distances in feature spaces, as costs.

use serde::{Deserialize, Serialize};

use super::euclidean::{scaled_difference, square_distance};
use super::{HalfSqEuclidean, Scaled};
use crate::error::{check_positive, Error, Result};
use crate::ops::{Real, RowCost};

/// A cost ρ(x, y) = ½|u(x) − u(y)|² = ½k(x, x) + ½k(y, y) − k(x, y) of a positive definite kernel
/// k(x, y) = ⟨u(x), u(y)⟩, which is a function of x − y.
///
/// Laws: ρ(x, x) = 0, ρ(x, y) = ρ(y, x), and the gradient in x is minus that in y. The kernel is
/// characteristic if E ρ between two measures less half of that within each of them, the squared
/// maximum mean discrepancy, is 0 for equal measures alone; all here are but the bilinear one.
pub trait Kernel<E: Real>: RowCost<E> {}

/// The bilinear kernel ⟨x, y⟩: ρ = ½|x − y|². It sees means only.
impl<E: Real> Kernel<E> for HalfSqEuclidean {}

/// A multiple of a kernel.
impl<E: Real, K: Kernel<E>> Kernel<E> for Scaled<K> {}

/// The distance kernel ½|x|^α + ½|y|^α − ½|x − y|^α with α in (0, 2): ρ = ½|x − y|^α. α = 1 gives the
/// energy distance. The gradient where x = y counts as 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct DistanceKernel(f64);

/// The Gaussian kernel exp(−|x − y|² / 2s²): ρ = 1 − exp(−|x − y|² / 2s²).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct GaussianKernel(f64);

/// The Laplacian kernel exp(−|x − y| / s): ρ = 1 − exp(−|x − y| / s). The gradient where x = y counts
/// as 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct LaplacianKernel(f64);

macro_rules! one_number {
    ($name:ident, $default:literal, $new:item) => {
        impl $name {
            $new
        }

        impl Default for $name {
            #[doc = concat!("The number ", stringify!($default), ".")]
            fn default() -> Self {
                Self($default)
            }
        }

        impl TryFrom<f64> for $name {
            type Error = Error;
            fn try_from(number: f64) -> Result<Self> {
                Self::new(number)
            }
        }

        impl From<$name> for f64 {
            fn from(kernel: $name) -> f64 {
                kernel.0
            }
        }
    };
}

one_number!(
    DistanceKernel,
    1.0,
    /// The kernel of exponent α.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless α is in (0, 2).
    pub fn new(alpha: f64) -> Result<Self> {
        if alpha > 0.0 && alpha < 2.0 {
            return Ok(Self(alpha));
        }
        let rule = "must be in (0, 2); 2 is the bilinear kernel, HalfSqEuclidean";
        Err(Error::config("alpha", alpha, rule))
    }
);
one_number!(
    GaussianKernel,
    1.0,
    /// The kernel of width s.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless s is positive and finite.
    pub fn new(width: f64) -> Result<Self> {
        check_positive("width", width).map(|()| Self(width))
    }
);
one_number!(
    LaplacianKernel,
    1.0,
    /// The kernel of width s.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless s is positive and finite.
    pub fn new(width: f64) -> Result<Self> {
        check_positive("width", width).map(|()| Self(width))
    }
);

impl DistanceKernel {
    /// ρ and ρ'(r)/r for a squared distance r².
    fn parts<E: Real>(self, square: E) -> (E, E) {
        if square == E::zero() {
            return (E::zero(), E::zero());
        }
        let half = E::of(0.5);
        let value = match self.0 {
            1.0 => half * square.sqrt(),
            alpha => half * square.powf(half * E::of(alpha)),
        };
        (value, E::of(self.0) * value / square)
    }
}

impl GaussianKernel {
    fn parts<E: Real>(self, square: E) -> (E, E) {
        let inverse = E::of(1.0 / (self.0 * self.0));
        let exponent = E::of(-0.5) * square * inverse;
        (-exponent.exp_m1(), inverse * exponent.exp())
    }
}

impl LaplacianKernel {
    fn parts<E: Real>(self, square: E) -> (E, E) {
        if square == E::zero() {
            return (E::zero(), E::zero());
        }
        let (inverse, distance) = (E::of(1.0 / self.0), square.sqrt());
        let exponent = -distance * inverse;
        (-exponent.exp_m1(), inverse * exponent.exp() / distance)
    }
}

macro_rules! radial {
    ($($name:ident),*) => {$(
        impl<E: Real> RowCost<E> for $name {
            fn value(&self, x: &[E], y: &[E]) -> E {
                self.parts(square_distance(x, y)).0
            }
            fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
                let (value, slope) = self.parts(square_distance(x, y));
                scaled_difference(x, y, dy, slope);
                value
            }
        }

        impl<E: Real> Kernel<E> for $name {}
    )*};
}
radial!(DistanceKernel, GaussianKernel, LaplacianKernel);
