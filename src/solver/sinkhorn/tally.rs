//! What an update saw.

use pulp::{Arch, Simd, WithSimd};

use crate::ops::Real;

/// Marginals against what they should be, and ranges.
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
    /// Of an update that did not go by sums.
    pub(super) const UNKNOWN: Self =
        Self { error: f64::INFINITY, mass: 1.0, sums: [0.0; 2], scales: [0.0; 2] };

    /// Of an update with weights a, sums r, and scalings before and after it; the marginal a r `old`
    /// should be `due`.
    pub(super) fn of<E: Real>(weight: &[E], sums: &[E], old: &[E], new: &[E], due: &[E]) -> Self {
        Arch::new().dispatch(Count { columns: [weight, sums, old, new, due] })
    }

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

struct Count<'a, E> {
    columns: [&'a [E]; 5],
}

impl<E: Real> WithSimd for Count<'_, E> {
    type Output = Tally;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Tally {
        let [a, r, old, new, due] = self.columns.map(|column| E::split::<S>(column));
        let zero = E::splat(simd, E::zero());
        let most = E::splat(simd, E::max_value());
        let (mut error, mut mass) = (zero, zero);
        let (mut sums, mut scales) = ([most, zero], [most, zero]);
        for ((((a, r), old), new), due) in a.0.iter().zip(r.0).zip(old.0).zip(new.0).zip(due.0) {
            let marginal = E::times(simd, E::times(simd, *a, *old), *r);
            let less = E::fma(simd, E::splat(simd, -E::one()), *due, marginal);
            error = E::plus(simd, error, E::size(simd, less));
            mass = E::plus(simd, mass, *due);
            sums = [E::least(simd, sums[0], *r), E::most(simd, sums[1], *r)];
            scales = [E::least(simd, scales[0], *new), E::most(simd, scales[1], *new)];
        }
        let mut tally = Tally {
            error: E::sum(simd, error).double(),
            mass: E::sum(simd, mass).double(),
            sums: [E::smallest(simd, sums[0]).double(), E::largest(simd, sums[1]).double()],
            scales: [E::smallest(simd, scales[0]).double(), E::largest(simd, scales[1]).double()],
        };
        for ((((a, r), old), new), due) in a.1.iter().zip(r.1).zip(old.1).zip(new.1).zip(due.1) {
            let (r, new) = (r.double(), new.double());
            tally.merge(&Tally {
                error: (a.double() * old.double() * r - due.double()).abs(),
                mass: due.double(),
                sums: [r; 2],
                scales: [new; 2],
            });
        }
        tally
    }
}
