//! Gradients of entropic costs and Sinkhorn divergences against finite differences; laws of divergences.

use crate::common;
use brenier::ops::Constants;
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_divergence, sinkhorn_divergence_gradient, DivergenceConfig, DivergenceLoss,
    EntropicLoss, Entropy, Epsilon, Form, SinkhornConfig, Stop,
};
use brenier::testing::check_input_gradient;
use dfdx::prelude::*;

use crate::common::cloud;

const KL: Relaxation = Relaxation::Kl { tau: 0.8 };

fn tight(epsilon: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance: 1e-11, limit: 20_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

type Taped64 = Taped<f64>;
type Weight = Values<f64, Cpu, Taped64>;

/// The dual cost is stationary in the potentials, so that a solution to 1e-11 moves differences by
/// far less than their own error, 1e-9 of the scale of the gradient.
const CLOSE: f64 = 1e-7;

fn check_cost<const N: usize, C: RowCost<f64>>(cost: &C, epsilon: f64) {
    let (x, y) = (cloud::<N, f64>(1, 9), cloud::<N, f64>(2, 6) * 0.7 + 0.3);
    for relaxation in [[Relaxation::Balanced; 2], [KL; 2], [Relaxation::Balanced, KL]] {
        for form in [Form::Stored, Form::Online] {
            let sinkhorn = SinkhornConfig { form, ..tight(epsilon) };
            let loss =
                EntropicLoss { relaxation, sinkhorn, ..EntropicLoss::with_cost(cost.clone()) };
            let of_x = check_input_gradient(&x, |x| loss.between(x, y.clone()).unwrap().0);
            assert!(of_x.relative < CLOSE, "{relaxation:?} {form:?} {of_x:?}");
            let of_y = check_input_gradient(&y, |y| {
                let still = x.retaped::<Taped64>();
                Constants::default().tensor(&x).scope(|| loss.between(still, y).unwrap().0)
            });
            assert!(of_y.relative < CLOSE, "{relaxation:?} {form:?} {of_y:?}");
        }
    }
    for relaxation in [Relaxation::Balanced, KL] {
        let sinkhorn = tight(epsilon);
        let loss =
            DivergenceLoss { relaxation, sinkhorn, ..DivergenceLoss::with_cost(cost.clone()) };
        let of_x = check_input_gradient(&x, |x| loss.between(x, y.clone()).unwrap().0);
        assert!(of_x.relative < CLOSE, "{relaxation:?} {of_x:?}");
        let of_y = check_input_gradient(&y, |y| loss.between(x.retaped::<Taped64>(), y).unwrap().0);
        assert!(of_y.relative < CLOSE, "{relaxation:?} {of_y:?}");
    }
}

#[test]
fn gradients_in_the_points() {
    check_cost::<2, _>(&SqEuclidean, 0.3);
    check_cost::<3, _>(&HalfSqEuclidean, 0.3);
    check_cost::<11, _>(&SqEuclidean, 3.0);
    check_cost::<2, _>(&Euclidean, 0.2);
    check_cost::<10, _>(&Euclidean, 0.5);
    check_cost::<2, _>(&Cosine, 0.1);
    check_cost::<12, _>(&Cosine, 0.1);
    check_cost::<3, _>(&PNorm::new(1.5).unwrap(), 0.2);
    check_cost::<3, _>(&PNorm::new(3.0).unwrap(), 0.5);
}

#[test]
fn products_as_costs() {
    // Minus a product has no positive lower bound, but is symmetric and smooth.
    let (x, y) = (cloud::<3, f64>(1, 9), cloud::<3, f64>(2, 6));
    let loss = EntropicLoss { sinkhorn: tight(0.5), ..EntropicLoss::with_cost(NegDot) };
    let of_x = check_input_gradient(&x, |x| loss.between(x, y.clone()).unwrap().0);
    let of_y = check_input_gradient(&y, |y| loss.between(x.retaped::<Taped64>(), y).unwrap().0);
    assert!(of_x.relative < CLOSE && of_y.relative < CLOSE, "{of_x:?} {of_y:?}");
    // From f = 0 its sums over the kernel leave the range of numbers: maxima are needed.
    let far = cloud::<3, f64>(3, 6) * 20.0;
    let divergence = DivergenceLoss { sinkhorn: tight(0.5), ..DivergenceLoss::with_cost(NegDot) };
    let (_, seen) = divergence.between(far.clone(), far.clone()).unwrap();
    assert!(seen.value.abs() < 1e-6 * seen.cross.dual_cost.abs(), "{}", seen.value);
}

#[test]
fn gradients_in_the_weights() {
    let (x, y) = (cloud::<2, f64>(1, 7), cloud::<2, f64>(2, 5));
    let device = Cpu::default();
    let theta: Values<f64> = device.tensor_from_vec(common::normals(4, 7), (7,));
    let fixed: Values<f64> = device.tensor_from_vec(common::weights(5, 5), (5,));
    let swapped: Values<f64> = device.tensor_from_vec(common::weights(6, 7), (7,));
    for entropy in [Entropy::Relative, Entropy::Shannon] {
        for relaxation in [Relaxation::Balanced, KL] {
            let cost = EntropicLoss {
                sinkhorn: tight(0.3),
                relaxation: [relaxation; 2],
                entropy,
                ..EntropicLoss::with_cost(SqEuclidean)
            };
            let divergence = DivergenceLoss {
                sinkhorn: tight(0.3),
                relaxation,
                ..DivergenceLoss::with_cost(SqEuclidean)
            };
            // Balanced weights keep their sum; relaxed ones are free.
            let of = |theta: Weight| match relaxation {
                Relaxation::Balanced => theta.softmax(),
                _ => theta.exp(),
            };
            let first = check_input_gradient(&theta, |theta| {
                let (a, tape) = of(theta).split_tape();
                let x = x.clone().put_tape(tape);
                cost.weighted(x, y.clone(), [Some(&a), Some(&fixed)], None).unwrap().0
            });
            assert!(first.relative < CLOSE, "{entropy:?} {relaxation:?} {first:?}");
            let second = check_input_gradient(&theta, |theta| {
                let (b, tape) = of(theta).split_tape();
                let (x, y) = (y.clone().put_tape(tape), x.clone());
                cost.weighted(x, y, [Some(&fixed), Some(&b)], None).unwrap().0
            });
            assert!(second.relative < CLOSE, "{entropy:?} {relaxation:?} {second:?}");
            let both = check_input_gradient(&theta, |theta| {
                let (a, tape) = of(theta).split_tape();
                let z = cloud::<2, f64>(9, 7).put_tape(tape);
                divergence.weighted(z, x.clone(), [Some(&a), Some(&swapped)], None).unwrap().0
            });
            assert!(both.relative < CLOSE, "{relaxation:?} {both:?}");
        }
    }
}

#[test]
fn the_energy_distance_is_unbiased() {
    use brenier::solver::EnergyLoss;
    // In the points of both sides, of odd number.
    let (x, y) = (cloud::<3, f64>(1, 9), cloud::<3, f64>(2, 7));
    let loss = EnergyLoss { sinkhorn: tight(0.5), ..EnergyLoss::with_cost(SqEuclidean) };
    let of_x = check_input_gradient(&x, |x| loss.between(x, y.clone()).unwrap().0);
    let of_y = check_input_gradient(&y, |y| loss.between(x.retaped::<Taped64>(), y).unwrap().0);
    assert!(of_x.relative < CLOSE && of_y.relative < CLOSE, "{of_x:?} {of_y:?}");
    assert!(loss.between(cloud::<3, f64>(1, 1), y).is_err());
    // Between samples of one measure in 8 dimensions: the derivative in a factor s of the source,
    // which is positive for the divergence (it contracts), vanishes on average.
    let sinkhorn = SinkhornConfig { epsilon: Epsilon::Absolute(2.0), ..Default::default() };
    let energy = EnergyLoss { sinkhorn, ..loss };
    let divergence = DivergenceLoss { sinkhorn, ..DivergenceLoss::with_cost(SqEuclidean) };
    let rate = |x: &Points<8, f64>, value: Scalar<f64, Cpu, Taped64>| -> f64 {
        let gradient = rows(&value.backward().get(x));
        gradient.iter().zip(rows(x)).map(|(g, x)| g * x).sum()
    };
    let (mut of_energy, mut of_divergence) = (Vec::new(), Vec::new());
    for k in 0..40 {
        let (x, y) = (cloud::<8, f64>(100 + k, 64), cloud::<8, f64>(200 + k, 64));
        of_energy.push(rate(&x, energy.between(x.leaky_trace(), y.clone()).unwrap().0));
        of_divergence.push(rate(&x, divergence.between(x.leaky_trace(), y.clone()).unwrap().0));
    }
    // Mean and standard error.
    let moments = |v: &[f64]| {
        let n = v.len() as f64;
        let mean = v.iter().sum::<f64>() / n;
        let square = v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (square / n).sqrt())
    };
    let (bias, error) = moments(&of_energy);
    assert!(bias.abs() < 3.0 * error, "{bias} {error}");
    let (bias, error) = moments(&of_divergence);
    assert!(bias > 6.0 * error, "{bias} {error}");
}

