//! The MLP-mixer as a velocity field.

use dfdx::prelude::*;

use super::layers::{fan_in, same};
use super::network::network;
use super::stage::Channels;
use super::velocity::VelocityNetwork;
use super::wrap::Sides;
use crate::ops::{
    Affine, Convolution, Engine, Identity, NormKind, Program, Real, Running, Value, Weights,
};

/// All numbers of a sample with mean 0 and variance 1, then a scale and a shift for each.
fn normalised<W: Shape, E: Real, D: Engine<E>>(
    program: &mut Program<E, D>,
    x: Value,
    affine: Affine<W, W, E, D>,
) -> Value {
    let none: Option<Affine<W, W, E, D>> = None;
    let running: Option<Running<(usize,), E, D>> = None;
    let x = program.norm::<Identity, _, _, _>(x, NormKind::Groups(1), none, running);
    program.affine(x, affine)
}

network! {
    /// A linear layer.
    pub struct MixerLinear<const I, const O> {
        /// `[O, I]`.
        weight "weight": tensor Tensor<(Const<O>, Const<I>), E, D> = |t| fan_in(t, I),
        /// `[O]`.
        bias "bias": tensor Tensor<(Const<O>,), E, D> = |t| fan_in(t, I),
    }
}

impl<const I: usize, const O: usize, E: Real, D: Engine<E>> MixerLinear<I, O, E, D> {
    /// On the channels at every position, with an activation of slope `slope` below zero.
    fn record(&self, program: &mut Program<E, D>, x: Value, slope: f64) -> Value {
        let shape = same(program, x, O, (2, 1));
        let weights = Weights { weight: &self.weight, bias: Some(&self.bias) };
        program.convolution(x, shape, weights, slope)
    }

    /// The same, added to `onto`.
    fn record_onto(&self, program: &mut Program<E, D>, x: Value, onto: Value) -> Value {
        let shape = same(program, x, O, (2, 1));
        let weights = Weights { weight: &self.weight, bias: Some(&self.bias) };
        program.convolution_onto((x, onto), shape, weights, (1.0, 1.0))
    }
}

network! {
    /// A block of a [`Mixer`] on `W` channels at `N` patches: x + mix(norm x) over the patches, through `M`
    /// numbers, then the same over the channels, through `F`. Norms are over channels and patches.
    pub struct MixerBlock<const N, const W, const M, const F> {
        /// `[W, N]`, before the patches are mixed.
        norm1_weight "norm1.weight": tensor
            Tensor<(Const<W>, Const<N>), E, D> = |t| t.try_fill_with_ones(),
        /// `[W, N]`.
        norm1_bias "norm1.bias": tensor
            Tensor<(Const<W>, Const<N>), E, D> = |t| t.try_fill_with_zeros(),
        /// `N -> M`.
        patches_in "patches.0": module MixerLinear<N, M, E, D>,
        /// `M -> N`.
        patches_out "patches.2": module MixerLinear<M, N, E, D>,
        /// `[W, N]`, before the channels are mixed.
        norm2_weight "norm2.weight": tensor
            Tensor<(Const<W>, Const<N>), E, D> = |t| t.try_fill_with_ones(),
        /// `[W, N]`.
        norm2_bias "norm2.bias": tensor
            Tensor<(Const<W>, Const<N>), E, D> = |t| t.try_fill_with_zeros(),
        /// `W -> F`.
        channels_in "channels.0": module MixerLinear<W, F, E, D>,
        /// `F -> W`.
        channels_out "channels.2": module MixerLinear<F, W, E, D>,
    }
}

impl<const N: usize, const W: usize, const M: usize, const F: usize, E: Real, D: Engine<E>>
    MixerBlock<N, W, M, F, E, D>
{
    /// Writes the block.
    pub fn record(&self, program: &mut Program<E, D>, x: Channels<W>) -> Channels<W> {
        let size = program.extent(x.0).size;
        let h = normalised(program, x.0, (&self.norm1_weight, &self.norm1_bias));
        let h = program.transpose(h, [1, 1, W]);
        let h = self.patches_in.record(program, h, 0.0);
        let h = self.patches_out.record(program, h, 1.0);
        let h = program.transpose(h, size);
        let x = program.add(x.0, h, 1.0);
        let h = normalised(program, x, (&self.norm2_weight, &self.norm2_bias));
        let h = self.channels_in.record(program, h, 0.0);
        Channels(self.channels_out.record_onto(program, h, x))
    }
}

