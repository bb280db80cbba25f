//! The DenseICNN against its formulas, against differences, and against networks of the
//! Wasserstein-2 benchmark.

use crate::common::*;
use brenier::function::{arrays, replace, DenseIcnn, InputGradient, NamedArray};
use brenier::ops::*;
use brenier::tensor::{rows, Points, Scalar, Taped};
use brenier::testing::{check_input_gradient, check_parameter_gradient};
use dfdx::prelude::*;

type Traced<const N: usize> = Points<N, f64, Cpu, Taped<f64>>;
type Small<const K: usize, A> = DenseIcnn<3, 5, K, 4, A, f64>;

/// `STEP` promises errors up to 1e-9 for losses of order ten; the losses here reach hundreds and
/// bend more. A wrong gradient is off by far more.
const DIFFERENCE: f64 = 1e-7;

/// A network with parameters of both signs and a strong convexity that shows.
fn small<const K: usize, A: Activation>(seed: u64) -> Small<K, A> {
    let mut net: Small<K, A> = module(seed, 0.5);
    net.strong_convexity = 0.3;
    net
}

/// v at one point, by loops over the formulas h₀ = q₀, hᵢ = σ(Cᵢhᵢ₋₁ + qᵢ), v = w·h + β/2 |x|².
fn by_loops<A: Formula>(parameters: &[NamedArray<f64>], beta: f64, x: &[f64]) -> f64 {
    let named = |name: &str| parameters.iter().find(|a| a.name == name);
    let quadratic = |at: &str| -> Vec<f64> {
        let get = |name: &str| named(&format!("{at}.{name}")).expect("a parameter");
        let (a, b, c) = (get("factor"), get("weight"), get("bias"));
        let width = c.values.len();
        let unit = |j: usize| {
            let u: f64 = (0..x.len()).map(|d| x[d] * a.values[d * width + j]).sum();
            let l: f64 = (0..x.len()).map(|d| x[d] * b.values[j * x.len() + d]).sum();
            u * u + l + c.values[j]
        };
        (0..width).map(unit).collect()
    };
    let mut h = quadratic("first");
    let hidden = (0..).map(|i| format!("hidden.{i}"));
    let hidden = hidden.take_while(|l| named(&format!("{l}.convex")).is_some());
    for layer in hidden.chain(["last".to_string()]) {
        let c = &named(&format!("{layer}.convex")).expect("a parameter").values;
        let q = quadratic(&format!("{layer}.quadratic"));
        h = (0..q.len())
            .map(|j| A::sigma((0..h.len()).map(|k| c[j * h.len() + k] * h[k]).sum::<f64>() + q[j]))
            .collect();
    }
    let head = &named("head").expect("a parameter").values;
    h.iter().zip(head).map(|(h, w)| h * w).sum::<f64>()
        + 0.5 * beta * x.iter().map(|x| x * x).sum::<f64>()
}

#[test]
fn values_are_the_formulas() {
    fn check<const K: usize, A: Formula>() {
        // 600 rows are more than two chunks of 256.
        for n in [1, 6, 600] {
            let (x, net) = (cloud::<3, f64>(1, n), small::<K, A>(2));
            let parameters = arrays(&net);
            let exact: Vec<f64> =
                rows(&x).chunks(3).map(|x| by_loops::<A>(&parameters, 0.3, x)).collect();
            // Some hundred operations per value, half a unit of 2⁻⁵² each.
            let error = relative(&rows(&net.forward(x.clone())), &exact);
            println!("{K} {:?} {n}: {error:.1e}", A::default());
            assert!(error < 1e-14, "{K} {:?} {n}: {error:e}", A::default());
            assert_eq!(net.forward(x.leaky_trace()).as_vec(), rows(&net.forward(x)));
        }
    }
    check::<0, Celu>();
    check::<1, Celu>();
    check::<2, Celu>();
    check::<1, Softplus>();
    check::<1, LeakyRelu>();
}

/// ∇v is the gradient of v: by the tape of the value and by differences.
#[test]
fn the_input_gradient_is_the_gradient_of_the_value() {
    fn check<const K: usize, A: Formula>() {
        for n in [1, 6, 300] {
            let (x, net) = (cloud::<3, f64>(3, n), small::<K, A>(4));
            let gradient = rows(&net.input_gradient(x.clone()));
            let tape = net.forward(x.leaky_trace()).sum().backward().get(&x).as_vec();
            // Some hundred operations per number, half a unit of 2⁻⁵² each.
            let error = relative(&gradient, &tape);
            assert!(error < 1e-14, "{K} {:?} {n}: {error:e}", A::default());
            let taped = net.input_gradient(x.leaky_trace());
            assert_eq!(taped.as_vec(), gradient);
            let error = check_input_gradient(&x, |x| net.forward(x).sum());
            println!("{K} {:?} {n}: {:.1e}", A::default(), error.relative);
            assert!(error.relative < DIFFERENCE, "{K} {:?} {n}: {error:?}", A::default());
        }
    }
    check::<0, Celu>();
    check::<1, Celu>();
    check::<2, Celu>();
    check::<1, Softplus>();
    check::<1, LeakyRelu>();
}

