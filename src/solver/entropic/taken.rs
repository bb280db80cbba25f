//! The arguments of losses: tensors in, numbers and tape out.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::geometry::RowCost;
use crate::ops::{Engine, Input, Real};
use crate::problem::{Discrete, Relaxation};
use crate::solver::sinkhorn::Status;
use crate::tensor::{rows, Points, Scalar, Values};

/// The weights of source and target on the tape; `None` is uniform.
pub type Weights<'a, E = f32, D = Cpu> = [Option<&'a Values<E, D>>; 2];

/// The arguments of a loss: their numbers, and where their gradients go.
pub(super) struct Taken<const N: usize, E: Real, D: Engine<E>, T> {
    pub(super) device: D,
    pub(super) tape: T,
    pub(super) numbers: Numbers<E>,
    pub(super) inputs: Vec<Input<E, D>>,
}

/// Points and weights of source and target.
pub(super) struct Numbers<E> {
    pub(super) points: [Vec<E>; 2],
    pub(super) weights: [Option<Vec<E>>; 2],
}

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>> Taken<N, E, D, T> {
    pub(super) fn new<R: Tape<E, D>>(
        x: Points<N, E, D, T>,
        y: Points<N, E, D, R>,
        weights: Weights<'_, E, D>,
    ) -> Self
    where
        T: Merge<R>,
    {
        let (x, tape) = x.contiguous().split_tape();
        let (y, other) = y.contiguous().split_tape();
        let [a, b] = weights.map(|w| w.map_or_else(Input::none, |w| D::input(w)));
        Self {
            device: x.device().clone(),
            tape: tape.merge(other),
            numbers: Numbers {
                points: [rows(&x), rows(&y)],
                weights: weights.map(|w| w.map(rows)),
            },
            inputs: vec![D::input(&x), D::input(&y), a, b],
        }
    }

    /// Whether the gradients in the points of source and target are wanted.
    pub(super) fn wanted(&self) -> [bool; 2] {
        [self.inputs[0].wanted(), self.inputs[1].wanted()]
    }

    /// The value on the tape, with these gradients in the inputs.
    pub(super) fn attach(self, value: f64, mut slopes: Vec<Vec<E>>) -> Scalar<E, D, T> {
        let output = self.device.tensor_from_vec(vec![E::of(value)], ());
        D::attach(output, self.inputs, self.tape, move |seed| {
            let seed = seed.first().copied().unwrap_or_else(E::zero);
            slopes.iter_mut().flatten().for_each(|s| *s *= seed);
            slopes
        })
    }
}

impl<E: Real> Numbers<E> {
    /// The problem between them.
    pub(super) fn problem<C: RowCost<E>>(
        &self,
        cost: &C,
        d: usize,
        relaxation: [Relaxation; 2],
    ) -> Result<Discrete<'_, E>> {
        let mut problem = Discrete::clouds(cost, &self.points[0], &self.points[1], d)?;
        if let Some(a) = &self.weights[0] {
            problem = problem.with_source_weights(a)?;
        }
        if let Some(b) = &self.weights[1] {
            problem = problem.with_target_weights(b)?;
        }
        problem.relaxed(relaxation[0], relaxation[1])
    }
}

/// The solution, unless it diverged.
pub(super) fn finite<S>(solution: S, status: impl Fn(&S) -> Status) -> Result<S> {
    if status(&solution) == Status::Diverged {
        return Err(Error::NonFinite {
            what: "an entropic potential".into(),
            value: f64::NAN,
            step: None,
            remedy: "scale the points or raise epsilon",
        });
    }
    Ok(solution)
}
