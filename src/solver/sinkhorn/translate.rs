//! The best constant to move between the potentials of a relaxed problem (arXiv:2201.00730).
//!
//! Moving λ from g to f leaves the plan as it is but changes the dual cost, which alternating updates
//! find only slowly when the marginals are nearly binding. The best λ is
//! κ₁κ₂ / (κ₁ + κ₂) · (log ⟨a, e^(−f/κ₁)⟩ − log ⟨b, e^(−g/κ₂)⟩) with κ = τ / (1 − τ) and potentials in units
//! of ε.

use super::engine::{relief, Engine, Side};
use super::shape::{Contract, Fused, Separate};
use crate::ops::simd::{level, vectorised, Level};
use crate::ops::Real;

const LANES: usize = 16;

vectorised! {
    /// The largest −k (φ + log₂ u) where there is weight.
    fn steepest<E: Real>(k: E, a: &[E], phi: &[E], u: &[E]) -> E {
        let mut lanes = [E::min_value(); LANES];
        let mut from = 0;
        while from < a.len() {
            let to = (from + LANES).min(a.len());
            let (a, phi, u) = (&a[from..to], &phi[from..to], &u[from..to]);
            for l in 0..to - from {
                let v = -k * (phi[l] + u[l].fast_log2());
                let v = if a[l] > E::zero() { v } else { E::min_value() };
                lanes[l] = if v > lanes[l] { v } else { lanes[l] };
            }
            from = to;
        }
        lanes.iter().fold(E::min_value(), |m, v| if *v > m { *v } else { m })
    }
}

vectorised! {
    /// Σ a 2^(−k (φ + log₂ u) − top).
    fn tilted<E: Real, T: Contract>(k: E, top: E, a: &[E], phi: &[E], u: &[E]) -> E {
        let mut lanes = [E::zero(); LANES];
        let mut from = 0;
        while from < a.len() {
            let to = (from + LANES).min(a.len());
            let (a, phi, u) = (&a[from..to], &phi[from..to], &u[from..to]);
            for l in 0..to - from {
                lanes[l] += a[l] * T::exp2(-k * (phi[l] + u[l].fast_log2()) - top);
            }
            from = to;
        }
        lanes.iter().fold(E::zero(), |s, v| s + *v)
    }
}

impl<E: Real> Engine<'_, E> {
    /// Moves the best constant between the potentials, if a marginal is relaxed.
    pub(super) fn translate(&mut self) {
        let [a, b] = &self.sides;
        if a.tau == 1.0 && b.tau == 1.0 {
            return;
        }
        // `shift` is log₂ of the mass of the other side.
        let log_mass = |side: &Side<E>, other: &Side<E>, drift: f64| {
            let k = relief(side.tau);
            if k == 0.0 {
                return other.shift;
            }
            let Side { weight, absolute, scale, .. } = side;
            let top = steepest::<E>(E::of(k), weight, absolute, scale);
            let sum = if level() == Level::Portable {
                tilted::<E, Separate>(E::of(k), top, weight, absolute, scale)
            } else {
                tilted::<E, Fused>(E::of(k), top, weight, absolute, scale)
            };
            top.double() + sum.double().log2() - k * drift + other.shift
        };
        let difference = log_mass(a, b, self.drift) - log_mass(b, a, -self.drift);
        // 1 / (1/κ₁ + 1/κ₂).
        let best = difference / (relief(a.tau) + relief(b.tau));
        if best.is_finite() {
            self.drift += best;
        }
    }
}
