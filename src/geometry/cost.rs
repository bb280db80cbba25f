//! The socket for ground costs.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::ops::{Engine, Real, RowCost};
use crate::tensor::{Points, Values};

/// A ground cost between points of dimension `N`.
///
/// Implement [`RowCost`] for a cost between two rows and this follows; implement this directly for a
/// cost that wants whole batches.
pub trait Cost<const N: usize, E: Real = f32, D: Engine<E> = Cpu>: Clone {
    /// c(xᵢ, yᵢ): `[n, N], [n, N] -> [n]`, differentiable in y.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are not as many sources as targets.
    fn paired<T: Tape<E, D>>(
        &self,
        x: &Points<N, E, D>,
        y: Points<N, E, D, T>,
    ) -> Result<Values<E, D, T>>;

    /// c(xᵢ, yⱼ): `[n, N], [m, N] -> [n, m]`.
    fn pairwise(&self, x: &Points<N, E, D>, y: &Points<N, E, D>) -> Tensor<(usize, usize), E, D>;
}

impl<const N: usize, E: Real, D: Engine<E>, C: RowCost<E>> Cost<N, E, D> for C {
    fn paired<T: Tape<E, D>>(
        &self,
        x: &Points<N, E, D>,
        y: Points<N, E, D, T>,
    ) -> Result<Values<E, D, T>> {
        let (n, m) = (x.shape().0, y.shape().0);
        if n != m {
            return Err(Error::shape("targets of a paired cost", format!("{n} points"), m));
        }
        Ok(D::paired(self, x, y))
    }

    fn pairwise(&self, x: &Points<N, E, D>, y: &Points<N, E, D>) -> Tensor<(usize, usize), E, D> {
        D::pairwise(self, x, y)
    }
}

/// A cost given by a closure `|x, y, dy| c`: it returns c(x, y) and writes ∂c/∂y to `dy`.
///
/// ```
/// use brenier::geometry::{Cost, FnCost};
/// use brenier::tensor::{points, rows};
/// // Twice as expensive upwards as sideways: c = (x₀ − y₀)² + 2 (x₁ − y₁)².
/// let cost = FnCost(|x: &[f32], y: &[f32], dy: &mut [f32]| {
///     let (a, b) = (y[0] - x[0], y[1] - x[1]);
///     dy.copy_from_slice(&[2.0 * a, 4.0 * b]);
///     a * a + 2.0 * b * b
/// });
/// let c = cost.paired(&points::<2>(vec![0.0, 0.0])?, points(vec![1.0, 3.0])?)?;
/// assert_eq!(rows(&c), [19.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FnCost<F>(pub F);

impl<E: Real, F> RowCost<E> for FnCost<F>
where
    F: Fn(&[E], &[E], &mut [E]) -> E + Clone + Send + Sync + 'static,
{
    fn value(&self, x: &[E], y: &[E]) -> E {
        (self.0)(x, y, &mut vec![E::zero(); y.len()])
    }
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E {
        (self.0)(x, y, dy)
    }
}