fn slices(n: usize, m: usize, d: usize) -> (Vec<f64>, Vec<f64>) {
    let y: Vec<f64> = common::normals(2, m * d);
    (common::normals(1, n * d), y.iter().map(|v| 0.8 * v + 0.5).collect())
}

#[test]
fn laws_of_the_divergence() {
    let (n, m, d) = (40, 30, 2);
    let (x, y) = slices(n, m, d);
    let (a, b) = (common::weights(3, n), common::weights(4, m));
    for relaxation in [Relaxation::Balanced, KL] {
        let between = |x: &[f64], a: &[f64], y: &[f64], b: &[f64]| {
            let problem = Discrete::clouds(&SqEuclidean, x, y, d).unwrap();
            let problem = problem.with_source_weights(a).unwrap().with_target_weights(b).unwrap();
            let problem = problem.relaxed(relaxation, relaxation).unwrap();
            let config = DivergenceConfig { sinkhorn: tight(0.2), target_term: true };
            sinkhorn_divergence(&config, &problem, None).unwrap()
        };
        let there = between(&x, &a, &y, &b);
        let back = between(&y, &b, &x, &a);
        assert!(there.value > 0.01 && (there.value - back.value).abs() < 1e-9);
        assert!(between(&x, &a, &x, &a).value.abs() < 1e-9);
        // Twice the mass on one side: only relaxed.
        if relaxation == KL {
            let heavy: Vec<f64> = a.iter().map(|a| 2.0 * a).collect();
            assert!(between(&x, &heavy, &x, &a).value > 1e-3);
        }
        // Each term is what the solver finds without using the symmetry.
        let problem = Discrete::clouds(&SqEuclidean, &x, &x, d).unwrap();
        let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&a).unwrap();
        let problem = problem.relaxed(relaxation, relaxation).unwrap();
        let own = sinkhorn(&tight(0.2), &problem, None).unwrap();
        assert!((own.dual_cost - there.source.dual_cost).abs() < 1e-9);
        // Half steps converge by a factor of two at least.
        assert!(there.source.iterations < 45, "{}", there.source.iterations);
    }
}

