//! Costs, results from outside, and Adam.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::super as composed;
use super::{close, differentiate, random, Tape64, E};
use crate::function::{arrays, build};
use crate::geometry::{Cosine, Euclidean, NegDot, PNorm, SqEuclidean};
use crate::ops::{AdamOp, AdamUpdate, AttachOp, Engine, LinearOp, Moments, RowCostOp, Silu};
use crate::random::Key;
use crate::tensor::Points;

#[test]
fn costs_between_rows() {
    let (x, y) = (random::<3>(1, 6), random::<3>(2, 6));
    fn check<C: crate::ops::RowCost<E>>(cost: &C, x: &Points<3, E, Cpu>, y: &Points<3, E, Cpu>) {
        let unit = |v: Tensor<(usize,), E, Cpu, Tape64>| v.reshape_like(&(6, Const::<1>));
        let (a, mut grads) = differentiate(y, |y| unit(composed::paired(cost, x, y)));
        let (b, mut expected) = differentiate(y, |y| unit(Cpu::paired(cost, x, y)));
        close("paired", &a, &b);
        let of = composed::tape::gradient::<_, E, Cpu>;
        close("slope", &of(&mut grads, y).unwrap(), &of(&mut expected, y).unwrap());
        let matrix = composed::pairwise(cost, x, y).as_vec();
        assert_eq!(matrix, Cpu::pairwise(cost, x, y).as_vec());
    }
    check(&SqEuclidean, &x, &y);
    check(&NegDot, &x, &y);
    check(&Euclidean, &x, &y);
    check(&Cosine, &x, &y);
    let cost = PNorm::new(1.5).unwrap();
    let (a, mut grads) = differentiate(&y, |s| composed::twist(&cost, &x, s));
    let (b, mut expected) = differentiate(&y, |s| Cpu::twist(&cost, &x, s));
    close("twist", &a, &b);
    let of = composed::tape::gradient::<_, E, Cpu>;
    close("its slope", &of(&mut grads, &y).unwrap(), &of(&mut expected, &y).unwrap());
}

/// A result from outside whose input is used once more; a tap behind it; an input that is constant.
#[test]
fn results_from_outside() {
    let x = random::<2>(1, 4);
    let outside = |x: &Points<2, E, Cpu>, plain: bool, tape| {
        let out = x.clone() * 3.0;
        let back = |seeds: &[E]| vec![seeds.iter().map(|s| 3.0 * s).collect::<Vec<E>>()];
        if plain {
            Cpu::attach(out, vec![<Cpu as AttachOp<E>>::input(x)], tape, back)
        } else {
            composed::attach(out, vec![composed::input(x)], tape, back)
        }
    };
    let both = |plain: bool| {
        let tapped = x.leaky_trace();
        let (tapped, tap) = if plain { Cpu::tapped(tapped) } else { composed::tapped(tapped) };
        let (inner, tape) = tapped.split_tape();
        let squared = inner.clone().put_tape(tape).square();
        let y = squared + outside(&inner, plain, Tape64::default());
        (y.sum().backward(), inner, tap.take())
    };
    let expected: Vec<E> = x.as_vec().iter().map(|v| 2.0 * v + 3.0).collect();
    assert_eq!(both(true).2, expected);
    let (mut gradients, inner, tap) = both(false);
    assert_eq!(tap, expected);
    // Unlike the kernels, the formulas leave the gradient of what was tapped where it was.
    assert_eq!(composed::tape::gradient(&mut gradients, &inner).unwrap(), expected);
    let fixed = crate::ops::Constants::default().tensor(&x);
    assert!(fixed.scope(|| !composed::input(&x).wanted()));
}

#[test]
fn updates_are_those_of_the_kernels() {
    let update = |count| AdamUpdate {
        rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        count,
        coupled_decay: 0.01,
        decoupled_decay: 0.02,
        scale: 0.5,
    };
    let mut layers: [Linear<3, 4, E, Cpu>; 2] = [build(Key::new(1)), build(Key::new(1))];
    let mut moments = [Moments::default(), Moments::default()];
    for count in 1..4 {
        for (k, layer) in layers.iter_mut().enumerate() {
            let x = random::<3>(count, 5).leaky_traced();
            let mut gradients =
                <Cpu as LinearOp<E>>::linear::<3, 4, Silu, _>(x, layer).square().sum().backward();
            let w = &mut layer.weight;
            if k == 0 {
                Cpu::adam(w, &mut gradients, &mut moments[0], &update(count));
            } else {
                let norm = composed::square_norm(w, &mut gradients);
                assert_eq!(norm, Cpu::square_norm(w, &mut gradients));
                composed::adam(w, &mut gradients, &mut moments[1], &update(count));
            }
            assert!(gradients.get(w).as_vec().iter().all(|g| *g == 0.0));
        }
        assert_eq!(arrays(&layers[0]), arrays(&layers[1]));
        assert_eq!(moments[0], moments[1]);
    }
}
