//! Products of rows of the kernel with vectors, eight rows at a time: what a row is multiplied with, or
//! added to, is then read once for all of them.

use pulp::{Arch, Simd, WithSimd};

use crate::ops::Real;

/// Bytes that the cache holds together.
const LINE: usize = 64;

/// Rows that share what they are multiplied with.
pub(super) const ROWS: usize = 8;

/// The products of rows of the kernel with `w`, into `r`.
pub(super) fn dots<E: Real>(kernel: &[E], w: &[E], r: &mut [E]) {
    Arch::new().dispatch(Dots { kernel, w, r });
}

/// Adds the rows of the kernel, each times its number in `z`, to `columns`. Meanwhile the rows of `next`
/// are brought into the first-level cache.
pub(super) fn gather<E: Real>(kernel: &[E], z: &[E], columns: &mut [E], next: &[E]) {
    Arch::new().dispatch(Gather { kernel, z, columns, next });
}

struct Dots<'a, E> {
    kernel: &'a [E],
    w: &'a [E],
    r: &'a mut [E],
}

impl<E: Real> WithSimd for Dots<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let m = self.w.len();
        let mut blocks = self.kernel.chunks_exact(ROWS * m);
        let mut sums = self.r.chunks_exact_mut(ROWS);
        for (rows, r) in (&mut blocks).zip(&mut sums) {
            dots_of::<E, S, ROWS>(simd, rows, self.w, r);
        }
        for (row, r) in blocks.remainder().chunks_exact(m).zip(sums.into_remainder().chunks_mut(1))
        {
            dots_of::<E, S, 1>(simd, row, self.w, r);
        }
    }
}

#[inline(always)]
fn dots_of<E: Real, S: Simd, const R: usize>(simd: S, rows: &[E], w: &[E], r: &mut [E]) {
    let m = w.len();
    let (w, rest_of_w) = E::split::<S>(w);
    let row: [_; R] = std::array::from_fn(|i| E::split::<S>(&rows[i * m..(i + 1) * m]));
    let heads: [_; R] = std::array::from_fn(|i| &row[i].0[..w.len()]);
    let mut sums = [E::splat(simd, E::zero()); R];
    for (j, w) in w.iter().enumerate() {
        for i in 0..R {
            sums[i] = E::fma(simd, heads[i][j], *w, sums[i]);
        }
    }
    if !rest_of_w.is_empty() {
        let w = E::load_rest(simd, rest_of_w);
        for i in 0..R {
            sums[i] = E::fma(simd, E::load_rest(simd, row[i].1), w, sums[i]);
        }
    }
    for i in 0..R {
        r[i] = E::sum(simd, sums[i]);
    }
}

struct Gather<'a, E> {
    kernel: &'a [E],
    z: &'a [E],
    columns: &'a mut [E],
    next: &'a [E],
}

impl<E: Real> WithSimd for Gather<'_, E> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let m = self.columns.len();
        let mut blocks = self.kernel.chunks_exact(ROWS * m);
        let mut scales = self.z.chunks_exact(ROWS);
        let mut next = self.next.chunks(ROWS * m);
        for (rows, z) in (&mut blocks).zip(&mut scales) {
            let next = next.next().unwrap_or_default();
            gather_of::<E, S, ROWS>(simd, rows, z, self.columns, next);
        }
        for (row, z) in blocks.remainder().chunks_exact(m).zip(scales.remainder().chunks(1)) {
            gather_of::<E, S, 1>(simd, row, z, self.columns, &[]);
        }
    }
}

#[inline(always)]
fn gather_of<E: Real, S: Simd, const R: usize>(
    simd: S,
    rows: &[E],
    z: &[E],
    columns: &mut [E],
    next: &[E],
) {
    let m = columns.len();
    let (columns, rest) = E::split_mut::<S>(columns);
    let row: [_; R] = std::array::from_fn(|i| E::split::<S>(&rows[i * m..(i + 1) * m]));
    let heads: [_; R] = std::array::from_fn(|i| &row[i].0[..columns.len()]);
    let z: [_; R] = std::array::from_fn(|i| E::splat(simd, z[i]));
    // As many numbers of the next rows for each register of the columns as there are rows.
    let step = R * (size_of::<E::Of<S>>() / size_of::<E>());
    let mut lines = next.chunks_exact(step);
    for (j, column) in columns.iter_mut().enumerate() {
        if let Some(lines) = lines.next() {
            for line in lines.chunks(LINE / size_of::<E>()) {
                prefetch(&line[0]);
            }
        }
        // Two chains of sums hide the latency of each other.
        let mut sums = [*column, E::splat(simd, E::zero())];
        for i in 0..R {
            let half = usize::from(i >= R.div_ceil(2));
            sums[half] = E::fma(simd, heads[i][j], z[i], sums[half]);
        }
        *column = E::plus(simd, sums[0], sums[1]);
    }
    if !rest.is_empty() {
        let mut sum = E::load_rest(simd, rest);
        for i in 0..R {
            sum = E::fma(simd, E::load_rest(simd, row[i].1), z[i], sum);
        }
        E::store_rest(simd, rest, sum);
    }
}

/// Brings the number into the first-level cache.
#[inline(always)]
fn prefetch<E>(number: &E) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which has no other effect than on caches.
    unsafe {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(number).cast());
    }
}
