//! The parts of the U-Net of flow matching.

use dfdx::prelude::*;

use super::dims::{Plus, Times};
use super::layers::{fan_in, same, JoinedConv2d};
use super::network::network;
use super::stage::{Channels, Stage};
use crate::ops::{
    Activation, Engine, Identity, NormKind, Program, Real, Running, Silu, Value, Weights,
};

/// Groups of a normalisation of `channels`: the most, up to a quarter of them and 32, that divide them.
pub(super) fn groups(channels: usize) -> usize {
    let most = (channels / 4).clamp(1, 32);
    (1..=most).rev().find(|g| channels.is_multiple_of(*g)).unwrap_or(1)
}

/// Group normalisation and an activation.
pub(super) fn grouped<A: Activation, W: Shape, E: Real, D: Engine<E>>(
    program: &mut Program<E, D>,
    x: Value,
    weight: &Tensor<W, E, D>,
    bias: &Tensor<W, E, D>,
) -> Value {
    let kind = NormKind::Groups(groups(program.extent(x).channels));
    let running: Option<Running<(usize,), E, D>> = None;
    program.norm::<A, _, _, _>(x, kind, Some((weight, bias)), running)
}

network! {
    /// A residual block of [`FlowUNetOf3`](super::FlowUNetOf3), `A + B -> O`, at a time given by `T` numbers
    /// τ:
    ///
    /// y = (S x + w₂ ∗ drop(σ(norm(w₁ ∗ σ(norm x) + W silu τ)))) / √2,
    ///
    /// σ = silu, the norm over groups of channels; S is the identity for `A + B = O`, else linear in the
    /// channels. With `B = 0` it has one input.
    pub struct FlowBlock<const A, const B, const O, const T> {
        /// Of the first norm.
        norm1_weight "norm1.weight": tensor
            Tensor<(Plus<A, B>,), E, D> = |t| t.try_fill_with_ones(),
        /// Of the first norm.
        norm1_bias "norm1.bias": tensor Tensor<(Plus<A, B>,), E, D> = |t| t.try_fill_with_zeros(),
        /// `A + B -> O`.
        conv1_weight "conv1.weight": tensor
            Tensor<(Const<O>, Plus<A, B>, Const<3>, Const<3>), E, D> = |t| fan_in(t, 9 * (A + B)),
        /// Of the first convolution.
        conv1_bias "conv1.bias": tensor Tensor<(Const<O>,), E, D> = |t| fan_in(t, 9 * (A + B)),
        /// From the time to the channels.
        time_weight "time.weight": tensor
            Tensor<(Const<O>, Const<T>), E, D> = |t| fan_in(t, T),
        /// Of the time.
        time_bias "time.bias": tensor Tensor<(Const<O>,), E, D> = |t| fan_in(t, T),
        /// Of the second norm.
        norm2_weight "norm2.weight": tensor
            Tensor<(Const<O>,), E, D> = |t| t.try_fill_with_ones(),
        /// Of the second norm.
        norm2_bias "norm2.bias": tensor Tensor<(Const<O>,), E, D> = |t| t.try_fill_with_zeros(),
        /// `O -> O`.
        conv2_weight "conv2.weight": tensor
            Tensor<(Const<O>, Const<O>, Const<3>, Const<3>), E, D> = |t| fan_in(t, 9 * O),
        /// Of the second convolution.
        conv2_bias "conv2.bias": tensor Tensor<(Const<O>,), E, D> = |t| fan_in(t, 9 * O),
        /// S, absent for `A + B = O`.
        skip "skip": optional if A + B != O => Vec<JoinedConv2d<A, B, O, 1, E, D>>,
    }
}

impl<const A: usize, const B: usize, const O: usize, const T: usize, E: Real, D: Engine<E>>
    FlowBlock<A, B, O, T, E, D>
{
    /// Writes the block; `time` is silu τ, and `rate` that of the dropout.
    pub fn record(
        &self,
        program: &mut Program<E, D>,
        x: Channels<A>,
        time: Channels<T>,
        rate: f64,
    ) -> Channels<O> {
        const { assert!(B == 0, "a block of two inputs") };
        self.record_value(program, x.0, time, rate)
    }

    /// [`record`](Self::record) for two values, whose channels are concatenated.
    pub fn record_joined(
        &self,
        program: &mut Program<E, D>,
        (a, b): (Channels<A>, Channels<B>),
        time: Channels<T>,
        rate: f64,
    ) -> Channels<O> {
        let x = program.concat(a.0, b.0);
        self.record_value(program, x, time, rate)
    }

    fn record_value(
        &self,
        program: &mut Program<E, D>,
        x: Value,
        time: Channels<T>,
        rate: f64,
    ) -> Channels<O> {
        let h = grouped::<Silu, _, _, _>(program, x, &self.norm1_weight, &self.norm1_bias);
        let shape = same(program, h, O, (2, 3));
        let weights = Weights { weight: &self.conv1_weight, bias: Some(&self.conv1_bias) };
        let h = program.convolution(h, shape, weights, 1.0);
        let weights = Weights { weight: &self.time_weight, bias: Some(&self.time_bias) };
        let shift = program.linear(time.0, O, weights, 1.0);
        let h = program.shift(h, shift);
        let h = grouped::<Silu, _, _, _>(program, h, &self.norm2_weight, &self.norm2_bias);
        let h = program.dropout_in_scope(h, rate);
        let shape = same(program, h, O, (2, 3));
        let weights = Weights { weight: &self.conv2_weight, bias: Some(&self.conv2_bias) };
        let h = program.convolution(h, shape, weights, 1.0);
        let skip = match self.skip.first() {
            Some(skip) => {
                let shape = same(program, x, O, (2, 1));
                let weights = Weights { weight: &skip.weight, bias: Some(&skip.bias) };
                program.convolution(x, shape, weights, 1.0)
            }
            None => x,
        };
        Channels(program.add(h, skip, 0.5f64.sqrt()))
    }
}

