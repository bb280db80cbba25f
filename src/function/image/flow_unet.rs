//! The U-Net of flow matching, as in diffusion models.

use dfdx::prelude::*;

use super::flow_block::{grouped, FlowAttention, FlowBlock, TimeEmbedding};
use super::layers::{same, Conv2d};
use super::network::network;
use super::stage::{Channels, Stage};
use super::velocity::VelocityNetwork;
use super::wrap::Sides;
use crate::ops::{Engine, Interpolation, Program, Real, Silu, Value, Weights};

/// Whether level `level` has attention.
const fn attends(mask: usize, level: usize) -> bool {
    mask >> level & 1 == 1
}

/// A block's attention, if there is one.
fn attend<const C: usize, E: Real, D: Engine<E>>(
    attention: Option<&FlowAttention<C, E, D>>,
    program: &mut Program<E, D>,
    x: Channels<C>,
    heads: usize,
) -> Channels<C> {
    match attention {
        Some(attention) => attention.record(program, x, heads),
        None => x,
    }
}

/// What the blocks of a network have in common.
#[derive(Clone, Copy, Debug)]
pub struct FlowStyle<const T: usize> {
    /// silu of the embedded time and condition.
    pub time: Channels<T>,
    /// Heads of the attentions.
    pub heads: usize,
    /// Rate of the dropout.
    pub rate: f64,
}

network! {
    /// A level on the way down: R blocks, `I -> O` and `O -> O`, each with an attention if bit `L` of `A` is
    /// one. Times have `T` numbers.
    pub struct FlowDown<const I, const O, const T, const R, const A, const L> {
        /// `I -> O`.
        first "first": module FlowBlock<I, 0, O, T, E, D>,
        /// R − 1 more.
        others "others": repeated Vec<FlowBlock<O, 0, O, T, E, D>> = R - 1,
        /// One for each block, or none.
        attention "attention": repeated
            Vec<FlowAttention<O, E, D>> = if attends(A, L) { R } else { 0 },
    }
}

impl<
        const I: usize,
        const O: usize,
        const T: usize,
        const R: usize,
        const A: usize,
        const L: usize,
        E,
        D,
    > FlowDown<I, O, T, R, A, L, E, D>
where
    E: Real,
    D: Engine<E>,
{
    /// Writes the level; what each block gives.
    pub fn record(
        &self,
        program: &mut Program<E, D>,
        x: Channels<I>,
        style: FlowStyle<T>,
    ) -> Vec<Channels<O>> {
        let mut x = self.first.record(program, x, style.time, style.rate);
        let mut all = Vec::with_capacity(R);
        for i in 0..R {
            if i > 0 {
                x = self.others[i - 1].record(program, x, style.time, style.rate);
            }
            x = attend(self.attention.get(i), program, x, style.heads);
            all.push(x);
        }
        all
    }
}

network! {
    /// A level on the way up, from `U` channels to `O`: R + 1 blocks, each of which sees what a block of
    /// the [`FlowDown`] gave, the last one what that level was given, of `I` channels.
    pub struct FlowUp<
        const U, const O, const I, const T, const R, const A, const L
    > {
        /// `U + O -> O`.
        first "first": module FlowBlock<U, O, O, T, E, D>,
        /// R − 1 blocks `O + O -> O`.
        others "others": repeated Vec<FlowBlock<O, O, O, T, E, D>> = R - 1,
        /// `O + I -> O`.
        last "last": module FlowBlock<O, I, O, T, E, D>,
        /// One for each block, or none.
        attention "attention": repeated
            Vec<FlowAttention<O, E, D>> = if attends(A, L) { R + 1 } else { 0 },
    }
}

impl<
        const U: usize,
        const O: usize,
        const I: usize,
        const T: usize,
        const R: usize,
        const A: usize,
        const L: usize,
        E,
        D,
    > FlowUp<U, O, I, T, R, A, L, E, D>
