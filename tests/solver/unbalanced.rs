//! The unbalanced form of a step, where the truth is known.

use brenier::neural::{resampled, UnbalancedConfig};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{sinkhorn, Epsilon, Stop};
use dfdx::prelude::Module;

fn config(tau: f64, epsilon: f64) -> UnbalancedConfig {
    let mut config: UnbalancedConfig = UnbalancedConfig { tau: [tau; 2], ..Default::default() };
    config.sinkhorn.epsilon = Epsilon::Absolute(epsilon);
    config.sinkhorn.stop = Stop::Tolerance { tolerance: 1e-6, limit: 10_000 };
    config
}

/// Atoms of masses ¾ and ¼ against ¼ and ¾ in the same two places, far apart. Within a place the plan has
/// the mass m that minimises λ KL(m|a) + λ KL(m|b) + ε KL(m|ab), m = (ab)^(1/(1 + τ)).
#[test]
fn ratios_are_those_of_the_plan() {
    for tau in [0.5, 0.9, 0.99] {
        let source = points::<1>(vec![0.0, 0.0, 0.0, 10.0]).unwrap();
        let target = points::<1>(vec![0.0, 10.0, 10.0, 10.0]).unwrap();
        let batch = Batch::new(source, target).unwrap();
        let seen = resampled(&config(tau, 0.1), &batch, Key::new(0)).unwrap();
        let m = (3.0f64 / 16.0).powf(1.0 / (1.0 + tau));
        let close = |found: f64, wanted: f64| (found - wanted).abs() < 1e-4 * wanted;
        assert!(close(seen.mass, 2.0 * m), "{} {}", seen.mass, 2.0 * m);
        for (i, many) in [(0, 0.75), (1, 0.75), (2, 0.75), (3, 0.25)] {
            assert!(close(seen.source_ratio[i], m / many), "{:?}", seen.source_ratio);
            assert!(close(seen.target_ratio[3 - i], m / many), "{:?}", seen.target_ratio);
        }
    }
}

/// Both sides are drawn by the marginals: the copies of a point are its share of n, rounded up or down.
#[test]
fn points_are_drawn_by_their_ratios() {
    let n = 200;
    let x = points::<1>(Key::new(1).normal(n)).unwrap();
    let y = points::<1>(Key::new(2).normal(n).iter().map(|v| v + 1.0).collect()).unwrap();
    let batch = Batch::new(x.clone(), y.clone()).unwrap();
    let config = config(0.7, 0.05);
    let seen = resampled(&config, &batch, Key::new(3)).unwrap();
    // The ratios against the marginals of the solver, which has tests of its own.
    let [tau, _] = config.tau;
    let kl = brenier::problem::Relaxation::Kl { tau };
    let problem = Discrete::points(&SqEuclidean, &x, &y).unwrap().relaxed(kl, kl).unwrap();
    let solution = sinkhorn(&config.sinkhorn, &problem, None).unwrap();
    let (u, _) = solution.plan(&problem).unwrap().marginals();
    let total: f64 = seen.source_ratio.iter().sum();
    let drawn = rows(&seen.batch.source);
    for (i, v) in rows(&x).iter().enumerate() {
        assert!((seen.source_ratio[i] - n as f64 * f64::from(u[i])).abs() < 1e-5);
        let copies = drawn.iter().filter(|d| *d == v).count() as f64;
        let mean = n as f64 * seen.source_ratio[i] / total;
        assert!((copies - mean).abs() < 1.0 + 1e-6, "{copies} copies, {mean} on average");
    }
    let again = resampled(&config, &batch, Key::new(3)).unwrap();
    assert_eq!(rows(&again.batch.target), rows(&seen.batch.target));
    let other = resampled(&config, &batch, Key::new(4)).unwrap();
    assert_ne!(rows(&other.batch.target), rows(&seen.batch.target));
}

