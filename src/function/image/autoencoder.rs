//! The auto-encoder of neural optimal transport: a U-Net without skips, through a bottleneck.

use super::layers::{BatchNorm, Conv2d};
use super::network::network;
use super::stage::{Channels, Stage};
use super::unet::{DoubleConv2d, Down2d, OutConv2d};
use super::wrap::{ImageNetwork, SameSize, Sides};
use crate::ops::{Engine, Interpolation, Program, Real, Relu, Value};

network! {
    /// Bilinear upsampling by two, then (convolution of side 3, batch norm, ReLU) twice, `I -> M -> O`.
    pub struct Unpooled<const I, const M, const O> {
        /// `I -> M`.
        first "conv.double_conv.0": module Conv2d<I, M, 3, E, D>,
        /// Of the first.
        first_norm "conv.double_conv.1": module BatchNorm<M, E, D>,
        /// `M -> O`.
        second "conv.double_conv.3": module Conv2d<M, O, 3, E, D>,
        /// Of the second.
        second_norm "conv.double_conv.4": module BatchNorm<O, E, D>,
    }
}

impl<const I: usize, const M: usize, const O: usize, E: Real, D: Engine<E>> Stage<Channels<I>, E, D>
    for Unpooled<I, M, O, E, D>
{
    type Output = Channels<O>;
    fn record(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
        let x = Channels(program.upsample(x.0, [1, 2, 2], Interpolation::LinearCorners));
        let x = self.first.record(program, x);
        let x = self.first_norm.record_then::<Relu>(program, x);
        let x = self.second.record(program, x);
        self.second_norm.record_then::<Relu>(program, x)
    }
}

network! {
    /// The auto-encoder of NOT-AE: five halvings to `B` channels and back, for sides that are multiples of
    /// 32. Widths double from `W1` to `W5`; `H` is half of `B` and `Q` half of `W1`, which is checked when
    /// the code is compiled. The published one is `AutoEncoder<3, 16, 8, 16, 32, 64, 128, 256, 512>`:
    /// 16 · 2 · 2 = 64 latent numbers for an image of side 64.
    pub struct AutoEncoder<
        const C, const B, const H, const Q, const W1, const W2, const W3, const W4, const W5
    > {
        /// `C -> W1`.
        inc "inc": module DoubleConv2d<C, W1, E, D>,
        /// `W1 -> W2`.
        down1 "down1": module Down2d<W1, W2, E, D>,
        /// `W2 -> W3`.
        down2 "down2": module Down2d<W2, W3, E, D>,
        /// `W3 -> W4`.
        down3 "down3": module Down2d<W3, W4, E, D>,
        /// `W4 -> W4`.
        down4 "down4": module Down2d<W4, W4, E, D>,
        /// `W4 -> B`, the latent numbers.
        down5 "down5": module Down2d<W4, B, E, D>,
        /// `B -> H -> W5`.
        up0 "up0": module Unpooled<B, H, W5, E, D>,
        /// `W5 -> W4 -> W3`.
        up1 "up1": module Unpooled<W5, W4, W3, E, D>,
        /// `W3 -> W2 -> W2`.
        up2 "up2": module Unpooled<W3, W2, W2, E, D>,
        /// `W2 -> W1 -> W1`.
        up3 "up3": module Unpooled<W2, W1, W1, E, D>,
        /// `W1 -> Q -> W1`.
        up4 "up4": module Unpooled<W1, Q, W1, E, D>,
        /// `W1 -> C`.
        outc "outc": module OutConv2d<W1, C, E, D>,
    }
}

impl<
        const C: usize,
        const B: usize,
        const H: usize,
        const Q: usize,
        const W1: usize,
        const W2: usize,
        const W3: usize,
        const W4: usize,
        const W5: usize,
        E: Real,
        D: Engine<E>,
    > ImageNetwork<C, E, D> for AutoEncoder<C, B, H, Q, W1, W2, W3, W4, W5, E, D>
{
    type Ends = SameSize;
    const SIDES: Sides = Sides::MultiplesOf(32);
    fn record(&self, program: &mut Program<E, D>, x: Channels<C>) -> Value {
        const { assert!(2 * H == B && 2 * Q == W1, "H is half of B, and Q half of W1") };
        const { assert!(W2 == 2 * W1 && W3 == 2 * W2 && W4 == 2 * W3 && W5 == 2 * W4) };
        let x = self.inc.record(program, x);
        let x = self.down1.record(program, x);
        let x = self.down2.record(program, x);
        let x = self.down3.record(program, x);
        let x = self.down4.record(program, x);
        let x = self.down5.record(program, x);
        let x = self.up0.record(program, x);
        let x = self.up1.record(program, x);
        let x = self.up2.record(program, x);
        let x = self.up3.record(program, x);
        let x = self.up4.record(program, x);
        self.outc.conv.record(program, x).0
    }
}
