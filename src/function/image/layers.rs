//! The layers that the networks have in common.

use dfdx::prelude::*;
use pastey::paste;
use rand_distr::{Distribution, StandardNormal, Uniform};

use super::dims::Plus;
use super::network::network;
use super::stage::{Channels, Stage};
use crate::ops::{
    Activation, Convolution, Engine, NormKind, Program, Real, Running, Value, Weights,
};

/// Uniform on ±1/√(fan in): PyTorch's default for convolutions and linear layers.
pub(super) fn fan_in<S: Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
    inputs: usize,
) -> Result<(), D::Err> {
    let bound = E::of(1.0 / (inputs as f64).sqrt());
    t.try_fill_with_distr(Uniform::new_inclusive(-bound, bound))
}

fn uniform<S: Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
    inputs: usize,
    _: usize,
) -> Result<(), D::Err> {
    fan_in(t, inputs)
}

/// Normal with variance 2 / (fan out): Kaiming's law for the activations of discriminators.
fn normal<S: Shape, E: Real, D: Device<E>>(
    t: &mut Tensor<S, E, D>,
    _: usize,
    outputs: usize,
) -> Result<(), D::Err> {
    t.try_fill_with_distr(Scaled((2.0 / outputs as f64).sqrt()))
}

/// The normal law of a deviation, for any number type.
struct Scaled(f64);

impl<E: Real> Distribution<E> for Scaled {
    fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> E {
        E::of(self.0 * rng.sample::<f64, _>(StandardNormal))
    }
}

/// The convolution on x, of `axes` axes (two for images) with a kernel of side `kernel`, stride 1 and
/// padding that keeps the size.
pub(super) fn same<E: Real, D: Engine<E>>(
    program: &Program<E, D>,
    x: Value,
    outputs: usize,
    (axes, kernel): (usize, usize),
) -> Convolution {
    let from = program.extent(x);
    let sides = if axes == 2 { [1, kernel, kernel] } else { [kernel; 3] };
    Convolution::volume(from.channels, outputs, from.size, sides).padding(kernel / 2)
}