network! {
    /// The MLP-mixer (arXiv:2105.01601) that arXiv:2311.15100 takes for letters, as a velocity in
    /// [`AsVelocity`](super::AsVelocity): an image of `C` channels is cut into `N` patches of side `S`, each of
    /// which becomes `W` numbers, shifted by what is linear in the time and a condition of `Q` numbers
    /// (0 for none); `K` blocks (at most 16) mix patches through `M` and channels through `F` numbers.
    ///
    /// The published one, for images of side 28, is `Mixer<1, 0, 4, 49, 64, 512, 512, 4>`.
    pub struct Mixer<
        const C, const Q, const S, const N, const W, const M, const F, const K
    > {
        /// `C -> W`, patch by patch.
        conv_in_weight "conv_in.weight": tensor
            Tensor<(Const<W>, Const<C>, Const<S>, Const<S>), E, D> = |t| fan_in(t, C * S * S),
        /// `[W]`.
        conv_in_bias "conv_in.bias": tensor Tensor<(Const<W>,), E, D> = |t| fan_in(t, C * S * S),
        /// From the time.
        time "time": module MixerLinear<1, W, E, D>,
        /// From the condition, absent for `Q = 0`.
        condition "condition": optional if Q > 0 => Vec<MixerLinear<Q, W, E, D>>,
        /// The blocks.
        blocks "blocks": repeated Vec<MixerBlock<N, W, M, F, E, D>> = K,
        /// `[W, N]`, at the end.
        norm_weight "norm.weight": tensor
            Tensor<(Const<W>, Const<N>), E, D> = |t| t.try_fill_with_ones(),
        /// `[W, N]`.
        norm_bias "norm.bias": tensor
            Tensor<(Const<W>, Const<N>), E, D> = |t| t.try_fill_with_zeros(),
        /// `W -> C`, patch by patch.
        conv_out_weight "conv_out.weight": tensor
            Tensor<(Const<W>, Const<C>, Const<S>, Const<S>), E, D> = |t| fan_in(t, C * S * S),
        /// `[C]`.
        conv_out_bias "conv_out.bias": tensor Tensor<(Const<C>,), E, D> = |t| fan_in(t, C * S * S),
    }
}

impl<
        const C: usize,
        const Q: usize,
        const S: usize,
        const N: usize,
        const W: usize,
        const M: usize,
        const F: usize,
        const K: usize,
        E: Real,
        D: Engine<E>,
    > VelocityNetwork<C, Q, E, D> for Mixer<C, Q, S, N, W, M, F, K, E, D>
{
    const SIDES: Sides = Sides::MultiplesOf(S);
    const POSITIONS: usize = N * S * S;
    fn record(
        &self,
        program: &mut Program<E, D>,
        x: Channels<C>,
        time: Channels<1>,
        condition: Option<Channels<Q>>,
    ) -> Value {
        let [_, h, w] = program.extent(x.0).size;
        let patches = Convolution::image(C, W, [h, w], [S, S]).stride(S);
        let weights = Weights { weight: &self.conv_in_weight, bias: Some(&self.conv_in_bias) };
        let x = program.convolution(x.0, patches, weights, 1.0);
        let mut shift = self.time.record(program, time.0, 1.0);
        if let (Some(layer), Some(condition)) = (self.condition.first(), condition) {
            shift = layer.record_onto(program, condition.0, shift);
        }
        let mut x = Channels(program.shift(x, shift));
        for block in &self.blocks {
            x = block.record(program, x);
        }
        let x = normalised(program, x.0, (&self.norm_weight, &self.norm_bias));
        let weights = Weights { weight: &self.conv_out_weight, bias: Some(&self.conv_out_bias) };
        program.transposed_convolution(x, patches, weights, 1.0)
    }
}
