//! What data can do to the discrete solvers: a typed error or the right answer, in every form.

use crate::common;
use brenier::ops::Real;
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{
    exact_transport, sinkhorn, sinkhorn_batch, Annealing, Coupling, Draw, Epsilon, ExactConfig,
    Form, MinibatchCoupling, SinkhornConfig, Solution, Status, Stop,
};

use crate::common::{costs, naive, normals, uniform, weights};

const FORMS: [Form; 3] = [Form::Auto, Form::Stored, Form::Online];
const EPSILONS: [Epsilon; 4] = [
    Epsilon::Absolute(0.5),
    Epsilon::RelativeToMean(0.1),
    Epsilon::RelativeToStd(0.1),
    Epsilon::RelativeToMax(0.1),
];

fn configs() -> impl Iterator<Item = SinkhornConfig> {
    FORMS.into_iter().flat_map(|form| {
        EPSILONS.into_iter().flat_map(move |epsilon| {
            [None, Some(Annealing::default())].map(|annealing| SinkhornConfig {
                form,
                epsilon,
                annealing,
                ..Default::default()
            })
        })
    })
}

/// Every solution of a problem that has one: finite, converged, with the marginals it claims.
fn solutions<E: Real>(problem: &Discrete<'_, E>) -> Vec<Solution> {
    let mut all = Vec::new();
    for config in configs() {
        let s = sinkhorn(&config, problem, None).unwrap();
        for v in [s.epsilon, s.marginal_error, s.mass, s.transport_cost, s.primal_cost, s.dual_cost]
        {
            assert!(v.is_finite(), "{s:?}");
        }
        assert!(s.potentials.f.iter().chain(&s.potentials.g).all(|v| v.is_finite()), "{s:?}");
        assert!(s.status == Status::Converged && s.marginal_error <= 1e-3, "{config:?} {s:?}");
        let plan = s.plan(problem).unwrap();
        let (rows, columns) = plan.marginals();
        assert!(rows.iter().chain(&columns).all(|v| v.is_finite()));
        assert!(plan.matrix().iter().all(|v| v.is_finite() && *v >= E::zero()));
        if config.annealing.is_none() {
            let one = [problem.clone()];
            assert_eq!(sinkhorn_batch(&config, &one).unwrap()[0], s);
        }
        all.push(s);
    }
    all
}

/// No form and no ε takes the problem.
fn refused<E: Real>(problem: &Discrete<'_, E>) {
    for config in configs() {
        let error = sinkhorn(&config, problem, None).unwrap_err();
        assert!(matches!(error, Error::NonFinite { .. } | Error::InvalidConfig { .. }), "{error}");
        let coupling = MinibatchCoupling::Entropic(config);
        assert!(coupling.pairs(problem, Draw::WithReplacement(1), Key::new(0)).is_err());
    }
}

#[test]
fn nan_or_infinite_points_and_costs() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for place in 0..4 {
            let mut x = [0.0f32, 1.0, 2.0, 3.0];
            x[place] = bad;
            let good = [0.0f32; 4];
            for problem in [
                Discrete::clouds(&SqEuclidean, &x, &good, 2),
                Discrete::clouds(&Euclidean, &good, &x, 2),
                Discrete::matrix(&x, 2, 2),
            ] {
                let error = problem.unwrap_err();
                assert!(matches!(error, Error::NonFinite { .. }), "{error}");
            }
        }
        // What a cost function returns is seen when it is called.
        let cost =
            FnCost(move |_: &[f32], y: &[f32], _: &mut [f32]| if y[0] > 1.5 { bad } else { y[0] });
        let (x, y) = ([0.0f32, 1.0], [0.0f32, 1.0, 2.0]);
        refused(&Discrete::clouds(&cost, &x, &y, 1).unwrap());
        let exact = MinibatchCoupling::Exact(ExactConfig::default());
        let problem = Discrete::clouds(&cost, &x, &y, 1).unwrap();
        assert!(exact.pairs(&problem, Draw::WithReplacement(1), Key::new(0)).is_err());
    }
    // Points whose squares overflow: an error, or the right answer where ε is as large.
    let far = Discrete::clouds(&SqEuclidean, &[0.0f32, 1e25], &[0.0, 1.0], 1).unwrap();
    for config in configs() {
        match sinkhorn(&config, &far, None) {
            Ok(s) => assert!((s.transport_cost / 5e49 - 1.0).abs() < 1e-5, "{s:?}"),
            Err(error) => assert!(matches!(error, Error::NonFinite { .. }), "{error}"),
        }
    }
}

