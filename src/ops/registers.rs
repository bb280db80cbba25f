//! Vector registers for kernels in which the order of operations matters more than a compiler sees.

use pastey::paste;
use pulp::Simd;

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
    fn times<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn over<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn least<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn most<S: Simd>(simd: S, a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;
    #[doc(hidden)]
    fn size<S: Simd>(simd: S, a: Self::Of<S>) -> Self::Of<S>;
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
    ($($number:ident)*) => {$(paste! {
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
registers!(f32 f64);
