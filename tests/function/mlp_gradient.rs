//! The input gradient of a perceptron against the tape of its value and against differences.

use crate::common::*;
use brenier::function::{InputGradient, Mlp};
use brenier::ops::*;
use brenier::tensor::{rows, Points, Scalar, Taped};
use brenier::testing::{check_input_gradient, check_parameter_gradient};
use dfdx::prelude::*;

type Small<const K: usize, A> = Mlp<3, 5, K, 1, A, f64>;
/// More than eight inputs, so that no product is a thin one.
type Wide = Mlp<9, 11, 1, 1, Celu, f64>;

/// `STEP` promises errors up to 1e-9 for losses of order ten; where two factors of a loss nearly cancel
/// in an entry, its relative error is larger. A wrong gradient is off by far more.
const DIFFERENCE: f64 = 1e-7;

/// The value is an operation of its own, which the tape differentiates.
#[test]
fn the_input_gradient_is_the_gradient_of_the_value() {
    fn check<const K: usize, A: Formula>() {
        // 300 rows are more than two chunks of 128.
        for n in [1, 6, 300] {
            let (x, net) = (cloud::<3, f64>(1, n), module::<Small<K, A>, f64>(2, 0.7));
            let gradient = rows(&net.input_gradient(x.clone()));
            let tape = net.forward(x.leaky_trace()).sum().backward().get(&x).as_vec();
            // Some hundred operations per number, half a unit of 2⁻⁵² each.
            let error = relative(&gradient, &tape);
            assert!(error < 1e-14, "{K} {:?} {n}: {error:e}", A::default());
            assert_eq!(net.input_gradient(x.leaky_trace()).as_vec(), gradient);
        }
    }
    check::<0, Celu>();
    check::<1, Softplus>();
    check::<2, Silu>();
    check::<2, Gelu>();
    check::<1, LeakyRelu>();
}

fn weighted<const N: usize>(
    y: Points<N, f64, Cpu, Taped<f64>>,
    seed: &Points<N, f64>,
) -> Scalar<f64, Cpu, Taped<f64>> {
    (y.square() * seed.clone()).mean()
}

/// Losses on ∇f with seeds that depend on the output, in the points and in all parameters: second
/// derivatives of f.
#[test]
fn gradients_of_losses_are_differences() {
    fn check<const K: usize, A: Formula>(n: usize) {
        let (x, net) = (cloud::<3, f64>(3, n), module::<Small<K, A>, f64>(4, 0.7));
        let seed = cloud::<3, f64>(5, n);
        let errors = [
            check_input_gradient(&x, |x| weighted(net.input_gradient(x), &seed)),
            check_parameter_gradient(&net, |net, g| {
                weighted(net.input_gradient(x.clone().trace(g)), &seed)
            }),
            // The parameters enter twice, through two operations.
            check_parameter_gradient(&net, |net, g| {
                let x = x.clone().trace(g);
                let value = net.forward(x.retaped::<Taped<f64>>()).square().mean();
                weighted(net.input_gradient(x), &seed) * value.sin()
            }),
        ];
        for error in errors {
            println!("{K} {:?} {n}: {:.1e} {}", A::default(), error.relative, error.entry);
            assert!(error.relative < DIFFERENCE, "{K} {:?} {n}: {error:?}", A::default());
        }
    }
    check::<0, Softplus>(6);
    check::<1, Silu>(6);
    check::<2, Gelu>(6);
    check::<1, Celu>(6);
    // More than two chunks, whose slopes are added up.
    check::<1, Softplus>(300);
}

#[test]
fn wide_layers_have_the_same_formulas() {
    let (x, net) = (cloud::<9, f64>(6, 200), module::<Wide, f64>(7, 0.4));
    let seed = cloud::<9, f64>(8, 200);
    let tape = net.forward(x.leaky_trace()).sum().backward().get(&x).as_vec();
    assert!(relative(&rows(&net.input_gradient(x.clone())), &tape) < 1e-14);
    let error = check_parameter_gradient(&net, |net, g| {
        weighted(net.input_gradient(x.clone().trace(g)), &seed)
    });
    assert!(error.relative < DIFFERENCE, "{error:?}");
    let error = check_input_gradient(&x, |x| weighted(net.input_gradient(x), &seed));
    assert!(error.relative < DIFFERENCE, "{error:?}");
}

#[test]
fn constants_get_no_gradient_and_change_no_other() {
    let (x, net) = (cloud::<3, f64>(9, 300), module::<Small<1, Celu>, f64>(10, 0.7));
    let all = |constants: Constants| {
        let taped = constants.scope(|| net.input_gradient(x.leaky_trace()));
        let mut g = taped.square().mean().backward();
        [
            gradient(&mut g, &x),
            gradient(&mut g, &net.first.weight),
            gradient(&mut g, &net.hidden.modules[0].bias),
            gradient(&mut g, &net.last.weight),
        ]
    };
    let free = all(Constants::default());
    assert!(free.iter().all(|g| g.iter().any(|v| *v != 0.0)));
    let zero = |i: usize| vec![0.0; free[i].len()];
    let data = all(Constants::default().tensor(&x));
    assert!(data[0] == zero(0) && data[1..] == free[1..]);
    let frozen = all(Constants::default().parameters(&net));
    assert!(frozen[0] == free[0] && (1..4).all(|i| frozen[i] == zero(i)));
}

/// A loss on ∇f at 1000 points of networks of both widths of chunk, on one, two and three threads.
#[test]
fn results_do_not_depend_on_threads() {
    fn check<const H: usize>() {
        let (x, net) = (cloud::<16, f32>(11, 1000), module::<Mlp<16, H, 1, 1, Silu>, f32>(12, 0.1));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| {
                let gradients = net.input_gradient(x.leaky_trace()).square().mean().backward();
                (gradients.get(&x).as_vec(), gradients.get(&net.first.weight).as_vec())
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(3), "{H}");
    }
    check::<64>();
    check::<256>();
}
