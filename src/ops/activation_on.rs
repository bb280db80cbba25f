//! Activations of tensors, from operations of `dfdx`.

use dfdx::prelude::*;

use super::{AttachOp, Real};
use crate::tensor::rows;

/// Above this, ln(1 + eᶻ) is z in both number types.
const LARGE: f64 = 40.0;

/// A function given with its derivative, coordinate by coordinate on the host.
pub(super) fn elementwise<S: Shape, E: Real, D: AttachOp<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
    function: impl Fn(E) -> (E, E),
) -> Tensor<S, E, D, T> {
    let (z, tape) = z.contiguous().split_tape();
    let (values, mut slopes): (Vec<E>, Vec<E>) = rows(&z).into_iter().map(function).unzip();
    let out = z.device().tensor_from_vec(values, *z.shape());
    D::attach(out, vec![D::input(&z)], tape, move |seeds| {
        slopes.iter_mut().zip(seeds).for_each(|(slope, seed)| *slope *= *seed);
        vec![slopes]
    })
}

/// 1 where z > 0, else `below`; of derivative 0.
pub(super) fn step<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
    below: f64,
) -> Tensor<S, E, D, T> {
    let (z, tape) = z.split_tape();
    let ones = z.device().ones_like(z.shape());
    if below == 1.0 {
        return ones.put_tape(tape);
    }
    let others = ones.clone() * E::of(below);
    TryGt::gt(&z, E::zero()).choose(ones, others).put_tape(tape)
}

/// z where z > 0, else `below` z.
pub(super) fn leaky<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
    below: f64,
) -> Tensor<S, E, D, T> {
    let factors = step(z.retaped::<NoneTape>(), below);
    z * factors
}

/// min(eᶻ, 1).
pub(super) fn celu_slope<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    z.clamp(f64::from(f32::MIN), 0.0).exp()
}

/// max(z, 0) + min(eᶻ, 1) − 1.
pub(super) fn celu<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    let above = z.with_empty_tape().relu();
    celu_slope(z) + above - E::one()
}

/// ln(1 + eᶻ).
pub(super) fn softplus<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    let above = (z.with_empty_tape() - E::of(LARGE)).relu();
    (z.clamp(f64::from(f32::MIN), LARGE).exp() + E::one()).ln() + above
}

/// z / (1 + e⁻ᶻ).
pub(super) fn silu<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    let sigmoid = z.with_empty_tape().sigmoid();
    z * sigmoid
}

/// s + z s (1 − s) with s = 1 / (1 + e⁻ᶻ).
pub(super) fn silu_slope<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    let s = z.with_empty_tape().sigmoid();
    let rest = s.with_empty_tape().negate() + E::one();
    z * s.with_empty_tape() * rest + s
}

/// A function given with its derivative, both tensors: the tape sees slope · z + (value − slope · z).
fn with_slope<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
    value: Tensor<S, E, D>,
    slope: Tensor<S, E, D>,
) -> Tensor<S, E, D, T> {
    let rest = value - z.retaped::<NoneTape>() * slope.clone();
    z * slope + rest
}

/// Φ(z) and φ(z) from z Φ(z), whose derivative in `dfdx` is an approximation; around 0, where the quotient
/// is not known, by Taylor's series to z⁴.
fn normal<S: Shape, E: Real, D: Device<E>>(z: &Tensor<S, E, D>) -> [Tensor<S, E, D>; 2] {
    const PEAK: f64 = 0.398_942_280_401_432_7;
    let square = z.clone().square();
    let series =
        (square.clone() * E::of(-1.0 / 6.0) + E::one()) * z.clone() * E::of(PEAK) + E::of(0.5);
    let near = TryLt::lt(&square, E::of(1e-6));
    let one = z.device().ones_like(z.shape());
    let quotient = z.clone().accurate_gelu() / near.clone().choose(one, z.clone());
    [near.choose(series, quotient), (square * E::of(-0.5)).exp() * E::of(PEAK)]
}

/// z Φ(z).
pub(super) fn gelu<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    let plain = z.retaped::<NoneTape>();
    let [cdf, density] = normal(&plain);
    let value = plain.clone().accurate_gelu();
    with_slope(z, value, density * plain + cdf)
}

/// Φ(z) + z φ(z).
pub(super) fn gelu_slope<S: Shape, E: Real, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Tensor<S, E, D, T> {
    let plain = z.retaped::<NoneTape>();
    let [cdf, density] = normal(&plain);
    let curvature = (plain.clone().square().negate() + E::of(2.0)) * density.clone();
    with_slope(z, density * plain + cdf, curvature)
}
