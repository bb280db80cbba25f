//! Sinkhorn's algorithm against loops in double precision, its laws, and bad input.

use crate::common;
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_batch, Acceleration, Annealing, Epsilon, Form, SinkhornConfig, Solution,
    Status, Stop,
};

use crate::common::{golden, naive, numbers};

fn clouds(key: u64, n: usize, m: usize, d: usize) -> (Vec<f64>, Vec<f64>) {
    let [a, b] = Key::new(key).split();
    let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<_>>();
    let y = wide(b.normal(m * d)).iter().map(|v| 0.8 * v + 1.0 / (d as f64).sqrt()).collect();
    (wide(a.normal(n * d)), y)
}

fn single(v: &[f64]) -> Vec<f32> {
    v.iter().map(|v| *v as f32).collect()
}

fn weights(key: u64, n: usize) -> Vec<f64> {
    let w: Vec<f64> = Key::new(key).uniform(n).iter().map(|v| 0.1 + f64::from(*v)).collect();
    let sum: f64 = w.iter().sum();
    w.iter().map(|v| v / sum).collect()
}

fn exactly(epsilon: f64, tolerance: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance, limit: 20_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

fn matrix<C: RowCost<f64>>(cost: &C, x: &[f64], y: &[f64], d: usize) -> Vec<f64> {
    let row = |x| y.chunks_exact(d).map(move |y| cost.value(x, y));
    x.chunks_exact(d).flat_map(row).collect()
}

fn distance(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum()
}

fn against_naive<C: RowCost<f64> + RowCost<f32>>(cost: &C, d: usize, epsilon: f64) {
    let (n, m) = (37, 70);
    let (x, y) = clouds(1, n, m, d);
    let (a, b) = (weights(2, n), weights(3, m));
    let c = matrix(cost, &x, &y, d);
    let expected = naive(&c, &a, &b, epsilon, [1.0; 2], 3000);
    let price: f64 = expected.iter().zip(&c).map(|(p, c)| p * c).sum();
    let (xs, ys) = (single(&x), single(&y));
    for form in [Form::Stored, Form::Online] {
        let config = SinkhornConfig { form, ..exactly(epsilon, 1e-9) };
        let double = Discrete::clouds(cost, &x, &y, d).unwrap();
        let dense = Discrete::matrix(&c, n, m).unwrap();
        for problem in [double, dense] {
            let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
            let s = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
            let plan = s.plan(&problem).unwrap().matrix();
            assert!(distance(&plan, &expected) < 1e-8, "{}", distance(&plan, &expected));
            assert!((s.transport_cost - price).abs() < 1e-8 * price.abs().max(1.0));
            assert_eq!(s.form, form);
        }
        let problem = Discrete::clouds(cost, &xs, &ys, d).unwrap();
        let problem = problem.with_source_weights(&single(&a)).unwrap();
        let problem = problem.with_target_weights(&single(&b)).unwrap();
        let config = SinkhornConfig { form, ..exactly(epsilon, 1e-5) };
        let s = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
        let plan: Vec<f64> =
            s.plan(&problem).unwrap().matrix().iter().map(|v| f64::from(*v)).collect();
        // The tolerance over the gap of the iteration, and rounding of exponents up to 100.
        assert!(distance(&plan, &expected) < 1e-3, "{}", distance(&plan, &expected));
        assert!((s.transport_cost - price).abs() < 1e-4 * price.abs().max(1.0));
    }
}

#[test]
fn every_cost_agrees_with_loops() {
    against_naive(&SqEuclidean, 1, 0.1);
    against_naive(&SqEuclidean, 2, 0.1);
    against_naive(&SqEuclidean, 3, 0.2);
    against_naive(&SqEuclidean, 7, 0.7);
    against_naive(&SqEuclidean, 20, 2.0);
    against_naive(&HalfSqEuclidean, 20, 1.0);
    against_naive(&Euclidean, 2, 0.1);
    against_naive(&Euclidean, 11, 0.3);
    against_naive(&NegDot, 2, 0.2);
    against_naive(&NegDot, 12, 1.0);
    against_naive(&Cosine, 3, 0.1);
    against_naive(&Cosine, 16, 0.1);
    against_naive(&PNorm::new(1.5).unwrap(), 3, 0.2);
}

#[test]
fn relaxed_marginals_agree_with_loops() {
    let (n, m, epsilon) = (30, 45, 0.3);
    let (x, y) = clouds(4, n, m, 2);
    let a: Vec<f64> = weights(5, n).iter().map(|v| 2.0 * v).collect();
    let b = weights(6, m);
    let c = matrix(&SqEuclidean, &x, &y, 2);
    let kl = |tau| Relaxation::Kl { tau };
    for (s, t) in [
        (kl(0.5), kl(0.9)),
        (kl(0.95), kl(0.95)),
        (kl(0.8), Relaxation::Balanced),
        (Relaxation::Balanced, kl(0.99)),
    ] {
        let expected = naive(&c, &a, &b, epsilon, [s.tau(), t.tau()], 6000);
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
        let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
        let problem = problem.relaxed(s, t).unwrap();
        let config = exactly(epsilon, 1e-10);
        let solution = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
        let plan = solution.plan(&problem).unwrap().matrix();
        assert!(distance(&plan, &expected) < 1e-8, "{s:?} {t:?} {}", distance(&plan, &expected));
        assert!((solution.mass - expected.iter().sum::<f64>()).abs() < 1e-8);
        let gap = solution.primal_cost - solution.dual_cost;
        assert!((-1e-9..1e-7).contains(&gap), "{s:?} {t:?} {gap}");
        // Nearly binding marginals do not slow it down.
        assert!(solution.iterations < 200, "{s:?} {t:?} {}", solution.iterations);
    }
}

#[test]
fn plans_of_pot() {
    let file = golden("sinkhorn.json");
    let [x, y, a, b] = ["x", "y", "a", "b"].map(|key| numbers(&file[key]));
    let unit = |w: &[f64]| w.iter().map(|v| v / w.iter().sum::<f64>()).collect::<Vec<_>>();
    for case in file["cases"].as_array().unwrap() {
        let (epsilon, tau) = (case["eps"].as_f64().unwrap(), numbers(&case["tau"]));
        let expected = numbers(&case["plan"]);
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
        let problem = if tau == [1.0, 1.0] {
            problem.with_source_weights(&unit(&a)).unwrap().with_target_weights(&unit(&b)).unwrap()
        } else {
            let kl = |tau| Relaxation::Kl { tau };
            let problem = problem.relaxed(kl(tau[0]), kl(tau[1])).unwrap();
            problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap()
        };
        let s = sinkhorn(&exactly(epsilon, 1e-12), &problem, None).unwrap();
        let plan = s.into_converged().unwrap().plan(&problem).unwrap().matrix();
        let worst = plan.iter().zip(&expected).fold(0.0, |w: f64, (p, e)| w.max((p - e).abs()));
        assert!(worst < 1e-10, "epsilon {epsilon}, tau {tau:?}: {worst:e}");
    }
}

#[test]
fn potentials_of_geomloss() {
    let file = golden("geomloss.json");
    let [x, y, a, b] = ["x", "y", "a", "b"].map(|key| numbers(&file[key]));
    for case in file["cases"].as_array().unwrap() {
        let [p, epsilon, tau] = ["p", "eps", "tau"].map(|key| case[key].as_f64().unwrap());
        let problem = if p == 2.0 {
            Discrete::clouds(&HalfSqEuclidean, &x, &y, 2)
        } else {
            Discrete::clouds(&Euclidean, &x, &y, 2)
        };
        let problem = problem.unwrap().with_source_weights(&a).unwrap();
        let problem = problem.with_target_weights(&b).unwrap();
        let kl = Relaxation::Kl { tau };
        let problem = problem.relaxed(kl, kl).unwrap();
        let s = sinkhorn(&exactly(epsilon, 1e-12), &problem, None).unwrap();
        let potentials = s.into_converged().unwrap().potentials;
        for (found, key) in [(&potentials.f, "f"), (&potentials.g, "g")] {
            let worst = common::distance(found, &numbers(&case[key]));
            // What the annealing of geomloss leaves: its last steps differ by 5e-4 of ε.
            assert!(worst < 5e-4 * epsilon, "p {p}, tau {tau}: {worst:e}");
        }
    }
}

#[test]
fn marginals_and_products_of_the_plan() {
    let (n, m, d) = (50, 33, 2);
    let (x, y) = clouds(7, n, m, d);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    let problem = problem.with_source_weights(&weights(8, n)).unwrap();
    let s = sinkhorn(&exactly(0.2, 1e-8), &problem, None).unwrap().into_converged().unwrap();
    let plan = s.plan(&problem).unwrap();
    let p = plan.matrix();
    let (rows, columns) = plan.marginals();
    let error = distance(&rows, problem.weights().0) + distance(&columns, problem.weights().1);
    assert!(error <= 1.01e-8 && (error - s.marginal_error).abs() < 1e-12, "{error}");
    let (v, u) = (clouds(9, m, 1, 3).0, clouds(10, n, 1, 3).0);
    let product = plan.apply(&v).unwrap();
    let transpose = plan.apply_transpose(&u).unwrap();
    for k in 0..3 {
        for i in 0..n {
            let e: f64 = (0..m).map(|j| p[i * m + j] * v[j * 3 + k]).sum();
            assert!((product[i * 3 + k] - e).abs() < 1e-14);
        }
        for j in 0..m {
            let e: f64 = (0..n).map(|i| p[i * m + j] * u[i * 3 + k]).sum();
            assert!((transpose[j * 3 + k] - e).abs() < 1e-14);
        }
    }
    let image = plan.barycentric().unwrap();
    let moved = plan.apply(&y).unwrap();
    for i in 0..n * d {
        assert!((image[i] - moved[i] / rows[i / d]).abs() < 1e-12);
    }
    assert!(plan.apply(&v[1..]).is_err());
}

#[test]
fn the_dual_is_a_lower_bound_and_the_gap_closes() {
    let (x, y) = clouds(11, 40, 60, 2);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let solve = |k| {
        let config = SinkhornConfig { stop: Stop::Iterations(k), ..exactly(0.1, 1.0) };
        sinkhorn(&config, &problem, None).unwrap()
    };
    let best = solve(5000);
    let mut last = f64::NEG_INFINITY;
    for k in [1, 2, 5, 10, 50, 200] {
        let s = solve(k);
        assert!(s.dual_cost <= best.primal_cost + 1e-12 && s.dual_cost >= last);
        last = s.dual_cost;
    }
    assert!((best.primal_cost - best.dual_cost).abs() < 1e-12 && best.marginal_error < 1e-12);
    let p = &best.potentials;
    for (i, x) in x.chunks(2).enumerate() {
        for (j, y) in y.chunks(2).enumerate() {
            let c: f64 = SqEuclidean.value(x, y);
            assert!(p.f[i] + p.g[j] <= c + 0.1 * 60f64.ln());
        }
    }
}

#[test]
fn symmetry_shift_scale_and_order() {
    let (n, m) = (40, 28);
    let (x, y) = clouds(12, n, m, 2);
    let c = matrix(&SqEuclidean, &x, &y, 2);
    let solve = |c: &[f64], n, m, epsilon| {
        sinkhorn(&exactly(epsilon, 1e-11), &Discrete::matrix(c, n, m).unwrap(), None)
            .unwrap()
            .into_converged()
            .unwrap()
    };
    let s = solve(&c, n, m, 0.2);
    let transposed: Vec<f64> = (0..n * m).map(|k| c[k % n * m + k / n]).collect();
    let t = solve(&transposed, m, n, 0.2);
    assert!((s.primal_cost - t.primal_cost).abs() < 1e-9);
    assert!(distance(&s.potentials.f, &t.potentials.g) < 1e-7);
    let shifted = solve(&c.iter().map(|c| c + 5.0).collect::<Vec<_>>(), n, m, 0.2);
    assert!((shifted.primal_cost - s.primal_cost - 5.0).abs() < 1e-9);
    let scaled = solve(&c.iter().map(|c| c * 1e8).collect::<Vec<_>>(), n, m, 0.2e8);
    assert!((scaled.primal_cost / s.primal_cost - 1e8).abs() < 1.0);
    let reversed: Vec<f64> = c.chunks(m).rev().flatten().copied().collect();
    let r = solve(&reversed, n, m, 0.2);
    assert!((0..n).all(|i| (r.potentials.f[i] - s.potentials.f[n - 1 - i]).abs() < 1e-8));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let (n, m) = (700, 900);
    for (d, form) in [(2, Form::Stored), (2, Form::Online), (20, Form::Online)] {
        let (x, y) = clouds(13, n, m, d);
        let (x, y) = (single(&x), single(&y));
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
        let config = SinkhornConfig { form, ..Default::default() };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let s = sinkhorn(&config, &problem, None).unwrap();
                let marginals = s.plan(&problem).unwrap().marginals();
                (s, marginals)
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(5));
    }
}

