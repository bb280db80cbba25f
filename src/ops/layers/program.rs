//! What a network computes, written down.

use super::super::Real;
use super::run::Layer;
use super::tape::LayerOp;

/// What a sample of a value is: channels at positions in depth, height and width. A vector has one
/// position, an image depth 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Channels.
    pub channels: usize,
    /// Depth, height and width.
    pub size: [usize; 3],
}

impl Extent {
    /// Of an image.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, size: [1, height, width] }
    }

    /// Of a volume.
    pub fn volume(channels: usize, size: [usize; 3]) -> Self {
        Self { channels, size }
    }

    /// Of a vector.
    pub fn vector(channels: usize) -> Self {
        Self { channels, size: [1; 3] }
    }

    /// Number of positions.
    pub fn positions(&self) -> usize {
        self.size.iter().product()
    }

    /// Numbers of a sample.
    pub fn len(&self) -> usize {
        self.channels * self.positions()
    }

    /// Whether a sample has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A value of a [`Program`]: an input, or what a layer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub(super) usize);

/// A layer with the values and parameters that it works on; its output is the next value.
pub(super) struct Step<E: Real> {
    pub(super) layer: Box<dyn Layer<E>>,
    pub(super) inputs: Vec<usize>,
    pub(super) parameters: Vec<usize>,
}

/// The layers of a network, in the order in which they run, and its parameters.
///
/// The first values are the inputs, one after another in a row of points; the last is the output.
///
/// ```
/// use brenier::ops::{Extent, LayerOp, Program};
/// use brenier::tensor::{points, rows};
/// use dfdx::prelude::*;
/// // Two images of one pixel and three channels, added.
/// let (mut program, inputs) = Program::<f32, Cpu>::new(&[Extent::vector(3); 2]);
/// program.add(inputs[0], inputs[1], 0.5);
/// let y = Cpu::run::<6, 3, _>(points(vec![1., 2., 3., 4., 5., 6.])?, program);
/// assert_eq!(rows(&y), [2.5, 3.5, 4.5]);
/// # Ok::<(), brenier::Error>(())
/// ```
pub struct Program<E: Real, D: LayerOp<E>> {
    pub(super) extents: Vec<Extent>,
    pub(super) inputs: usize,
    pub(super) steps: Vec<Step<E>>,
    pub(super) parameters: Vec<D::Held>,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// Without layers yet, and the inputs.
    pub fn new(inputs: &[Extent]) -> (Self, Vec<Value>) {
        let (extents, steps, parameters) = (inputs.to_vec(), Vec::new(), Vec::new());
        let program = Self { extents, inputs: inputs.len(), steps, parameters };
        (program, (0..inputs.len()).map(Value).collect())
    }

    /// What a sample of a value is.
    pub fn extent(&self, v: Value) -> Extent {
        self.extents[v.0]
    }

    /// Refuses inputs and an output of other sizes.
    pub(super) fn check(&self, points: usize, output: usize) {
        let inputs: usize = self.extents[..self.inputs].iter().map(Extent::len).sum();
        let outputs = self.extents.last().map_or(0, Extent::len);
        let sizes = (points, output);
        assert_eq!((inputs, outputs), sizes, "numbers of the inputs and the output of a program");
    }

    /// Adds a layer.
    pub(super) fn push(
        &mut self,
        layer: impl Layer<E> + 'static,
        inputs: &[Value],
        parameters: impl IntoIterator<Item = D::Held>,
        output: Extent,
    ) -> Value {
        let first = self.parameters.len();
        self.parameters.extend(parameters);
        self.steps.push(Step {
            layer: Box::new(layer),
            inputs: inputs.iter().map(|v| v.0).collect(),
            parameters: (first..self.parameters.len()).collect(),
        });
        self.extents.push(output);
        Value(self.extents.len() - 1)
    }
}
