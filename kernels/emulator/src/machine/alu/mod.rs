//! Arithmetic of a whole warp: one function per opcode and type, all lanes at once.

mod convert;
mod double;
mod fields;
mod float;
mod integer;
mod round;

pub(crate) use convert::{convert, pack, Rounding};
pub(crate) use double::{double, double_class, double_relation};
pub(crate) use fields::insert;
pub(crate) use float::{float, float_class, float_relation, flush, Mode};
pub(crate) use integer::{integer, integer_relation, Integer};
pub(crate) use round::{bf16_value, f16_value, Direction};

use super::program::Lanes;

/// Writes the lanes in the mask of `d` from `a`, `b` and `c`.
pub(crate) type Kernel =
    unsafe fn(d: *mut Lanes, a: *const Lanes, b: *const Lanes, c: *const Lanes, mask: u32);

/// The lanes for which the comparison of `a` with `b` holds.
pub(crate) type Compare = unsafe fn(a: *const Lanes, b: *const Lanes) -> u32;

/// Whether the functions for AVX2 and FMA may be called.
pub(crate) fn wide_cpu() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Applies `f` to all lanes and keeps those of `mask`.
///
/// # Safety
/// `d` points to a register of the width of `D`, `a`, `b` and `c` to readable ones of theirs; they may
/// be the same register.
#[inline(always)]
pub(crate) unsafe fn map<D: Copy + Default, A: Copy, B: Copy, C: Copy>(
    d: *mut Lanes,
    a: *const Lanes,
    b: *const Lanes,
    c: *const Lanes,
    mask: u32,
    f: impl Fn(A, B, C) -> D,
) {
    // SAFETY: the caller's promise; all reads come before the write.
    unsafe {
        let (a, b, c) = (&*a.cast::<[A; 32]>(), &*b.cast::<[B; 32]>(), &*c.cast::<[C; 32]>());
        let mut out = [D::default(); 32];
        for i in 0..32 {
            out[i] = f(a[i], b[i], c[i]);
        }
        let d = d.cast::<[D; 32]>();
        if mask == u32::MAX {
            *d = out;
        } else {
            let old = *d;
            for i in 0..32 {
                out[i] = if mask >> i & 1 != 0 { out[i] } else { old[i] };
            }
            *d = out;
        }
    }
}

/// Compares all lanes.
///
/// # Safety
/// `a` and `b` point to registers of the width of `T`.
#[inline(always)]
pub(crate) unsafe fn test<T: Copy>(
    a: *const Lanes,
    b: *const Lanes,
    f: impl Fn(T, T) -> bool,
) -> u32 {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (&*a.cast::<[T; 32]>(), &*b.cast::<[T; 32]>()) };
    let mut held = 0;
    for i in 0..32 {
        held |= u32::from(f(a[i], b[i])) << i;
    }
    held
}

/// A [`Kernel`] from a closure on single lanes, compiled for this CPU and for any.
macro_rules! kernel {
    (<$d:ty, $a:ty, $b:ty, $c:ty> |$x:ident, $y:ident, $z:ident| $value:expr) => {{
        use $crate::machine::alu::{map, wide_cpu, Kernel};
        use $crate::machine::program::Lanes;
        #[inline(always)]
        unsafe fn body(d: *mut Lanes, a: *const Lanes, b: *const Lanes, c: *const Lanes, m: u32) {
            // SAFETY: whoever chose this function gave it registers of these widths.
            unsafe { map::<$d, $a, $b, $c>(d, a, b, c, m, |$x, $y, $z| $value) }
        }
        unsafe fn any(d: *mut Lanes, a: *const Lanes, b: *const Lanes, c: *const Lanes, m: u32) {
            // SAFETY: as above.
            unsafe { body(d, a, b, c, m) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx(d: *mut Lanes, a: *const Lanes, b: *const Lanes, c: *const Lanes, m: u32) {
            // SAFETY: as above.
            unsafe { body(d, a, b, c, m) }
        }
        #[cfg(target_arch = "x86_64")]
        let chosen: Kernel = if wide_cpu() { avx } else { any };
        #[cfg(not(target_arch = "x86_64"))]
        let chosen: Kernel = any;
        chosen
    }};
}

/// A [`Compare`] from a closure on single lanes.
macro_rules! compare {
    (<$t:ty> |$x:ident, $y:ident| $value:expr) => {{
        use $crate::machine::alu::{test, wide_cpu, Compare};
        use $crate::machine::program::Lanes;
        #[inline(always)]
        unsafe fn body(a: *const Lanes, b: *const Lanes) -> u32 {
            // SAFETY: whoever chose this function gave it registers of this width.
            unsafe { test::<$t>(a, b, |$x, $y| $value) }
        }
        unsafe fn any(a: *const Lanes, b: *const Lanes) -> u32 {
            // SAFETY: as above.
            unsafe { body(a, b) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx(a: *const Lanes, b: *const Lanes) -> u32 {
            // SAFETY: as above.
            unsafe { body(a, b) }
        }
        #[cfg(target_arch = "x86_64")]
        let chosen: Compare = if wide_cpu() { avx } else { any };
        #[cfg(not(target_arch = "x86_64"))]
        let chosen: Compare = any;
        chosen
    }};
}

pub(crate) use {compare, kernel};