network! {
    /// x + W₂ attend(W₁ norm x): linear attention between positions, `C -> C`.
    pub struct FlowAttention<const C> {
        /// Of the norm.
        norm_weight "norm.weight": tensor Tensor<(Const<C>,), E, D> = |t| t.try_fill_with_ones(),
        /// Of the norm.
        norm_bias "norm.bias": tensor Tensor<(Const<C>,), E, D> = |t| t.try_fill_with_zeros(),
        /// Queries, keys and values.
        qkv_weight "qkv.weight": tensor
            Tensor<(Times<3, C>, Const<C>, Const<1>, Const<1>), E, D> = |t| fan_in(t, C),
        /// Of queries, keys and values.
        qkv_bias "qkv.bias": tensor Tensor<(Times<3, C>,), E, D> = |t| fan_in(t, C),
        /// From the heads.
        out_weight "out.weight": tensor
            Tensor<(Const<C>, Const<C>, Const<1>, Const<1>), E, D> = |t| fan_in(t, C),
        /// From the heads.
        out_bias "out.bias": tensor Tensor<(Const<C>,), E, D> = |t| fan_in(t, C),
    }
}

impl<const C: usize, E: Real, D: Engine<E>> FlowAttention<C, E, D> {
    /// Writes the attention of `heads` heads.
    pub fn record(&self, program: &mut Program<E, D>, x: Channels<C>, heads: usize) -> Channels<C> {
        let h = grouped::<Identity, _, _, _>(program, x.0, &self.norm_weight, &self.norm_bias);
        let shape = same(program, h, 3 * C, (2, 1));
        let weights = Weights { weight: &self.qkv_weight, bias: Some(&self.qkv_bias) };
        let h = program.convolution(h, shape, weights, 1.0);
        let h = program.linear_attention(h, heads);
        let shape = same(program, h, C, (2, 1));
        let weights = Weights { weight: &self.out_weight, bias: Some(&self.out_bias) };
        Channels(program.convolution_onto((h, x.0), shape, weights, (1.0, 1.0)))
    }
}

network! {
    /// What a network of flow matching makes of a time and a condition of `Q` numbers (0 for none): `T`
    /// numbers.
    pub struct TimeEmbedding<const Q, const T> {
        /// `T -> 4 T`.
        first_weight "0.weight": tensor
            Tensor<(Times<4, T>, Const<T>), E, D> = |t| fan_in(t, T),
        /// Of the first layer.
        first_bias "0.bias": tensor Tensor<(Times<4, T>,), E, D> = |t| fan_in(t, T),
        /// `4 T -> T`.
        second_weight "2.weight": tensor
            Tensor<(Const<T>, Times<4, T>), E, D> = |t| fan_in(t, 4 * T),
        /// Of the second layer.
        second_bias "2.bias": tensor Tensor<(Const<T>,), E, D> = |t| fan_in(t, 4 * T),
        /// `Q -> T`, absent for `Q = 0`.
        condition "condition": optional if Q > 0 => Vec<ConditionEmbedding<Q, T, E, D>>,
    }
}

network! {
    /// A linear map of a condition, without bias.
    pub struct ConditionEmbedding<const Q, const T> {
        /// `[T, Q]`.
        weight "weight": tensor Tensor<(Const<T>, Const<Q>), E, D> = |t| fan_in(t, Q),
    }
}

impl<const Q: usize, const T: usize, E: Real, D: Engine<E>>
    Stage<(Channels<1>, Option<Channels<Q>>), E, D> for TimeEmbedding<Q, T, E, D>
{
    type Output = Channels<T>;
    fn record(
        &self,
        program: &mut Program<E, D>,
        (time, condition): (Channels<1>, Option<Channels<Q>>),
    ) -> Channels<T> {
        let waves = program.sinusoidal(time.0, T);
        let weights = Weights { weight: &self.first_weight, bias: Some(&self.first_bias) };
        let h = program.linear(waves, 4 * T, weights, 1.0);
        let h = program.activate::<Silu>(h);
        let weights = Weights { weight: &self.second_weight, bias: Some(&self.second_bias) };
        let h = program.linear(h, T, weights, 1.0);
        let h = match (self.condition.first(), condition) {
            (Some(embedding), Some(condition)) => {
                let bias: Option<&Tensor<(usize,), E, D>> = None;
                let weights = Weights { weight: &embedding.weight, bias };
                let q = program.linear(condition.0, T, weights, 1.0);
                program.add(h, q, 1.0)
            }
            _ => h,
        };
        Channels(program.activate::<Silu>(h))
    }
}
