//! A multiple of another cost.

use serde::{Deserialize, Serialize};

use crate::error::{check_positive, Result};
use crate::ops::{Real, RowCost};

/// c(x, y) = factor · c'(x, y). In a maximin game the factor sets the size of the potential against that of
/// the cost.
///
/// ```
/// use brenier::geometry::{NegDot, RowCost, Scaled};
/// let cost = Scaled::new(NegDot, 10.0)?;
/// assert_eq!(cost.value(&[1.0f32, 2.0], &[3.0, 0.5]), -40.0);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaled<C> {
    cost: C,
    factor: f64,
}

impl<C> Scaled<C> {
    /// The multiple of a cost.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) unless the factor is positive and finite.
    pub fn new(cost: C, factor: f64) -> Result<Self> {
        check_positive("factor", factor).map(|()| Self { cost, factor })
    }
}

impl<C: Default> Default for Scaled<C> {
    /// The default of the cost, times 1.
    fn default() -> Self {
        Self { cost: C::default(), factor: 1.0 }
    }
}

impl<E: Real, C: RowCost<E>> RowCost<E> for Scaled<C> {
    fn value(&self, x: &[E], y: &[E]) -> E {
        E::of(self.factor) * self.cost.value(x, y)
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        let factor = E::of(self.factor);
        let value = self.cost.value_and_gradient(x, y, dy);
        dy.iter_mut().for_each(|d| *d *= factor);
        factor * value
    }
    fn value_and_source_gradient(&self, x: &[E], y: &[E], dx: &mut [E]) -> E {
        let factor = E::of(self.factor);
        let value = self.cost.value_and_source_gradient(x, y, dx);
        dx.iter_mut().for_each(|d| *d *= factor);
        factor * value
    }
}