macro_rules! convolution {
    ($(#[$meta:meta])* $name:ident, $init:ident, $taps:literal, ($($k:ident)*)) => {
        network! {
            $(#[$meta])*
            pub struct $name<const I, const O, const K> {
                /// `[O, I, K, …]`.
                weight "weight": tensor
                    Tensor<(Const<O>, Const<I>, $(Const<$k>,)*), E, D>
                    = |t| $init(t, I * K.pow($taps), O * K.pow($taps)),
                /// `[O]`.
                bias "bias": tensor Tensor<(Const<O>,), E, D> = |t| fan_in(t, I * K.pow($taps)),
            }
        }

        impl<const I: usize, const O: usize, const K: usize, E: Real, D: Engine<E>>
            $name<I, O, K, E, D>
        {
            /// Writes the convolution and an activation of slope `slope` below zero (1 for none).
            pub fn record_then(
                &self,
                program: &mut Program<E, D>,
                x: Channels<I>,
                slope: f64,
            ) -> Channels<O> {
                const { assert!(K % 2 == 1, "a kernel that keeps the size has an odd side") };
                let shape = same(program, x.0, O, ($taps, K));
                let weights = Weights { weight: &self.weight, bias: Some(&self.bias) };
                Channels(program.convolution(x.0, shape, weights, slope))
            }

            /// Writes λ(onto + scale · (w ∗ x + b)), λ of slope `slope` below zero: the end of a
            /// residual block.
            pub fn record_onto(
                &self,
                program: &mut Program<E, D>,
                x: Channels<I>,
                onto: Channels<O>,
                (scale, slope): (f64, f64),
            ) -> Channels<O> {
                const { assert!(K % 2 == 1, "a kernel that keeps the size has an odd side") };
                let shape = same(program, x.0, O, ($taps, K));
                let weights = Weights { weight: &self.weight, bias: Some(&self.bias) };
                let y = program.convolution_onto((x.0, onto.0), shape, weights, (scale, slope));
                Channels(y)
            }
        }

        impl<const I: usize, const O: usize, const K: usize, E: Real, D: Engine<E>>
            Stage<Channels<I>, E, D> for $name<I, O, K, E, D>
        {
            type Output = Channels<O>;
            fn record(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
                self.record_then(program, x, 1.0)
            }
        }
    };
}

macro_rules! convolutions {
    ($d:literal, $taps:expr, ($($k:ident)*), ($($one:literal)*)) => { paste! {
        network! {
            /// The same on two values whose channels are concatenated, `A` and `B` of them.
            pub struct [<JoinedConv $d d>]<const A, const B, const O, const K> {
                /// `[O, A + B, K, …]`.
                weight "weight": tensor
                    Tensor<(Const<O>, Plus<A, B>, $(Const<$k>,)*), E, D>
                    = |t| fan_in(t, (A + B) * K.pow($taps)),
                /// `[O]`.
                bias "bias": tensor
                    Tensor<(Const<O>,), E, D> = |t| fan_in(t, (A + B) * K.pow($taps)),
            }
        }

        network! {
            /// A linear map of the channels `I -> O` at each position, without bias.
            pub struct [<Projection $d d>]<const I, const O> {
                /// `[O, I, 1, …]`.
                weight "weight": tensor
                    Tensor<(Const<O>, Const<I>, $(Const<$one>,)*), E, D> = |t| fan_in(t, I),
            }
        }

        impl<const A: usize, const B: usize, const O: usize, const K: usize, E: Real, D: Engine<E>>
            Stage<(Channels<A>, Channels<B>), E, D> for [<JoinedConv $d d>]<A, B, O, K, E, D>
        {
            type Output = Channels<O>;
            fn record(
                &self,
                program: &mut Program<E, D>,
                (a, b): (Channels<A>, Channels<B>),
            ) -> Channels<O> {
                const { assert!(K % 2 == 1, "a kernel that keeps the size has an odd side") };
                let x = program.concat(a.0, b.0);
                let shape = same(program, x, O, ($taps, K));
                let weights = Weights { weight: &self.weight, bias: Some(&self.bias) };
                Channels(program.convolution(x, shape, weights, 1.0))
            }
        }

        impl<const I: usize, const O: usize, E: Real, D: Engine<E>> Stage<Channels<I>, E, D>
            for [<Projection $d d>]<I, O, E, D>
        {
            type Output = Channels<O>;
            fn record(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
                let shape = same(program, x.0, O, ($taps, 1));
                let bias: Option<&Tensor<(Const<O>,), E, D>> = None;
                let weights = Weights { weight: &self.weight, bias };
                Channels(program.convolution(x.0, shape, weights, 1.0))
            }
        }
    } };
}
convolutions!(2, 2, (K K), (1 1));
convolutions!(3, 3, (K K K), (1 1 1));

convolution! {
    /// A convolution `I -> O` of images with a kernel of side `K` (odd), stride 1 and padding that keeps
    /// the size. Weights start uniform on ±1/√(fan in), PyTorch's default.
    Conv2d, uniform, 2, (K K)
}
convolution! {
    /// [`Conv2d`] of volumes.
    Conv3d, uniform, 3, (K K K)
}
convolution! {
    /// [`Conv2d`] whose weights start normal with variance 2 / (fan out), as those of discriminators.
    NormalConv2d, normal, 2, (K K)
}
convolution! {
    /// [`NormalConv2d`] of volumes.
    NormalConv3d, normal, 3, (K K K)
}

network! {
    /// Batch normalisation of `C` channels: with the statistics of the batch while it is learned, else with
    /// the running ones (see [`Running`]).
    pub struct BatchNorm<const C> {
        /// Multiplies the normalised numbers.
        weight "weight": tensor Tensor<(Const<C>,), E, D> = |t| t.try_fill_with_ones(),
        /// Is added to them.
        bias "bias": tensor Tensor<(Const<C>,), E, D> = |t| t.try_fill_with_zeros(),
        /// Running mean.
        mean "running_mean": running Tensor<(Const<C>,), E, D> = |t| t.try_fill_with_zeros(),
        /// Running variance.
        variance "running_var": running Tensor<(Const<C>,), E, D> = |t| t.try_fill_with_ones(),
    }
}

impl<const C: usize, E: Real, D: Engine<E>> BatchNorm<C, E, D> {
    /// Writes the normalisation and an activation.
    pub fn record_then<A: Activation>(
        &self,
        program: &mut Program<E, D>,
        x: Channels<C>,
    ) -> Channels<C> {
        let affine = Some((&self.weight, &self.bias));
        let running = Some(Running { mean: &self.mean, variance: &self.variance });
        Channels(program.norm::<A, _, _, _>(x.0, NormKind::Batch, affine, running))
    }
}
