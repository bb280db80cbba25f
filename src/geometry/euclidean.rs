//! The Euclidean distance, its square, and half of its square.

use super::sum;
use crate::ops::{CostForm, Real, RowCost, TwistCost};

/// c(x, y) = |x − y|².
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SqEuclidean;

/// c(x, y) = ½|x − y|².
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HalfSqEuclidean;

/// c(x, y) = |x − y|, with gradient 0 where x = y.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Euclidean;

#[inline(always)]
pub(super) fn square_distance<E: Real>(x: &[E], y: &[E]) -> E {
    let n = x.len();
    let (x, y) = (&x[..n], &y[..n]);
    sum(n, |i| (y[i] - x[i]) * (y[i] - x[i]))
}

#[inline(always)]
pub(super) fn scaled_difference<E: Real>(x: &[E], y: &[E], dy: &mut [E], scale: E) {
    for ((d, x), y) in dy.iter_mut().zip(x).zip(y) {
        *d = scale * (*y - *x);
    }
}

impl<E: Real> RowCost<E> for SqEuclidean {
    fn value(&self, x: &[E], y: &[E]) -> E {
        square_distance(x, y)
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        scaled_difference(x, y, dy, E::of(2.0));
        square_distance(x, y)
    }
    fn form(&self) -> CostForm {
        CostForm::SquaredDistance { scale: 1.0 }
    }
}

impl<E: Real> RowCost<E> for HalfSqEuclidean {
    fn value(&self, x: &[E], y: &[E]) -> E {
        E::of(0.5) * square_distance(x, y)
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        scaled_difference(x, y, dy, E::one());
        E::of(0.5) * square_distance(x, y)
    }
    fn form(&self) -> CostForm {
        CostForm::SquaredDistance { scale: 0.5 }
    }
}

/// y = x − scale · slope.
fn step_back<E: Real>(x: &[E], slope: &[E], y: &mut [E], scale: E) {
    for ((y, x), s) in y.iter_mut().zip(x).zip(slope) {
        *y = *x - scale * *s;
    }
}

impl<E: Real> TwistCost<E> for SqEuclidean {
    fn twist(&self, x: &[E], slope: &[E], y: &mut [E]) {
        step_back(x, slope, y, E::of(0.5));
    }
    fn twist_backward(&self, _: &[E], dy: &[E], dslope: &mut [E]) {
        dslope.iter_mut().zip(dy).for_each(|(d, y)| *d -= E::of(0.5) * *y);
    }
}

impl<E: Real> TwistCost<E> for HalfSqEuclidean {
    fn twist(&self, x: &[E], slope: &[E], y: &mut [E]) {
        step_back(x, slope, y, E::one());
    }
    fn twist_backward(&self, _: &[E], dy: &[E], dslope: &mut [E]) {
        dslope.iter_mut().zip(dy).for_each(|(d, y)| *d -= *y);
    }
}

impl<E: Real> RowCost<E> for Euclidean {
    fn value(&self, x: &[E], y: &[E]) -> E {
        square_distance(x, y).sqrt()
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        let distance = square_distance(x, y).sqrt();
        let scale = if distance > E::zero() { distance.recip() } else { E::zero() };
        scaled_difference(x, y, dy, scale);
        distance
    }
    fn form(&self) -> CostForm {
        CostForm::Distance
    }
}