#[test]
fn batches_are_the_same_as_one_by_one() {
    let sizes = [(5, 9), (64, 64), (1, 3), (100, 40)];
    let points: Vec<_> = sizes.iter().map(|&(n, m)| clouds(18, n, m, 2)).collect();
    let problems: Vec<_> =
        points.iter().map(|(x, y)| Discrete::clouds(&SqEuclidean, x, y, 2).unwrap()).collect();
    let config = SinkhornConfig::default();
    let together = sinkhorn_batch(&config, &problems).unwrap();
    for (problem, solution) in problems.iter().zip(together) {
        assert_eq!(sinkhorn(&config, problem, None).unwrap(), solution);
    }
}

fn small_epsilon(d: usize, n: usize) -> (Solution, Solution) {
    let (x, y) = clouds(14, n, n, d);
    let (xs, ys) = (single(&x), single(&y));
    let config = SinkhornConfig {
        epsilon: Epsilon::RelativeToMean(1e-4),
        stop: Stop::Tolerance { tolerance: 2e-2, limit: 5000 },
        annealing: Some(Annealing::default()),
        ..Default::default()
    };
    let narrow = Discrete::clouds(&SqEuclidean, &xs, &ys, d).unwrap();
    let wide = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    (sinkhorn(&config, &narrow, None).unwrap(), sinkhorn(&config, &wide, None).unwrap())
}

