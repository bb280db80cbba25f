//! Exponents beyond the digits of a number type.
//!
//! The plan of potentials is 2 to the power of (f + g − C) / (ε ln 2). Where the terms of this sum are as large
//! as the inverse of the rounding unit, what is left of it is rounding: a plan that was good while it
//! was iterated is another one when it is computed again from the potentials.

use super::engine::Engine;
use super::plan::Plan;
use super::solution::{Solution, Status};
#[cfg(feature = "cuda")]
use super::Potentials;
use crate::error::Result;
use crate::ops::Real;
use crate::problem::{Discrete, Relaxation};

/// The rounding of an exponent below which the plan is that of the iteration, about.
const ROUNDING: f64 = 1.0 / 64.0;

impl Solution {
    /// Whether an exponent of the plan has a potential in it that fills the digits of `E`.
    #[cfg(feature = "cuda")]
    pub(crate) fn is_coarse<E: Real>(&self) -> bool {
        let Potentials { f, g } = &self.potentials;
        let largest = f.iter().chain(g).fold(0.0, |l: f64, v| l.max(v.abs()));
        E::epsilon().double() * largest > ROUNDING * self.epsilon
    }

    /// The same where exponents are within the digits of `E`. Otherwise with the marginal error of the plan
    /// as `E` has it, and [`Status::Diverged`] where that is not finite, or is above a tolerance that was met.
    pub(crate) fn in_digits<E: Real>(
        mut self,
        problem: &Discrete<'_, E>,
        tolerance: Option<f64>,
    ) -> Result<Self> {
        if self.status == Status::Diverged {
            return Ok(self);
        }
        if let Some(error) = self.plan(problem)?.rounded_error() {
            self.status = status(self.status, error, tolerance);
            self.marginal_error = error;
        }
        Ok(self)
    }
}

/// The status of an iteration whose plan has this marginal error as the number type has it.
pub(super) fn status(before: Status, error: f64, tolerance: Option<f64>) -> Status {
    let met = tolerance.is_none_or(|tolerance| error <= tolerance);
    if !error.is_finite() || (before == Status::Converged && !met) {
        Status::Diverged
    } else {
        before
    }
}

impl<E: Real> Plan<'_, E> {
    /// The marginal error of this plan, as [`Solution::marginal_error`], if its exponents are beyond the
    /// digits of `E`. It takes two passes over the kernel then, and O((n + m) d) time otherwise.
    pub(super) fn rounded_error(&self) -> Option<f64> {
        if self.engine.rounding() <= ROUNDING {
            return None;
        }
        let (rows, columns) = self.marginals();
        let Discrete { source, target, relaxation: [s, t], .. } = self.problem;
        let [f, g] = [&self.potentials.f, &self.potentials.g];
        Some(self.distance(source, &rows, f, *s) + self.distance(target, &columns, g, *t))
    }

    /// Of a marginal to what it should be, relative to the latter.
    fn distance(&self, weights: &[E], marginal: &[E], f: &[f64], relaxation: Relaxation) -> f64 {
        let tau = relaxation.tau();
        let slope = (1.0 - tau) / (tau * self.epsilon);
        let (mut off, mut all) = (0.0, 0.0);
        for ((w, p), f) in weights.iter().zip(marginal).zip(f).filter(|((w, _), _)| **w > E::zero())
        {
            let due = w.double() * if tau < 1.0 { (-f * slope).exp() } else { 1.0 };
            off += (p.double() - due).abs();
            all += due;
        }
        if off == 0.0 {
            0.0
        } else {
            off / all
        }
    }
}

impl<E: Real> Engine<'_, E> {
    /// The rounding of the largest term of an exponent.
    fn rounding(&self) -> f64 {
        let largest = |v: &mut dyn Iterator<Item = f64>| v.fold(0.0, |l: f64, v| l.max(v.abs()));
        let terms = self.sides.iter().map(|side| {
            let own = largest(&mut side.potential.iter().map(|p| p.double()));
            // Offsets are added in double precision.
            let all = largest(&mut side.absolute.iter().map(|p| p.double()));
            (E::epsilon().double() * own).max(f64::EPSILON * all)
        });
        let products = E::epsilon().double() * self.tiles.largest_product();
        terms.fold(products, f64::max)
    }
}
