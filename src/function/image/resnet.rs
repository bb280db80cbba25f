//! The residual potential of WGAN-QC that neural optimal transport uses (arXiv:2201.12220, `ResNet_D`).

use dfdx::prelude::*;
use pastey::paste;

use super::dims::Times;
use super::layers::{fan_in, NormalConv2d, NormalConv3d, Projection2d, Projection3d};
use super::network::network;
use super::stage::{Channels, Stage};
use super::wrap::{ImageNetwork, Number, Sides};
use crate::ops::{Convolution, Engine, Program, Real, Value, Weights};

/// Slope below zero of its activations.
const SLOPE: f64 = 0.2;
/// What the residual branch of a block is multiplied with.
const RATIO: f64 = 0.1;

/// Pooling between its stages: windows of side 3, stride 2, padding 1.
fn halve<E: Real, D: Engine<E>, const C: usize>(
    program: &mut Program<E, D>,
    x: Channels<C>,
) -> Channels<C> {
    let size = program.extent(x.0).size;
    let kernel = size.map(|n| if n == 1 { 1 } else { 3 });
    let windows = Convolution::volume(1, 1, size, kernel).stride(2).padding(1);
    Channels(program.average_pool(x.0, windows, false))
}

macro_rules! blocks {
    ($d:literal) => {
        paste! {
            network! {
                /// y = λ(S x + 0.1 · w₁ ∗ λ(w₀ ∗ x)), λ the identity above zero and of slope 0.2 below; S is
                /// the identity for `I = O`, else a linear map of the channels; `I ≤ O`.
                pub struct [<ResidualBlock $d d>]<const I, const O> {
                    /// `I -> I`.
                    conv_0 "conv_0": module [<NormalConv $d d>]<I, I, 3, E, D>,
                    /// `I -> O`.
                    conv_1 "conv_1": module [<NormalConv $d d>]<I, O, 3, E, D>,
                    /// S, absent for `I = O`.
                    conv_s "conv_s": optional if I != O => Vec<[<Projection $d d>]<I, O, E, D>>,
                }
            }

            impl<const I: usize, const O: usize, E: Real, D: Engine<E>>
                Stage<Channels<I>, E, D> for [<ResidualBlock $d d>]<I, O, E, D>
            {
                type Output = Channels<O>;
                fn record(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
                    const { assert!(I <= O, "a block with at least as many outputs as inputs") };
                    let onto = match self.conv_s.first() {
                        Some(projection) => projection.record(program, x),
                        None => Channels(x.0),
                    };
                    let inner = self.conv_0.record_then(program, x, SLOPE);
                    self.conv_1.record_onto(program, inner, onto, (RATIO, SLOPE))
                }
            }

            network! {
                /// A linear layer from all numbers of `C` channels at `P` positions to one.
                pub struct [<Head $d d>]<const C, const P> {
                    /// `[1, C · P]`, in the order of PyTorch's `flatten`.
                    weight "weight": tensor Tensor<(Const<1>, Times<C, P>), E, D>
                        = |t| fan_in(t, C * P),
                    /// `[1]`.
                    bias "bias": tensor Tensor<(Const<1>,), E, D> = |t| fan_in(t, C * P),
                }
            }

            impl<const C: usize, const P: usize, E: Real, D: Engine<E>>
                Stage<Channels<C>, E, D> for [<Head $d d>]<C, P, E, D>
            {
                type Output = Value;
                fn record(&self, program: &mut Program<E, D>, x: Channels<C>) -> Value {
                    let weights = Weights { weight: &self.weight, bias: Some(&self.bias) };
                    program.linear(x.0, 1, weights, 1.0)
                }
            }
        }
    };
}
blocks!(2);
blocks!(3);