fn small_epsilon_agrees(n: usize) {
    for d in [2, 8, 64] {
        let (narrow, wide) = small_epsilon(d, n);
        for s in [&narrow, &wide] {
            assert!(s.status != Status::Diverged && s.transport_cost.is_finite(), "{s:?}");
            assert_eq!(s.status == Status::Converged, s.marginal_error <= 2e-2);
        }
        println!(
            "n={n} d={d}: f32 {:?} {} its error {:.2e} transport {} dual {}",
            narrow.status,
            narrow.iterations,
            narrow.marginal_error,
            narrow.transport_cost,
            narrow.dual_cost
        );
        println!(
            "n={n} d={d}: f64 {:?} {} its error {:.2e} transport {} dual {}",
            wide.status, wide.iterations, wide.marginal_error, wide.transport_cost, wide.dual_cost
        );
        for (a, b) in [
            (narrow.dual_cost, wide.dual_cost),
            (narrow.transport_cost, wide.transport_cost),
            (narrow.primal_cost, wide.primal_cost),
        ] {
            assert!((a / b - 1.0).abs() < 1e-3, "d={d}: {a} {b}");
        }
    }
}

#[test]
fn small_epsilon_in_single_precision() {
    small_epsilon_agrees(256);
}

#[test]
fn small_epsilon_in_single_precision_of_more_points() {
    small_epsilon_agrees(1024);
}

