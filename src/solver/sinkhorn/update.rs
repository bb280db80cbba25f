//! From sums over the kernel to scalings.

use super::shape::{Contract, Fused, Separate};
use crate::ops::simd::{level, vectorised, Level};
use crate::ops::Real;

/// How a marginal's scalings follow from the sums rᵢ = Σⱼ Kᵢⱼ wⱼ.
#[derive(Clone, Copy)]
pub(super) enum Rule<E> {
    /// Keep the scalings.
    Hold,
    /// The exact update: u = 2^−shift / r, or for τ < 1 the potential φ + log₂ u = −τ (log₂ r − φ + shift).
    Plain,
    /// log u ← (1 − ω) log u + ω log(exact update).
    Relaxed(E),
}

/// What an update saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    /// L1 distance of the marginal to what the potentials prescribe, before the update.
    pub(super) error: f64,
    /// Sum of what the potentials prescribe.
    pub(super) mass: f64,
    /// Least and largest sum.
    pub(super) sums: [f64; 2],
    /// Least and largest scaling after the update.
    pub(super) scales: [f64; 2],
}

impl Tally {
    pub(super) const NONE: Self =
        Self { error: 0.0, mass: 0.0, sums: [f64::INFINITY, 0.0], scales: [f64::INFINITY, 0.0] };

    /// Of an update that did not go by sums.
    pub(super) const UNKNOWN: Self =
        Self { error: f64::INFINITY, mass: 1.0, sums: [0.0; 2], scales: [0.0; 2] };

    pub(super) fn merge(&mut self, other: &Self) {
        self.error += other.error;
        self.mass += other.mass;
        let join = |a: [f64; 2], b: [f64; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        self.sums = join(self.sums, other.sums);
        self.scales = join(self.scales, other.scales);
    }

    /// error / mass.
    pub(super) fn relative(&self) -> f64 {
        self.error / self.mass
    }
}

/// Weights a, sums r, and potentials φ, which are read if τ < 1.
pub(super) struct Points<'a, E> {
    pub(super) weight: &'a [E],
    pub(super) sums: &'a [E],
    pub(super) absolute: &'a [E],
}

/// τ, and the shift in both forms.
#[derive(Clone, Copy)]
pub(super) struct Update<E> {
    rule: Rule<E>,
    tau: E,
    shift: E,
    mass: E,
}

impl<E: Real> Update<E> {
    pub(super) fn new(rule: Rule<E>, tau: f64, shift: f64) -> Self {
        Self { rule, tau: E::of(tau), shift: E::of(shift), mass: E::of(shift.exp2()) }
    }

    /// log₂ of the exact update by the old scaling.
    #[inline(always)]
    fn step(&self, r: E, phi: E, old: E) -> E {
        let potential = -self.tau * (r.fast_log2() + self.shift) - (E::one() - self.tau) * phi;
        potential - old.fast_log2()
    }
}

vectorised! {
    /// Updates the scalings `u` and writes a u to `z`.
    fn rescale<E: Real, T: Contract>(
        update: &Update<E>, points: &Points<'_, E>, u: &mut [E], z: &mut [E],
    ) {
        let n = u.len();
        let (a, r, phi) = (&points.weight[..n], &points.sums[..n], &points.absolute[..n]);
        let z = &mut z[..n];
        match (update.rule, update.tau < E::one()) {
            (Rule::Hold, _) => {}
            (Rule::Plain, false) => {
                for i in 0..n {
                    u[i] = (r[i] * update.mass).recip();
                }
            }
            (Rule::Plain, true) => {
                for i in 0..n {
                    u[i] *= T::exp2(update.step(r[i], phi[i], u[i]));
                }
            }
            (Rule::Relaxed(omega), false) => {
                for i in 0..n {
                    let log = (u[i] * r[i] * update.mass).fast_log2();
                    u[i] *= T::exp2(-omega * log);
                }
            }
            (Rule::Relaxed(omega), true) => {
                for i in 0..n {
                    u[i] *= T::exp2(omega * update.step(r[i], phi[i], u[i]));
                }
            }
        }
        for i in 0..n {
            z[i] = a[i] * u[i];
        }
    }
}

const LANES: usize = 16;

vectorised! {
    /// What an update from `old` to `new` scalings saw.
    fn count<E: Real, T: Contract>(
        update: &Update<E>, points: &Points<'_, E>, old: &[E], new: &[E],
    ) -> Tally {
        let one = E::one();
        let inverse_tau = update.tau.recip();
        let relaxed = update.tau < one;
        let mut lanes = [[E::zero(); LANES]; 6];
        lanes[2] = [E::max_value(); LANES];
        lanes[4] = [E::max_value(); LANES];
        let mut from = 0;
        while from < old.len() {
            let to = (from + LANES).min(old.len());
            let (a, r) = (&points.weight[from..to], &points.sums[from..to]);
            let (phi, old, new) = (&points.absolute[from..to], &old[from..to], &new[from..to]);
            let mut lane = |l: usize| {
                let (r, old, new) = (r[l], old[l], new[l]);
                // (exact update / old)^(1/τ) is what is prescribed by the marginal.
                let change = if relaxed {
                    T::exp2(update.step(r, phi[l], old) * inverse_tau)
                } else {
                    (old * r * update.mass).recip()
                };
                let marginal = a[l] * old * r;
                lanes[0][l] += marginal * (one - change).abs();
                lanes[1][l] += marginal * change;
                lanes[2][l] = if r < lanes[2][l] { r } else { lanes[2][l] };
                lanes[3][l] = if r > lanes[3][l] { r } else { lanes[3][l] };
                lanes[4][l] = if new < lanes[4][l] { new } else { lanes[4][l] };
                lanes[5][l] = if new > lanes[5][l] { new } else { lanes[5][l] };
            };
            if to - from == LANES {
                (0..LANES).for_each(&mut lane);
            } else {
                (0..to - from).for_each(&mut lane);
            }
            from = to;
        }
        let sum = |v: &[E; LANES]| v.iter().fold(E::zero(), |s, v| s + *v).double();
        let least = |v: &[E; LANES]| v.iter().fold(v[0], |b, v| if *v < b { *v } else { b }).double();
        let most = |v: &[E; LANES]| v.iter().fold(v[0], |b, v| if *v > b { *v } else { b }).double();
        Tally {
            error: sum(&lanes[0]),
            mass: sum(&lanes[1]),
            sums: [least(&lanes[2]), most(&lanes[3])],
            scales: [least(&lanes[4]), most(&lanes[5])],
        }
    }
}

impl<E: Real> Update<E> {
    /// Updates the scalings `u` and writes weights times scalings to `z`.
    pub(super) fn rescale(&self, points: &Points<'_, E>, u: &mut [E], z: &mut [E]) {
        if level() == Level::Portable {
            rescale::<E, Separate>(self, points, u, z);
        } else {
            rescale::<E, Fused>(self, points, u, z);
        }
    }

    /// What the update from `old` to `new` scalings saw.
    pub(super) fn count(&self, points: &Points<'_, E>, old: &[E], new: &[E]) -> Tally {
        if level() == Level::Portable {
            count::<E, Separate>(self, points, old, new)
        } else {
            count::<E, Fused>(self, points, old, new)
        }
    }
}
