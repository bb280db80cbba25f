//! Sinkhorn's algorithm on grids: against the solver of matrices, loops, ott-jax, and its laws.

use crate::common;
use brenier::ops::Real;
use brenier::prelude::*;
use brenier::problem::{Axis, Discrete, Gridded, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_grid, sinkhorn_grid_batch, Acceleration, Annealing, Epsilon, Form,
    SinkhornConfig, Solution, Status, Stop,
};

use crate::common::{distance, golden, naive, normals, numbers, on_any_threads, weights};

fn exactly(epsilon: f64, tolerance: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance, limit: 50_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

/// Coordinates of all points, row by row.
fn points_of(axes: &[Vec<f64>]) -> Vec<f64> {
    let n: usize = axes.iter().map(Vec::len).product();
    let mut out = Vec::new();
    for k in 0..n {
        let mut left = n;
        let mut rest = k;
        for axis in axes {
            left /= axis.len();
            out.push(axis[rest / left]);
            rest %= left;
        }
    }
    out
}

fn coordinates(key: u64, n: usize) -> Vec<f64> {
    let mut v: Vec<f64> = normals(key, n);
    v.sort_by(f64::total_cmp);
    v
}

fn single(v: &[f64]) -> Vec<f32> {
    v.iter().map(|v| *v as f32).collect()
}

/// The full cost matrix from the axes.
fn full(axes: &[Axis]) -> (Vec<f64>, usize, usize) {
    let (n, m) = axes.iter().fold((1, 1), |(n, m), a| (n * a.sizes().0, m * a.sizes().1));
    let mut c = vec![0.0; n * m];
    for (k, c) in c.iter_mut().enumerate() {
        let (mut i, mut j) = (k / m, k % m);
        for axis in axes.iter().rev() {
            let (p, q) = axis.sizes();
            *c += axis.costs()[i % p * q + j % q];
            (i, j) = (i / p, j / q);
        }
    }
    (c, n, m)
}

/// Every number of a solution, and products with its plan, against the dense solver.
fn against_dense<E: Real>(axes: Vec<Axis>, tau: [f64; 2], config: &SinkhornConfig, error: f64) {
    let (c, n, m) = full(&axes);
    let mass = if tau == [1.0; 2] { [1.0; 2] } else { [2.0, 0.7] };
    let scaled = |key, n, mass: f64| weights(key, n).iter().map(|w| w * mass).collect::<Vec<_>>();
    let (a, b) = (scaled(1, n, mass[0]), scaled(2, m, mass[1]));
    let [s, t] = tau.map(|tau| Relaxation::Kl { tau });
    let dense = Discrete::matrix(&c, n, m).unwrap().relaxed(s, t).unwrap();
    let dense = dense.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let of = |v: &[f64]| v.iter().map(|v| E::of(*v)).collect::<Vec<E>>();
    let wide = |v: &[E]| v.iter().map(|v| v.double()).collect::<Vec<f64>>();
    let grid = Gridded::<E>::new(axes).unwrap().relaxed(s, t).unwrap();
    let grid = grid.with_source_weights(&of(&a)).unwrap().with_target_weights(&of(&b)).unwrap();
    assert_eq!(grid.sizes(), (n, m));
    let expected = sinkhorn(&exactly(config_epsilon(config, &dense), 1e-12), &dense, None).unwrap();
    let expected = expected.into_converged().unwrap();
    let found = sinkhorn_grid(config, &grid, None).unwrap().into_converged().unwrap();
    assert!((found.epsilon / expected.epsilon - 1.0).abs() < 1e-12);
    assert_eq!(found.form, Form::Separable);
    let scale = c.iter().fold(0.0, |s: f64, c| s.max(c.abs()));
    for (name, f, e) in [
        ("mass", found.mass, expected.mass),
        ("transport", found.transport_cost / scale, expected.transport_cost / scale),
        ("primal", found.primal_cost / scale, expected.primal_cost / scale),
        ("dual", found.dual_cost / scale, expected.dual_cost / scale),
    ] {
        assert!((f - e).abs() < error, "{name}: {f} {e} ({tau:?})");
    }
    let (p, q) = (&found.potentials, &expected.potentials);
    let f = distance(&p.f, &q.f).max(distance(&p.g, &q.g)) / scale;
    assert!(f < 100.0 * error, "potentials: {f:e}");
    // The plan is asked for products and marginals; the matrix comes from the dense solver.
    let plan = found.grid_plan(&grid).unwrap();
    let matrix = expected.plan(&dense).unwrap().matrix();
    let (rows, columns) = plan.marginals();
    let sums = |i: usize| matrix[i * m..(i + 1) * m].iter().sum::<f64>();
    let row_sums: Vec<f64> = (0..n).map(sums).collect();
    let column_sums: Vec<f64> = (0..m).map(|j| (0..n).map(|i| matrix[i * m + j]).sum()).collect();
    assert!(distance(rows, &row_sums) < error && distance(columns, &column_sums) < error);
    let (v, u): (Vec<f64>, Vec<f64>) = (normals(3, 2 * m), normals(4, 2 * n));
    let product: Vec<f64> = (0..2 * n)
        .map(|k| (0..m).map(|j| matrix[k / 2 * m + j] * v[2 * j + k % 2]).sum())
        .collect();
    assert!(distance(&wide(&plan.apply(&of(&v)).unwrap()), &product) < error);
    let means: Vec<f64> = (0..2 * n).map(|k| product[k] / row_sums[k / 2]).collect();
    assert!(distance(&wide(&plan.average(&of(&v)).unwrap()), &means) < 100.0 * error);
    let product: Vec<f64> = (0..2 * m)
        .map(|k| (0..n).map(|i| matrix[i * m + k / 2] * u[2 * i + k % 2]).sum())
        .collect();
    assert!(distance(&wide(&plan.apply_transpose(&of(&u)).unwrap()), &product) < error);
    let means: Vec<f64> = (0..2 * m).map(|k| product[k] / column_sums[k / 2]).collect();
    let found = plan.average_transpose(&of(&u)).unwrap();
    assert!(distance(&wide(&found), &means) < 100.0 * error);
    assert!(plan.apply(&of(&v)[1..]).is_err() && plan.apply(&[]).is_err());
}

/// The ε that the dense solver resolves.
fn config_epsilon(config: &SinkhornConfig, dense: &Discrete<'_, f64>) -> f64 {
    let stop = Stop::Iterations(1);
    sinkhorn(&SinkhornConfig { stop, ..*config }, dense, None).unwrap().epsilon
}

fn shapes() -> Vec<Vec<Axis>> {
    let sq = |key, n, m| {
        Axis::new(&SqEuclidean, &coordinates(key, n), &coordinates(key + 1, m)).unwrap()
    };
    let p = |key, n, m| {
        let cost = PNorm::new(1.5).unwrap();
        Axis::new(&cost, &coordinates(key, n), &coordinates(key + 1, m)).unwrap()
    };
    // Costs of any sign.
    let any = Axis::matrix(normals(20, 12), 3, 4).unwrap();
    vec![
        vec![sq(1, 30, 40)],
        vec![sq(3, 7, 5), sq(5, 6, 8)],
        vec![Axis::regular(&HalfSqEuclidean, 6, 0.4).unwrap(), p(7, 5, 4)],
        vec![sq(9, 3, 4), any.clone(), p(11, 4, 2)],
        vec![sq(13, 2, 3), p(15, 3, 2), any, sq(17, 2, 2)],
        vec![sq(19, 1, 1), sq(21, 5, 1), sq(23, 1, 6)],
    ]
}

#[test]
fn grids_agree_with_matrices() {
    for axes in shapes() {
        for tau in [[1.0; 2], [0.9, 0.9], [0.6, 1.0], [1.0, 0.95]] {
            for epsilon in [Epsilon::RelativeToStd(0.1), Epsilon::RelativeToMax(0.1)] {
                let config = SinkhornConfig { epsilon, ..exactly(1.0, 1e-11) };
                // The tolerance over the gap of the iteration.
                against_dense::<f64>(axes.clone(), tau, &config, 1e-8);
                let config = SinkhornConfig { epsilon, ..exactly(1.0, 1e-5) };
                // Exponents up to 1 / 0.1 ln 2, rounded at 6e-8 each, summed over the pairs of a row.
                against_dense::<f32>(axes.clone(), tau, &config, 2e-4);
            }
        }
    }
}

/// At ε so small that sums relative to one maximum of a line underflow.
#[test]
fn small_epsilon_takes_a_maximum_for_each_sum() {
    let axes: Vec<Vec<f64>> = vec![coordinates(30, 9), coordinates(31, 8)];
    let x = points_of(&axes);
    let n = x.len() / 2;
    let (a, b) = (weights(32, n), weights(33, n));
    let c = common::costs(&x, &x, 2, 2.0);
    let mean = c.iter().sum::<f64>() / c.len() as f64;
    let make =
        || -> Vec<Axis> { axes.iter().map(|v| Axis::new(&SqEuclidean, v, v).unwrap()).collect() };
    let config = SinkhornConfig {
        annealing: Some(Annealing::default()),
        stop: Stop::Tolerance { tolerance: 1e-3, limit: 50_000 },
        epsilon: Epsilon::RelativeToMean(1e-3),
        ..Default::default()
    };
    let dense = Discrete::matrix(&c, n, n).unwrap();
    let dense = dense.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let expected = sinkhorn(&exactly(1e-3 * mean, 1e-6), &dense, None).unwrap();
    let price = expected.into_converged().unwrap().transport_cost;
    let grid = Gridded::<f64>::new(make()).unwrap();
    let grid = grid.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let wide = sinkhorn_grid(&config, &grid, None).unwrap().into_converged().unwrap();
    let grid = Gridded::<f32>::new(make()).unwrap();
    let grid = grid.with_source_weights(&single(&a)).unwrap();
    let grid = grid.with_target_weights(&single(&b)).unwrap();
    let narrow = sinkhorn_grid(&config, &grid, None).unwrap().into_converged().unwrap();
    for found in [wide, narrow] {
        // Plans within 1e-3 in L1 cost the same up to 1e-3 of the largest cost.
        let worst = 1e-3 * c.iter().fold(0.0, |w: f64, c| w.max(*c));
        assert!((found.transport_cost - price).abs() < worst, "{found:?} {price}");
        assert!((found.transport_cost / price - 1.0).abs() < 1e-2);
    }
}

#[test]
fn potentials_of_ott_jax_on_a_grid() {
    let file = golden("ott.json");
    let file = &file["grid"];
    let [p, q, a, b] = ["axis0", "axis1", "a", "b"].map(|key| numbers(&file[key]));
    let axes = [p, q].map(|v| Axis::new(&SqEuclidean, &v, &v).unwrap()).to_vec();
    let problem = Gridded::<f64>::new(axes).unwrap();
    let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let config = exactly(file["eps"].as_f64().unwrap(), 1e-12);
    let found = sinkhorn_grid(&config, &problem, None).unwrap().into_converged().unwrap();
    assert!(distance(&found.potentials.f, &numbers(&file["f"])) < 1e-9);
    assert!(distance(&found.potentials.g, &numbers(&file["g"])) < 1e-9);
}

fn density(key: u64, n: usize) -> Vec<f32> {
    single(&weights(key, n))
}

#[test]
fn threads_batches_and_starts() {
    let axes = vec![
        Axis::regular(&SqEuclidean, 40, 0.1).unwrap(),
        Axis::regular(&SqEuclidean, 50, 0.1).unwrap(),
        Axis::regular(&SqEuclidean, 6, 0.1).unwrap(),
    ];
    let n = 40 * 50 * 6;
    let problem = |key| {
        let grid = Gridded::<f32>::new(axes.clone()).unwrap();
        grid.with_source_weights(&density(key, n))
            .unwrap()
            .with_target_weights(&density(key + 1, n))
            .unwrap()
    };
    let one = problem(40);
    let config = SinkhornConfig::default();
    let found = on_any_threads(|| {
        let solution = sinkhorn_grid(&config, &one, None).unwrap();
        let marginals = solution.grid_plan(&one).unwrap().marginals().0.to_vec();
        (solution, marginals)
    });
    let solution = found.0.into_converged().unwrap();
    let line = Gridded::<f32>::new(vec![Axis::regular(&SqEuclidean, 1500, 0.01).unwrap()]).unwrap();
    let line = line.with_source_weights(&density(45, 1500)).unwrap();
    let _ = on_any_threads(|| sinkhorn_grid(&config, &line, None).unwrap());
    let problems = [one, problem(42)];
    let all = sinkhorn_grid_batch(&config, &problems).unwrap();
    assert_eq!(all[0], solution);
    assert_eq!(all[1], sinkhorn_grid(&config, &problems[1], None).unwrap());
    // From its own potentials it stops at once; from another's it does not go astray.
    let again = sinkhorn_grid(&config, &problems[0], Some(&solution.potentials)).unwrap();
    assert!(again.iterations <= 2 && again.status == Status::Converged, "{}", again.iterations);
    let other = sinkhorn_grid(&config, &problems[0], Some(&all[1].potentials)).unwrap();
    assert!((other.dual_cost / solution.dual_cost - 1.0).abs() < 1e-2);
}

#[test]
fn acceleration_annealing_and_iterations() {
    let axis = Axis::regular(&SqEuclidean, 32, 1.0 / 31.0).unwrap();
    let grid = Gridded::<f64>::new(vec![axis.clone(), axis]).unwrap();
    let grid = grid.with_source_weights(&weights(50, 1024)).unwrap();
    let grid = grid.with_target_weights(&weights(51, 1024)).unwrap();
    let solve = |config: &SinkhornConfig| sinkhorn_grid(config, &grid, None).unwrap();
    let plain = SinkhornConfig { acceleration: Acceleration::Off, ..exactly(0.002, 1e-6) };
    let slow = solve(&plain).into_converged().unwrap();
    let quick = solve(&exactly(0.002, 1e-6)).into_converged().unwrap();
    assert!(quick.iterations < slow.iterations, "{} {}", quick.iterations, slow.iterations);
    assert!((quick.dual_cost - slow.dual_cost).abs() < 1e-8);
    let annealing = Some(Annealing::default());
    let annealed = solve(&SinkhornConfig { annealing, ..plain }).into_converged().unwrap();
    assert!((annealed.dual_cost - slow.dual_cost).abs() < 1e-8);
    let fixed = solve(&SinkhornConfig { stop: Stop::Iterations(7), ..plain });
    assert!(fixed.iterations == 7 && fixed.status == Status::Converged);
    let short = Stop::Tolerance { tolerance: 1e-9, limit: 3 };
    let stopped = solve(&SinkhornConfig { stop: short, ..plain });
    assert!(stopped.iterations == 3 && stopped.status == Status::IterationLimit);
    assert!(stopped.marginal_error > 1e-9 && stopped.into_converged().is_err());
    // The dual rises to the primal.
    let duals: Vec<Solution> = [1, 3, 10, 100]
        .map(|k| solve(&SinkhornConfig { stop: Stop::Iterations(k), ..plain }))
        .to_vec();
    assert!(duals.windows(2).all(|w| w[0].dual_cost <= w[1].dual_cost + 1e-14));
    assert!(duals.iter().all(|s| s.dual_cost <= slow.primal_cost + 1e-12));
}

#[test]
fn extreme_grids_have_the_right_answer() {
    let config = SinkhornConfig::default();
    let axis = |n| Axis::regular(&SqEuclidean, n, 1.0).unwrap();
    // One point.
    let one = Gridded::<f32>::new(vec![axis(1), axis(1)]).unwrap();
    let s = sinkhorn_grid(&config, &one, None).unwrap().into_converged().unwrap();
    assert!(s.transport_cost == 0.0 && s.mass == 1.0, "{s:?}");
    // Densities with disjoint supports, far apart, and zeros elsewhere.
    let n = 100;
    let (mut a, mut b) = (vec![0.0f32; n * n], vec![0.0f32; n * n]);
    for k in 0..3 {
        a[k * n] = 1.0 / 3.0;
        b[(97 + k) * n + 99] = 1.0 / 3.0;
    }
    let grid = Gridded::new(vec![axis(n), axis(n)]).unwrap();
    let grid = grid.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let s = sinkhorn_grid(&exactly(0.05, 1e-3), &grid, None).unwrap().into_converged().unwrap();
    let exact = 97.0f64.powi(2) + 99.0f64.powi(2);
    assert!((s.transport_cost / exact - 1.0).abs() < 1e-3, "{}", s.transport_cost);
    assert!(s.potentials.f.iter().chain(&s.potentials.g).all(|v| v.is_finite()));
    // Masses that differ by 1e6, relaxed.
    let kl = Relaxation::Kl { tau: 0.9 };
    let heavy: Vec<f32> = density(60, 64).iter().map(|w| w * 1e6).collect();
    let axes = vec![axis(8), axis(8)];
    let (c, ..) = full(&axes);
    let grid = Gridded::new(axes).unwrap().relaxed(kl, kl).unwrap();
    let grid = grid.with_source_weights(&heavy).unwrap();
    let s = sinkhorn_grid(&exactly(0.5, 1e-5), &grid, None).unwrap().into_converged().unwrap();
    let heavy: Vec<f64> = heavy.iter().map(|w| f64::from(*w)).collect();
    let plan = naive(&c, &heavy, &common::uniform(64), 0.5, [0.9; 2], 3000);
    assert!((s.mass / plan.iter().sum::<f64>() - 1.0).abs() < 1e-3);
    // Costs of 1e8, and all costs equal.
    let big = Axis::regular(&SqEuclidean, 8, 1e4).unwrap();
    let scaled = Gridded::<f32>::new(vec![big.clone(), big]).unwrap();
    let scaled = scaled.with_source_weights(&density(61, 64)).unwrap();
    let small = Gridded::<f32>::new(vec![axis(8), axis(8)]).unwrap();
    let small = small.with_source_weights(&density(61, 64)).unwrap();
    let [p, q] = [scaled, small].map(|g| sinkhorn_grid(&config, &g, None).unwrap());
    assert!((p.dual_cost / q.dual_cost - 1e8).abs() < 1e3);
    let same = Gridded::<f32>::new(vec![Axis::matrix(vec![3.0; 20], 4, 5).unwrap()]).unwrap();
    let s = sinkhorn_grid(&config, &same, None).unwrap().into_converged().unwrap();
    assert!((s.dual_cost - 3.0).abs() < 1e-5, "{s:?}");
}

#[test]
fn bad_grids_are_errors() {
    let axis = Axis::regular(&SqEuclidean, 2, 1.0).unwrap();
    assert!(matches!(Axis::regular(&SqEuclidean, 0, 1.0), Err(Error::InvalidConfig { .. })));
    for spacing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Axis::regular(&SqEuclidean, 2, spacing).is_err());
    }
    assert!(matches!(Axis::new(&SqEuclidean, &[], &[1.0]), Err(Error::Shape { .. })));
    assert!(Axis::new(&SqEuclidean, &[f64::NAN], &[1.0]).is_err());
    assert!(Axis::new(&SqEuclidean, &[1e200], &[1.0]).is_err());
    assert!(matches!(Axis::matrix(vec![1.0; 3], 2, 2), Err(Error::Shape { .. })));
    assert!(
        Axis::matrix(vec![f64::INFINITY], 1, 1).is_err() && Axis::matrix(vec![], 0, 3).is_err()
    );
    assert!(matches!(Gridded::<f32>::new(vec![]), Err(Error::Shape { .. })));
    let wide = Axis::regular(&SqEuclidean, 2, 1.0).unwrap();
    assert!(Gridded::<f32>::new(vec![wide; 64]).is_err());
    let good = || Gridded::<f32>::new(vec![axis.clone(), axis.clone()]).unwrap();
    assert!(matches!(good().with_source_weights(&[1.0; 3]), Err(Error::Shape { .. })));
    assert!(good().with_source_weights(&[1.0, -1.0, 0.0, 0.0]).is_err());
    assert!(good().with_target_weights(&[0.0; 4]).is_err());
    assert!(good().with_target_weights(&[f32::NAN; 4]).is_err());
    for tau in [0.0, -1.0, 1.5, f64::NAN] {
        assert!(good().relaxed(Relaxation::Kl { tau }, Relaxation::Balanced).is_err());
    }
    let unequal = good().with_source_weights(&[1.0; 4]).unwrap();
    assert!(sinkhorn_grid(&SinkhornConfig::default(), &unequal, None).is_err());
    for epsilon in [0.0, -1.0, f64::NAN, 1e-300, 1e-310] {
        assert!(sinkhorn_grid(&exactly(epsilon, 1e-3), &good(), None).is_err());
    }
    for form in [Form::Stored, Form::Online] {
        let config = SinkhornConfig { form, ..Default::default() };
        assert!(sinkhorn_grid(&config, &good(), None).is_err());
    }
    let config = SinkhornConfig { form: Form::Separable, ..Default::default() };
    let cloud = Discrete::clouds(&SqEuclidean, &[0.0f32], &[1.0], 1).unwrap();
    assert!(matches!(sinkhorn(&config, &cloud, None), Err(Error::InvalidConfig { .. })));
    let s = sinkhorn_grid(&config, &good(), None).unwrap();
    let other = Gridded::<f32>::new(vec![axis.clone()]).unwrap();
    assert!(s.grid_plan(&other).is_err());
    assert!(sinkhorn_grid(&config, &other, Some(&s.potentials)).is_err());
}