#[test]
fn warm_starts_and_precision() {
    let (n, d) = (300, 20);
    let (x, y) = slices(n, n, d);
    let (xs, ys): (Vec<f32>, Vec<f32>) =
        (x.iter().map(|v| *v as f32).collect(), y.iter().map(|v| *v as f32).collect());
    let double = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    let single = Discrete::clouds(&SqEuclidean, &xs, &ys, d).unwrap();
    let config = DivergenceConfig { sinkhorn: tight(2.0), target_term: true };
    let exact = sinkhorn_divergence(&config, &double, None).unwrap();
    let again = sinkhorn_divergence(&config, &double, Some(&exact)).unwrap();
    assert!(again.source.iterations == 0 && again.cross.iterations <= 1);
    assert!((again.value - exact.value).abs() < 1e-9);
    let truth = exact.gradient(&double).unwrap();
    for form in [Form::Stored, Form::Online] {
        let sinkhorn = SinkhornConfig {
            form,
            stop: Stop::Tolerance { tolerance: 1e-5, limit: 1000 },
            ..tight(2.0)
        };
        let config = DivergenceConfig { sinkhorn, target_term: true };
        let seen = sinkhorn_divergence(&config, &single, None).unwrap();
        // Costs of 50 in single precision, and the tolerance.
        assert!((seen.value / exact.value - 1.0).abs() < 1e-5);
        let gradient = seen.gradient(&single).unwrap();
        assert!(common::relative(&gradient.source, &truth.source) < 1e-3);
        assert!(common::relative(&gradient.target, &truth.target) < 1e-3);
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    for d in [2, 20] {
        let (x, y) = slices(600, 500, d);
        let (x, y): (Vec<f32>, Vec<f32>) =
            (x.iter().map(|v| *v as f32).collect(), y.iter().map(|v| *v as f32).collect());
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let config = DivergenceConfig::default();
                let seen = sinkhorn_divergence(&config, &problem, None).unwrap();
                let gradient = seen.gradient(&problem).unwrap();
                // At once: the same solutions, and gradients from the kernel as the solver left it.
                let (again, other) =
                    sinkhorn_divergence_gradient(&config, &problem, None, [true; 2]).unwrap();
                assert_eq!(seen, again);
                let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
                assert!(common::relative(&other.source, &wide(&gradient.source)) < 1e-4);
                assert!(common::relative(&other.target, &wide(&gradient.target)) < 1e-4);
                assert_eq!(other.source_weights, gradient.source_weights);
                (seen, other)
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(5));
    }
}

