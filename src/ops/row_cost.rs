//! Costs between rows: paired (differentiable), as a matrix, and their twist.

use dfdx::prelude::*;
use rayon::prelude::*;

use super::device::{gradient_mut, is_constant, read, take_gradient};
use super::{Real, Scratch};
use crate::tensor::{Points, Values};

/// A ground cost between two rows of coordinates, with its gradient in the second.
pub trait RowCost<E: Real>: Clone + Send + Sync + 'static {
    /// c(x, y).
    fn value(&self, x: &[E], y: &[E]) -> E;
    /// c(x, y), with ∂c/∂y written to `dy`.
    fn value_and_gradient(&self, x: &[E], y: &[E], dy: &mut [E]) -> E;
    /// c(x, y), with ∂c/∂x written to `dx`. The default swaps the arguments, which is right for
    /// symmetric costs, c(x, y) = c(y, x); other costs override it where gradients in the sources are
    /// wanted. Who uses it may check that it returns c(x, y).
    fn value_and_source_gradient(&self, x: &[E], y: &[E], dx: &mut [E]) -> E {
        self.value_and_gradient(y, x, dx)
    }
    /// Which of the forms that solvers have kernels for this is; none unless overridden.
    fn form(&self) -> CostForm {
        CostForm::Other
    }
}

/// A cost with the twist property: ∇ₓc(x, y) determines y. The map of a source potential f is then
/// T(x) = the y with ∇ₓc(x, y) = ∇f(x).
pub trait TwistCost<E: Real>: RowCost<E> {
    /// The y with ∇ₓc(x, y) = `slope`, written to `y`.
    fn twist(&self, x: &[E], slope: &[E], y: &mut [E]);
    /// (∂y/∂slope)ᵀ `dy`, added to `dslope`.
    fn twist_backward(&self, slope: &[E], dy: &[E], dslope: &mut [E]);
}

/// Costs that solvers compute with kernels of their own instead of [`RowCost::value`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum CostForm {
    /// `scale` · |x − y|².
    SquaredDistance {
        /// The factor, positive.
        scale: f64,
    },
    /// |x − y|.
    Distance,
    /// −⟨x, y⟩.
    NegativeProduct,
    /// 1 − ⟨x, y⟩ / (|x||y|), 1 where x or y is zero.
    Cosine,
    /// Σᵢ |xᵢ − yᵢ|ᵖ / p.
    PowerSum {
        /// The exponent, at least 1.
        p: f64,
    },
    /// Anything else.
    Other,
}

/// Row costs as a capability of a device.
pub trait RowCostOp<E: Real>: Device<E> {
    /// c(xᵢ, yᵢ): `[n, N], [n, N] -> [n]`, differentiable in y.
    fn paired<const N: usize, C: RowCost<E>, T: Tape<E, Self>>(
        cost: &C,
        x: &Points<N, E, Self>,
        y: Points<N, E, Self, T>,
    ) -> Values<E, Self, T>;

    /// c(xᵢ, yⱼ): `[n, N], [m, N] -> [n, m]`.
    fn pairwise<const N: usize, C: RowCost<E>>(
        cost: &C,
        x: &Points<N, E, Self>,
        y: &Points<N, E, Self>,
    ) -> Tensor<(usize, usize), E, Self>;

    /// [`TwistCost::twist`] of each row: `[n, N], [n, N] -> [n, N]`, differentiable in the slope.
    fn twist<const N: usize, C: TwistCost<E>, T: Tape<E, Self>>(
        cost: &C,
        x: &Points<N, E, Self>,
        slope: Points<N, E, Self, T>,
    ) -> Points<N, E, Self, T>;
}

