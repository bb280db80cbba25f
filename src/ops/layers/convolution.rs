//! Convolutions, their adjoints and linear layers.

use dfdx::prelude::*;

use super::super::conv::{
    add_weight_gradient, convolve, convolve_adjoint, planes, Convolution, Extra,
};
use super::super::dense::{add, sum_rows};
use super::super::parallel::map_each;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Extent, Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// Parts into which the sums of a bias are cut.
const PARTS: usize = 8;

/// y = λ(s + scale · (w ∗ x + b)), λ the identity above zero and of slope `slope` below, s a summand.
struct Convolved {
    shape: Convolution,
    /// Whether the adjoint of the convolution is taken: a transposed convolution.
    adjoint: bool,
    bias: bool,
    scale: f64,
    slope: f64,
    summand: bool,
}

/// The weights of a convolution, as in PyTorch.
pub struct Weights<'a, W: Shape, B: Shape, E: Real, D: LayerOp<E>> {
    /// `[outputs, inputs / groups, kernel]`; of a transposed convolution `[inputs, outputs / groups,
    /// kernel]`. Any shape with as many numbers will do.
    pub weight: &'a Tensor<W, E, D>,
    /// `[outputs]`.
    pub bias: Option<&'a Tensor<B, E, D>>,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// y = λ(w ∗ x + b), where λ is the identity above zero and multiplies by `slope` below (1 for
    /// none, 0 for ReLU).
    ///
    /// # Panics
    /// If the sizes of the convolution, its weights and x do not fit.
    pub fn convolution<W: Shape, B: Shape>(
        &mut self,
        x: Value,
        shape: Convolution,
        weights: Weights<W, B, E, D>,
        slope: f64,
    ) -> Value {
        let to = Extent { channels: shape.outputs, size: shape.output_size() };
        self.convolved(&[x], shape, false, weights, (1.0, slope), to)
    }

    /// y = λ(s + scale · (w ∗ x + b)): the end of a residual block.
    ///
    /// # Panics
    /// As [`convolution`](Self::convolution); if s is not as large as y.
    pub fn convolution_onto<W: Shape, B: Shape>(
        &mut self,
        (x, onto): (Value, Value),
        shape: Convolution,
        weights: Weights<W, B, E, D>,
        (scale, slope): (f64, f64),
    ) -> Value {
        let to = Extent { channels: shape.outputs, size: shape.output_size() };
        assert_eq!(self.extent(onto), to, "the summand of a convolution");
        self.convolved(&[x, onto], shape, false, weights, (scale, slope), to)
    }

    /// The transposed convolution with y = λ(w ∗ᵀ x + b): `shape` is the convolution whose adjoint it
    /// is, from the size of y to that of x.
    ///
    /// # Panics
    /// As [`convolution`](Self::convolution).
    pub fn transposed_convolution<W: Shape, B: Shape>(
        &mut self,
        x: Value,
        shape: Convolution,
        weights: Weights<W, B, E, D>,
        slope: f64,
    ) -> Value {
        let to = Extent { channels: shape.inputs, size: shape.size };
        self.convolved(&[x], shape, true, weights, (1.0, slope), to)
    }

    /// y = W x + b for all the numbers of x, in the order of PyTorch's `flatten`: `[outputs, inputs]`.
    ///
    /// # Panics
    /// As [`convolution`](Self::convolution).
    pub fn linear<W: Shape, B: Shape>(
        &mut self,
        x: Value,
        outputs: usize,
        weights: Weights<W, B, E, D>,
        slope: f64,
    ) -> Value {
        let from = self.extent(x);
        let shape = Convolution::volume(from.channels, outputs, from.size, from.size);
        self.convolution(x, shape, weights, slope)
    }

    fn convolved<W: Shape, B: Shape>(
        &mut self,
        inputs: &[Value],
        shape: Convolution,
        adjoint: bool,
        weights: Weights<W, B, E, D>,
        (scale, slope): (f64, f64),
        to: Extent,
    ) -> Value {
        let from = match adjoint {
            false => Extent { channels: shape.inputs, size: shape.size },
            true => Extent { channels: shape.outputs, size: shape.output_size() },
        };
        assert!(shape.check().is_ok(), "a valid convolution: {:?}", shape.check());
        assert_eq!(self.extent(inputs[0]), from, "the input of a convolution");
        let numbers = weights.weight.shape().num_elements();
        assert_eq!(numbers, shape.weight_len(), "the weights of a convolution");
        if let Some(bias) = weights.bias {
            assert_eq!(bias.shape().num_elements(), to.channels, "the bias of a convolution");
        }
        let (bias, summand) = (weights.bias.is_some(), inputs.len() == 2);
        let layer = Convolved { shape, adjoint, bias, scale, slope, summand };
        let parameters = [Some(D::hold(weights.weight)), weights.bias.map(D::hold)];
        self.push(layer, inputs, parameters.into_iter().flatten(), to)
    }
}

