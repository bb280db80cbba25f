//! The weak baselines of the Wasserstein-2 benchmark: what they learn, and the loss of QC by loops.

use crate::common::{cloud, gradient_norm, module};
use brenier::prelude::*;
use brenier::solver::assignment;
use brenier::testing::STEP;

fn quick(steps: u64, rate: f64, betas: (f64, f64)) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 };
    AdamConfig { betas, schedule, ..AdamConfig::with_rate(rate) }
}

/// Better than the best affine map (13.2) at D = 2.
#[test]
fn batch_and_regularised_duals_learn_a_known_map() {
    type F = PotentialMap<Mlp<2, 64, 1, 1, Celu>>;
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [f, g, data, training, score] = Key::new(1).split();
    let steps = 1000;
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let batches = || batches.clone().batches(data).take(steps as usize);
    let adam = quick(steps, 2e-3, (0.9, 0.99));

    let config =
        BatchDualConfig::<HalfSqEuclidean> { potential: adam.clone(), ..Default::default() };
    let state = batch_dual_init(&config, build::<F, _, _>(f)).unwrap();
    let step = |s, b: &Batch<2>, k| batch_dual_step(&config, s, b, k);
    let state = run(&step, state, batches(), training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let map = state.potential.params().map_for(&config.cost);
    let uvp = map_error(&pair, &map, score, 4096).unwrap().l2_uvp;
    println!("MM-B {uvp}");
    assert!(uvp < 7.0, "MM-B {uvp}");

    for (penalty, epsilon) in [(Penalty::Quadratic, 0.03), (Penalty::Entropic, 0.1)] {
        let config = RegularisedDualConfig::<HalfSqEuclidean> {
            penalty,
            epsilon,
            source: adam.clone(),
            target: adam.clone(),
            ..Default::default()
        };
        let (f, g): (F, F) = (build(f), build(g));
        let state = regularised_dual_init(&config, f, g).unwrap();
        let step = |s, b: &Batch<2>, k| regularised_dual_step(&config, s, b, k);
        let state = run(&step, state, batches(), training, &mut |_: &_, _: &_| Ok(())).unwrap();
        let map = state.source.params().map_for(&config.cost);
        let uvp = map_error(&pair, &map, score, 4096).unwrap().l2_uvp;
        println!("LS {penalty:?} {uvp}");
        assert!(uvp < 13.0, "LS {penalty:?} {uvp}");
    }
}

/// QC at D = 2: this run reached 7.4, 11.1 without the term of the slopes; the best affine map has 13.2.
#[test]
fn regressed_duals_learn_a_known_map() {
    type Psi = PlusHalfSquare<Mlp<2, 64, 1, 1, Celu>>;
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [init, data, training, score] = Key::new(1).split();
    let steps = 1000;
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let potential = quick(steps, 2e-3, (0.9, 0.99));
    let config = RegressedDualConfig { potential, slope_weight: 1.0 };
    let state = regressed_dual_init(&config, build::<Psi, _, _>(init)).unwrap();
    let step = |s, b: &Batch<2>, k| regressed_dual_step(&config, s, b, k);
    let batches = batches.batches(data).take(steps as usize);
    let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let map = GradientMap(state.potential.params().clone());
    let uvp = map_error(&pair, &map, score, 4096).unwrap().l2_uvp;
    println!("QC {uvp}");
    assert!(uvp < 9.0, "QC {uvp}");
}

type Small = DenseIcnn<2, 4, 0, 3, Softplus, f64>;

/// The least total of an n × n matrix over all permutations.
fn least(costs: &[f64], used: &mut Vec<usize>, n: usize) -> f64 {
    let row = used.len();
    let mut best = if row == n { 0.0 } else { f64::INFINITY };
    for j in 0..n {
        if row < n && !used.contains(&j) {
            used.push(j);
            best = best.min(costs[row * n + j] + least(costs, used, n));
            used.pop();
        }
    }
    best
}

#[test]
fn the_regressed_loss_and_its_gradient_are_those_by_loops() {
    let (n, w) = (6, 0.7);
    let psi: Small = module(1, 0.5);
    let config = RegressedDualConfig { slope_weight: w, ..Default::default() };
    let batch = Batch::new(cloud::<2, f64>(3, n), cloud(4, n)).unwrap();
    let (x, y) = (rows(&batch.source), rows(&batch.target));
    let half = |p: &[f64]| 0.5 * (p[0] * p[0] + p[1] * p[1]);
    let costs: Vec<f64> = x
        .chunks(2)
        .flat_map(|x| y.chunks(2).map(move |y| half(&[x[0] - y[0], x[1] - y[1]])))
        .collect();
    // Potentials are not unique: these are optimal if they are feasible and their sum is the least cost.
    let dual = assignment(&costs, n).unwrap();
    let (f, g) = (&dual.source_potential, &dual.target_potential);
    let exact = least(&costs, &mut Vec::new(), n);
    assert!((f.iter().sum::<f64>() + g.iter().sum::<f64>() - exact).abs() < 1e-12);
    for (k, c) in costs.iter().enumerate() {
        assert!(f[k / n] + g[k % n] <= c + 1e-12);
    }
    let shift = (g.iter().sum::<f64>() - f.iter().sum::<f64>()) / (2 * n) as f64;
    let terms = |psi: &Small| {
        let value = |p: &[f64]| {
            rows(&psi.forward(brenier::tensor::points_on(&Cpu::default(), p.to_vec()).unwrap()))[0]
        };
        let h = |p: &[f64]| value(p) - half(p);
        let slope = |p: &[f64]| {
            let (dx, dy) = ([p[0] + STEP, p[1]], [p[0], p[1] + STEP]);
            let (ux, uy) = ([p[0] - STEP, p[1]], [p[0], p[1] - STEP]);
            (h(&dx) - h(&ux)).hypot(h(&dy) - h(&uy)) / (2.0 * STEP)
        };
        let (mut sources, mut targets, mut lengths) = (0.0, 0.0, 0.0);
        for i in 0..n {
            let (p, q) = (&x[2 * i..][..2], &y[2 * dual.targets[i]..][..2]);
            sources += (h(p) + f[i] + shift).powi(2) / n as f64;
            targets += (h(&y[2 * i..][..2]) - g[i] + shift) / n as f64;
            lengths += (slope(p) - (p[0] - q[0]).hypot(p[1] - q[1])).powi(2) / n as f64;
        }
        [0.5 * (sources + targets * targets), 0.5 * w * lengths]
    };
    let state = regressed_dual_init(&config, psi.clone()).unwrap();
    let (_, seen) = regressed_dual_step(&config, state, &batch, Key::new(0)).unwrap();
    let [regression, penalty] = terms(&psi);
    assert!((seen.dual_value - exact / n as f64).abs() < 1e-12);
    assert!((seen.regression - regression).abs() < 1e-10 * regression, "{seen:?} {regression}");
    // Slopes by differences: eight digits.
    assert!((seen.slope_penalty - penalty).abs() < 1e-7 * penalty, "{seen:?} {penalty}");
    let norm = gradient_norm(&psi, |psi| terms(psi).iter().sum());
    // Differences of differences with steps of 1e-4: five digits.
    assert!((seen.potential_gradient_norm - norm).abs() < 1e-5 * norm, "{seen:?} {norm}");
}

#[test]
fn bad_configurations_and_batches_are_refused() {
    let regularised = RegularisedDualConfig::<NegDot> { epsilon: 0.0, ..Default::default() };
    let init = regularised_dual_init::<_, f64, Cpu, Small, Small>;
    assert!(init(&regularised, module(1, 0.5), module(2, 0.5)).is_err());
    for slope_weight in [-1.0, f64::NAN] {
        let config = RegressedDualConfig { slope_weight, ..Default::default() };
        let error = regressed_dual_init::<f64, Cpu, Small>(&config, module(1, 0.5)).unwrap_err();
        assert!(error.to_string().contains("slope_weight"), "{error}");
    }
    let config = RegressedDualConfig::default();
    let state = regressed_dual_init::<f64, Cpu, Small>(&config, module(1, 0.5)).unwrap();
    let uneven = Batch::new(cloud(3, 5), cloud(4, 6)).unwrap();
    let error = regressed_dual_step(&config, state, &uneven, Key::new(0)).unwrap_err();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
}
