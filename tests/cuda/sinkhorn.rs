//! The solver on the device against the solver on the CPU in double precision.

use brenier::cuda::{sinkhorn, sinkhorn_batch, CudaDevice, DeviceReal, Resident};
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{self, Annealing, Epsilon, Form, SinkhornConfig, Solution, Status, Stop};

use crate::emulated::*;

fn to(epsilon: f64, tolerance: f64, form: Form) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance, limit: 3000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, form, ..Default::default() }
}

fn weights(seed: u64, n: usize, mass: f64) -> Vec<f64> {
    let w: Vec<f64> = Key::new(seed).uniform(n).iter().map(|v| 0.1 + f64::from(*v)).collect();
    let sum: f64 = w.iter().sum();
    w.iter().map(|v| mass * v / sum).collect()
}

fn plan(solution: &Solution, problem: &Discrete<'_, f64>) -> Vec<f64> {
    solution.plan(problem).unwrap().matrix()
}

/// Plans and costs of both solvers. `close` bounds the L1 distance of plans.
fn compare<E: DeviceReal>(
    device: &CudaDevice,
    config: &SinkhornConfig,
    small: &Discrete<'_, E>,
    exact: &Discrete<'_, f64>,
    close: f64,
) -> Solution {
    let found = sinkhorn(device, config, small, None).unwrap();
    let tight = Stop::Tolerance { tolerance: 1e-11, limit: 100_000 };
    let truth = solver::sinkhorn(&SinkhornConfig { stop: tight, ..*config }, exact, None).unwrap();
    let what = format!("{config:?} f{} {found:?}", 8 * size_of::<E>());
    assert_eq!((truth.status, found.status), (Status::Converged, Status::Converged), "{what}");
    let (p, q) = (plan(&found, exact), plan(&truth, exact));
    let apart: f64 = p.iter().zip(&q).map(|(p, q)| (p - q).abs()).sum();
    assert!(apart <= close * truth.mass, "plans {apart:e} apart");
    for (a, b) in [
        (found.transport_cost, truth.transport_cost),
        (found.dual_cost, truth.dual_cost),
        (found.mass, truth.mass),
        (found.epsilon, truth.epsilon),
    ] {
        let scale = truth.transport_cost.abs().max(truth.dual_cost.abs()).max(truth.mass);
        assert!((a - b).abs() <= close * scale, "{a} for {b}");
    }
    let gap = found.primal_cost - found.dual_cost;
    assert!(gap.abs() <= close * truth.dual_cost.abs().max(1.0), "gap {gap:e}");
    found
}

/// [`compare`] without the solution.
fn agree<E: DeviceReal>(
    device: &CudaDevice,
    config: &SinkhornConfig,
    small: &Discrete<'_, E>,
    exact: &Discrete<'_, f64>,
    close: f64,
) {
    let solution = compare(device, config, small, exact, close);
    assert!(solution.marginal_error.is_finite());
}

fn both_forms<C: RowCost<f32> + RowCost<f64>>(cost: &C, d: usize, epsilon: f64) {
    let device = device();
    let (n, m) = (37, 50);
    let [x, y] = clouds(Data::Normal, 5, n, m, d);
    let (a, b) = (weights(6, n, 1.0), weights(7, m, 1.0));
    let (xs, ys) = (rounded::<f32>(&x), rounded::<f32>(&y));
    let exact = Discrete::clouds(cost, &x, &y, d).unwrap();
    let exact = exact.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let single = Discrete::clouds(cost, &xs, &ys, d).unwrap();
    let single = single.with_source_weights(&rounded(&a)).unwrap();
    let single = single.with_target_weights(&rounded(&b)).unwrap();
    for form in [Form::Auto, Form::Online, Form::Stored] {
        // The tolerance, over the gap of the iteration.
        agree(&device, &to(epsilon, 1e-5, form), &single, &exact, 1e-3);
    }
    agree(&device, &to(epsilon, 1e-9, Form::Auto), &exact, &exact, 1e-7);
    agree(&device, &to(epsilon, 1e-9, Form::Online), &exact, &exact, 1e-7);
}

#[test]
fn squares() {
    both_forms(&SqEuclidean, 2, 0.5);
}

#[test]
fn distances_and_powers() {
    both_forms(&Euclidean, 3, 0.3);
    both_forms(&PNorm::new(1.5).unwrap(), 2, 0.3);
}

#[test]
fn three_hundred_coordinates() {
    both_forms(&SqEuclidean, 300, 80.0);
    both_forms(&Euclidean, 300, 2.0);
}

#[test]
fn products() {
    both_forms(&NegDot, 2, 0.5);
    both_forms(&Cosine, 3, 0.2);
}