/// Three quarters of the source left and a quarter right, and the other way round a step to the north. The
/// balanced map takes two thirds of the left to the right; the unbalanced one goes north. The ratios of
/// masses are those of atoms, (ab)^(1/(1 + τ)) e^(−(c/ε)(1 − τ)/(1 + τ)) for the cost c = 1 of the step.
#[test]
fn changed_weights_do_not_move_points() {
    let left = [-4.0f32, 0.0];
    let right = [4.0f32, 0.0];
    let north = |[x, y]: [f32; 2]| [x, y + 1.0];
    let mixture =
        |means: [[f32; 2]; 4]| GaussianMixture::<2>::isotropic(means.concat(), 0.1).unwrap();
    let source = mixture([left, left, left, right]);
    let target = mixture([north(left), north(right), north(right), north(right)]);
    let batches = Sampled::new(source, target, 64).unwrap();
    let batches = || batches.clone().with_source_parts(4).unwrap().batches(Key::new(1)).take(300);
    let adam = AdamConfig::with_rate(2e-3);
    let not: NotConfig<SqEuclidean> = NotConfig {
        map_steps: 3,
        map: adam.clone(),
        potential: adam.clone(),
        ..Default::default()
    };
    type F = Mlp<2, 32, 1, 1, Silu>;
    type T = Displacement<Mlp<2, 32, 1, 2, Silu>>;
    let start = || {
        let (f, t): (F, T) = (build(Key::new(2)), build(Key::new(3)));
        not_init(&not, f, t).unwrap()
    };
    let quiet = &mut |_: &_, _: &_| Ok(());
    let step = |s, b: &Batch<2>, k| not_step(&not, s, b, k);
    let balanced = run(&step, start(), batches(), Key::new(4), quiet).unwrap();

    let config = UnbalancedConfig { rescaling: adam, ..config(0.9, 1.0) };
    let (eta, xi): (F, F) = (build(Key::new(5)), build(Key::new(6)));
    let begin = Unbalanced::new(&config, start(), eta, xi).unwrap();
    let step = with_unbalanced(config, step);
    let quiet = &mut |_: &_, _: &_| Ok(());
    let unbalanced = run(&step, begin, batches(), Key::new(4), quiet).unwrap();

    let there = GaussianMixture::<2>::isotropic(left.to_vec(), 0.1).unwrap();
    let there = there.sample(Key::new(7), 500).unwrap();
    let crossed = |map: &T| {
        let images = rows(&map.forward(there.clone()));
        images.chunks(2).filter(|y| y[0] > 0.0).count() as f64 / 500.0
    };
    let (of_balanced, of_unbalanced) =
        (crossed(balanced.map.params()), crossed(unbalanced.state.map.params()));
    assert!(of_balanced > 0.4, "balanced: {of_balanced} of the left goes right");
    assert!(of_unbalanced < 0.05, "unbalanced: {of_unbalanced} of the left goes right");

    let m = (3.0f64 / 16.0).powf(1.0 / 1.9) * (-0.1f64 / 1.9).exp();
    let at = |net: &Positive<F>, x: [f32; 2]| {
        f64::from(rows(&net.forward(points::<2>(x.to_vec()).unwrap()))[0])
    };
    let (eta, xi) = (unbalanced.eta.params(), unbalanced.xi.params());
    for (found, wanted) in [
        (at(eta, left), m / 0.75),
        (at(eta, right), m / 0.25),
        (at(xi, north(left)), m / 0.25),
        (at(xi, north(right)), m / 0.75),
    ] {
        // 64 points of a batch hold a component of weight ¼ to within 12 % of the root of its ratio.
        assert!((found - wanted).abs() < 0.15 * wanted, "ratio {found}, {wanted} expected");
    }
}

#[test]
fn bad_configurations_are_refused() {
    for tau in [0.0, 1.5, f64::NAN] {
        let net = || build::<Mlp<2, 4, 0, 1>, f32, Cpu>(Key::new(0));
        let error = Unbalanced::new(&config(tau, 1.0), (), net(), net()).unwrap_err().to_string();
        assert!(error.contains("invalid tau"), "{error}");
    }
}
