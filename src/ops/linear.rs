//! One dense layer: σ(x Wᵀ + b), alone or added to its input.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::dense::{add, Layer};
use super::device::{gradient_mut, is_constant, read, take_gradient};
use super::gemm::Into;
use super::{Activation, Real};
use crate::tensor::Points;

/// Fused dense layers as a capability of a device.
pub trait LinearOp<E: Real>: Device<E> {
    /// y = σ(x Wᵀ + b): `[n, I] -> [n, O]`.
    fn linear<const I: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        layer: &Linear<I, O, E, Self>,
    ) -> Points<O, E, Self, T>;

    /// y = x + σ(x Wᵀ + b): `[n, N] -> [n, N]`.
    fn residual_linear<const N: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        layer: &Linear<N, N, E, Self>,
    ) -> Points<N, E, Self, T>;
}

/// y = σ(x Wᵀ + b) for `x` of shape `[n, I]`, in one pass over the product.
///
/// Differentiable once, in `x`, the weight and the bias.
///
/// ```
/// use brenier::ops::{linear, Relu};
/// use brenier::tensor::{points, rows};
/// use dfdx::{nn::modules::Linear, prelude::*};
/// let dev = Cpu::default();
/// let layer = Linear { weight: dev.tensor([[1.0, 2.0], [-1.0, 0.0]]), bias: dev.tensor([0.5, 0.0]) };
/// let y = linear::<2, 2, f32, Cpu, Relu, _>(points(vec![1.0, 1.0])?, &layer);
/// assert_eq!(rows(&y), [3.5, 0.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn linear<const I: usize, const O: usize, E: Real, D: LinearOp<E>, A, T>(
    x: Points<I, E, D, T>,
    layer: &Linear<I, O, E, D>,
) -> Points<O, E, D, T>
where
    A: Activation,
    T: Tape<E, D>,
{
    D::linear::<I, O, A, T>(x, layer)
}

/// y = x + σ(x Wᵀ + b) for `x` of shape `[n, N]`: a residual block of one layer.
///
/// Differentiable once, in `x`, the weight and the bias.
pub fn residual_linear<const N: usize, E: Real, D: LinearOp<E>, A, T>(
    x: Points<N, E, D, T>,
    layer: &Linear<N, N, E, D>,
) -> Points<N, E, D, T>
where
    A: Activation,
    T: Tape<E, D>,
{
    D::residual_linear::<N, A, T>(x, layer)
}

/// The numbers of a `dfdx` layer, for `n` points.
pub(crate) fn layer<const I: usize, const O: usize, E: Real>(
    l: &Linear<I, O, E, Cpu>,
    n: usize,
) -> Layer<E>
where
    Cpu: Device<E>,
{
    Layer::new(read(&l.weight), read(&l.bias), n)
}

/// Which parameters of a layer want a gradient: those that are not constant.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(super) weight: bool,
    pub(super) bias: bool,
}

impl Wanted {
    pub(crate) fn of<const I: usize, const O: usize, E: Real>(l: &Linear<I, O, E, Cpu>) -> Self
    where
        Cpu: Device<E>,
    {
        Self { weight: !is_constant(&l.weight), bias: !is_constant(&l.bias) }
    }
}

/// Adds the gradients of a layer's parameters to the store.
pub(crate) fn accumulate<const I: usize, const O: usize, E: Real>(
    gradients: &mut Gradients<E, Cpu>,
    (to, wanted): (&Linear<I, O, E, Cpu>, Wanted),
    layer: &Layer<E>,
    (delta, x, n): (&[E], &[E], usize),
    bias: &[E],
) -> Result<(), CpuError>
where
    Cpu: Device<E>,
{
    if wanted.bias {
        add::<E>(gradient_mut(gradients, &to.bias)?, bias);
    }
    if wanted.weight {
        layer.backward_weight(delta, x, n, gradient_mut(gradients, &to.weight)?);
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Skip {
    None,
    Add,
}

impl<E: Real> LinearOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn linear<const I: usize, const O: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<I, E, Self, T>,
        layer: &Linear<I, O, E, Self>,
    ) -> Points<O, E, Self, T> {
        on_cpu::<I, O, E, A, T>(x, layer, Skip::None)
    }

    fn residual_linear<const N: usize, A: Activation, T: Tape<E, Self>>(
        x: Points<N, E, Self, T>,
        layer: &Linear<N, N, E, Self>,
    ) -> Points<N, E, Self, T> {
        on_cpu::<N, N, E, A, T>(x, layer, Skip::Add)
    }
}

fn on_cpu<const I: usize, const O: usize, E: Real, A: Activation, T: Tape<E, Cpu>>(
    x: Points<I, E, Cpu, T>,
    to: &Linear<I, O, E, Cpu>,
    skip: Skip,
) -> Points<O, E, Cpu, T>
where
    Cpu: Device<E>,
{
    let needs_x = !is_constant(&x);
    let (x, mut tape) = x.contiguous().split_tape();
    let n = x.shape().0;
    let device = x.device().clone();
    let (values, layer) = (read(&x), layer(to, n));
    let kept = layer.forward::<A>(&values, n);
    let mut y = kept.output.to_vec();
    if skip == Skip::Add {
        add::<E>(&mut y, &values);
    }
    let y = device.tensor_from_vec(y, (n, Const::<O>));
    if T::OWNS_TAPE {
        let wanted = Wanted::of(to);
        let (to, output) = (to.clone(), y.clone());
        tape.add_backward_op(move |gradients| {
            let mut delta = take_gradient(gradients, &output)?;
            if needs_x && skip == Skip::Add {
                add::<E>(gradient_mut(gradients, &x)?, &delta);
            }
            let bias = layer.backward_activation::<A>(&kept, &mut delta, n);
            accumulate(gradients, (&to, wanted), &layer, (&delta, &values, n), &bias)?;
            if needs_x {
                layer.backward_input(&delta, n, gradient_mut(gradients, &x)?, Into::Add);
            }
            Ok(())
        });
    }
    y.put_tape(tape)
}