#[test]
fn what_has_no_divergence_or_gradient_is_refused() {
    let (x, y) = ([0.0f64, 1.0, 3.0], [0.5f64, 2.0]);
    let config = DivergenceConfig::default();
    let matrix = [1.0f64, 2.0, 3.0, 4.0, 5.0, 6.0];
    let dense = Discrete::matrix(&matrix, 3, 2).unwrap();
    assert!(sinkhorn_divergence(&config, &dense, None).is_err());
    let solution = sinkhorn(&config.sinkhorn, &dense, None).unwrap();
    assert!(solution.gradient(&dense).is_err());
    let uphill = FnCost(|x: &[f64], y: &[f64], dy: &mut [f64]| {
        dy[0] = 1.0;
        2.0 * y[0] - x[0]
    });
    let sided = Discrete::clouds(&uphill, &x, &y, 1).unwrap();
    let error = sinkhorn_divergence(&config, &sided, None).unwrap_err().to_string();
    assert!(error.contains("symmetric"), "{error}");
    let solution = sinkhorn(
        &SinkhornConfig { epsilon: Epsilon::Absolute(1.0), ..config.sinkhorn },
        &sided,
        None,
    );
    let error = solution.unwrap().gradient(&sided).unwrap_err().to_string();
    assert!(error.contains("value_and_source_gradient"), "{error}");
    let good = || Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let half = good().relaxed(Relaxation::Balanced, KL).unwrap();
    assert!(sinkhorn_divergence(&config, &half, None).is_err());
    let seen = sinkhorn_divergence(&config, &good(), None).unwrap();
    let other = Discrete::clouds(&SqEuclidean, &y, &x, 1).unwrap();
    assert!(sinkhorn_divergence(&config, &other, Some(&seen)).is_err());
    assert!(seen.gradient(&other).is_err());
}

/// Against ott-jax and geomloss in double precision. ott-jax stops at 1e-13; the potentials of geomloss
/// are those of a schedule of ε that ends within a millionth.
#[test]
fn golden_values() {
    use crate::common::{golden, normalised, numbers};
    let file = golden("divergence.json");
    let (x, y) = (numbers(&file["x"]), numbers(&file["y"]));
    let weights = [numbers(&file["a"]), numbers(&file["b"])];
    let points = |v: &[f64]| brenier::tensor::points_on::<2, f64, Cpu>(&Cpu::default(), v.to_vec());
    let (x, y) = (points(&x).unwrap(), points(&y).unwrap());
    let close = |seen: f64, wanted: &serde_json::Value, tolerance: f64| {
        let wanted = wanted.as_f64().unwrap();
        assert!((seen - wanted).abs() < tolerance * wanted.abs().max(1.0), "{seen} {wanted}");
    };
    let mut cases = 0;
    for (peer, tolerance) in [("ott", 1e-9), ("geomloss", 1e-5)] {
        for case in file[peer].as_array().unwrap() {
            let (eps, tau) = (case["eps"].as_f64().unwrap(), case["tau"].as_f64().unwrap());
            let [a, b] = weights.clone().map(|w| if tau == 1.0 { normalised(w) } else { w });
            let values = |w: Vec<f64>| -> Values<f64> {
                let n = w.len();
                Cpu::default().tensor_from_vec(w, (n,))
            };
            let (a, b) = (values(a), values(b));
            let both = [Some(&a), Some(&b)];
            let relaxation = if tau == 1.0 { Relaxation::Balanced } else { Relaxation::Kl { tau } };
            let check = |name: &str, loss: &dyn Fn() -> Scalar<f64, Cpu, Taped64>| {
                let value = loss();
                close(value.array(), &case[name], tolerance);
                let Some(of_x) = case.get(format!("{name}_x")) else { return };
                let gradient = value.backward();
                for (t, wanted) in [(&x, of_x), (&y, &case[format!("{name}_y")])] {
                    let error = common::distance(&rows(&gradient.get(t)), &numbers(wanted));
                    assert!(error < tolerance, "{peer} {name} {eps} {tau}: {error:e}");
                }
            };
            let traced = || (x.leaky_trace(), y.retaped::<Taped64>());
            let squared = || {
                let (sinkhorn, cost) = (tight(eps), SqEuclidean);
                DivergenceLoss { sinkhorn, relaxation, target_term: true, cost }
            };
            if peer == "geomloss" {
                let loss = DivergenceLoss {
                    cost: HalfSqEuclidean,
                    sinkhorn: tight(eps),
                    relaxation,
                    target_term: true,
                };
                check("divergence", &|| {
                    let (x, y) = traced();
                    loss.weighted(x, y, both, None).unwrap().0
                });
            } else {
                check("divergence", &|| {
                    let (x, y) = traced();
                    squared().weighted(x, y, both, None).unwrap().0
                });
                for (name, entropy) in
                    [("relative", Entropy::Relative), ("shannon", Entropy::Shannon)]
                {
                    let loss = EntropicLoss {
                        cost: SqEuclidean,
                        sinkhorn: tight(eps),
                        relaxation: [relaxation; 2],
                        entropy,
                    };
                    check(name, &|| {
                        let (x, y) = traced();
                        loss.weighted(x, y, both, None).unwrap().0
                    });
                }
            }
            cases += 1;
        }
    }
    assert_eq!(cases, 6);
}
