//! The same configurations, results and tests on the host and on the device.

use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{
    Acceleration, Annealing, Coupling, Draw, Epsilon, ExactConfig, Form, Host, MinibatchCoupling,
    SinkhornConfig, SolverDevice, Status, Stop,
};

use crate::emulated::*;

fn config(form: Form) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance: 1e-9, limit: 3000 };
    SinkhornConfig { epsilon: Epsilon::RelativeToMean(0.1), stop, form, ..Default::default() }
}

fn couplings() -> Vec<MinibatchCoupling> {
    let of = |form| MinibatchCoupling::Entropic(config(form));
    let sinkhorn = config(Form::Auto);
    vec![
        MinibatchCoupling::Independent,
        MinibatchCoupling::Exact(ExactConfig::default()),
        of(Form::Auto),
        of(Form::Online),
        of(Form::Stored),
        MinibatchCoupling::Unbalanced { sinkhorn, tau: [0.9, 1.0] },
        MinibatchCoupling::Unbalanced { sinkhorn, tau: [0.8, 0.7] },
    ]
}

const DRAWS: [Draw; 3] =
    [Draw::WithReplacement(60), Draw::WithoutReplacement(40), Draw::WithReplacement(1)];

/// What every device has to give: the numbers asked for, by weights that are not zero, and errors.
fn holds_on<D: SolverDevice<f64> + Clone>(device: &D) {
    let [x, y] = clouds(Data::Normal, 3, 25, 31, 2);
    let mut a = vec![1.0; 25];
    (a[3], a[4]) = (0.0, 2.0);
    let balanced = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let weighted = balanced.clone().with_source_weights(&a).unwrap();
    let weighted = weighted.with_target_weights(&[25.0 / 31.0; 31]).unwrap();
    for coupling in couplings() {
        let on = coupling.clone().on(device.clone());
        for draw in DRAWS {
            let (Draw::WithReplacement(k) | Draw::WithoutReplacement(k)) = draw;
            let exact = matches!(coupling, MinibatchCoupling::Exact(_));
            let pairs = on.pairs(&weighted, draw, Key::new(7));
            let pairs = match pairs {
                Err(Error::InvalidConfig { .. }) if exact => continue,
                other => other.unwrap(),
            };
            assert_eq!(pairs.len(), k, "{coupling:?} {draw:?}");
            assert!(pairs.iter().all(|(i, j)| *i != 3 && *i < 25 && *j < 31));
            if let Draw::WithoutReplacement(_) = draw {
                let mut unique = pairs.clone();
                unique.sort_unstable();
                unique.dedup();
                assert_eq!(unique.len(), k);
            }
        }
        let most = Draw::WithoutReplacement(25 * 31);
        assert!(matches!(on.pairs(&weighted, most, Key::new(7)), Err(Error::InvalidConfig { .. })));
    }
    let bad = SinkhornConfig { form: Form::Separable, ..config(Form::Auto) };
    let error = device.sinkhorn(&bad, &balanced, None);
    assert!(matches!(error, Err(Error::InvalidConfig { .. })), "{error:?}");
    let bad = SinkhornConfig { epsilon: Epsilon::Absolute(0.0), ..config(Form::Auto) };
    let error = device.entropic_pairs(&bad, &balanced, Draw::WithReplacement(1), Key::new(0));
    assert!(matches!(error, Err(Error::InvalidConfig { .. })), "{error:?}");
}

#[test]
fn couplings_hold_on_the_host_and_on_the_device() {
    holds_on(&Host);
    let device = device();
    holds_on(&(*device).clone());
}

#[test]
fn the_same_pairs_on_both() {
    let device = device();
    let [x, y] = clouds(Data::Normal, 4, 40, 30, 3);
    let costs: Vec<f64> = Key::new(3).normal(40 * 30).iter().map(|v| f64::from(*v)).collect();
    let cloud = Discrete::clouds(&Euclidean, &x, &y, 3).unwrap();
    let matrix = Discrete::matrix(&costs, 40, 30).unwrap();
    // A mean of random costs is near zero.
    let absolute = |coupling| match coupling {
        MinibatchCoupling::Entropic(config) => {
            let epsilon = Epsilon::Absolute(0.3);
            MinibatchCoupling::Entropic(SinkhornConfig { epsilon, ..config })
        }
        other => other,
    };
    for (problem, couplings) in
        [(cloud, couplings()), (matrix, couplings().into_iter().take(5).map(absolute).collect())]
    {
        for coupling in couplings {
            for draw in DRAWS {
                let host = coupling.pairs(&problem, draw, Key::new(5)).unwrap();
                let on = coupling.clone().on((*device).clone());
                let pairs = on.pairs(&problem, draw, Key::new(5)).unwrap();
                assert_eq!(pairs, host, "{coupling:?} {draw:?}");
            }
        }
    }
}

