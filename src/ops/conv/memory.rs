//! Registers from slices, and back.

use pulp::Simd;

use super::super::Real;

/// Registers from as many numbers as they hold.
#[inline(always)]
pub(super) fn load<E: Real, V: Copy, const Q: usize>(from: &[E]) -> [V; Q] {
    assert!(size_of_val(from) == size_of::<[V; Q]>());
    // SAFETY: as many bytes are there, registers of numbers have no invalid ones, and the read does not
    // ask for alignment.
    unsafe { from.as_ptr().cast::<[V; Q]>().read_unaligned() }
}

/// Registers to as many numbers as they hold.
#[inline(always)]
pub(super) fn store<E: Real, V: Copy, const Q: usize>(v: [V; Q], to: &mut [E]) {
    assert!(size_of_val(to) == size_of::<[V; Q]>());
    // SAFETY: as in `load`.
    unsafe { to.as_mut_ptr().cast::<[V; Q]>().write_unaligned(v) }
}

/// The register of the numbers from `at` on.
///
/// # Safety
/// As many numbers as a register holds are in `v` from there on.
#[inline(always)]
pub(super) unsafe fn load_at<E: Real, S: Simd>(v: &[E], at: usize) -> E::Of<S> {
    debug_assert!(at + lanes::<E, S>() <= v.len());
    // SAFETY: the caller says so, and the read does not ask for alignment.
    unsafe { v.as_ptr().add(at).cast::<E::Of<S>>().read_unaligned() }
}

/// A register to the numbers from `at` on.
///
/// # Safety
/// As for [`load_at`].
#[inline(always)]
pub(super) unsafe fn store_at<E: Real, S: Simd>(register: E::Of<S>, to: &mut [E], at: usize) {
    debug_assert!(at + lanes::<E, S>() <= to.len());
    // SAFETY: as in `load_at`.
    unsafe { to.as_mut_ptr().add(at).cast::<E::Of<S>>().write_unaligned(register) }
}

/// As many numbers as a register holds, or the rest.
#[inline(always)]
pub(super) fn get<E: Real, S: Simd>(simd: S, v: &[E]) -> E::Of<S> {
    if v.len() >= lanes::<E, S>() {
        let [v] = load(&v[..lanes::<E, S>()]);
        v
    } else {
        E::load_rest(simd, v)
    }
}

/// The reverse of [`get`].
#[inline(always)]
pub(super) fn put<E: Real, S: Simd>(simd: S, to: &mut [E], v: E::Of<S>) {
    if to.len() >= lanes::<E, S>() {
        store([v], &mut to[..lanes::<E, S>()]);
    } else {
        E::store_rest(simd, to, v);
    }
}

/// A copy of a few numbers, for which `copy_from_slice` would call a function.
#[inline(always)]
pub(super) fn copy<E: Real>(from: &[E], to: &mut [E]) {
    let ((from, rest), (to, to_rest)) = (from.as_chunks::<8>(), to.as_chunks_mut::<8>());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    to_rest.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
}

/// Numbers of a register.
#[inline(always)]
pub(super) const fn lanes<E: Real, S: Simd>() -> usize {
    size_of::<E::Of<S>>() / size_of::<E>()
}
