//! Products with one small dimension, where packing for a general product would cost more than the
//! product. All matrices are row-major and contiguous.

use super::simd::vectorised;
use super::Real;

/// The largest small dimension for which these are used.
pub(crate) const THIN: usize = 8;

vectorised! {
    /// C = A B or C += A B for A `[n, k]`, B `[k, m]` with small k; `fresh` overwrites C.
    pub(crate) fn from_few<E: Real>(a: &[E], b: &[E], k: usize, c: &mut [E], fresh: bool) {
        let m = b.len() / k;
        for (a, c) in a.chunks_exact(k).zip(c.chunks_exact_mut(m)) {
            match (a, fresh) {
                // The commonest: a single output, and points of the plane.
                ([a0], true) => c.iter_mut().zip(b).for_each(|(c, b)| *c = *a0 * *b),
                ([a0, a1], true) => {
                    let (b0, b1) = b.split_at(m);
                    for (c, (b0, b1)) in c.iter_mut().zip(b0.iter().zip(b1)) {
                        *c = *a0 * *b0 + *a1 * *b1;
                    }
                }
                _ => {
                    if fresh {
                        c.fill(E::zero());
                    }
                    for (a, b) in a.iter().zip(b.chunks_exact(m)) {
                        c.iter_mut().zip(b).for_each(|(c, b)| *c += *a * *b);
                    }
                }
            }
        }
    }
}

/// Rows that are worked on together, to hide the latency of the sums.
const GROUP: usize = 8;
/// Columns of a block in registers.
const LANES: usize = 16;

vectorised! {
    /// C += A Bᵀ for A `[n, m]`, B `[k, m]` with small k.
    pub(crate) fn to_few<E: Real>(a: &[E], b: &[E], k: usize, c: &mut [E]) {
        let m = b.len() / k;
        let (groups, others) = (a.chunks_exact(GROUP * m), a.chunks_exact(GROUP * m).remainder());
        for (a, c) in groups.zip(c.chunks_exact_mut(GROUP * k)) {
            for (j, b) in b.chunks_exact(m).enumerate() {
                let dots = dots::<E, GROUP>(a, b);
                (0..GROUP).for_each(|i| c[i * k + j] += dots[i]);
            }
        }
        let done = c.len() - others.len() / m * k;
        for (a, c) in others.chunks_exact(m).zip(c[done..].chunks_exact_mut(k)) {
            for (c, b) in c.iter_mut().zip(b.chunks_exact(m)) {
                *c += dots::<E, 1>(a, b)[0];
            }
        }
    }
}