macro_rules! potential {
    (
        $(#[$meta:meta])* $name:ident, $d:literal, $side:literal, $positions:literal, $end:expr,
        [$w0:ident $w1:ident $($rest:ident)*] $last:ident,
        $([$from:ident $to:ident $same:ident $same_path:literal $next:ident $next_path:literal])*
    ) => { paste! {
        network! {
            $(#[$meta])*
            pub struct $name<const C, const $w0, const $w1 $(, const $rest)*> {
                /// `C -> W0`.
                conv_img "conv_img": module [<NormalConv $d d>]<C, $w0, 3, E, D>,
                /// `W0 -> W0`.
                first "resnet.0": module [<ResidualBlock $d d>]<$w0, $w0, E, D>,
                /// `W0 -> W1`.
                second "resnet.1": module [<ResidualBlock $d d>]<$w0, $w1, E, D>,
                $(
                    #[doc = concat!("After a pooling, `", stringify!($from), " -> ", stringify!($from), "`.")]
                    $same $same_path: module [<ResidualBlock $d d>]<$from, $from, E, D>,
                    #[doc = concat!("`", stringify!($from), " -> ", stringify!($to), "`.")]
                    $next $next_path: module [<ResidualBlock $d d>]<$from, $to, E, D>,
                )*
                /// The linear layer at the end.
                fc "fc": module [<Head $d d>]<$last, $positions, E, D>,
            }
        }

        impl<const C: usize, const $w0: usize, const $w1: usize $(, const $rest: usize)*, E, D>
            ImageNetwork<C, E, D> for $name<C, $w0, $w1 $(, $rest)*, E, D>
        where
            E: Real,
            D: Engine<E>,
        {
            type Ends = Number;
            const SIDES: Sides = Sides::Exactly($side);
            fn record(&self, program: &mut Program<E, D>, x: Channels<C>) -> Value {
                let x = self.conv_img.record_then(program, x, SLOPE);
                let x = self.first.record(program, x);
                let x = self.second.record(program, x);
                $(
                    let x = halve(program, x);
                    let x = self.$same.record(program, x);
                    let x = self.$next.record(program, x);
                )*
                let x = $end(program, x);
                self.fc.record(program, x)
            }
        }
    } };
}

/// Nothing before the linear layer.
fn as_it_is<E: Real, D: Engine<E>, const C: usize>(
    _: &mut Program<E, D>,
    x: Channels<C>,
) -> Channels<C> {
    x
}

/// The largest of two in each direction.
fn largest<E: Real, D: Engine<E>, const C: usize>(
    program: &mut Program<E, D>,
    x: Channels<C>,
) -> Channels<C> {
    let windows = Convolution::volume(1, 1, program.extent(x.0).size, [2; 3]).stride(2);
    Channels(program.max_pool(x.0, windows))
}

potential! {
    /// The residual potential for images of side 16: `W0` channels at first, then twice, as the sides
    /// halve to 4, a block that keeps them and one that widens them. No normalisation.
    ResNetD16, 2, 16, 16, as_it_is, [W0 W1 W2 W3] W3,
    [W1 W2 third "resnet.3" fourth "resnet.4"] [W2 W3 fifth "resnet.6" sixth "resnet.7"]
}
potential! {
    /// [`ResNetD16`] for images of side 32.
    ResNetD32, 2, 32, 16, as_it_is, [W0 W1 W2 W3 W4] W4,
    [W1 W2 third "resnet.3" fourth "resnet.4"] [W2 W3 fifth "resnet.6" sixth "resnet.7"] [W3 W4 seventh "resnet.9" eighth "resnet.10"]
}
potential! {
    /// [`ResNetD16`] for images of side 64. With the widths of arXiv:2201.12220 it has 22 933 441
    /// parameters:
    ///
    /// ```
    /// use brenier::function::{build, image::{AsImage, ResNetD64}};
    /// use brenier::random::Key;
    /// use dfdx::nn::NumParams;
    /// type Potential = AsImage<3, 64, 64, ResNetD64<3, 64, 128, 256, 512, 512, 512>>;
    /// let f: Potential = build(Key::new(0));
    /// assert_eq!(f.num_trainable_params(), 22_933_441);
    /// ```
    ResNetD64, 2, 64, 16, as_it_is, [W0 W1 W2 W3 W4 W5] W5,
    [W1 W2 third "resnet.3" fourth "resnet.4"] [W2 W3 fifth "resnet.6" sixth "resnet.7"] [W3 W4 seventh "resnet.9" eighth "resnet.10"]
    [W4 W5 ninth "resnet.12" tenth "resnet.13"]
}
potential! {
    /// [`ResNetD16`] for images of side 128.
    ResNetD128, 2, 128, 16, as_it_is, [W0 W1 W2 W3 W4 W5 W6] W6,
    [W1 W2 third "resnet.3" fourth "resnet.4"] [W2 W3 fifth "resnet.6" sixth "resnet.7"] [W3 W4 seventh "resnet.9" eighth "resnet.10"]
    [W4 W5 ninth "resnet.12" tenth "resnet.13"] [W5 W6 eleventh "resnet.15" twelfth "resnet.16"]
}
potential! {
    /// The residual potential for volumes of side 16; before the linear layer the sides of 4 are pooled
    /// to 2, the largest of each eight numbers being kept.
    VolumeResNetD16, 3, 16, 8, largest, [W0 W1 W2 W3] W3,
    [W1 W2 third "resnet.3" fourth "resnet.4"] [W2 W3 fifth "resnet.6" sixth "resnet.7"]
}
potential! {
    /// [`VolumeResNetD16`] for volumes of side 32.
    VolumeResNetD32, 3, 32, 8, largest, [W0 W1 W2 W3 W4] W4,
    [W1 W2 third "resnet.3" fourth "resnet.4"] [W2 W3 fifth "resnet.6" sixth "resnet.7"] [W3 W4 seventh "resnet.9" eighth "resnet.10"]
}