#[test]
fn warm_start_acceleration_and_annealing() {
    let (x, y) = clouds(15, 100, 120, 2);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let config = SinkhornConfig { acceleration: Acceleration::Off, ..exactly(0.05, 1e-6) };
    let plain = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
    let again = sinkhorn(&config, &problem, Some(&plain.potentials)).unwrap();
    assert!(again.iterations <= 2 && again.status == Status::Converged);
    let config = exactly(0.05, 1e-6);
    let quick = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
    assert!(quick.iterations < plain.iterations, "{} {}", quick.iterations, plain.iterations);
    assert!((quick.dual_cost - plain.dual_cost).abs() < 1e-9);
    let config = SinkhornConfig { annealing: Some(Annealing::default()), ..config };
    let annealed = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
    assert!((annealed.dual_cost - plain.dual_cost).abs() < 1e-9);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<SinkhornConfig>(&text).unwrap(), config);
}

#[test]
fn extreme_problems_have_the_right_answer() {
    let config = SinkhornConfig::default();
    // One point each.
    let one = Discrete::clouds(&SqEuclidean, &[1.0f32, 2.0], &[4.0, 6.0], 2).unwrap();
    let s = sinkhorn(&config, &one, None).unwrap().into_converged().unwrap();
    assert!((s.transport_cost - 25.0).abs() < 1e-4 && (s.dual_cost - 25.0).abs() < 1e-4);
    // All points equal: every epsilon gives the product.
    let same = Discrete::clouds(&SqEuclidean, &[0.3f32; 10], &[0.3; 6], 2).unwrap();
    let s = sinkhorn(&config, &same, None).unwrap().into_converged().unwrap();
    // A rounding of 2^−24 in an exponent is worth 3e-9 at this ε of 0.05.
    assert!(s.transport_cost.abs() < 1e-8 && s.dual_cost.abs() < 1e-6, "{s:?}");
    // Weights of zero, and from 1e-6 to 1.
    let (x, y) = clouds(16, 20, 20, 2);
    let mut a = weights(17, 20);
    a[3] = 0.0;
    a[4] = 1e-6;
    let sum: f64 = a.iter().sum();
    a.iter_mut().for_each(|a| *a /= sum);
    let expected = naive(&matrix(&SqEuclidean, &x, &y, 2), &a, &[0.05; 20], 0.2, [1.0; 2], 3000);
    let (xs, ys) = (single(&x), single(&y));
    let problem = Discrete::clouds(&SqEuclidean, &xs, &ys, 2).unwrap();
    let problem = problem.with_source_weights(&single(&a)).unwrap();
    let s = sinkhorn(&exactly(0.2, 1e-5), &problem, None).unwrap().into_converged().unwrap();
    assert!(s.potentials.f.iter().all(|f| f.is_finite()));
    let plan: Vec<f64> = s.plan(&problem).unwrap().matrix().iter().map(|v| f64::from(*v)).collect();
    assert!(distance(&plan, &expected) < 1e-4);
    assert!(plan[60..80].iter().all(|p| *p == 0.0));
    // Masses that differ by 1e6, relaxed.
    let heavy = vec![5e4f32; 20];
    let kl = Relaxation::Kl { tau: 0.9 };
    let problem = Discrete::clouds(&SqEuclidean, &xs, &ys, 2).unwrap();
    let problem = problem.with_source_weights(&heavy).unwrap().relaxed(kl, kl).unwrap();
    let s = sinkhorn(&exactly(0.2, 1e-5), &problem, None).unwrap().into_converged().unwrap();
    let c = matrix(&SqEuclidean, &x, &y, 2);
    let expected = naive(&c, &[5e4; 20], &[0.05; 20], 0.2, [0.9; 2], 3000);
    let mass: f64 = expected.iter().sum();
    assert!((s.mass / mass - 1.0).abs() < 1e-3, "{} {mass}", s.mass);
    // Costs of 1e8.
    let big: Vec<f32> = c.iter().map(|c| (c * 1e8) as f32).collect();
    let problem = Discrete::matrix(&big, 20, 20).unwrap();
    let s = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
    let small: Vec<f32> = c.iter().map(|c| *c as f32).collect();
    let problem = Discrete::matrix(&small, 20, 20).unwrap();
    let t = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
    assert!((s.dual_cost / t.dual_cost - 1e8).abs() < 1e3);
    // Far outliers, whose sums under- and overflow without maxima.
    let x: Vec<f32> = (0..50).map(|i| if i < 25 { i as f32 * 1e-2 } else { 1e3 }).collect();
    let y: Vec<f32> = (0..50).map(|i| if i < 25 { i as f32 * 1e-2 } else { -1e3 }).collect();
    for form in [Form::Stored, Form::Online] {
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
        let config = SinkhornConfig { form, ..exactly(100.0, 1e-3) };
        let s = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
        assert!(s.transport_cost.is_finite() && s.transport_cost > 1e5, "{s:?}");
    }
}