#[test]
fn negative_weights_zero_mass_and_weights_that_are_not_finite() {
    let (x, y) = ([0.0f32, 1.0], [0.0f32, 1.0, 2.0]);
    let problem = || Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let bad = [[1.0, -1e-9], [0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0], [-0.5, 1.5]];
    for (k, w) in bad.iter().enumerate() {
        let error = problem().with_source_weights(w).unwrap_err();
        let finite = matches!(error, Error::NonFinite { .. });
        assert_eq!(finite, k == 2 || k == 3, "{error}");
        assert!(problem().with_target_weights(&[w[0], w[1], w[1]]).is_err());
    }
    // Masses that differ where both marginals bind.
    let unequal = problem().with_source_weights(&[1.0, 1.0]).unwrap();
    for config in configs() {
        let error = sinkhorn(&config, &unequal, None).unwrap_err();
        assert!(error.to_string().contains("equal mass"), "{error}");
    }
}

#[test]
fn sizes_that_do_not_match_and_empty_clouds() {
    let (x, y) = ([0.0f32, 1.0, 2.0], [0.0f32, 1.0]);
    let none: [f32; 0] = [];
    for (x, y, d) in [(&x[..], &y[..], 2), (&y, &x, 2), (&none, &y, 1), (&x, &none, 1), (&x, &y, 0)]
    {
        let error = Discrete::clouds(&SqEuclidean, x, y, d).unwrap_err();
        assert!(matches!(error, Error::Shape { .. } | Error::InvalidConfig { .. }), "{error}");
    }
    for (n, m) in [(1, 2), (2, 2), (0, 3), (3, 0), (usize::MAX, 3)] {
        assert!(matches!(Discrete::matrix(&x, n, m), Err(Error::Shape { .. })));
    }
    assert!(matches!(Discrete::<f32>::matrix(&none, 0, 0), Err(Error::Shape { .. })));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    for w in [&[1.0f32][..], &[0.5, 0.5], &[0.25; 4], &[]] {
        assert!(matches!(problem.clone().with_source_weights(w), Err(Error::Shape { .. })));
    }
    let solution = sinkhorn(&SinkhornConfig::default(), &problem, None).unwrap();
    let other = Discrete::clouds(&SqEuclidean, &y, &x, 1).unwrap();
    assert!(matches!(solution.plan(&other), Err(Error::Shape { .. })));
    let start = Some(&solution.potentials);
    let error = sinkhorn(&SinkhornConfig::default(), &other, start).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }));
    let mut broken = solution.potentials.clone();
    broken.f[1] = f64::NAN;
    let error = sinkhorn(&SinkhornConfig::default(), &problem, Some(&broken)).unwrap_err();
    assert!(matches!(error, Error::NonFinite { .. }));
}

