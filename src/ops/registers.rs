//! Vector registers for kernels in which the order of operations matters more than a compiler sees.

use pastey::paste;
#[cfg(target_arch = "x86_64")]
use pulp::x86::V4;
use pulp::Simd;

use super::Real;

/// The operations on registers of an instruction set `S` that kernels need, for both number types.
pub trait Registers: Copy + 'static {
    /// A register full of numbers.
    #[doc(hidden)]
    type Of<S: Simd>: Copy;

    /// Whole registers, and the rest.
    #[doc(hidden)]
    fn split<S: Simd>(v: &[Self]) -> (&[Self::Of<S>], &[Self]);
    #[doc(hidden)]
    fn split_mut<S: Simd>(v: &mut [Self]) -> (&mut [Self::Of<S>], &mut [Self]);
    /// A rest, filled with zeros.
    #[doc(hidden)]
    fn load_rest<S: Simd>(simd: S, rest: &[Self]) -> Self::Of<S>;
    /// As much of a register as there is room.
    #[doc(hidden)]
    fn store_rest<S: Simd>(simd: S, rest: &mut [Self], v: Self::Of<S>);
    #[doc(hidden)]
    fn splat<S: Simd>(simd: S, v: Self) -> Self::Of<S>;
    #[doc(hidden)]
    fn plus<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn minus<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn times<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn over<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn least<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn most<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn size<S: Simd>(simd: S, a: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn root<S: Simd>(simd: S, a: Self::Of<S>) -> Self::Of<S>;
    /// 2ᵛ as [`Real::fast_exp2`] has it, by the instructions of the processor where it has them.
    #[doc(hidden)]
    fn power_of_two<S: Simd>(simd: S, v: Self::Of<S>) -> Self::Of<S>;
    /// a b + c, rounded once where the processor can.
    #[doc(hidden)]
    fn fma<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>, c: Self::Of<S>) -> Self::Of<S>;
    /// The sum of the numbers, pairwise.
    #[doc(hidden)]
    fn sum<S: Simd>(simd: S, v: Self::Of<S>) -> Self;
    #[doc(hidden)]
    fn smallest<S: Simd>(simd: S, v: Self::Of<S>) -> Self;
    #[doc(hidden)]
    fn largest<S: Simd>(simd: S, v: Self::Of<S>) -> Self;
}

macro_rules! registers {
    ($($number:ident as $bits:ident, $packed:ident;)*) => {$(paste! {
        impl Registers for $number {
            type Of<S: Simd> = S::[<$number s>];
            #[inline(always)]
            fn split<S: Simd>(v: &[Self]) -> (&[Self::Of<S>], &[Self]) {
                S::[<as_simd_ $number s>](v)
            }
            #[inline(always)]
            fn split_mut<S: Simd>(v: &mut [Self]) -> (&mut [Self::Of<S>], &mut [Self]) {
                S::[<as_mut_simd_ $number s>](v)
            }
            #[inline(always)]
            fn load_rest<S: Simd>(simd: S, rest: &[Self]) -> Self::Of<S> {
                simd.[<partial_load_ $number s>](rest)
            }
            #[inline(always)]
            fn store_rest<S: Simd>(simd: S, rest: &mut [Self], v: Self::Of<S>) {
                simd.[<partial_store_ $number s>](rest, v);
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, v: Self) -> Self::Of<S> {
                simd.[<splat_ $number s>](v)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
                simd.[<add_ $number s>](a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
                simd.[<sub_ $number s>](a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
                simd.[<mul_ $number s>](a, b)
            }
            #[inline(always)]
            fn over<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
                simd.[<div_ $number s>](a, b)
            }
            #[inline(always)]
            fn least<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
                simd.[<min_ $number s>](a, b)
            }
            #[inline(always)]
            fn most<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
                simd.[<max_ $number s>](a, b)
            }
            #[inline(always)]
            fn size<S: Simd>(simd: S, a: Self::Of<S>) -> Self::Of<S> {
                simd.[<abs_ $number s>](a)
            }
            #[inline(always)]
            fn root<S: Simd>(simd: S, a: Self::Of<S>) -> Self::Of<S> {
                simd.[<sqrt_ $number s>](a)
            }
            #[inline(always)]
            fn power_of_two<S: Simd>(simd: S, v: Self::Of<S>) -> Self::Of<S> {
                let [low, high] = Self::EXPONENTS.map(|v| Self::splat(simd, v));
                // A maximum is its second argument if the first is no number.
                let v = Self::least(simd, Self::most(simd, v, low), high);
                #[cfg(target_arch = "x86_64")]
                if let (Some(simd), Some(v)) = (same::<S, V4>(simd), same(v)) {
                    let n = simd.avx512f.[<_mm512_roundscale_ $packed>]::<0>(pulp::cast(v));
                    let r = simd.[<sub_ $number s>](v, pulp::cast(n));
                    let p = pulp::cast(polynomial::<Self, V4>(simd, r));
                    let scaled = pulp::cast(simd.avx512f.[<_mm512_scalef_ $packed>](p, n));
                    if let Some(scaled) = same::<<V4 as Simd>::[<$number s>], _>(scaled) {
                        return scaled;
                    }
                }
                let round = Self::splat(simd, Self::ROUND);
                let mut n = Self::plus(simd, v, round);
                let r = Self::minus(simd, v, Self::minus(simd, n, round));
                let mut p = polynomial::<Self, S>(simd, r);
                let bits = bytemuck::cast_slice_mut::<_, $bits>(std::slice::from_mut(&mut p));
                let n = bytemuck::cast_slice::<_, $bits>(std::slice::from_mut(&mut n));
                for (bits, n) in bits.iter_mut().zip(n) {
                    *bits = bits.wrapping_add(*n << ($number::MANTISSA_DIGITS - 1));
                }
                p
            }
            #[inline(always)]
            fn fma<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>, c: Self::Of<S>) -> Self::Of<S> {
                simd.[<mul_add_e_ $number s>](a, b, c)
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, v: Self::Of<S>) -> Self {
                simd.[<reduce_sum_ $number s>](v)
            }
            #[inline(always)]
            fn smallest<S: Simd>(simd: S, v: Self::Of<S>) -> Self {
                simd.[<reduce_min_ $number s>](v)
            }
            #[inline(always)]
            fn largest<S: Simd>(simd: S, v: Self::Of<S>) -> Self {
                simd.[<reduce_max_ $number s>](v)
            }
        }
    })*};
}
registers!(f32 as u32, ps; f64 as u64, pd;);

/// 2ʳ for |r| ≤ ½.
#[inline(always)]
fn polynomial<E: Real, S: Simd>(simd: S, r: E::Of<S>) -> E::Of<S> {
    let mut sum = E::splat(simd, E::EXP2[0]);
    for c in &E::EXP2[1..] {
        sum = E::fma(simd, sum, r, E::splat(simd, *c));
    }
    sum
}

/// The same value, if the types are the same.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn same<T: Copy + 'static, U: Copy + 'static>(value: T) -> Option<U> {
    (&value as &dyn std::any::Any).downcast_ref::<U>().copied()
}
