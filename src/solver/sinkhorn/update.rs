//! From sums over the kernel to scalings.

use pulp::{Arch, Simd, WithSimd};

use super::engine::relief;
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
    /// (1 − τ) / τ.
    relief: E,
    shift: E,
    /// 2^−shift.
    unit: E,
}

/// One rule for one kind of marginal: the scaling after the update, and what a marginal of weight 1
/// should be by the potentials before it.
trait Move<E: Real> {
    fn of<T: Contract>(update: &Update<E>, r: E, phi: E, old: E) -> (E, E);
}

struct BalancedHold;
struct BalancedRelaxed;
struct KlHold;
struct KlRelaxed;

impl<E: Real> Move<E> for BalancedHold {
    #[inline(always)]
    fn of<T: Contract>(update: &Update<E>, _: E, _: E, old: E) -> (E, E) {
        (old, update.unit)
    }
}

impl<E: Real> Move<E> for BalancedRelaxed {
    #[inline(always)]
    fn of<T: Contract>(update: &Update<E>, r: E, _: E, old: E) -> (E, E) {
        let log = (old * r).fast_log2() + update.shift;
        (old * T::exp2(-update.omega() * log), update.unit)
    }
}

impl<E: Real> Move<E> for KlHold {
    #[inline(always)]
    fn of<T: Contract>(update: &Update<E>, _: E, phi: E, old: E) -> (E, E) {
        (old, update.prescribed::<T>(phi, old))
    }
}

impl<E: Real> Move<E> for KlRelaxed {
    #[inline(always)]
    fn of<T: Contract>(update: &Update<E>, r: E, phi: E, old: E) -> (E, E) {
        let step = update.step(r, phi, old);
        let new = old * T::exp2(update.omega() * step);
        // The potential may be further away than a scaling can say; the next update comes closer.
        let new = if new < E::max_value() { new } else { E::max_value() };
        let new = if new > E::min_positive_value() { new } else { E::min_positive_value() };
        (new, update.prescribed::<T>(phi, old))
    }
}

vectorised! {
    /// Updates the scalings `u`, writes a u to `z` and what the marginal should be to `due`.
    fn apply<E: Real, T: Contract, M: Move<E>>(
        update: &Update<E>, points: &Points<'_, E>, u: &mut [E], z: &mut [E], due: &mut [E],
    ) {
        let n = u.len();
        let (a, r, phi) = (&points.weight[..n], &points.sums[..n], &points.absolute[..n]);
        let (z, due) = (&mut z[..n], &mut due[..n]);
        for i in 0..n {
            let (new, of_one) = M::of::<T>(update, r[i], phi[i], u[i]);
            (u[i], z[i], due[i]) = (new, a[i] * new, a[i] * of_one);
        }
    }
}

/// The exact update of a balanced marginal: u = unit / r.
struct Divide<'a, E> {
    unit: E,
    weight: &'a [E],
    sums: &'a [E],
    u: &'a mut [E],
    z: &'a mut [E],
    due: &'a mut [E],
}

impl<E: Real> WithSimd for Divide<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let unit = E::splat(simd, self.unit);
        let ((a, rest_a), (r, rest_r)) = (E::split::<S>(self.weight), E::split::<S>(self.sums));
        let (u, rest_u) = E::split_mut::<S>(self.u);
        let (z, rest_z) = E::split_mut::<S>(self.z);
        let (due, rest_due) = E::split_mut::<S>(self.due);
        for ((((a, r), u), z), due) in a.iter().zip(r).zip(u).zip(z).zip(due) {
            *u = E::over(simd, unit, *r);
            *z = E::times(simd, *a, *u);
            *due = E::times(simd, *a, unit);
        }
        if !rest_u.is_empty() {
            let a = E::load_rest(simd, rest_a);
            let u = E::over(simd, unit, E::load_rest(simd, rest_r));
            E::store_rest(simd, rest_u, u);
            E::store_rest(simd, rest_z, E::times(simd, a, u));
            E::store_rest(simd, rest_due, E::times(simd, a, unit));
        }
    }
}

impl<E: Real> Update<E> {
    /// `unit` is read if τ = 1, and then 2^−shift.
    pub(super) fn new(rule: Rule<E>, tau: f64, shift: f64, unit: f64) -> Self {
        let relief = E::of(relief(tau));
        Self { rule, tau: E::of(tau), relief, shift: E::of(shift), unit: E::of(unit) }
    }

    #[inline(always)]
    fn omega(&self) -> E {
        match self.rule {
            Rule::Relaxed(omega) => omega,
            _ => E::one(),
        }
    }

    /// log₂ of the exact update by the old scaling.
    #[inline(always)]
    fn step(&self, r: E, phi: E, old: E) -> E {
        let potential = -self.tau * (r.fast_log2() + self.shift) - (E::one() - self.tau) * phi;
        potential - old.fast_log2()
    }

    /// What a marginal of weight 1 should be, exp(−f / λ): finite for every potential, so that nothing
    /// comes of it where there is no weight.
    #[inline(always)]
    fn prescribed<T: Contract>(&self, phi: E, old: E) -> E {
        T::exp2(-(self.shift + self.relief * (phi + old.fast_log2())))
    }

    /// Updates the scalings `u`, writes weights times scalings to `z`, and to `due` what the marginal
    /// should be by the potentials before.
    pub(super) fn apply(&self, points: &Points<'_, E>, u: &mut [E], z: &mut [E], due: &mut [E]) {
        match (self.rule, self.tau < E::one()) {
            (Rule::Hold, false) => self.apply_as::<BalancedHold>(points, u, z, due),
            (Rule::Plain, false) => {
                let Points { weight, sums, .. } = *points;
                Arch::new().dispatch(Divide { unit: self.unit, weight, sums, u, z, due });
            }
            (Rule::Relaxed(_), false) => self.apply_as::<BalancedRelaxed>(points, u, z, due),
            (Rule::Hold, true) => self.apply_as::<KlHold>(points, u, z, due),
            (_, true) => self.apply_as::<KlRelaxed>(points, u, z, due),
        }
    }

    fn apply_as<M: Move<E>>(
        &self,
        points: &Points<'_, E>,
        u: &mut [E],
        z: &mut [E],
        due: &mut [E],
    ) {
        if level() == Level::Portable {
            apply::<E, Separate, M>(self, points, u, z, due);
        } else {
            apply::<E, Fused, M>(self, points, u, z, due);
        }
    }
}
