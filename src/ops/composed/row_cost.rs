//! Costs between rows. Half a squared distance and products are formulas of tensors; other costs, matrices
//! and twists are functions of rows, and computed on the host.

use dfdx::prelude::*;

use super::super::row_cost::{images, matrix, CostForm, RowCost, TwistCost};
use super::super::{AttachOp, Real};
use crate::tensor::{rows, Points, Values};

/// [`RowCostOp::paired`](super::super::RowCostOp::paired).
pub(crate) fn paired<const N: usize, E: Real, D: AttachOp<E>, C: RowCost<E>, T: Tape<E, D>>(
    cost: &C,
    x: &Points<N, E, D>,
    y: Points<N, E, D, T>,
) -> Values<E, D, T> {
    assert_eq!(x.shape().0, y.shape().0, "a paired cost needs as many sources as targets");
    match cost.form() {
        CostForm::SquaredDistance { scale } => {
            (y - x.clone()).square().sum::<(usize,), Axis<1>>() * E::of(scale)
        }
        CostForm::NegativeProduct => -(y * x.clone()).sum::<(usize,), Axis<1>>(),
        _ => on_host(cost, x, y),
    }
}

fn on_host<const N: usize, E: Real, D: AttachOp<E>, C: RowCost<E>, T: Tape<E, D>>(
    cost: &C,
    x: &Points<N, E, D>,
    y: Points<N, E, D, T>,
) -> Values<E, D, T> {
    let (y, tape) = y.contiguous().split_tape();
    let (source, target) = (rows(x), rows(&y));
    let mut slopes = vec![E::zero(); target.len()];
    let pairs = source.chunks_exact(N).zip(target.chunks_exact(N));
    let values: Vec<E> = pairs
        .zip(slopes.chunks_exact_mut(N))
        .map(|((x, y), dy)| cost.value_and_gradient(x, y, dy))
        .collect();
    let values = y.device().tensor_from_vec(values, (y.shape().0,));
    D::attach(values, vec![D::input(&y)], tape, move |seeds| {
        for (slope, seed) in slopes.chunks_exact_mut(N).zip(seeds) {
            slope.iter_mut().for_each(|s| *s *= *seed);
        }
        vec![slopes]
    })
}

/// [`RowCostOp::pairwise`](super::super::RowCostOp::pairwise).
pub(crate) fn pairwise<const N: usize, E: Real, D: Device<E>, C: RowCost<E>>(
    cost: &C,
    x: &Points<N, E, D>,
    y: &Points<N, E, D>,
) -> Tensor<(usize, usize), E, D> {
    let costs = matrix(cost, &rows(x), &rows(y), N);
    x.device().tensor_from_vec(costs, (x.shape().0, y.shape().0))
}

/// [`RowCostOp::twist`](super::super::RowCostOp::twist).
pub(crate) fn twist<const N: usize, E: Real, D: AttachOp<E>, C: TwistCost<E>, T: Tape<E, D>>(
    cost: &C,
    x: &Points<N, E, D>,
    slope: Points<N, E, D, T>,
) -> Points<N, E, D, T> {
    let (slope, tape) = slope.contiguous().split_tape();
    assert_eq!(x.shape().0, slope.shape().0, "a twist needs as many points as slopes");
    let slopes = rows(&slope);
    let out = slope.device().tensor_from_vec(images(cost, &rows(x), &slopes, N), *slope.shape());
    let cost = cost.clone();
    D::attach(out, vec![D::input(&slope)], tape, move |seeds| {
        let mut dslope = vec![E::zero(); slopes.len()];
        let pairs = slopes.chunks_exact(N).zip(seeds.chunks_exact(N));
        for ((slope, dy), dslope) in pairs.zip(dslope.chunks_exact_mut(N)) {
            cost.twist_backward(slope, dy, dslope);
        }
        vec![dslope]
    })
}
