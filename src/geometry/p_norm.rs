//! The p-th power of the p-norm.

use serde::{Deserialize, Serialize};

use super::sum;
use crate::error::{Error, Result};
use crate::ops::{CostForm, Real, RowCost, TwistCost};

/// c(x, y) = Σᵢ |xᵢ − yᵢ|ᵖ / p, with p ≥ 1: strictly convex in x − y for p > 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct PNorm(f64);

impl PNorm {
    /// # Errors
    /// [`Error::InvalidConfig`] unless 1 ≤ p < ∞.
    pub fn new(p: f64) -> Result<Self> {
        if p >= 1.0 && p.is_finite() {
            Ok(Self(p))
        } else {
            Err(Error::config("p", p, "the exponent of a p-norm must be finite and at least 1"))
        }
    }
}

impl TryFrom<f64> for PNorm {
    type Error = Error;
    fn try_from(p: f64) -> Result<Self> {
        Self::new(p)
    }
}

impl From<PNorm> for f64 {
    fn from(p: PNorm) -> f64 {
        p.0
    }
}

impl<E: Real> RowCost<E> for PNorm {
    fn value(&self, x: &[E], y: &[E]) -> E {
        let p = E::of(self.0);
        sum(x.len(), |i| (y[i] - x[i]).abs().powf(p)) / p
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        let (p, less) = (E::of(self.0), E::of(self.0 - 1.0));
        for ((d, x), y) in dy.iter_mut().zip(x).zip(y) {
            let z = *y - *x;
            // At z = 0 the subgradient 0, also for p = 1.
            *d = if z == E::zero() { z } else { z.abs().powf(less) * z.signum() };
        }
        sum(x.len(), |i| (y[i] - x[i]).abs().powf(p)) / p
    }
    fn form(&self) -> CostForm {
        CostForm::PowerSum { p: self.0 }
    }
}

/// The twist for p > 1: y = x − ∇h*(slope) with ∇h*(s)ᵢ = sign(sᵢ) |sᵢ|^(1/(p − 1)). For p = 1 slopes
/// have no inverse, and the map moves points without bound.
impl<E: Real> TwistCost<E> for PNorm {
    fn twist(&self, x: &[E], slope: &[E], y: &mut [E]) {
        let power = E::of((self.0 - 1.0).recip());
        for ((y, x), s) in y.iter_mut().zip(x).zip(slope) {
            *y = *x - s.abs().powf(power) * s.signum();
        }
    }
    fn twist_backward(&self, slope: &[E], dy: &[E], dslope: &mut [E]) {
        let power = (self.0 - 1.0).recip();
        let (power, less) = (E::of(power), E::of(power - 1.0));
        for ((d, y), s) in dslope.iter_mut().zip(dy).zip(slope) {
            // Infinite at s = 0 for p > 2: there the subgradient 0.
            let bend = if *s == E::zero() { *s } else { power * s.abs().powf(less) };
            *d -= bend * *y;
        }
    }
}