/// The inner products of `R` rows with b.
#[inline(always)]
fn dots<E: Real, const R: usize>(rows: &[E], b: &[E]) -> [E; R] {
    let m = b.len();
    let full = m - m % LANES;
    let mut lanes = [[E::zero(); LANES]; R];
    for at in (0..full).step_by(LANES) {
        let b = &b[at..at + LANES];
        for (i, lanes) in lanes.iter_mut().enumerate() {
            let row = &rows[i * m + at..i * m + at + LANES];
            for (lane, (a, b)) in lanes.iter_mut().zip(row.iter().zip(b)) {
                *lane += *a * *b;
            }
        }
    }
    std::array::from_fn(|i| {
        let lanes = &mut lanes[i];
        for (a, b) in rows[i * m + full..(i + 1) * m].iter().zip(&b[full..]) {
            lanes[0] += *a * *b;
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        lanes[0]
    })
}

vectorised! {
    /// C += Aᵀ B for A `[n, k]`, B `[n, m]` with small k: C is `[k, m]`.
    pub(crate) fn over_rows<E: Real>(a: &[E], b: &[E], k: usize, c: &mut [E]) {
        const STRIPE: usize = 64;
        let m = c.len() / k;
        let full = m - m % STRIPE;
        for (i, c) in c.chunks_exact_mut(m).enumerate() {
            for from in (0..full).step_by(STRIPE) {
                let mut stripe = [E::zero(); STRIPE];
                for (a, b) in a.chunks_exact(k).zip(b.chunks_exact(m)) {
                    for (s, b) in stripe.iter_mut().zip(&b[from..from + STRIPE]) {
                        *s += a[i] * *b;
                    }
                }
                c[from..from + STRIPE].iter_mut().zip(stripe).for_each(|(c, s)| *c += s);
            }
            if full < m {
                for (a, b) in a.chunks_exact(k).zip(b.chunks_exact(m)) {
                    for (c, b) in c[full..].iter_mut().zip(&b[full..]) {
                        *c += a[i] * *b;
                    }
                }
            }
        }
    }
}

/// Side of the tiles of a transpose.
const TILE: usize = 8;

/// Columns of a stripe of a transpose, whose images stay in the first-level cache.
const BAND: usize = 64;

vectorised! {
    /// The transpose of a `[rows, cols]` matrix.
    pub(crate) fn transpose<E: Real>(from: &[E], rows: usize, cols: usize, to: &mut [E]) {
        for band in (0..cols).step_by(BAND) {
            let band = band..cols.min(band + BAND);
            for i in (0..rows).step_by(TILE) {
                for j in band.clone().step_by(TILE) {
                    if i + TILE <= rows && j + TILE <= band.end {
                        transpose_tile(&from[i * cols + j..], cols, &mut to[j * rows + i..], rows);
                    } else {
                        for (i, j) in (i..rows.min(i + TILE))
                            .flat_map(|i| (j..band.end.min(j + TILE)).map(move |j| (i, j)))
                        {
                            to[j * rows + i] = from[i * cols + j];
                        }
                    }
                }
            }
        }
    }
}

/// One tile, through registers.
#[inline(always)]
fn transpose_tile<E: Real>(from: &[E], pitch: usize, to: &mut [E], to_pitch: usize) {
    let mut tile = [[E::zero(); TILE]; TILE];
    for (i, row) in tile.iter_mut().enumerate() {
        row.copy_from_slice(&from[i * pitch..][..TILE]);
    }
    for j in 0..TILE {
        let column: [E; TILE] = std::array::from_fn(|i| tile[i][j]);
        to[j * to_pitch..][..TILE].copy_from_slice(&column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    #[test]
    fn thin_products_agree_with_loops() {
        let (n, m) = (5, 37);
        for k in 1..=THIN {
            let [p, q, r, s] = Key::new(0).split();
            let (few, wide) = (p.normal(n * k), q.normal(n * m));
            let (weight, start) = (r.normal(k * m), s.normal(n * m));
            let close = |c: f32, e: f64| (f64::from(c) - e).abs() < 1e-5;
            let dot = |len: usize, f: &dyn Fn(usize) -> f32| -> f64 {
                (0..len).map(|i| f64::from(f(i))).sum()
            };

            let mut c = start.clone();
            from_few::<f32>(&few, &weight, k, &mut c, false);
            let expected = |p: usize| dot(k, &|i| few[p / m * k + i] * weight[i * m + p % m]);
            assert!((0..n * m).all(|p| close(c[p] - start[p], expected(p))));
            from_few::<f32>(&few, &weight, k, &mut c, true);
            assert!((0..n * m).all(|p| close(c[p], expected(p))));

            let mut c = vec![1.0; n * k];
            to_few::<f32>(&wide, &weight, k, &mut c);
            let expected =
                |p: usize| 1.0 + dot(m, &|j| wide[p / k * m + j] * weight[p % k * m + j]);
            assert!((0..n * k).all(|p| close(c[p], expected(p))));

            let mut c = vec![1.0; k * m];
            over_rows::<f32>(&few, &wide, k, &mut c);
            let expected = |p: usize| 1.0 + dot(n, &|i| few[i * k + p / m] * wide[i * m + p % m]);
            assert!((0..k * m).all(|p| close(c[p], expected(p))));
        }
    }

    #[test]
    fn transposing_twice_is_the_identity() {
        let x = Key::new(1).normal(19 * 35);
        let (mut y, mut z) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        transpose::<f32>(&x, 19, 35, &mut y);
        assert_eq!(y[3 * 19 + 2], x[2 * 35 + 3]);
        transpose::<f32>(&y, 35, 19, &mut z);
        assert_eq!(x, z);
    }
}