/// The least squares of counts against a law of few cells.
#[test]
fn draws_in_single_precision_follow_the_plan() {
    let device = device();
    let (x, y) = ([0.0f32, 1.0, 2.0], [0.2f32, 0.9, 2.4, 3.0]);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let sinkhorn = config(Form::Auto);
    let stop = Stop::Tolerance { tolerance: 1e-5, limit: 3000 };
    let sinkhorn = SinkhornConfig { stop, ..sinkhorn };
    let solution = Host.sinkhorn(&sinkhorn, &problem, None).unwrap();
    let law = solution.plan(&problem).unwrap().matrix();
    let draws = 3000;
    for pairs in [
        Host.entropic_pairs(&sinkhorn, &problem, Draw::WithReplacement(draws), Key::new(2)),
        device.entropic_pairs(&sinkhorn, &problem, Draw::WithReplacement(draws), Key::new(2)),
    ] {
        let mut counts = [0.0; 12];
        pairs.unwrap().iter().for_each(|(i, j)| counts[i * 4 + j] += 1.0);
        let cells = counts.iter().zip(&law).filter(|(_, p)| **p * draws as f32 >= 5.0);
        let chi: f64 = cells
            .map(|(count, p)| {
                let expected = draws as f64 * f64::from(*p);
                (count - expected).powi(2) / expected
            })
            .sum();
        // χ² of at most 12 cells exceeds 12 + 2 √(12 · 20) + 40 with probability e⁻²⁰.
        assert!(chi < 83.0, "{chi}");
    }
}

#[test]
fn the_same_iterations_on_both() {
    let device = device();
    let (n, m) = (37, 50);
    let [x, y] = clouds(Data::Normal, 5, n, m, 2);
    let balanced = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let kl = Relaxation::Kl { tau: 0.95 };
    let relaxed = balanced.clone().relaxed(kl, Relaxation::Balanced).unwrap();
    let annealing = Some(Annealing { start: 20.0, factor: 0.5, iterations: 2 });
    let mut most = 0;
    for problem in [&balanced, &relaxed] {
        for form in [Form::Auto, Form::Online, Form::Stored] {
            for (epsilon, tolerance, limit, acceleration, annealing) in [
                (0.5, 1e-9, 3000, Acceleration::Automatic, None),
                (0.15, 1e-9, 3000, Acceleration::Automatic, None),
                (0.15, 1e-9, 3000, Acceleration::Automatic, annealing),
                (0.5, 1e-6, 3000, Acceleration::Off, None),
                (0.15, 1e-9, 23, Acceleration::Automatic, None),
                (0.15, 1e-9, 5, Acceleration::Automatic, annealing),
            ] {
                let stop = Stop::Tolerance { tolerance, limit };
                let epsilon = Epsilon::Absolute(epsilon);
                let config = SinkhornConfig { epsilon, stop, annealing, acceleration, form };
                let host = Host.sinkhorn(&config, problem, None).unwrap();
                let found = device.sinkhorn(&config, problem, None).unwrap();
                assert_eq!(
                    (found.iterations, found.status),
                    (host.iterations, host.status),
                    "{config:?}"
                );
                let scale = largest(&host.potentials.f).max(1.0);
                let apart = distance(&found.potentials.f, &host.potentials.f);
                assert!(apart <= 1e-8 * scale, "{apart:e} {config:?}");
                most = most.max(found.iterations);
            }
        }
    }
    // Long enough for over-relaxation to have begun, and been judged.
    assert!(most > 40, "{most}");
}

/// Problems of the small kernel and of the others, solved together, are as solved alone.
#[test]
fn batches_of_small_and_large_problems() {
    let device = device();
    let sizes = [(12, 9), (150, 140), (20, 30)];
    let data: Vec<[Vec<f32>; 2]> = sizes
        .iter()
        .map(|(n, m)| clouds(Data::Normal, 1, *n, *m, 2).map(|v| rounded(&v)))
        .collect();
    let problems: Vec<Discrete<'_, f32>> =
        data.iter().map(|d| Discrete::clouds(&SqEuclidean, &d[0], &d[1], 2).unwrap()).collect();
    let stop = Stop::Tolerance { tolerance: 1e-4, limit: 500 };
    let config =
        SinkhornConfig { stop, epsilon: Epsilon::RelativeToMean(0.1), ..Default::default() };
    let together = device.sinkhorn_batch(&config, &problems).unwrap();
    let host = Host.sinkhorn_batch(&config, &problems).unwrap();
    for ((solution, host), problem) in together.iter().zip(&host).zip(&problems) {
        let alone = device.sinkhorn(&config, problem, None).unwrap();
        let outcome = (solution.status, solution.iterations);
        assert_eq!(outcome, (Status::Converged, alone.iterations));
        // The blocks, and so the order of sums, may differ: some roundings of f32.
        let rounding = 8.0 * unit::<f32>() * largest(&alone.potentials.g);
        assert!(distance(&solution.potentials.f, &alone.potentials.f) <= rounding);
        // Both are within the tolerance of the same plan; ε times its logarithm is the rest.
        let apart = (solution.dual_cost - host.dual_cost).abs();
        assert!(apart <= 1e-3 * host.dual_cost.abs(), "{apart:e}");
    }
}
