//! The U-Net of neural optimal transport (milesial's, as in arXiv:2201.12220), for images and volumes.

use pastey::paste;

use super::layers::{BatchNorm, Conv2d, Conv3d, JoinedConv2d, JoinedConv3d};
use super::network::network;
use super::stage::{Channels, Stage};
use super::wrap::{ImageNetwork, SameSize, Sides};
use crate::ops::{Convolution, Engine, Interpolation, Program, Real, Relu, Value};

/// The largest of each window of side 2.
fn halve<E: Real, D: Engine<E>, const C: usize>(
    program: &mut Program<E, D>,
    x: Channels<C>,
) -> Channels<C> {
    let size = program.extent(x.0).size;
    let kernel = size.map(|n| if n == 1 { 1 } else { 2 });
    let mut windows = Convolution::volume(1, 1, size, kernel);
    windows.stride = kernel;
    Channels(program.max_pool(x.0, windows))
}

macro_rules! parts {
    ($d:literal, $times:expr, $how:expr) => {
        paste! {
            network! {
                /// (Convolution of side 3, batch norm, ReLU) twice, `I -> O -> O`.
                pub struct [<DoubleConv $d d>]<const I, const O> {
                    /// `I -> O`.
                    first "double_conv.0": module [<Conv $d d>]<I, O, 3, E, D>,
                    /// Of the first.
                    first_norm "double_conv.1": module BatchNorm<O, E, D>,
                    /// `O -> O`.
                    second "double_conv.3": module [<Conv $d d>]<O, O, 3, E, D>,
                    /// Of the second.
                    second_norm "double_conv.4": module BatchNorm<O, E, D>,
                }
            }

            impl<const I: usize, const O: usize, E: Real, D: Engine<E>> Stage<Channels<I>, E, D>
                for [<DoubleConv $d d>]<I, O, E, D>
            {
                type Output = Channels<O>;
                fn record(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
                    let x = self.first.record(program, x);
                    let x = self.first_norm.record_then::<Relu>(program, x);
                    let x = self.second.record(program, x);
                    self.second_norm.record_then::<Relu>(program, x)
                }
            }

            network! {
                /// Max pooling of side 2, then a double convolution.
                pub struct [<Down $d d>]<const I, const O> {
                    /// After the pooling.
                    conv "maxpool_conv.1": module [<DoubleConv $d d>]<I, O, E, D>,
                }
            }

            impl<const I: usize, const O: usize, E: Real, D: Engine<E>> Stage<Channels<I>, E, D>
                for [<Down $d d>]<I, O, E, D>
            {
                type Output = Channels<O>;
                fn record(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
                    let x = halve(program, x);
                    self.conv.record(program, x)
                }
            }

            network! {
                /// Upsampling by two, and a double convolution of the result with a skip,
                /// `2 C -> C -> O`.
                pub struct [<Up $d d>]<const C, const O> {
                    /// `2 C -> C`.
                    first "conv.double_conv.0": module [<JoinedConv $d d>]<C, C, C, 3, E, D>,
                    /// Of the first.
                    first_norm "conv.double_conv.1": module BatchNorm<C, E, D>,
                    /// `C -> O`.
                    second "conv.double_conv.3": module [<Conv $d d>]<C, O, 3, E, D>,
                    /// Of the second.
                    second_norm "conv.double_conv.4": module BatchNorm<O, E, D>,
                }
            }

            impl<const C: usize, const O: usize, E: Real, D: Engine<E>>
                Stage<(Channels<C>, Channels<C>), E, D> for [<Up $d d>]<C, O, E, D>
            {
                type Output = Channels<O>;
                fn record(
                    &self,
                    program: &mut Program<E, D>,
                    (x, skip): (Channels<C>, Channels<C>),
                ) -> Channels<O> {
                    let up = Channels(program.upsample(x.0, $times, $how));
                    let x = self.first.record(program, (skip, up));
                    let x = self.first_norm.record_then::<Relu>(program, x);
                    let x = self.second.record(program, x);
                    self.second_norm.record_then::<Relu>(program, x)
                }
            }

            network! {
                /// A convolution of side 1.
                pub struct [<OutConv $d d>]<const I, const O> {
                    /// `I -> O`.
                    conv "conv": module [<Conv $d d>]<I, O, 1, E, D>,
                }
            }
        }
    };
}
parts!(2, [1, 2, 2], Interpolation::LinearCorners);
parts!(3, [2; 3], Interpolation::Nearest);