fn weighted<const N: usize>(y: Traced<N>, seed: &Points<N, f64>) -> Scalar<f64, Cpu, Taped<f64>> {
    (y * seed.clone()).mean()
}

/// Losses on v, on ∇v, and on both, with seeds that depend on the output, in the points and in all
/// parameters. For ∇v these are second derivatives of v.
#[test]
fn gradients_of_losses_are_differences() {
    fn check<const K: usize, A: Formula>(n: usize) {
        let (x, net) = (cloud::<3, f64>(5, n), small::<K, A>(6));
        let (s, t) = (cloud::<1, f64>(7, n), cloud::<3, f64>(8, n));
        let value = |net: &Small<K, A>, x: Traced<3>| weighted(net.forward(x).square(), &s);
        let map = |net: &Small<K, A>, x: Traced<3>| weighted(net.input_gradient(x).square(), &t);
        // Points and parameters enter twice, through two operations.
        let both = |net: &Small<K, A>, x: Traced<3>| {
            let v = net.forward(x.retaped::<Taped<f64>>());
            map(net, x) * weighted(v, &s).exp()
        };
        let errors = [
            check_input_gradient(&x, |x| value(&net, x)),
            check_input_gradient(&x, |x| map(&net, x)),
            check_input_gradient(&x, |x| both(&net, x)),
            check_parameter_gradient(&net, |net, g| value(net, x.trace(g))),
            check_parameter_gradient(&net, |net, g| map(net, x.trace(g))),
            check_parameter_gradient(&net, |net, g| both(net, x.trace(g))),
        ];
        for error in errors {
            println!("{K} {:?} {n}: {:.1e} {}", A::default(), error.relative, error.entry);
            assert!(error.relative < DIFFERENCE, "{K} {:?} {n}: {error:?}", A::default());
        }
    }
    check::<0, Celu>(6);
    check::<1, Celu>(6);
    check::<2, Celu>(6);
    check::<0, Softplus>(6);
    check::<2, Softplus>(6);
    // More than a chunk of 256 rows; σ'' of CELU jumps, and of 300 rows some are near a jump.
    check::<1, Softplus>(300);
}

#[test]
fn a_view_has_the_gradient_of_what_it_views() {
    let net = small::<1, Celu>(9);
    let columns = Cpu::default().tensor_from_vec(normals(10, 18), (Const::<3>, 6));
    let error = check_input_gradient(&columns, |x| {
        net.input_gradient(x.permute::<(usize, Const<3>), _>()).square().mean()
    });
    assert!(error.relative < DIFFERENCE, "{error:?}");
}

#[test]
fn constants_get_no_gradient_and_change_no_other() {
    let (x, net) = (cloud::<3, f64>(11, 300), small::<1, Celu>(12));
    let value = |constants: Constants| {
        constants.scope(|| net.forward(x.leaky_trace())).square().mean().backward()
    };
    let map = |constants: Constants| {
        constants.scope(|| net.input_gradient(x.leaky_trace())).square().mean().backward()
    };
    let runs: [&dyn Fn(Constants) -> Gradients<f64, Cpu>; 2] = [&value, &map];
    for run in runs {
        let all = |constants| {
            let mut g = run(constants);
            [
                gradient(&mut g, &x),
                gradient(&mut g, &net.first.factor),
                gradient(&mut g, &net.hidden.modules[0].convex),
                gradient(&mut g, &net.last.quadratic.weight),
                gradient(&mut g, &net.head),
            ]
        };
        let free = all(Constants::default());
        assert!(free.iter().all(|g| g.iter().any(|v| *v != 0.0)));
        let zero = |i: usize| vec![0.0; free[i].len()];
        let data = all(Constants::default().tensor(&x));
        assert!(data[0] == zero(0) && data[1..] == free[1..]);
        let frozen = all(Constants::default().parameters(&net));
        assert!(frozen[0] == free[0] && (1..5).all(|i| frozen[i] == zero(i)));
        let head = all(Constants::default().tensor(&net.head));
        assert!(head[..4] == free[..4] && head[4] == zero(4));
    }
}

