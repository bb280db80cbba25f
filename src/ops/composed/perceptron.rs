//! Layers and multilayer perceptrons: values, input gradients, products with Jacobians.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::super::{Activation, AttachOp, Real};
use crate::tensor::{rows, Points};

/// x Wᵀ.
fn product<const I: usize, const O: usize, E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Points<I, E, D, T>,
    layer: &Linear<I, O, E, D>,
) -> Points<O, E, D, T> {
    x.matmul(layer.weight.retaped::<T>().permute::<Rank2<I, O>, Axes2<1, 0>>())
}

/// d W.
fn back<const I: usize, const O: usize, E: Real, D: Device<E>, T: Tape<E, D>>(
    d: Points<O, E, D, T>,
    layer: &Linear<I, O, E, D>,
) -> Points<I, E, D, T> {
    d.matmul(layer.weight.retaped::<T>())
}

/// x Wᵀ + b.
fn affine<const I: usize, const O: usize, E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Points<I, E, D, T>,
    layer: &Linear<I, O, E, D>,
) -> Points<O, E, D, T> {
    let z = product(x, layer);
    let bias = layer.bias.retaped::<T>().broadcast_like::<_, Axis<0>>(z.shape());
    z + bias
}

/// [`LinearOp::linear`](super::super::LinearOp::linear).
pub(crate) fn linear<const I: usize, const O: usize, E, D, A, T>(
    x: Points<I, E, D, T>,
    layer: &Linear<I, O, E, D>,
) -> Points<O, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    T: Tape<E, D>,
{
    A::value_on(affine(x, layer))
}

/// [`LinearOp::residual_linear`](super::super::LinearOp::residual_linear).
pub(crate) fn residual_linear<const N: usize, E, D, A, T>(
    x: Points<N, E, D, T>,
    layer: &Linear<N, N, E, D>,
) -> Points<N, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    T: Tape<E, D>,
{
    let inner = A::value_on(affine(x.with_empty_tape(), layer));
    x + inner
}

/// [`MlpOp::mlp`](super::super::MlpOp::mlp).
pub(crate) fn mlp<const I: usize, const H: usize, const O: usize, E, D, A, T>(
    x: Points<I, E, D, T>,
    first: &Linear<I, H, E, D>,
    hidden: &[Linear<H, H, E, D>],
    last: &Linear<H, O, E, D>,
) -> Points<O, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    T: Tape<E, D>,
{
    let mut h = A::value_on(affine(x, first));
    for layer in hidden {
        h = A::value_on(affine(h, layer));
    }
    affine(h, last)
}

/// [`MlpOp::mlp_gradient`](super::super::MlpOp::mlp_gradient): with zₗ before the activations,
/// δ_L = w ∘ σ'(z_L), δₗ₋₁ = δₗ Wₗ ∘ σ'(zₗ₋₁), ∇f = δ₀ W₀.
pub(crate) fn mlp_gradient<const I: usize, const H: usize, E, D, A, T>(
    x: Points<I, E, D, T>,
    first: &Linear<I, H, E, D>,
    hidden: &[Linear<H, H, E, D>],
    last: &Linear<H, 1, E, D>,
) -> Points<I, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    T: Tape<E, D>,
{
    let mut z = affine(x, first);
    let mut slopes = Vec::with_capacity(hidden.len());
    for layer in hidden {
        slopes.push(A::slope_on(z.with_empty_tape()));
        z = affine(A::value_on(z), layer);
    }
    let head = last.weight.retaped::<T>().reshape::<Rank1<H>>();
    let head = head.broadcast_like::<_, Axis<0>>(z.shape());
    let mut delta = A::slope_on(z) * head;
    for (layer, slope) in hidden.iter().zip(slopes).rev() {
        delta = back(delta, layer) * slope;
    }
    back(delta, first)
}

/// [`MlpOp::mlp_slopes`](super::super::MlpOp::mlp_slopes).
pub(crate) fn mlp_slopes<const I: usize, const H: usize, E, D, A>(
    first: &Linear<I, H, E, D>,
    hidden: &[Linear<H, H, E, D>],
    last: &Linear<H, 1, E, D>,
) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>)
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
{
    let (first, hidden, last) = (first.clone(), hidden.to_vec(), last.clone());
    move |x| {
        let device = first.weight.device();
        let x: Points<I, E, D> = device.tensor_from_vec(x.to_vec(), (x.len() / I, Const));
        let values = mlp::<I, H, 1, E, D, A, _>(x.clone(), &first, &hidden, &last);
        (rows(&values), rows(&mlp_gradient::<I, H, E, D, A, _>(x, &first, &hidden, &last)))
    }
}

/// [`JacobianOp::mlp_asymmetry`](super::super::JacobianOp::mlp_asymmetry), by the chains of `jacobian.rs`.
pub(crate) fn mlp_asymmetry<const N: usize, const H: usize, E, D, A, T>(
    x: Points<N, E, D, T>,
    v: &Points<N, E, D>,
    first: &Linear<N, H, E, D>,
    hidden: &[Linear<H, H, E, D>],
    last: &Linear<H, N, E, D>,
) -> Points<N, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    T: Tape<E, D>,
{
    assert_eq!(v.shape().0, x.shape().0, "a product with Jacobians needs a direction per point");
    let mut z = affine(x, first);
    let mut tangent = product(v.retaped::<T>(), first);
    let mut slopes = Vec::with_capacity(hidden.len());
    for layer in hidden {
        let slope = A::slope_on(z.with_empty_tape());
        tangent = product(tangent * slope.with_empty_tape(), layer);
        slopes.push(slope);
        z = affine(A::value_on(z), layer);
    }
    let slope = A::slope_on(z);
    let forward = product(tangent * slope.with_empty_tape(), last);
    let mut delta = slope * back(v.retaped::<T>(), last);
    for (layer, slope) in hidden.iter().zip(slopes).rev() {
        delta = back(delta, layer) * slope;
    }
    forward - back(delta, first)
}
