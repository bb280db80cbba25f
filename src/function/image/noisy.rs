//! Networks of an image and noise, and the U-Net whose scales and shifts come from it.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use super::layers::Conv2d;
use super::network::network;
use super::stage::{Channels, Stage};
use super::unet::{DoubleConv2d, Down2d, OutConv2d, Up2d};
use super::wrap::Sides;
use crate::ops::{Affine, Engine, Extent, Identity, NormKind, Program, Real, Running, Value};
use crate::tensor::Points;

/// A network of images of `C` channels with `Z` numbers of noise, that gives an image of the same size.
pub trait NoisyImageNetwork<const C: usize, const Z: usize, E: Real, D: Engine<E>> {
    /// The sides of the images that fit.
    const SIDES: Sides;
    /// Writes the network into a program.
    fn record(&self, program: &mut Program<E, D>, x: Channels<C>, z: Channels<Z>) -> Value;
}

/// A network on an image and noise, one after the other in a point: `[n, N + Z] -> [n, N]`, with `N = C H W`.
/// [`Joined<Z, N + Z, _>`](crate::function::Joined) makes a
/// [`StochasticMap`](crate::function::StochasticMap) of it. Sizes are checked when the code is compiled.
#[derive(Clone, Debug)]
pub struct AsNoisyImage<
    const C: usize,
    const H: usize,
    const W: usize,
    const Z: usize,
    const N: usize,
    Net,
>(pub Net);

impl<const C: usize, const H: usize, const W: usize, const Z: usize, const N: usize, Net>
    NonMutableModule for AsNoisyImage<C, H, W, Z, N, Net>
{
}

impl<
        const C: usize,
        const H: usize,
        const W: usize,
        const Z: usize,
        const N: usize,
        Net: TensorCollection<E, D>,
        E: Dtype,
        D: Device<E>,
    > TensorCollection<E, D> for AsNoisyImage<C, H, W, Z, N, Net>
{
    type To<E2: Dtype, D2: Device<E2>> = AsNoisyImage<C, H, W, Z, N, Net::To<E2, D2>>;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(Self::module("", |s| &s.0, |s| &mut s.0), AsNoisyImage)
    }
}

impl<
        const M: usize,
        const C: usize,
        const H: usize,
        const W: usize,
        const Z: usize,
        const N: usize,
        Net: NoisyImageNetwork<C, Z, E, D>,
        E: Real,
        D: Engine<E>,
        T: Tape<E, D>,
    > Module<Points<M, E, D, T>> for AsNoisyImage<C, H, W, Z, N, Net>
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<M, E, D, T>) -> Result<Self::Output, Self::Error> {
        const { assert!(N == C * H * W, "N is C · H · W, the numbers of an image") };
        const { assert!(M == N + Z, "the numbers of a point are those of an image and its noise") };
        const { assert!(Net::SIDES.admit(H) && Net::SIDES.admit(W), "a side the network takes") };
        let extents = [Extent::image(C, H, W), Extent::vector(Z)];
        let (mut program, inputs) = Program::new(&extents);
        self.0.record(&mut program, Channels(inputs[0]), Channels(inputs[1]));
        Ok(D::run(x, program))
    }
}

network! {
    /// A linear layer with ReLU from noise to the channels of an image.
    pub struct FromNoise<const Z, const C> {
        /// The layer, as a convolution of side 1.
        conv "0": module Conv2d<Z, C, 1, E, D>,
    }
}

network! {
    /// Conditional instance normalisation: each channel of a sample with mean 0 and variance 1, times a
    /// scale plus a shift that come from noise.
    pub struct ConditionalNorm<const C, const Z> {
        /// The shift.
        shift "shift_conv": module FromNoise<Z, C, E, D>,
        /// The scale.
        scale "scale_conv": module FromNoise<Z, C, E, D>,
    }
}

impl<const C: usize, const Z: usize, E: Real, D: Engine<E>> Stage<(Channels<C>, Channels<Z>), E, D>
    for ConditionalNorm<C, Z, E, D>
{
    type Output = Channels<C>;
    fn record(
        &self,
        program: &mut Program<E, D>,
        (x, z): (Channels<C>, Channels<Z>),
    ) -> Channels<C> {
        let shift = self.shift.conv.record_then(program, z, 0.0);
        let scale = self.scale.conv.record_then(program, z, 0.0);
        let affine: Option<Affine<(usize,), (usize,), E, D>> = None;
        let running: Option<Running<(usize,), E, D>> = None;
        let x = program.norm::<Identity, _, _, _>(x.0, NormKind::UnbiasedInstance, affine, running);
        Channels(program.modulate(x, scale.0, shift.0))
    }
}

network! {
    /// The conditional U-Net of kernel neural optimal transport (arXiv:2205.15269): a
    /// [`UNet`](super::UNet) with a conditional instance normalisation before each stage that goes up. `Z`
    /// numbers of noise, sides multiples of 16.
    pub struct ConditionalUNet<const I, const O, const Z, const W1, const W2, const W3, const W4> {
        /// `I -> W1`.
        inc "inc": module DoubleConv2d<I, W1, E, D>,
        /// `W1 -> W2`.
        down1 "down1": module Down2d<W1, W2, E, D>,
        /// `W2 -> W3`.
        down2 "down2": module Down2d<W2, W3, E, D>,
        /// `W3 -> W4`.
        down3 "down3": module Down2d<W3, W4, E, D>,
        /// `W4 -> W4`.
        down4 "down4": module Down2d<W4, W4, E, D>,
        /// Before `up1`.
        adain1 "adain1": module ConditionalNorm<W4, Z, E, D>,
        /// `2 W4 -> W3`.
        up1 "up1": module Up2d<W4, W3, E, D>,
        /// Before `up2`.
        adain2 "adain2": module ConditionalNorm<W3, Z, E, D>,
        /// `2 W3 -> W2`.
        up2 "up2": module Up2d<W3, W2, E, D>,
        /// Before `up3`.
        adain3 "adain3": module ConditionalNorm<W2, Z, E, D>,
        /// `2 W2 -> W1`.
        up3 "up3": module Up2d<W2, W1, E, D>,
        /// Before `up4`.
        adain4 "adain4": module ConditionalNorm<W1, Z, E, D>,
        /// `2 W1 -> W1`.
        up4 "up4": module Up2d<W1, W1, E, D>,
        /// `W1 -> O`.
        outc "outc": module OutConv2d<W1, O, E, D>,
    }
}

impl<
        const C: usize,
        const Z: usize,
        const W1: usize,
        const W2: usize,
        const W3: usize,
        const W4: usize,
        E: Real,
        D: Engine<E>,
    > NoisyImageNetwork<C, Z, E, D> for ConditionalUNet<C, C, Z, W1, W2, W3, W4, E, D>
{
    const SIDES: Sides = Sides::MultiplesOf(16);
    fn record(&self, program: &mut Program<E, D>, x: Channels<C>, z: Channels<Z>) -> Value {
        let x1 = self.inc.record(program, x);
        let x2 = self.down1.record(program, x1);
        let x3 = self.down2.record(program, x2);
        let x4 = self.down3.record(program, x3);
        let x = self.down4.record(program, x4);
        let x = self.adain1.record(program, (x, z));
        let x = self.up1.record(program, (x, x4));
        let x = self.adain2.record(program, (x, z));
        let x = self.up2.record(program, (x, x3));
        let x = self.adain3.record(program, (x, z));
        let x = self.up3.record(program, (x, x2));
        let x = self.adain4.record(program, (x, z));
        let x = self.up4.record(program, (x, x1));
        self.outc.conv.record(program, x).0
    }
}