impl<E: Real> RowCostOp<E> for Cpu
where
    Cpu: Device<E>,
{
    fn paired<const N: usize, C: RowCost<E>, T: Tape<E, Self>>(
        cost: &C,
        x: &Points<N, E, Self>,
        y: Points<N, E, Self, T>,
    ) -> Values<E, Self, T> {
        let constant = is_constant(&y);
        let (y, mut tape) = y.contiguous().split_tape();
        let n = y.shape().0;
        assert_eq!(x.shape().0, n, "a paired cost needs as many sources as targets");
        let (source, target) = (read(x), read(&y));
        let wanted = T::OWNS_TAPE && !constant;
        let mut slopes = Scratch::new(if wanted { n * N } else { 0 });
        let rows = source.chunks_exact(N).zip(target.chunks_exact(N));
        let values: Vec<E> = if wanted {
            rows.zip(slopes.chunks_exact_mut(N))
                .map(|((x, y), dy)| cost.value_and_gradient(x, y, dy))
                .collect()
        } else {
            rows.map(|(x, y)| cost.value(x, y)).collect()
        };
        let values = y.device().tensor_from_vec(values, (n,));
        if wanted {
            let output = values.clone();
            tape.add_backward_op(move |gradients| {
                let seeds = take_gradient(gradients, &output)?;
                let dy = gradient_mut(gradients, &y)?;
                for ((dy, slope), seed) in
                    dy.chunks_exact_mut(N).zip(slopes.chunks_exact(N)).zip(seeds)
                {
                    dy.iter_mut().zip(slope).for_each(|(d, s)| *d += seed * *s);
                }
                Ok(())
            });
        }
        values.put_tape(tape)
    }

    fn pairwise<const N: usize, C: RowCost<E>>(
        cost: &C,
        x: &Points<N, E, Self>,
        y: &Points<N, E, Self>,
    ) -> Tensor<(usize, usize), E, Self> {
        let (n, m) = (x.shape().0, y.shape().0);
        x.device().tensor_from_vec(matrix(cost, &read(x), &read(y), N), (n, m))
    }

    fn twist<const N: usize, C: TwistCost<E>, T: Tape<E, Self>>(
        cost: &C,
        x: &Points<N, E, Self>,
        slope: Points<N, E, Self, T>,
    ) -> Points<N, E, Self, T> {
        let (slope, mut tape) = slope.contiguous().split_tape();
        let n = slope.shape().0;
        assert_eq!(x.shape().0, n, "a twist needs as many points as slopes");
        let (source, slopes) = (read(x), read(&slope));
        let images = images(cost, &source, &slopes, N);
        let images = slope.device().tensor_from_vec(images, (n, Const));
        if T::OWNS_TAPE {
            let (cost, output) = (cost.clone(), images.clone());
            tape.add_backward_op(move |gradients| {
                let seeds = take_gradient(gradients, &output)?;
                let dslope = gradient_mut(gradients, &slope)?;
                let rows = slopes.chunks_exact(N).zip(seeds.chunks_exact(N));
                for ((slope, dy), dslope) in rows.zip(dslope.chunks_exact_mut(N)) {
                    cost.twist_backward(slope, dy, dslope);
                }
                Ok(())
            });
        }
        images.put_tape(tape)
    }
}

/// c(xᵢ, yⱼ) for rows of `d` coordinates.
pub(super) fn matrix<E: Real, C: RowCost<E>>(cost: &C, x: &[E], y: &[E], d: usize) -> Vec<E> {
    let m = y.len() / d;
    let mut matrix = vec![E::zero(); x.len() / d * m];
    matrix.par_chunks_mut(m).zip(x.par_chunks(d)).for_each(|(row, x)| {
        for (entry, y) in row.iter_mut().zip(y.chunks_exact(d)) {
            *entry = cost.value(x, y);
        }
    });
    matrix
}

/// [`TwistCost::twist`] of each row.
pub(super) fn images<E: Real, C: TwistCost<E>>(
    cost: &C,
    x: &[E],
    slopes: &[E],
    d: usize,
) -> Vec<E> {
    let mut images = vec![E::zero(); x.len()];
    let rows = x.chunks_exact(d).zip(slopes.chunks_exact(d));
    for ((x, slope), y) in rows.zip(images.chunks_exact_mut(d)) {
        cost.twist(x, slope, y);
    }
    images
}
