//! What the loops are compiled for: rounding and costs.

use crate::ops::{fused, Real};

/// How products and sums are rounded.
pub(super) trait Contract {
    fn fma<E: Real>(a: E, b: E, c: E) -> E;
    fn exp2<E: Real>(x: E) -> E;
}

/// Once, for processors with the instruction.
pub(super) struct Fused;
/// Separately.
pub(super) struct Separate;

impl Contract for Fused {
    #[inline(always)]
    fn fma<E: Real>(a: E, b: E, c: E) -> E {
        fused::<E, true>(a, b, c)
    }
    #[inline(always)]
    fn exp2<E: Real>(x: E) -> E {
        x.fast_exp2::<true>()
    }
}

impl Contract for Separate {
    #[inline(always)]
    fn fma<E: Real>(a: E, b: E, c: E) -> E {
        fused::<E, false>(a, b, c)
    }
    #[inline(always)]
    fn exp2<E: Real>(x: E) -> E {
        x.fast_exp2::<false>()
    }
}

/// From coordinates to exponents.
pub(super) trait Shape {
    /// `sum` and the term of one coordinate.
    fn add<E: Real, T: Contract>(x: E, y: E, sum: E) -> E;
    /// `base` and what the sum contributes to the exponent.
    fn exponent<E: Real>(base: E, sum: E) -> E;
}

/// −|x − y|².
pub(super) struct Square;
/// −|x − y|.
pub(super) struct Root;
/// ⟨x, y⟩.
pub(super) struct Product;

impl Shape for Square {
    #[inline(always)]
    fn add<E: Real, T: Contract>(x: E, y: E, sum: E) -> E {
        T::fma(x - y, x - y, sum)
    }
    #[inline(always)]
    fn exponent<E: Real>(base: E, sum: E) -> E {
        base - sum
    }
}

impl Shape for Root {
    #[inline(always)]
    fn add<E: Real, T: Contract>(x: E, y: E, sum: E) -> E {
        T::fma(x - y, x - y, sum)
    }
    #[inline(always)]
    fn exponent<E: Real>(base: E, sum: E) -> E {
        base - sum.sqrt()
    }
}

impl Shape for Product {
    #[inline(always)]
    fn add<E: Real, T: Contract>(x: E, y: E, sum: E) -> E {
        T::fma(x, y, sum)
    }
    #[inline(always)]
    fn exponent<E: Real>(base: E, sum: E) -> E {
        base + sum
    }
}