where
    E: Real,
    D: Engine<E>,
{
    /// Writes the level; `skips` are what the blocks of the way down gave, and what that was given.
    pub fn record(
        &self,
        program: &mut Program<E, D>,
        x: Channels<U>,
        (skips, entered): (&[Channels<O>], Channels<I>),
        style: FlowStyle<T>,
    ) -> Channels<O> {
        let FlowStyle { time, heads, rate } = style;
        let mut x = self.first.record_joined(program, (x, skips[R - 1]), time, rate);
        x = attend(self.attention.first(), program, x, heads);
        for (i, block) in self.others.iter().enumerate() {
            x = block.record_joined(program, (x, skips[R - 2 - i]), time, rate);
            x = attend(self.attention.get(i + 1), program, x, heads);
        }
        x = self.last.record_joined(program, (x, entered), time, rate);
        attend(self.attention.get(R), program, x, heads)
    }
}

/// A convolution of stride 2: half the side.
fn halve<const C: usize, E: Real, D: Engine<E>>(
    conv: &Conv2d<C, C, 3, E, D>,
    program: &mut Program<E, D>,
    x: Channels<C>,
) -> Channels<C> {
    let shape = same(program, x.0, C, (2, 3)).stride(2);
    let weights = Weights { weight: &conv.weight, bias: Some(&conv.bias) };
    Channels(program.convolution(x.0, shape, weights, 1.0))
}

/// Twice the side by nearest neighbours, then a convolution.
fn double<const C: usize, E: Real, D: Engine<E>>(
    conv: &Conv2d<C, C, 3, E, D>,
    program: &mut Program<E, D>,
    x: Channels<C>,
) -> Channels<C> {
    let x = program.upsample(x.0, [1, 2, 2], Interpolation::Nearest);
    conv.record(program, Channels(x))
}

