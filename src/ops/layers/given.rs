//! Values that are known when a program is written down.

use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// Numbers for each sample, channels last.
struct Given<E> {
    values: Vec<E>,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// A vector of `channels` numbers for each sample, one after another: what a network is told besides
    /// its inputs, such as the times of a velocity. There is no gradient in it.
    ///
    /// The program is then one for as many samples; it panics for others.
    ///
    /// # Panics
    /// If the numbers are not whole vectors.
    pub fn given(&mut self, values: Vec<E>, channels: usize) -> Value {
        let whole = channels > 0 && values.len().is_multiple_of(channels);
        assert!(whole, "{} numbers for vectors of {channels}", values.len());
        self.push(Given { values }, &[], [], Extent::vector(channels))
    }
}

impl<E: Real> Layer<E> for Given<E> {
    fn forward(&self, _: Forward<E>, y: &mut [E]) -> Stash<E> {
        assert_eq!(y.len(), self.values.len(), "what a program is given, one vector a sample");
        y.copy_from_slice(&self.values);
        Stash::new()
    }

    fn backward(&self, _: Backward<E>, _: Scratch<E>, _: &mut Slopes<E>) {}

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}
