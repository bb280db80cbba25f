//! Costs of directions: cosine and negative inner product.

use super::sum;
use crate::ops::{CostForm, Real, RowCost, TwistCost};

/// c(x, y) = 1 − ⟨x, y⟩ / (|x||y|), in [0, 2]; 1 with gradient 0 where x or y is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cosine;

/// c(x, y) = −⟨x, y⟩. For given marginals it differs from ½|x − y|² by a constant, and the optimal
/// potential is then minus a convex conjugate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NegDot;

#[inline(always)]
fn dot<E: Real>(x: &[E], y: &[E]) -> E {
    let n = x.len();
    let (x, y) = (&x[..n], &y[..n]);
    sum(n, |i| x[i] * y[i])
}

impl<E: Real> RowCost<E> for NegDot {
    fn value(&self, x: &[E], y: &[E]) -> E {
        -dot(x, y)
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        dy.iter_mut().zip(x).for_each(|(d, x)| *d = -*x);
        -dot(x, y)
    }
    fn form(&self) -> CostForm {
        CostForm::NegativeProduct
    }
}

impl<E: Real> TwistCost<E> for NegDot {
    fn twist(&self, _: &[E], slope: &[E], y: &mut [E]) {
        y.iter_mut().zip(slope).for_each(|(y, s)| *y = -*s);
    }
    fn twist_backward(&self, _: &[E], dy: &[E], dslope: &mut [E]) {
        dslope.iter_mut().zip(dy).for_each(|(d, y)| *d -= *y);
    }
}

impl Cosine {
    /// (cos, 1/|x||y|, 1/|y|²), or `None` where the cosine is not defined.
    fn parts<E: Real>(x: &[E], y: &[E]) -> Option<(E, E, E)> {
        let (xx, yy) = (dot(x, x), dot(y, y));
        let inverse = (xx.sqrt() * yy.sqrt()).recip();
        inverse.is_finite().then(|| (dot(x, y) * inverse, inverse, yy.recip()))
    }
}

impl<E: Real> RowCost<E> for Cosine {
    fn value(&self, x: &[E], y: &[E]) -> E {
        Self::parts(x, y).map_or(E::one(), |(cos, ..)| E::one() - cos)
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        let Some((cos, inverse, inverse_square)) = Self::parts(x, y) else {
            dy.fill(E::zero());
            return E::one();
        };
        // ∂cos/∂y = x / (|x||y|) − cos · y / |y|².
        for ((d, x), y) in dy.iter_mut().zip(x).zip(y) {
            *d = cos * inverse_square * *y - inverse * *x;
        }
        E::one() - cos
    }
    fn form(&self) -> CostForm {
        CostForm::Cosine
    }
}