#[test]
fn make_convex_makes_convex() {
    fn check<A: Activation>() {
        let (x, y) = (cloud::<3, f64>(13, 2000), cloud::<3, f64>(14, 2000));
        // v((x + y) / 2) − (v(x) + v(y)) / 2, at most 0 for a convex v.
        let excess = |net: &Small<2, A>| -> f64 {
            let at = |p: Points<3, f64>| net.forward(p);
            let middle = at((x.clone() + y.clone()) * 0.5);
            let ends = (at(x.clone()) + at(y.clone())) * 0.5;
            rows(&(middle - ends)).into_iter().fold(f64::NEG_INFINITY, f64::max)
        };
        let mut net = small::<2, A>(15);
        net.strong_convexity = 0.0;
        assert!(excess(&net) > 1.0, "negative weights bend it down");
        net.make_convex();
        let positive = |name: &str| name.ends_with("convex") || name == "head";
        for array in arrays(&net).iter().filter(|a| positive(&a.name)) {
            assert!(array.values.iter().all(|v| *v >= 0.0) && largest(&array.values) > 0.0);
        }
        // Values reach hundreds: 1e-11 is their rounding.
        let excess = excess(&net);
        println!("{:?} {excess:e}", A::default());
        assert!(excess < 1e-11, "{:?}: {excess:e}", A::default());
    }
    check::<Celu>();
    check::<Softplus>();
}

/// A network of a benchmark file under the names of this crate's.
fn benchmark_net<const D: usize, const H: usize, const L: usize, E: Real>(
    file: &[NamedArray<f32>],
    net: &str,
) -> DenseIcnn<D, H, 1, L, Celu, E>
where
    Cpu: Engine<E>,
{
    let mut v: DenseIcnn<D, H, 1, L, Celu, E> = module(0, 1.0);
    let renamed: Vec<NamedArray<E>> = arrays(&v)
        .into_iter()
        .map(|array| {
            let theirs = array
                .name
                .replace("first.", "quadratic_layers.0.")
                .replace("hidden.0.quadratic.", "quadratic_layers.1.")
                .replace("last.quadratic.", "quadratic_layers.2.")
                .replace("hidden.0.convex", "convex_layers.0.weight")
                .replace("last.convex", "convex_layers.1.weight")
                .replace("head", "final_layer.weight")
                .replace("factor", "quadratic_decomposed");
            let name = format!("{net}.{theirs}");
            let found = file.iter().find(|a| a.name == name).expect("the array is in the file");
            // The rank, 1, is an axis of its own there.
            let shape: Vec<usize> = found.shape.iter().copied().filter(|&n| n != 1).collect();
            assert!(shape.iter().eq(array.shape.iter().filter(|&&n| n != 1)), "{name}");
            let values = found.values.iter().map(|&v| E::of(f64::from(v))).collect();
            NamedArray { values, ..array }
        })
        .collect();
    replace(&mut v, &renamed).expect("every array was renamed");
    v.strong_convexity = 0.01;
    v
}

/// Values and maps of the benchmark's networks, by PyTorch in f64.
///
/// The README gives tolerances for absolute errors: 1e-10 in f64 (values reach 542, half a unit of
/// which is 6e-14), and in f32 5e-5 for maps, whose coordinates reach 29 as sums of larger terms.
/// Its 2e-4 for values in f32 is seven half units of the largest of them.
fn check_benchmark<const D: usize, const H: usize, const L: usize>() {
    let Some(folder) = data("w2bench") else { return };
    let file = safetensors(&folder.join(format!("mix3to10_d{D}.safetensors")));
    let reference = npz(&folder.join(format!("ref_d{D}.npz")));
    let x = &reference["x"];
    for net in ["v1", "v1_conj", "v2", "v2_conj"] {
        let value = &reference[&format!("{net}_value_f64")];
        let map = &reference[&format!("{net}_grad_f64")];
        let errors = |v: &[f64], m: &[f64]| (distance(v, value), distance(m, map));

        let v = benchmark_net::<D, H, L, f64>(&file, net);
        let at = Cpu::default().tensor_from_vec(x.clone(), (64, Const::<D>));
        let double = errors(&rows(&v.forward(at.clone())), &rows(&v.input_gradient(at)));

        let v = benchmark_net::<D, H, L, f32>(&file, net);
        let at = x.iter().map(|&v| v as f32).collect();
        let at = Cpu::default().tensor_from_vec(at, (64, Const::<D>));
        let wide = |p: Vec<f32>| p.into_iter().map(f64::from).collect::<Vec<_>>();
        let single =
            errors(&wide(rows(&v.forward(at.clone()))), &wide(rows(&v.input_gradient(at))));

        println!(
            "{D} {net}: f64 {:.1e} {:.1e}, f32 {:.1e} {:.1e}, of {:.0} {:.0}",
            double.0,
            double.1,
            single.0,
            single.1,
            largest(value),
            largest(map)
        );
        assert!(double.0 < 1e-10 && double.1 < 1e-10, "{net}: {double:?}");
        assert!(single.0 < 2e-4 && single.1 < 5e-5, "{net}: {single:?}");
    }
}

#[test]
fn benchmark_networks() {
    check_benchmark::<2, 64, 32>();
    check_benchmark::<4, 64, 32>();
    check_benchmark::<8, 64, 32>();
    check_benchmark::<32, 64, 32>();
    check_benchmark::<64, 128, 64>();
    check_benchmark::<128, 256, 128>();
}