macro_rules! unet {
    (
        $(#[$meta:meta])* $name:ident, $d:literal, $sides:literal, [$first:ident $($width:ident)*],
        $x1:ident $lowest:ident,
        down: $([$down:ident $down_path:literal $from:ident $to:ident $above:ident $below:ident])*,
        up: $([$up:ident $up_path:literal $high:ident $low:ident $x:ident $skip:ident])*
    ) => { paste! {
        network! {
            $(#[$meta])*
            pub struct $name<const I, const O, const $first $(, const $width)*> {
                /// `I -> W1`.
                inc "inc": module [<DoubleConv $d d>]<I, $first, E, D>,
                $(
                    #[doc = concat!("Half the side, `", stringify!($from), " -> ", stringify!($to), "`.")]
                    $down $down_path: module [<Down $d d>]<$from, $to, E, D>,
                )*
                $(
                    #[doc = concat!("Twice the side, `2 ", stringify!($high), " -> ", stringify!($low), "`.")]
                    $up $up_path: module [<Up $d d>]<$high, $low, E, D>,
                )*
                /// `W1 -> O`.
                outc "outc": module [<OutConv $d d>]<$first, O, E, D>,
            }
        }

        impl<const C: usize, const $first: usize $(, const $width: usize)*, E, D>
            ImageNetwork<C, E, D> for $name<C, C, $first $(, $width)*, E, D>
        where
            E: Real,
            D: Engine<E>,
        {
            type Ends = SameSize;
            const SIDES: Sides = Sides::MultiplesOf($sides);
            fn record(&self, program: &mut Program<E, D>, x: Channels<C>) -> Value {
                self.record_stage(program, x).0
            }
        }

        impl<const I: usize, const O: usize, const $first: usize $(, const $width: usize)*, E, D>
            $name<I, O, $first $(, $width)*, E, D>
        where
            E: Real,
            D: Engine<E>,
        {
            /// Writes the network as a part of a larger one.
            pub fn record_stage(&self, program: &mut Program<E, D>, x: Channels<I>) -> Channels<O> {
                let $x1 = self.inc.record(program, x);
                $(let $below = self.$down.record(program, $above);)*
                $(let $lowest = self.$up.record(program, ($x, $skip));)*
                self.outc.conv.record(program, $lowest)
            }
        }
    } };
}

unet! {
    /// The U-Net with four halvings, for images whose sides are multiples of 16: double convolutions with
    /// batch norm and ReLU, max pooling, bilinear upsampling that keeps corners, skips by concatenation,
    /// and no nonlinearity at the end. `W1` to `W4` are the widths; the lowest stage is `W4` wide too.
    ///
    /// With the widths of arXiv:2201.12220 it has 9 715 827 parameters:
    ///
    /// ```
    /// use brenier::function::{build, image::{AsImage, UNet}};
    /// use brenier::random::Key;
    /// use dfdx::nn::NumParams;
    /// type Map = AsImage<3, 64, 64, UNet<3, 3, 48, 96, 192, 384>>;
    /// let map: Map = build(Key::new(0));
    /// assert_eq!(map.num_trainable_params(), 9_715_827);
    /// ```
    UNet, 2, 16, [W1 W2 W3 W4], x1 x,
    down: [down1 "down1" W1 W2 x1 x2] [down2 "down2" W2 W3 x2 x3] [down3 "down3" W3 W4 x3 x4]
        [down4 "down4" W4 W4 x4 x],
    up: [up1 "up1" W4 W3 x x4] [up2 "up2" W3 W2 x x3] [up3 "up3" W2 W1 x x2]
        [up4 "up4" W1 W1 x x1]
}
unet! {
    /// [`UNet`] with three halvings, for sides that are multiples of 8.
    UNetOf3, 2, 8, [W1 W2 W3], x1 x,
    down: [down1 "down1" W1 W2 x1 x2] [down2 "down2" W2 W3 x2 x3] [down3 "down3" W3 W3 x3 x],
    up: [up1 "up1" W3 W2 x x3] [up2 "up2" W2 W1 x x2] [up3 "up3" W1 W1 x x1]
}
unet! {
    /// [`UNet`] for volumes, with nearest upsampling.
    VolumeUNet, 3, 16, [W1 W2 W3 W4], x1 x,
    down: [down1 "down1" W1 W2 x1 x2] [down2 "down2" W2 W3 x2 x3] [down3 "down3" W3 W4 x3 x4]
        [down4 "down4" W4 W4 x4 x],
    up: [up1 "up1" W4 W3 x x4] [up2 "up2" W3 W2 x x3] [up3 "up3" W2 W1 x x2]
        [up4 "up4" W1 W1 x x1]
}
unet! {
    /// [`VolumeUNet`] with three halvings, for sides that are multiples of 8.
    VolumeUNetOf3, 3, 8, [W1 W2 W3], x1 x,
    down: [down1 "down1" W1 W2 x1 x2] [down2 "down2" W2 W3 x2 x3] [down3 "down3" W3 W3 x3 x],
    up: [up1 "up1" W3 W2 x x3] [up2 "up2" W2 W1 x x2] [up3 "up3" W1 W1 x x1]
}
