//! Sums over the stages of a step.

use crate::ops::simd::vectorised;
use crate::ops::Real;

/// to += h Σ factorⱼ kⱼ, where the rows of the stages are in `at`.
pub(super) fn add_stages<E: Real>(
    to: &mut [E],
    h: f64,
    factors: &[f64],
    stages: &[Vec<E>],
    at: std::ops::Range<usize>,
) {
    for (factor, stage) in factors.iter().zip(stages) {
        if *factor != 0.0 {
            add_multiple::<E>(to, &stage[at.clone()], E::of(h * factor));
        }
    }
}

vectorised! {
    /// to += factor k
    fn add_multiple<E: Real>(to: &mut [E], k: &[E], factor: E) {
        for (to, k) in to.iter_mut().zip(k) {
            *to += factor * *k;
        }
    }
}
