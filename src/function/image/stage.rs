//! What networks are made of: stages that write into a program.

use crate::ops::{Engine, Program, Real, Value};

/// A value of a program with `C` channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels<const C: usize>(pub Value);

/// A part of a network: it writes what it computes from `X` into a program.
///
/// `X` is [`Channels`] of a number, or several of them. Stages with parameters are modules of `dfdx`, and
/// are combined by calling them in turn.
pub trait Stage<X, E: Real, D: Engine<E>> {
    /// What it gives.
    type Output;
    /// Writes the stage into `program`.
    fn record(&self, program: &mut Program<E, D>, x: X) -> Self::Output;
}