#[test]
fn epsilon_and_the_rest_of_the_configuration() {
    let problem = Discrete::clouds(&SqEuclidean, &[0.0f32, 1.0], &[0.0, 2.0, 3.0], 1).unwrap();
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for epsilon in [
            Epsilon::Absolute(value),
            Epsilon::RelativeToMean(value),
            Epsilon::RelativeToStd(value),
            Epsilon::RelativeToMax(value),
        ] {
            let config = SinkhornConfig { epsilon, ..Default::default() };
            let error = sinkhorn(&config, &problem, None).unwrap_err();
            assert!(matches!(error, Error::InvalidConfig { field: "epsilon", .. }), "{error}");
        }
        let stop = Stop::Tolerance { tolerance: value, limit: 10 };
        let config = SinkhornConfig { stop, ..Default::default() };
        assert!(sinkhorn(&config, &problem, None).is_err());
        let annealing = Some(Annealing { start: value, ..Default::default() });
        let config = SinkhornConfig { annealing, ..Default::default() };
        assert!(sinkhorn(&config, &problem, None).is_err());
        let annealing = Some(Annealing { factor: value, ..Default::default() });
        let config = SinkhornConfig { annealing, ..Default::default() };
        assert!(sinkhorn(&config, &problem, None).is_err());
    }
    for stop in [Stop::Iterations(0), Stop::Tolerance { tolerance: 1.0, limit: 0 }] {
        let config = SinkhornConfig { stop, ..Default::default() };
        assert!(sinkhorn(&config, &problem, None).is_err());
    }
    // So small that the costs overflow when divided by it, and as small as can be.
    for form in FORMS {
        let config = |value| SinkhornConfig {
            epsilon: Epsilon::Absolute(value),
            stop: Stop::Tolerance { tolerance: 1e-3, limit: 50 },
            form,
            ..Default::default()
        };
        assert!(matches!(sinkhorn(&config(1e-300), &problem, None), Err(Error::NonFinite { .. })));
        let s = sinkhorn(&config(1e-6), &problem, None).unwrap();
        // 0 → 0 (1/3), 0 → 2 (1/6), 1 → 2 (1/6), 1 → 3 (1/3): the exact plan, which 50 iterations do not
        // reach. Whatever they do reach is a lower bound.
        let exact = 4.0 / 6.0 + 1.0 / 6.0 + 4.0 / 3.0;
        assert!(s.status != Status::Diverged && s.transport_cost.is_finite(), "{s:?}");
        assert!(s.dual_cost.is_finite() && s.dual_cost <= exact * (1.0 + 1e-4), "{s:?}");
        assert_eq!(s.status == Status::Converged, s.marginal_error <= 1e-3);
    }
}

#[test]
fn tau_outside_its_range() {
    let problem = || Discrete::clouds(&SqEuclidean, &[0.0f32, 1.0], &[0.0, 2.0], 1).unwrap();
    let (one, half) = (Relaxation::Kl { tau: 1.0 }, Relaxation::Kl { tau: 0.5 });
    for tau in [0.0, -0.5, 1.0 + 1e-12, 2.0, f64::NAN, f64::INFINITY] {
        for (s, t) in [(Relaxation::Kl { tau }, half), (half, Relaxation::Kl { tau })] {
            let error = problem().relaxed(s, t).unwrap_err();
            assert!(matches!(error, Error::InvalidConfig { field: "tau", .. }), "{error}");
        }
    }
    let mixed = problem().relaxed(one, half).unwrap();
    assert_eq!(mixed.relaxation(), [Relaxation::Balanced, half]);
    // A small τ: marginals that are all but ignored, so that P → a⊗b exp(−C / ε).
    let least = Relaxation::Kl { tau: 1e-3 };
    let loose = problem().relaxed(least, least).unwrap();
    for s in solutions(&loose) {
        let expected = [0.0f64, 4.0, 1.0, 1.0].iter().map(|c| 0.25 * (-c / s.epsilon).exp());
        // Potentials are of the order of τ.
        assert!((s.mass - expected.sum::<f64>()).abs() < 3e-3, "{s:?}");
    }
}

#[test]
fn one_point_and_equal_points() {
    let one = Discrete::clouds(&SqEuclidean, &[1.0f32, 2.0], &[4.0, 6.0], 2).unwrap();
    for s in solutions(&one) {
        assert!((s.transport_cost - 25.0).abs() < 1e-4 && (s.dual_cost - 25.0).abs() < 1e-4);
    }
    let y: Vec<f32> = normals(1, 7);
    let to_many = Discrete::clouds(&SqEuclidean, &[0.5f32], &y, 1).unwrap();
    let expected: f64 = y.iter().map(|y| (f64::from(*y) - 0.5).powi(2)).sum::<f64>() / 7.0;
    for s in solutions(&to_many) {
        assert!((s.transport_cost - expected).abs() < 1e-4, "{s:?} {expected}");
    }
    for d in [1, 2, 30] {
        let (x, y) = (vec![0.3f32; 10 * d], vec![0.3f32; 6 * d]);
        let same = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
        for s in solutions(&same) {
            assert!(s.transport_cost.abs() < 1e-6 && s.dual_cost.abs() < 1e-6, "{s:?}");
            assert!(s.plan(&same).unwrap().matrix().iter().all(|p| (p * 60.0 - 1.0).abs() < 1e-5));
        }
        let same = Discrete::clouds(&Cosine, &x, &y, d).unwrap();
        assert!(solutions(&same).iter().all(|s| s.transport_cost.abs() < 1e-6));
    }
}