#[test]
fn bad_input_is_an_error() {
    let (x, y) = ([0.0f32, 1.0], [0.0f32, 2.0, 3.0]);
    let good = || Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    assert!(Discrete::clouds(&SqEuclidean, &[], &y, 1).is_err());
    assert!(Discrete::clouds(&SqEuclidean, &x, &y, 2).is_err());
    assert!(Discrete::clouds(&SqEuclidean, &x, &y, 0).is_err());
    assert!(Discrete::clouds(&SqEuclidean, &[f32::INFINITY, 0.0], &y, 1).is_err());
    assert!(Discrete::matrix(&x, 2, 2).is_err() && Discrete::matrix(&[f32::NAN], 1, 1).is_err());
    assert!(Discrete::<f32>::matrix(&[], 0, 5).is_err());
    assert!(good().with_source_weights(&[1.0]).is_err());
    assert!(good().with_source_weights(&[1.0, -1.0]).is_err());
    assert!(good().with_source_weights(&[0.0, 0.0]).is_err());
    assert!(good().with_target_weights(&[f32::NAN, 1.0, 1.0]).is_err());
    for tau in [0.0, -1.0, 1.0 + 1e-9, 2.0, f64::NAN] {
        assert!(good().relaxed(Relaxation::Kl { tau }, Relaxation::Balanced).is_err());
    }
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(sinkhorn(&exactly(epsilon, 1e-3), &good(), None).is_err());
    }
    assert!(sinkhorn(&exactly(1e-300, 1e-3), &good(), None).is_err());
    assert!(sinkhorn(&exactly(0.1, 0.0), &good(), None).is_err());
    let none = SinkhornConfig { stop: Stop::Iterations(0), ..Default::default() };
    assert!(sinkhorn(&none, &good(), None).is_err());
    let unequal = good().with_source_weights(&[1.0, 1.0]).unwrap();
    assert!(sinkhorn(&SinkhornConfig::default(), &unequal, None).is_err());
    let nan = FnCost(|_: &[f32], y: &[f32], _: &mut [f32]| if y[0] > 2.5 { f32::NAN } else { 0.0 });
    for epsilon in [Epsilon::Absolute(0.1), Epsilon::RelativeToMean(0.1)] {
        let problem = Discrete::clouds(&nan, &x, &y, 1).unwrap();
        let config = SinkhornConfig { epsilon, ..Default::default() };
        assert!(sinkhorn(&config, &problem, None).is_err());
    }
    let huge = Discrete::clouds(&SqEuclidean, &[0.0f32, 1e30], &y, 1).unwrap();
    assert!(sinkhorn(&exactly(0.1, 1e-3), &huge, None).is_err());
    let s = sinkhorn(&SinkhornConfig::default(), &good(), None).unwrap();
    let other = Discrete::clouds(&SqEuclidean, &y, &x, 1).unwrap();
    assert!(sinkhorn(&SinkhornConfig::default(), &other, Some(&s.potentials)).is_err());
    assert!(s.plan(&other).is_err());
}
