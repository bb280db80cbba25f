//! Dense layers and perceptrons against loops, differences, and each other.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use crate::common::*;
use brenier::function::{Mlp, ResidualMlp};
use brenier::ops::*;
use brenier::tensor::{rows, Points, Scalar, Taped};
use brenier::testing::{check_input_gradient, check_parameter_gradient, STEP};
use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

type Layer<const I: usize, const O: usize, E = f64> = Linear<I, O, E, Cpu>;

/// `STEP` promises errors up to 1e-9 for losses of order ten; a wrong gradient is off by far more.
const DIFFERENCE: f64 = 1e-8;

/// What a differentiable layer gives: its output and the gradients of Σ y ∘ seed.
struct Passed {
    y: Vec<f64>,
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

/// The layer by loops; with `skip`, y = x + σ(x Wᵀ + b).
fn by_loops<const I: usize, const O: usize, A: Formula>(
    (x, layer, seed): (&[f64], &Layer<I, O>, &[f64]),
    skip: bool,
) -> Passed {
    let (w, b) = (layer.weight.as_vec(), layer.bias.as_vec());
    let mut p = Passed {
        y: vec![0.0; seed.len()],
        x: vec![0.0; x.len()],
        weight: vec![0.0; I * O],
        bias: vec![0.0; O],
    };
    for n in 0..x.len() / I {
        for o in 0..O {
            let mut z = b[o];
            for i in 0..I {
                z += x[n * I + i] * w[o * I + i];
            }
            let delta = seed[n * O + o] * A::prime(z);
            p.y[n * O + o] = A::sigma(z);
            p.bias[o] += delta;
            for i in 0..I {
                p.weight[o * I + i] += delta * x[n * I + i];
                p.x[n * I + i] += delta * w[o * I + i];
            }
        }
    }
    if skip {
        for (i, x) in x.iter().enumerate() {
            p.y[i] += x;
            p.x[i] += seed[i];
        }
    }
    p
}

/// The smallest |z| over all pre-activations z = x Wᵀ + b.
fn nearest_kink<const I: usize, const O: usize>(x: &Points<I, f64>, layer: &Layer<I, O>) -> f64 {
    rows(&linear::<I, O, f64, Cpu, Identity, _>(x.clone(), layer))
        .into_iter()
        .fold(f64::INFINITY, |m, z| z.abs().min(m))
}

/// Σ y ∘ seed.
fn weighted<const O: usize, E: Real>(
    y: Points<O, E, Cpu, Taped<E>>,
    seed: &Points<O, E>,
) -> Scalar<E, Cpu, Taped<E>>
where
    Cpu: Device<E>,
{
    (y * seed.clone()).sum()
}

fn passed<const I: usize, const O: usize, E: Real>(
    x: &Points<I, E>,
    layer: &Layer<I, O, E>,
    seed: &Points<O, E>,
    forward: impl Fn(Points<I, E, Cpu, Taped<E>>, &Layer<I, O, E>) -> Points<O, E, Cpu, Taped<E>>,
) -> Passed
where
    Cpu: Engine<E>,
{
    let y = forward(x.leaky_trace(), layer);
    let double = |v: Vec<E>| v.into_iter().map(E::double).collect();
    let values = double(y.as_vec());
    let g = weighted(y, seed).backward();
    Passed {
        y: values,
        x: double(g.get(x).as_vec()),
        weight: double(g.get(&layer.weight).as_vec()),
        bias: double(g.get(&layer.bias).as_vec()),
    }
}

impl Passed {
    /// The largest error of any array, relative to its largest entry.
    fn error(&self, exact: &Self) -> f64 {
        let pairs = [
            (&self.y, &exact.y),
            (&self.x, &exact.x),
            (&self.weight, &exact.weight),
            (&self.bias, &exact.bias),
        ];
        pairs.into_iter().map(|(a, b)| relative(a, b)).fold(0.0, |m, e| {
            if e > m || e.is_nan() {
                e
            } else {
                m
            }
        })
    }
}

/// Batches of one row, of an odd number, and of so many that the elementwise passes (from 2¹⁶
/// numbers) and the products (from 2²¹ multiply-adds) run on several threads.
const BATCHES: [usize; 3] = [1, 7, 1025];

#[test]
fn layers_are_their_loops() {
    fn check<A: Formula>() {
        for n in BATCHES {
            let (layer, square) =
                (module::<Layer<9, 64>, f64>(1, 0.4), module::<Layer<64, 64>, f64>(2, 0.1));
            let (x, h, seed) =
                (cloud::<9, f64>(3, n), cloud::<64, f64>(4, n), cloud::<64, f64>(5, n));
            let plain = passed(&x, &layer, &seed, linear::<9, 64, f64, Cpu, A, _>);
            let loops = by_loops::<9, 64, A>((&rows(&x), &layer, &rows(&seed)), false);
            let residual = passed(&h, &square, &seed, residual_linear::<64, f64, Cpu, A, _>);
            let residual_loops = by_loops::<64, 64, A>((&rows(&h), &square, &rows(&seed)), true);
            // At most 1025 summands, added in another order: 1025 · 2⁻⁵³ = 1e-13 of their sizes.
            let (e, r) = (plain.error(&loops), residual.error(&residual_loops));
            println!("{:?} {n}: {e:.1e} {r:.1e}", A::default());
            assert!(e < 1e-12 && r < 1e-12, "{:?} with {n} rows: {e:e} {r:e}", A::default());
        }
    }
    for_each_activation!(check);
}

/// The error of f32 against f64 for the same f32 inputs, relative to the largest entry: the rounding
/// errors of a sum of k products, half a unit (2⁻²⁴) each, add up like a random walk; activations and
/// slopes add 5e-7, which is 8 half units. The factor 4 is for the largest of many entries.
fn single(summands: usize) -> f64 {
    4.0 * ((summands as f64).sqrt() + 8.0) * 2f64.powi(-24)
}

#[test]
fn single_precision_is_double_precision_rounded() {
    fn check<A: Formula>() {
        for n in BATCHES {
            let (x, layer) = (cloud::<9, f64>(3, n), module(1, 0.4));
            // Rounding moves z by some 1e-6: no slope of a ReLU jumps.
            assert!(nearest_kink(&x, &layer) > 1e-6);
            let wide = passed(&x, &layer, &cloud(5, n), linear::<9, 64, f64, Cpu, A, _>);
            let narrow = passed(
                &cloud::<9, f32>(3, n),
                &module(1, 0.4),
                &cloud(5, n),
                linear::<9, 64, f32, Cpu, A, _>,
            );
            let (e, bound) = (narrow.error(&wide), single(n.max(64)));
            println!("{:?} {n}: {e:.1e} of {bound:.1e}", A::default());
            assert!(e < bound, "{:?} with {n} rows: {e:e} > {bound:e}", A::default());
        }
    }
    for_each_activation!(check);
}

#[test]
fn gradients_of_layers_are_differences() {
    fn check<A: Formula>() {
        let (x, h, seed) = (cloud::<4, f64>(6, 7), cloud::<5, f64>(7, 7), cloud::<5, f64>(8, 7));
        let (layer, square) =
            (module::<Layer<4, 5>, f64>(9, 0.5), module::<Layer<5, 5>, f64>(10, 0.5));
        // A step moves z by at most STEP · max(|x|, |w|) < 4 STEP: no kink lies within.
        assert!(nearest_kink(&x, &layer) > 4.0 * STEP && nearest_kink(&h, &square) > 4.0 * STEP);
        // Squares, so that the seeds of the backward pass depend on the output.
        let loss = |y: Points<5, f64, Cpu, Taped<f64>>| weighted(y.square(), &seed);
        let plain = |x, l: &_| loss(linear::<4, 5, f64, Cpu, A, _>(x, l));
        let residual = |x, l: &_| loss(residual_linear::<5, f64, Cpu, A, _>(x, l));
        for error in [
            check_input_gradient(&x, |x| plain(x, &layer)),
            check_input_gradient(&h, |h| residual(h, &square)),
            check_parameter_gradient(&layer, |l, g| plain(x.trace(g), l)),
            check_parameter_gradient(&square, |l, g| residual(h.trace(g), l)),
        ] {
            println!("{:?} {:.1e}", A::default(), error.relative);
            assert!(error.relative < DIFFERENCE, "{:?}: {error:?}", A::default());
        }
    }
    for_each_activation!(check);
}

#[test]
fn gradients_accumulate() {
    let (x, seed) = (cloud::<5, f64>(11, 7), cloud::<5, f64>(12, 7));
    let layer = module::<Layer<5, 5>, f64>(13, 0.5);
    let net = module::<Mlp<5, 6, 1, 5, Silu, f64>, f64>(14, 0.5);
    // Every operation meets the same points and the same parameters twice.
    let loss = |x: Points<5, f64, Cpu, Taped<f64>>, l: &_, net: &Mlp<5, 6, 1, 5, Silu, f64>| {
        let again = || x.retaped::<Taped<f64>>();
        let sum = linear::<5, 5, f64, Cpu, Silu, _>(again(), l)
            + residual_linear::<5, f64, Cpu, Gelu, _>(again(), l)
            + net.forward(again());
        let (x, tape) = x.split_tape();
        let twice = net.forward(x.clone().put_tape(tape)) * (sum + x);
        weighted(twice, &seed)
    };
    let x_error = check_input_gradient(&x, |x| loss(x, &layer, &net));
    let layer_error = check_parameter_gradient(&layer, |l, g| loss(x.trace(g), l, &net));
    let net_error = check_parameter_gradient(&net, |net, g| loss(x.trace(g), &layer, net));
    for error in [x_error, layer_error, net_error] {
        println!("{:.1e}", error.relative);
        assert!(error.relative < DIFFERENCE, "{error:?}");
    }
}

#[test]
fn views_have_the_gradient_of_what_they_view() {
    let (layer, seed) = (module::<Layer<4, 5>, f64>(15, 0.5), cloud::<5, f64>(16, 7));
    let net = module::<Mlp<4, 6, 0, 5, Silu, f64>, f64>(17, 0.5);
    let loss = |x: Points<4, f64, Cpu, Taped<f64>>| {
        let y = net.forward(x.retaped::<Taped<f64>>());
        weighted(linear::<4, 5, f64, Cpu, Silu, _>(x, &layer) * y, &seed)
    };
    let columns = Cpu::default().tensor_from_vec(normals(18, 28), (Const::<4>, 7));
    let row = Cpu::default().tensor_from_vec(normals(19, 4), (Const::<4>,));
    for error in [
        check_input_gradient(&columns, |x| loss(x.permute::<(usize, Const<4>), _>())),
        check_input_gradient(&row, |x| loss(x.broadcast_like(&(7, Const::<4>)))),
    ] {
        println!("{:.1e}", error.relative);
        assert!(error.relative < DIFFERENCE, "{error:?}");
    }
}

#[test]
fn constants_of_layers_get_no_gradient_and_change_no_other() {
    let (x, seed) = (cloud::<5, f64>(20, 7), cloud::<5, f64>(21, 7));
    let layer = module::<Layer<5, 5>, f64>(22, 0.5);
    let plain = |constants: Constants| {
        let y = constants.scope(|| linear::<5, 5, f64, Cpu, Celu, _>(x.leaky_trace(), &layer));
        weighted(y, &seed).backward()
    };
    let residual = |constants: Constants| {
        let forward = || residual_linear::<5, f64, Cpu, Celu, _>(x.leaky_trace(), &layer);
        weighted(constants.scope(forward), &seed).backward()
    };
    let runs: [&dyn Fn(Constants) -> Gradients<f64, Cpu>; 2] = [&plain, &residual];
    for run in runs {
        let all = |mut g: Gradients<f64, Cpu>| {
            (gradient(&mut g, &x), gradient(&mut g, &layer.weight), gradient(&mut g, &layer.bias))
        };
        let (dx, dw, db) = all(run(Constants::default()));
        let (zero_x, zero_w, zero_b) = (vec![0.0; 35], vec![0.0; 25], vec![0.0; 5]);
        assert!(dx != zero_x && dw != zero_w && db != zero_b);
        let points = Constants::default().tensor(&x);
        assert_eq!(all(run(points)), (zero_x, dw, db.clone()));
        let parameters = Constants::default().parameters(&layer);
        assert_eq!(all(run(parameters)), (dx.clone(), zero_w, zero_b));
        let weight = all(run(Constants::default().tensor(&layer.weight)));
        assert_eq!(
            (weight.0, weight.2),
            (dx, db),
            "a constant weight leaves the bias its gradient"
        );
    }
}

type Net<E = f64> = Mlp<4, 40, 2, 3, Silu, E>;

/// The output of a perceptron, and the gradients of Σ y ∘ seed in the points and the parameters.
fn net_passed(
    x: &Points<4, f64>,
    net: &Net,
    forward: impl Fn(Points<4, f64, Cpu, Taped<f64>>, &Net) -> Points<3, f64, Cpu, Taped<f64>>,
) -> [Vec<f64>; 10] {
    let y = forward(x.leaky_trace(), net);
    let values = y.as_vec();
    let mut g = weighted(y, &cloud(24, x.shape().0)).backward();
    let [h, k] = [&net.hidden.modules[0], &net.hidden.modules[1]];
    [
        values,
        gradient(&mut g, x),
        gradient(&mut g, &net.first.weight),
        gradient(&mut g, &net.first.bias),
        gradient(&mut g, &h.weight),
        gradient(&mut g, &h.bias),
        gradient(&mut g, &k.weight),
        gradient(&mut g, &k.bias),
        gradient(&mut g, &net.last.weight),
        gradient(&mut g, &net.last.bias),
    ]
}

#[test]
fn a_perceptron_is_the_composition_of_its_layers() {
    for n in [1, 7, 2000] {
        let (x, net) = (cloud::<4, f64>(23, n), module::<Net, f64>(25, 0.3));
        let whole = net_passed(&x, &net, |x, net| net.forward(x));
        let composed = net_passed(&x, &net, |x, net| {
            let mut h = linear::<4, 40, f64, Cpu, Silu, _>(x, &net.first);
            for layer in &net.hidden.modules {
                h = linear::<40, 40, f64, Cpu, Silu, _>(h, layer);
            }
            linear::<40, 3, f64, Cpu, Identity, _>(h, &net.last)
        });
        // The same sums and products in the same order.
        assert!(whole == composed, "{n}");
        // Without a tape, the same values.
        assert!(rows(&net.forward(x)) == whole[0], "{n}");
    }
}

#[test]
fn gradients_of_perceptrons_are_differences() {
    fn check<const K: usize>() {
        let (x, seed) = (cloud::<3, f64>(26, 6), cloud::<2, f64>(27, 6));
        let plain = module::<Mlp<3, 5, K, 2, Silu, f64>, f64>(28, 0.5);
        let residual = module::<ResidualMlp<3, 5, K, 2, Gelu, f64>, f64>(29, 0.5);
        let loss = |y: Points<2, f64, Cpu, Taped<f64>>| weighted(y.square(), &seed);
        for error in [
            check_input_gradient(&x, |x| loss(plain.forward(x))),
            check_input_gradient(&x, |x| loss(residual.forward(x))),
            check_parameter_gradient(&plain, |net, g| loss(net.forward(x.trace(g)))),
            check_parameter_gradient(&residual, |net, g| loss(net.forward(x.trace(g)))),
        ] {
            println!("{K} {:.1e}", error.relative);
            assert!(error.relative < DIFFERENCE, "{K} hidden layers: {error:?}");
        }
    }
    check::<0>();
    check::<1>();
    check::<3>();
}

#[test]
fn constants_of_perceptrons_get_no_gradient_and_change_no_other() {
    let (x, net) = (cloud::<4, f64>(30, 7), module::<Net, f64>(31, 0.3));
    let run = |constants: Constants| {
        let constants = std::cell::Cell::new(Some(constants));
        net_passed(&x, &net, |x, net| constants.take().unwrap().scope(|| net.forward(x)))
    };
    let all = run(Constants::default());
    assert!(all.iter().all(|g| g.iter().any(|v| *v != 0.0)));
    let zero = |i: usize| vec![0.0; all[i].len()];

    let frozen = run(Constants::default().parameters(&net));
    assert!(frozen[..2] == all[..2] && (2..10).all(|i| frozen[i] == zero(i)));
    let data = run(Constants::default().tensor(&x));
    assert!(data[1] == zero(1) && (2..10).all(|i| data[i] == all[i]));
    // One constant layer leaves the others their gradients.
    let head = run(Constants::default().parameters(&net.last));
    assert!(head[..8] == all[..8] && head[8] == zero(8) && head[9] == zero(9));
    let tail = run(Constants::default().parameters(&net.first));
    assert!(tail[..2] == all[..2] && tail[2] == zero(2) && tail[4..] == all[4..]);
}

#[test]
fn scopes_of_constants_nest_and_end() {
    let (x, net) = (cloud::<4, f64>(32, 2), module::<Net, f64>(33, 0.3));
    let nested = net_passed(&x, &net, |y, net| {
        let parameters = Constants::default().parameters(net);
        parameters.scope(|| Constants::default().tensor(&x).scope(|| net.forward(y)))
    });
    assert!(nested[1..].iter().all(|g| g.iter().all(|v| *v == 0.0)));
    // Without a message on the standard error.
    let unwinding = || Constants::default().tensor(&x).scope(|| resume_unwind(Box::new(())));
    assert!(catch_unwind(AssertUnwindSafe(unwinding)).is_err());
    let free = net_passed(&x, &net, |x, net| net.forward(x));
    assert!(free.iter().all(|g| g.iter().any(|v| *v != 0.0)));
}

#[test]
fn a_perceptron_in_single_precision() {
    for n in BATCHES {
        let double = module::<Net, f64>(34, 0.3).forward(cloud::<4, f64>(35, n));
        let narrow = module::<Net<f32>, f32>(34, 0.3).forward(cloud::<4, f32>(35, n));
        // The errors of four layers of width 40, each passed on by factors of order one.
        let error = relative(&rows(&narrow), &rows(&double));
        println!("{n}: {error:.1e}");
        assert!(error < 4.0 * single(40), "{n}: {error:e}");
    }
}

#[test]
fn nan_passes_through() {
    fn check<A: Formula>() {
        assert!(A::value(f64::NAN).is_nan() && A::value(f32::NAN).is_nan(), "{:?}", A::default());
    }
    for_each_activation!(check);
}