impl<E: Real> Layer<E> for Convolved {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        if self.summand {
            y.copy_from_slice(work.inputs[1]);
        }
        let mut bias = Scratch::copy_of(work.parameters.get(1).map_or(&[][..], |b| b));
        bias.iter_mut().for_each(|b| *b *= E::of(self.scale));
        let extra = Extra {
            bias: &bias,
            scale: E::of(self.scale),
            onto: self.summand,
            slope: E::of(self.slope),
        };
        let apply = match self.adjoint {
            _ if work.planar => planes::convolve,
            true => convolve_adjoint,
            false => convolve,
        };
        apply(&self.shape, work.inputs[0], &work.parameters[0], y, extra);
        Stash::new()
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        if self.slope != 1.0 {
            times_slope::<E>(&mut slopes, work.output, E::of(self.slope));
        }
        let (x, scale) = (work.inputs[0], E::of(self.scale));
        if work.planar {
            let wanted = planes::Wanted { parameters: work.learning, input: to.wants(0) };
            let weights = (&work.parameters[0][..], scale);
            let [weight, bias, input] = planes::gradients(&self.shape, x, &slopes, weights, wanted);
            to.parameter(0, |to| add::<E>(to, &weight));
            if self.bias {
                to.parameter(1, |to| add::<E>(to, &bias));
            }
            return to.give(0, input);
        }
        if self.bias {
            to.parameter(1, |to| add_column_sums(&slopes, scale, to));
        }
        to.parameter(0, |to| match self.adjoint {
            false => add_weight_gradient(&self.shape, x, &slopes, scale, to),
            true => add_weight_gradient(&self.shape, &slopes, x, scale, to),
        });
        to.input(0, |to, fresh| {
            let extra = Extra { scale, onto: !fresh, ..Extra::none(E::one()) };
            let apply = if self.adjoint { convolve } else { convolve_adjoint };
            apply(&self.shape, &slopes, &work.parameters[0], to, extra);
        });
        if self.summand {
            to.give(1, slopes);
        }
    }

    fn keeps(&self, learning: bool) -> Keeps {
        Keeps { inputs: learning, output: self.slope != 1.0 }
    }

    fn planar(&self) -> bool {
        !self.adjoint && !self.summand && planes::by_planes(&self.shape)
    }
}

/// Adds scale times the sums over all positions, cut into parts that depend on the sizes alone.
fn add_column_sums<E: Real>(rows: &[E], scale: E, to: &mut [E]) {
    let width = to.len();
    let part = (rows.len() / width).div_ceil(PARTS).max(1) * width;
    let sums = map_each(rows.len().div_ceil(part), |i| {
        let mut sum = Scratch::new(width);
        sum.fill(E::zero());
        sum_rows::<E>(&rows[i * part..rows.len().min((i + 1) * part)], &mut sum);
        sum
    });
    for sum in sums {
        to.iter_mut().zip(sum.iter()).for_each(|(to, s)| *to += scale * *s);
    }
}

vectorised! {
    fn times_slope<E: Real>(slopes: &mut [E], y: &[E], slope: E) {
        for (d, y) in slopes.iter_mut().zip(y) {
            *d = if *y > E::zero() { *d } else { *d * slope };
        }
    }
}