#[test]
fn weights_of_zero_and_nearly_zero() {
    let n = 24;
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(2, 2 * n), normals(3, 2 * n));
    let mut a = weights(4, n);
    (a[0], a[5], a[6], a[7]) = (0.0, 1e-6, 1e-12, 1e-30);
    let a = common::normalised(a);
    let mut b = weights(5, n);
    b[n - 1] = 0.0;
    let b = common::normalised(b);
    let c = costs(&x, &y, 2, 2.0);
    let [xs, ys, p, q] = [&x, &y, &a, &b].map(|v| v.iter().map(|v| *v as f32).collect::<Vec<_>>());
    let problem = Discrete::clouds(&SqEuclidean, &xs, &ys, 2).unwrap();
    let problem = problem.with_source_weights(&p).unwrap().with_target_weights(&q).unwrap();
    for s in solutions(&problem).iter().take(2) {
        let expected = naive(&c, &a, &b, s.epsilon, [1.0; 2], 3000);
        let price: f64 = expected.iter().zip(&c).map(|(p, c)| p * c).sum();
        // Plans within 1e-3 in L1 cost the same up to that part of the largest cost.
        let worst = 1e-3 * c.iter().fold(0.0, |w: f64, c| w.max(*c));
        assert!((s.transport_cost - price).abs() < worst);
        let plan = s.plan(&problem).unwrap().matrix();
        assert!(plan[..n].iter().chain(plan.iter().skip(n - 1).step_by(n)).all(|p| *p == 0.0));
    }
}

#[test]
fn a_mass_ratio_of_a_million() {
    let n = 20;
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(6, 2 * n), normals(7, 2 * n));
    let c = costs(&x, &y, 2, 2.0);
    let [xs, ys] = [&x, &y].map(|v| v.iter().map(|v| *v as f32).collect::<Vec<_>>());
    for (heavy, light) in [(5e4, 0.05), (0.05, 5e4)] {
        let problem = Discrete::clouds(&SqEuclidean, &xs, &ys, 2).unwrap();
        let problem = problem.with_source_weights(&vec![heavy as f32; n]).unwrap();
        let problem = problem.with_target_weights(&vec![light as f32; n]).unwrap();
        let kl = Relaxation::Kl { tau: 0.9 };
        for (s, t) in [(kl, kl), (Relaxation::Balanced, kl), (kl, Relaxation::Balanced)] {
            let problem = problem.clone().relaxed(s, t).unwrap();
            for found in solutions(&problem) {
                let tau = [s.tau(), t.tau()];
                let (a, b) = (vec![heavy; n], vec![light; n]);
                let plan = naive(&c, &a, &b, found.epsilon, tau, 1000);
                let mass: f64 = plan.iter().sum();
                assert!((found.mass / mass - 1.0).abs() < 2e-3, "{} {mass}", found.mass);
            }
        }
    }
}

#[test]
fn costs_of_any_size() {
    let n = 20;
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(8, 2 * n), normals(9, 2 * n));
    let c = costs(&x, &y, 2, 2.0);
    let solve = |scale: f64| {
        let c: Vec<f32> = c.iter().map(|c| (c * scale) as f32).collect();
        let problem = Discrete::matrix(&c, n, n).unwrap();
        FORMS.map(|form| {
            let config = SinkhornConfig { form, ..Default::default() };
            let s = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
            s.dual_cost / scale
        })
    };
    let plain = solve(1.0);
    for scale in [1e8, 1e-8, 1e20, 1e-20, 1e30] {
        for (s, t) in solve(scale).iter().zip(&plain) {
            // Rounding of costs and exponents in single precision.
            assert!((s / t - 1.0).abs() < 1e-5, "{scale:e}: {s} {t}");
        }
    }
    let large: Vec<f64> = c.iter().map(|c| c * 1e8).collect();
    let w = uniform(n);
    let exact = |c: &[f64]| exact_transport(c, &w, &w, &ExactConfig::default()).unwrap().cost;
    assert!((exact(&large) / exact(&c) - 1e8).abs() < 1e-5);
}
