//! Scans along a row of a cost matrix, in double precision whatever the matrix holds.

use crate::ops::simd::vectorised;
use crate::ops::Real;

/// Partial results that stay in registers.
const LANES: usize = 32;

vectorised! {
    /// The largest |cⱼ|; NaN or infinite if an entry is.
    pub(super) fn largest<E: Real>(row: &[E]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let mut poison = [0.0f64; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for l in 0..LANES {
                let c = chunk[l].double().abs();
                lanes[l] = if c > lanes[l] { c } else { lanes[l] };
                // Zero for a finite number, else NaN.
                poison[l] += 0.0 * c;
            }
        }
        let mut all = lanes.iter().fold(0.0f64, |m, x| m.max(*x));
        let mut bad = poison.iter().sum::<f64>();
        for c in rest {
            let c = c.double().abs();
            all = all.max(c);
            bad += 0.0 * c;
        }
        // `max` passes over NaN, the sum does not.
        all + bad
    }
}

vectorised! {
    /// minⱼ cⱼ + wⱼ.
    pub(super) fn least<E: Real>(row: &[E], w: &[f64]) -> f64 {
        let w = &w[..row.len()];
        let mut lanes = [f64::INFINITY; LANES];
        let full = row.len() - row.len() % LANES;
        for (c, w) in row[..full].chunks_exact(LANES).zip(w[..full].chunks_exact(LANES)) {
            for l in 0..LANES {
                let x = c[l].double() + w[l];
                lanes[l] = if x < lanes[l] { x } else { lanes[l] };
            }
        }
        for (c, w) in row[full..].iter().zip(&w[full..]) {
            let x = c.double() + w;
            lanes[0] = if x < lanes[0] { x } else { lanes[0] };
        }
        lanes.iter().fold(f64::INFINITY, |m, x| m.min(*x))
    }
}

vectorised! {
    /// The two least of cⱼ + wⱼ (equal if the least occurs twice; the second is +∞ for one column).
    pub(super) fn two_least<E: Real>(row: &[E], w: &[f64]) -> (f64, f64) {
        let w = &w[..row.len()];
        let (mut first, mut second) = ([f64::INFINITY; LANES], [f64::INFINITY; LANES]);
        let full = row.len() - row.len() % LANES;
        for (c, w) in row[..full].chunks_exact(LANES).zip(w[..full].chunks_exact(LANES)) {
            for l in 0..LANES {
                let x = c[l].double() + w[l];
                let larger = if x > first[l] { x } else { first[l] };
                first[l] = if x < first[l] { x } else { first[l] };
                second[l] = if larger < second[l] { larger } else { second[l] };
            }
        }
        let (mut one, mut two) = (f64::INFINITY, f64::INFINITY);
        let mut add = |x: f64| {
            two = two.min(one.max(x));
            one = one.min(x);
        };
        for l in 0..LANES {
            add(first[l]);
            add(second[l]);
        }
        for (c, w) in row[full..].iter().zip(&w[full..]) {
            add(c.double() + w);
        }
        (one, two)
    }
}

vectorised! {
    /// The first column whose cⱼ + wⱼ is at most `value`; 0 if there is none.
    pub(super) fn position<E: Real>(row: &[E], w: &[f64], value: f64) -> usize {
        for (k, (c, w)) in row.chunks(LANES).zip(w.chunks(LANES)).enumerate() {
            let hit = |(c, w): (&E, &f64)| c.double() + *w <= value;
            if c.iter().zip(w).fold(false, |any, x| any | hit(x)) {
                return k * LANES + c.iter().zip(w).position(hit).unwrap_or(0);
            }
        }
        0
    }
}

vectorised! {
    /// The first key that is at most `value`; 0 if there is none.
    pub(super) fn find<E: Real>(keys: &[E], value: E) -> usize {
        for (k, chunk) in keys.chunks(LANES).enumerate() {
            if chunk.iter().fold(false, |any, x| any | (*x <= value)) {
                return k * LANES + chunk.iter().position(|x| *x <= value).unwrap_or(0);
            }
        }
        0
    }
}

vectorised! {
    /// Lowers the keys to cⱼ + wⱼ + shift where that is less, noting `row` as the origin, and returns
    /// the least key.
    pub(super) fn relax<E: Real>(
        costs: &[E],
        w: &[f64],
        shift: f64,
        keys: &mut [f64],
        origins: &mut [u32],
        row: u32
    ) -> f64 {
        let n = costs.len();
        let (w, keys, origins) = (&w[..n], &mut keys[..n], &mut origins[..n]);
        let mut lanes = [f64::INFINITY; LANES];
        let full = n - n % LANES;
        for k in (0..full).step_by(LANES) {
            let (c, w) = (&costs[k..][..LANES], &w[k..][..LANES]);
            let (key, origin) = (&mut keys[k..][..LANES], &mut origins[k..][..LANES]);
            for l in 0..LANES {
                let x = c[l].double() + w[l] + shift;
                let better = x < key[l];
                key[l] = if better { x } else { key[l] };
                origin[l] = if better { row } else { origin[l] };
                lanes[l] = if key[l] < lanes[l] { key[l] } else { lanes[l] };
            }
        }
        for k in full..n {
            let x = costs[k].double() + w[k] + shift;
            if x < keys[k] {
                keys[k] = x;
                origins[k] = row;
            }
            lanes[0] = lanes[0].min(keys[k]);
        }
        lanes.iter().fold(f64::INFINITY, |m, x| m.min(*x))
    }
}

vectorised! {
    /// Lowers the column minima to the costs of `row`, minus its potential, where those are less.
    pub(super) fn lower<E: Real>(
        costs: &[E],
        potential: f64,
        minima: &mut [f64],
        origins: &mut [u32],
        row: u32
    ) {
        for ((c, m), o) in costs.iter().zip(minima).zip(origins) {
            let x = c.double() - potential;
            let better = x < *m;
            *m = if better { x } else { *m };
            *o = if better { row } else { *o };
        }
    }
}