macro_rules! flow_unet {
    (
        $(#[$meta:meta])* $name:ident, $sides:literal, [$first:ident $($width:ident)*], $lowest:ident,
        down: $([$down:ident $down_path:literal $halve:ident $halve_path:literal $above:ident $own:ident
            $level:literal $entered:ident $skips:ident])*,
        low: [$low_above:ident $low_level:literal],
        up: $([$double:ident $double_path:literal $up:ident $up_path:literal $below:ident $to:ident
            $next:ident $up_level:literal $up_skips:ident $up_entered:ident])*
    ) => {
        network! {
            $(#[$meta])*
            pub struct $name<
                const C, const Q, const W0, const $first $(, const $width)*,
                const R = 2, const A = 0, const H = 4, const P = 0
            > {
                /// Of time and condition.
                time "time": module TimeEmbedding<Q, W0, E, D>,
                /// `C -> W0`.
                conv_in "conv_in": module Conv2d<C, W0, 3, E, D>,
                $(
                    /// A level on the way down.
                    $down $down_path: module FlowDown<$above, $own, W0, R, A, $level, E, D>,
                    /// Half the side.
                    $halve $halve_path: module Conv2d<$own, $own, 3, E, D>,
                )*
                /// The lowest level on the way down.
                low_down "low_down": module
                    FlowDown<$low_above, $lowest, W0, R, A, $low_level, E, D>,
                /// In the middle.
                middle_first "middle.0": module FlowBlock<$lowest, 0, $lowest, W0, E, D>,
                /// In the middle.
                middle_attention "middle.1": module FlowAttention<$lowest, E, D>,
                /// In the middle.
                middle_second "middle.2": module FlowBlock<$lowest, 0, $lowest, W0, E, D>,
                /// The lowest level on the way up.
                low_up "low_up": module
                    FlowUp<$lowest, $lowest, $low_above, W0, R, A, $low_level, E, D>,
                $(
                    /// Twice the side.
                    $double $double_path: module Conv2d<$below, $below, 3, E, D>,
                    /// A level on the way up.
                    $up $up_path: module FlowUp<$below, $to, $next, W0, R, A, $up_level, E, D>,
                )*
                /// Of the last norm.
                norm_weight "norm_out.weight": tensor
                    Tensor<(Const<W1>,), E, D> = |t| t.try_fill_with_ones(),
                /// Of the last norm.
                norm_bias "norm_out.bias": tensor
                    Tensor<(Const<W1>,), E, D> = |t| t.try_fill_with_zeros(),
                /// `W1 -> C`.
                conv_out "conv_out": module Conv2d<W1, C, 3, E, D>,
            }
        }

        impl<
                const C: usize, const Q: usize, const W0: usize, const $first: usize,
                $(const $width: usize,)*
                const R: usize, const A: usize, const H: usize, const P: usize, E: Real, D: Engine<E>,
            > VelocityNetwork<C, Q, E, D>
            for $name<C, Q, W0, $first $(, $width)*, R, A, H, P, E, D>
        {
            const SIDES: Sides = Sides::MultiplesOf($sides);
            fn record(
                &self,
                program: &mut Program<E, D>,
                x: Channels<C>,
                time: Channels<1>,
                condition: Option<Channels<Q>>,
            ) -> Value {
                const { assert!(R > 0 && P < 100, "at least a block, less than 100 percent") };
                let time = self.time.record(program, (time, condition));
                let style = FlowStyle { time, heads: H, rate: P as f64 / 100.0 };
                let x = self.conv_in.record(program, x);
                $(
                    let $entered = x;
                    let $skips = self.$down.record(program, x, style);
                    let x = halve(&self.$halve, program, $skips[R - 1]);
                )*
                let entered = x;
                let skips = self.low_down.record(program, x, style);
                let x = self.middle_first.record(program, skips[R - 1], style.time, style.rate);
                let x = self.middle_attention.record(program, x, H);
                let x = self.middle_second.record(program, x, style.time, style.rate);
                let x = self.low_up.record(program, x, (&skips, entered), style);
                $(
                    let x = double(&self.$double, program, x);
                    let x = self.$up.record(program, x, (&$up_skips, $up_entered), style);
                )*
                let x = grouped::<Silu, _, _, _>(program, x.0, &self.norm_weight, &self.norm_bias);
                self.conv_out.record(program, Channels(x)).0
            }
        }
    };
}

flow_unet! {
    /// The U-Net of flow matching with two halvings, for images of `C` channels whose sides are multiples
    /// of 4, with a condition of `Q` numbers (0 for none), as a velocity in
    /// [`AsVelocity`](super::AsVelocity).
    ///
    /// Group normalisation, SiLU, residual blocks divided by √2, a sinusoidal embedding of the time of `W0`
    /// numbers through two layers, linear attention; convolutions of stride 2 halve, nearest neighbours
    /// and a convolution double. It is that of arXiv:2311.15100 with `W0` channels at first and the
    /// levels' widths from `W1` on, but for its skips, which are those of arXiv:2006.11239: of every block
    /// and halving. Each level has `R` blocks; bit l of `A` gives level l (0 the first) attention, as the
    /// middle always has, with `H` heads, which must divide the widths; `P` is the percentage of
    /// [dropout](crate::ops::Dropouts).
    FlowUNetOf2, 4, [W1 W2 W3], W3,
    down: [down0 "down0" halve0 "halve0" W0 W1 0 x0 s0] [down1 "down1" halve1 "halve1" W1 W2 1 x1 s1],
    low: [W2 2],
    up: [double1 "double1" up1 "up1" W3 W2 W1 1 s1 x1] [double0 "double0" up0 "up0" W2 W1 W0 0 s0 x0]
}
flow_unet! {
    /// [`FlowUNetOf2`] with three halvings, for sides that are multiples of 8. The widths of
    /// arXiv:2311.15100 for CIFAR-10 are `FlowUNetOf3<3, 0, 256, 256, 512, 512, 512, 2, 0b10, 4, 10>`.
    FlowUNetOf3, 8, [W1 W2 W3 W4], W4,
    down: [down0 "down0" halve0 "halve0" W0 W1 0 x0 s0] [down1 "down1" halve1 "halve1" W1 W2 1 x1 s1]
        [down2 "down2" halve2 "halve2" W2 W3 2 x2 s2],
    low: [W3 3],
    up: [double2 "double2" up2 "up2" W4 W3 W2 2 s2 x2] [double1 "double1" up1 "up1" W3 W2 W1 1 s1 x1]
        [double0 "double0" up0 "up0" W2 W1 W0 0 s0 x0]
}
