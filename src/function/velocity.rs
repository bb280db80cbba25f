//! Velocity fields v(t, x), and what else they may depend on.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::ops::{Engine, Real};
use crate::tensor::{rows, Points, Taped, Values};

/// What a velocity depends on beside time and place: nothing, `()`, or a vector for each point,
/// `Points<C>` (the class of an image in one-hot form, say).
pub trait Condition<E: Real = f32, D: Engine<E> = Cpu>: Clone {
    /// The conditions of the points with these indices.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is none for an index.
    fn of_points(&self, indices: &[usize]) -> Result<Self>;
}

impl<E: Real, D: Engine<E>> Condition<E, D> for () {
    fn of_points(&self, _: &[usize]) -> Result<Self> {
        Ok(())
    }
}

impl<const C: usize, E: Real, D: Engine<E>> Condition<E, D> for Points<C, E, D> {
    fn of_points(&self, indices: &[usize]) -> Result<Self> {
        let n = self.shape().0;
        if let Some(i) = indices.iter().find(|i| **i >= n) {
            return Err(Error::shape(
                "conditions",
                "one for every point",
                format!("{n} for point {i}"),
            ));
        }
        if indices.len() == n && indices.iter().enumerate().all(|(k, i)| k == *i) {
            return Ok(self.clone());
        }
        let all = rows(self);
        let chosen = indices.iter().flat_map(|i| &all[i * C..(i + 1) * C]).copied().collect();
        Ok(self.device().tensor_from_vec(chosen, (indices.len(), Const)))
    }
}

/// A velocity field v(t, x | q): any module `([n, N], [n], q) -> [n, N]` of places, times and conditions
/// `Q`, on plain and on taped places, whose value at a point does not depend on the other points.
pub trait Velocity<const N: usize, Q = (), E: Real = f32, D: Engine<E> = Cpu>:
    TensorCollection<E, D>
    + Module<(Points<N, E, D>, Values<E, D>, Q), Output = Points<N, E, D>>
    + Module<(Points<N, E, D, Taped<E, D>>, Values<E, D>, Q), Output = Points<N, E, D, Taped<E, D>>>
{
}
impl<const N: usize, Q, E: Real, D: Engine<E>, V> Velocity<N, Q, E, D> for V where
    V: TensorCollection<E, D>
        + Module<(Points<N, E, D>, Values<E, D>, Q), Output = Points<N, E, D>>
        + Module<
            (Points<N, E, D, Taped<E, D>>, Values<E, D>, Q),
            Output = Points<N, E, D, Taped<E, D>>,
        >
{
}