#[test]
fn relaxed_marginals_of_any_mass() {
    let device = device();
    let (n, m, d) = (30, 45, 2);
    let [x, y] = clouds(Data::Normal, 5, n, m, d);
    let (a, b) = (weights(6, n, 2.0), weights(7, m, 0.7));
    let kl = |tau| Relaxation::Kl { tau };
    for (s, t) in [
        (kl(0.5), kl(0.9)),
        (kl(0.95), kl(0.95)),
        (kl(0.8), Relaxation::Balanced),
        (Relaxation::Balanced, kl(0.9)),
    ] {
        let problem = Discrete::clouds(&Cosine, &x, &y, d).unwrap();
        let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
        let problem = problem.relaxed(s, t).unwrap();
        for form in [Form::Auto, Form::Online] {
            agree(&device, &to(0.3, 1e-9, form), &problem, &problem, 1e-7);
        }
    }
}

#[test]
fn every_relative_epsilon_and_annealing() {
    let device = device();
    let [x, y] = clouds(Data::Normal, 5, 25, 31, 2);
    let squares = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let products = Discrete::clouds(&NegDot, &x, &y, 2).unwrap();
    let distances = Discrete::clouds(&Euclidean, &x, &y, 2).unwrap();
    let stop = Stop::Tolerance { tolerance: 1e-8, limit: 5000 };
    let annealing = Some(Annealing { start: 30.0, factor: 0.5, iterations: 3 });
    for (problem, epsilon) in [
        (&squares, Epsilon::RelativeToMean(0.1)),
        (&distances, Epsilon::RelativeToMean(0.1)),
        (&products, Epsilon::RelativeToStd(0.3)),
        (&products, Epsilon::RelativeToMax(0.05)),
    ] {
        for form in [Form::Auto, Form::Online] {
            let config = SinkhornConfig { epsilon, stop, annealing, form, ..Default::default() };
            agree(&device, &config, problem, problem, 1e-6);
        }
    }
}

#[test]
fn matrices() {
    let device = device();
    let costs: Vec<f64> = Key::new(3).normal(23 * 140).iter().map(|v| f64::from(*v)).collect();
    let problem = Discrete::matrix(&costs, 23, 140).unwrap();
    let solution = compare(&device, &to(0.3, 1e-9, Form::Auto), &problem, &problem, 1e-7);
    assert_eq!(solution.form, Form::Stored);
    let single = rounded::<f32>(&costs);
    let single = Discrete::matrix(&single, 23, 140).unwrap();
    agree(&device, &to(0.3, 1e-5, Form::Auto), &single, &problem, 1e-3);
}

#[test]
fn ragged_batches_are_solved_as_one_by_one() {
    let device = device();
    let sizes = [(1, 1), (1, 40), (33, 2), (20, 150), (140, 129), (7, 7)];
    let data: Vec<[Vec<f64>; 2]> = sizes
        .iter()
        .enumerate()
        .map(|(k, (n, m))| clouds(Data::Normal, k as u64, *n, *m, 3))
        .collect();
    let problems: Vec<Discrete<'_, f64>> = data
        .iter()
        .enumerate()
        .map(|(k, [x, y])| match k {
            4 => Discrete::clouds(&Euclidean, x, y, 3).unwrap(),
            5 => Discrete::matrix(&x[..14], 2, 7).unwrap(),
            _ => Discrete::clouds(&SqEuclidean, x, y, 3).unwrap(),
        })
        .collect();
    for form in [Form::Auto, Form::Online] {
        let config = to(0.5, 1e-8, form);
        let solutions = sinkhorn_batch(&device, &config, &problems).unwrap();
        assert_eq!(solutions.len(), sizes.len());
        for (solution, problem) in solutions.iter().zip(&problems) {
            let exact = solver::sinkhorn(&config, problem, None).unwrap();
            assert_eq!(solution.status, Status::Converged);
            let (p, q) = (plan(solution, problem), plan(&exact, problem));
            assert!(distance(&p, &q) < 1e-7);
        }
    }
}

#[test]
fn problems_stay_on_the_device_and_starts_are_used() {
    let device = device();
    let [x, y] = clouds(Data::Normal, 5, 40, 41, 2);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let mut resident = Resident::new(&device, &[&problem]).unwrap();
    for form in [Form::Auto, Form::Online] {
        let config = to(0.2, 1e-9, form);
        let cold = resident.solve(&config, &[None]).unwrap().remove(0);
        let warm = resident.solve(&config, &[Some(&cold.potentials)]).unwrap().remove(0);
        assert!(warm.iterations < cold.iterations && warm.iterations <= 10);
        assert!((warm.dual_cost - cold.dual_cost).abs() < 1e-9);
    }
    assert!(matches!(resident.solve(&to(0.2, 1e-9, Form::Auto), &[]), Err(Error::Shape { .. })));
}

