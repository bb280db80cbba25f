//! A convolution alone, which keeps the layout of points, beside the same within a longer program, which
//! changes it.

use crate::common::*;
use brenier::ops::*;
use brenier::tensor::{points_on, Points};
use dfdx::prelude::*;

const N: usize = 3 * 7 * 9;
const M: usize = 5 * 7 * 9;
type Array = Tensor<(usize,), f64, Cpu>;

/// λ(w ∗ x + b), and the gradients of its inner product with some c in x, w and b, which may be held
/// constant.
fn run(longer: bool, slope: f64, constants: [bool; 3]) -> [Vec<f64>; 4] {
    let device = Cpu::default();
    let shape = Convolution::image(3, 5, [7, 9], [3, 3]).padding(1);
    let x: Points<N, f64> = cloud(1, 4);
    let array = |seed: u64, n: usize| -> Array { device.tensor_from_vec(normals(seed, n), (n,)) };
    let (w, b, c) = (array(2, shape.weight_len()), array(3, 5), normals(4, 4 * M));
    let c: Points<M, f64> = points_on(&device, c).expect("points");
    let mut held = Constants::default();
    for (constant, t) in constants[1..].iter().zip([&w, &b]) {
        held = if *constant { held.tensor(t) } else { held };
    }
    held = if constants[0] { held.tensor(&x) } else { held };
    held.scope(|| {
        let (mut program, inputs) = Program::new(&[Extent::image(3, 7, 9)]);
        let weights = Weights { weight: &w, bias: Some(&b) };
        let y = program.convolution(inputs[0], shape, weights, slope);
        if longer {
            program.activate::<Identity>(y);
        }
        let y = Cpu::run::<N, M, _>(x.leaky_trace(), program);
        let values = y.as_vec();
        let mut gradients = (y * c).sum().backward();
        [
            values,
            gradient(&mut gradients, &x),
            gradient(&mut gradients, &w),
            gradient(&mut gradients, &b),
        ]
    })
}

#[test]
fn layouts_agree() {
    for slope in [1.0, 0.2, 0.0] {
        for constants in
            [[false; 3], [true, false, false], [false, true, true], [false, true, false]]
        {
            let (own, other) = (run(false, slope, constants), run(true, slope, constants));
            for (own, other) in own.iter().zip(&other) {
                assert_eq!(own.len(), other.len());
                // Sums of up to 252 products of order 1, in another order.
                assert!(own.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-12), "{slope}");
            }
        }
    }
}

#[test]
fn a_layout_does_not_depend_on_threads() {
    on_any_threads(|| run(false, 0.2, [false; 3]));
}
