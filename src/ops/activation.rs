//! Activations as types: value, slope and curvature.

use dfdx::prelude::{Shape, Tape, Tensor};

use super::activation_on as tensor;
use super::activation_on::elementwise;
use super::{AttachOp, Real};

/// A scalar function applied to every coordinate, with its first two derivatives.
///
/// The derivatives are functions of the *output* where [`FROM_OUTPUT`](Self::FROM_OUTPUT) says so
/// (then a layer keeps only its output for the backward pass), else of the input.
pub trait Activation: Copy + Default + std::fmt::Debug + Send + Sync + 'static {
    /// Whether `slope` and `curvature` take the output rather than the input.
    const FROM_OUTPUT: bool;
    /// σ(z).
    fn value<E: Real>(z: E) -> E;
    /// σ'(z), from the output or the input.
    fn slope<E: Real>(kept: E) -> E;
    /// σ''(z), from the output or the input.
    fn curvature<E: Real>(kept: E) -> E;

    /// σ(z) of every coordinate by operations of `dfdx`, differentiable: for devices without kernels of
    /// this crate. The default computes it on the host.
    fn value_on<S: Shape, E: Real, D: AttachOp<E>, T: Tape<E, D>>(
        z: Tensor<S, E, D, T>,
    ) -> Tensor<S, E, D, T> {
        elementwise(z, |z| {
            let y = Self::value(z);
            (y, Self::slope(if Self::FROM_OUTPUT { y } else { z }))
        })
    }

    /// σ'(z), as [`value_on`](Self::value_on).
    fn slope_on<S: Shape, E: Real, D: AttachOp<E>, T: Tape<E, D>>(
        z: Tensor<S, E, D, T>,
    ) -> Tensor<S, E, D, T> {
        elementwise(z, |z| {
            let kept = if Self::FROM_OUTPUT { Self::value(z) } else { z };
            (Self::slope(kept), Self::curvature(kept))
        })
    }
}

/// [`Activation::value_on`] and [`Activation::slope_on`] by formulas of tensors.
macro_rules! on_device {
    ($z:ident, $value:expr, $slope:expr) => {
        fn value_on<S: Shape, E: Real, D: AttachOp<E>, T: Tape<E, D>>(
            $z: Tensor<S, E, D, T>,
        ) -> Tensor<S, E, D, T> {
            $value
        }
        fn slope_on<S: Shape, E: Real, D: AttachOp<E>, T: Tape<E, D>>(
            $z: Tensor<S, E, D, T>,
        ) -> Tensor<S, E, D, T> {
            $slope
        }
    };
}

/// σ(z) = z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity;

/// σ(z) = max(z, 0); the slope at 0 is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relu;

/// σ(z) = z for z > 0, else `PERMILLE`/1000 · z. The default slope, 0.2, is that of the
/// discriminators of the field; PyTorch's default is `LeakyRelu<10>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeakyRelu<const PERMILLE: u32 = 200>;

/// σ(z) = z for z > 0, else eᶻ − 1: once continuously differentiable, convex, increasing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Celu;

/// σ(z) = ln(1 + eᶻ): smooth, convex, increasing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Softplus;

/// σ(z) = z / (1 + e⁻ᶻ), also called swish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silu;

/// σ(z) = z Φ(z) with the normal distribution function Φ: the exact form, not the one with tanh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gelu;

impl Activation for Identity {
    const FROM_OUTPUT: bool = true;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        z
    }
    #[inline(always)]
    fn slope<E: Real>(_: E) -> E {
        E::one()
    }
    #[inline(always)]
    fn curvature<E: Real>(_: E) -> E {
        E::zero()
    }
    on_device!(z, z, tensor::step(z, 1.0));
}

impl Activation for Relu {
    const FROM_OUTPUT: bool = true;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        // This way round NaN stays NaN.
        if z < E::zero() {
            E::zero()
        } else {
            z
        }
    }
    #[inline(always)]
    fn slope<E: Real>(y: E) -> E {
        if y > E::zero() {
            E::one()
        } else {
            E::zero()
        }
    }
    #[inline(always)]
    fn curvature<E: Real>(_: E) -> E {
        E::zero()
    }
    on_device!(z, z.relu(), tensor::step(z, 0.0));
}

impl<const PERMILLE: u32> Activation for LeakyRelu<PERMILLE> {
    const FROM_OUTPUT: bool = true;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        z * Self::slope(z)
    }
    #[inline(always)]
    fn slope<E: Real>(y: E) -> E {
        if y > E::zero() {
            E::one()
        } else {
            E::of(f64::from(PERMILLE) * 1e-3)
        }
    }
    #[inline(always)]
    fn curvature<E: Real>(_: E) -> E {
        E::zero()
    }
    on_device!(
        z,
        tensor::leaky(z, f64::from(PERMILLE) * 1e-3),
        tensor::step(z, f64::from(PERMILLE) * 1e-3)
    );
}

impl Activation for Celu {
    const FROM_OUTPUT: bool = true;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        let below = z.fast_exp() - E::one();
        if z > E::zero() {
            z
        } else {
            below
        }
    }
    #[inline(always)]
    fn slope<E: Real>(y: E) -> E {
        if y > E::zero() {
            E::one()
        } else {
            y + E::one()
        }
    }
    #[inline(always)]
    fn curvature<E: Real>(y: E) -> E {
        if y > E::zero() {
            E::zero()
        } else {
            y + E::one()
        }
    }
    on_device!(z, tensor::celu(z), tensor::celu_slope(z));
}

impl Activation for Softplus {
    const FROM_OUTPUT: bool = true;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        let positive = if z > E::zero() { z } else { E::zero() };
        positive + (-z.abs()).fast_exp().ln_1p_unit()
    }
    // e^{-y} = 1 / (1 + eᶻ), hence the slope eᶻ / (1 + eᶻ) is 1 - e^{-y}.
    #[inline(always)]
    fn slope<E: Real>(y: E) -> E {
        E::one() - (-y).fast_exp()
    }
    #[inline(always)]
    fn curvature<E: Real>(y: E) -> E {
        let e = (-y).fast_exp();
        e * (E::one() - e)
    }
    on_device!(z, tensor::softplus(z), z.sigmoid());
}

#[inline(always)]
fn sigmoid<E: Real>(z: E) -> E {
    E::one() / (E::one() + (-z).fast_exp())
}

impl Activation for Silu {
    const FROM_OUTPUT: bool = false;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        z * sigmoid(z)
    }
    #[inline(always)]
    fn slope<E: Real>(z: E) -> E {
        let s = sigmoid(z);
        s + z * s * (E::one() - s)
    }
    #[inline(always)]
    fn curvature<E: Real>(z: E) -> E {
        let s = sigmoid(z);
        s * (E::one() - s) * (E::of(2.0) + z * (E::one() - s - s))
    }
    on_device!(z, tensor::silu(z), tensor::silu_slope(z));
}

#[inline(always)]
fn normal_density<E: Real>(z: E) -> E {
    E::of(0.398_942_280_401_432_7) * (-z * z * E::of(0.5)).fast_exp()
}

impl Activation for Gelu {
    const FROM_OUTPUT: bool = false;
    #[inline(always)]
    fn value<E: Real>(z: E) -> E {
        z * z.normal_cdf()
    }
    #[inline(always)]
    fn slope<E: Real>(z: E) -> E {
        z.normal_cdf() + z * normal_density(z)
    }
    #[inline(always)]
    fn curvature<E: Real>(z: E) -> E {
        normal_density(z) * (E::of(2.0) - z * z)
    }
    on_device!(z, tensor::gelu(z), tensor::gelu_slope(z));
}