#[test]
fn zero_weights_far_points_and_small_epsilon() {
    let device = device();
    for data in [Data::Far, Data::Degenerate] {
        let [x, y] = clouds(data, 5, 30, 33, 2);
        let (mut a, mut b) = (weights(6, 30, 1.0), weights(7, 33, 1.0));
        (a[0], b[32]) = (0.0, 0.0);
        let exact = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
        let sum = |w: &[f64]| w.iter().sum::<f64>();
        let (sa, sb) = (sum(&a), sum(&b));
        a.iter_mut().for_each(|v| *v /= sa);
        b.iter_mut().for_each(|v| *v /= sb);
        let exact = exact.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
        let (xs, ys) = (rounded::<f32>(&x), rounded::<f32>(&y));
        let single = Discrete::clouds(&SqEuclidean, &xs, &ys, 2).unwrap();
        let single = single.with_source_weights(&rounded(&a)).unwrap();
        let single = single.with_target_weights(&rounded(&b)).unwrap();
        for form in [Form::Auto, Form::Online] {
            let found = compare(&device, &to(0.1, 1e-4, form), &single, &exact, 1e-2);
            assert!(found.potentials.f[0].is_finite() && found.potentials.g[32].is_finite());
        }
    }
}

/// Points of weight zero on the spot of a far point that has weight: exp(−f / λ) overflows there.
#[test]
fn zero_weights_under_strong_relaxation() {
    let device = device();
    let [mut x, mut y] = clouds(Data::Normal, 5, 12, 14, 1);
    let (mut a, mut b) = (weights(6, 12, 1.0), weights(7, 14, 1.0));
    (x[0], x[1], y[0], y[1]) = (40.0, -40.0, -40.0, 40.0);
    (a[1], b[1]) = (0.0, 0.0);
    let (xs, ys) = (rounded::<f32>(&x), rounded::<f32>(&y));
    for tau in [0.1, 0.5] {
        let kl = Relaxation::Kl { tau };
        let exact = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
        let exact = exact.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
        let exact = exact.relaxed(kl, kl).unwrap();
        let single = Discrete::clouds(&SqEuclidean, &xs, &ys, 1).unwrap();
        let single = single.with_source_weights(&rounded(&a)).unwrap();
        let single = single.with_target_weights(&rounded(&b)).unwrap().relaxed(kl, kl).unwrap();
        for form in [Form::Auto, Form::Online] {
            agree(&device, &to(1.0, 1e-9, form), &exact, &exact, 1e-6);
            agree(&device, &to(1.0, 1e-3, form), &single, &exact, 1e-2);
        }
    }
}

#[test]
fn limits_and_bad_input() {
    let device = device();
    let (x, y) = ([0.0f32, 1.0], [0.5f32, 2.0]);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let stop = Stop::Tolerance { tolerance: 1e-12, limit: 1 };
    let config = SinkhornConfig { stop, epsilon: Epsilon::Absolute(0.01), ..Default::default() };
    let short = sinkhorn(&device, &config, &problem, None).unwrap();
    assert_eq!((short.status, short.iterations), (Status::IterationLimit, 1));
    let config = SinkhornConfig { epsilon: Epsilon::Absolute(-1.0), ..config };
    let error = sinkhorn(&device, &config, &problem, None);
    assert!(matches!(error, Err(Error::InvalidConfig { .. })));
    let unequal = problem.clone().with_source_weights(&[1.0, 1.0]).unwrap();
    let error = sinkhorn(&device, &SinkhornConfig::default(), &unequal, None);
    assert!(matches!(error, Err(Error::InvalidConfig { .. })));
    // Costs that overflow f32 when divided by ε.
    let config = SinkhornConfig {
        epsilon: Epsilon::Absolute(1e-30),
        stop: Stop::Iterations(3),
        ..Default::default()
    };
    let far = [1e15f32, -1e15];
    let problem = Discrete::clouds(&SqEuclidean, &far, &y, 1).unwrap();
    assert_eq!(sinkhorn(&device, &config, &problem, None).unwrap().status, Status::Diverged);
}

#[test]
fn the_same_bits_in_every_order() {
    let data: Vec<[Vec<f32>; 2]> = [(13, 9), (40, 135)]
        .iter()
        .map(|(n, m)| clouds(Data::Normal, 1, *n, *m, 2).map(|v| rounded(&v)))
        .collect();
    in_every_order(|device| {
        let kl = Relaxation::Kl { tau: 0.9 };
        let problems: Vec<Discrete<'_, f32>> =
            data.iter().map(|d| Discrete::clouds(&SqEuclidean, &d[0], &d[1], 2).unwrap()).collect();
        let relaxed = vec![problems[0].clone().relaxed(kl, kl).unwrap()];
        let mut all = Vec::new();
        for (problems, form) in
            [(&problems, Form::Auto), (&problems, Form::Online), (&relaxed, Form::Auto)]
        {
            let config = SinkhornConfig { form, stop: Stop::Iterations(3), ..Default::default() };
            for solution in sinkhorn_batch(device, &config, problems).unwrap() {
                all.extend(bits(&solution.potentials.f).chain(bits(&solution.potentials.g)));
                all.extend([solution.transport_cost.to_bits(), solution.marginal_error.to_bits()]);
            }
        }
        all
    });
}
