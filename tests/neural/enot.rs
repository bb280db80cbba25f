//! Expectile-regularised transport: its losses against loops, and what it learns.

use crate::common;
use crate::common::{cloud, module};
use brenier::function::{arrays, replace, NamedArray};
use brenier::prelude::*;
use brenier::tensor::points_on;
use brenier::testing::STEP;
use dfdx::prelude::TensorFromVec;

type Net = PotentialMap<Mlp<2, 64, 1, 1, Celu>>;
/// In double precision and small, for differences.
type Small = PotentialMap<Mlp<2, 5, 1, 1, Softplus, f64>>;
type SmallState = EnotState<Small, Small, f64>;

/// The losses of the module's head, by loops over one pair at a time; T(x) = x − ½∇f(x) for |x − y|².
struct Losses {
    map: f64,
    dual: f64,
    regulariser: f64,
}

fn by_loops(config: &EnotConfig<SqEuclidean>, f: &Small, g: &Small, b: &Batch<2, f64>) -> Losses {
    let at = |g: &Small, y: &[f64]| {
        let y = Cpu::default().tensor_from_vec(y.to_vec(), (1, Const::<2>));
        rows(&g.forward(y))[0]
    };
    let (x, y) = (rows(&b.source), rows(&b.target));
    let n = x.len() / 2;
    let mut losses = Losses { map: 0.0, dual: 0.0, regulariser: 0.0 };
    for (x, y) in x.chunks(2).zip(y.chunks(2)) {
        // ∇f by central differences.
        let slope = |i: usize| {
            let moved = |by: f64| {
                let mut x = x.to_vec();
                x[i] += by;
                at(f, &x)
            };
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        };
        let image = [x[0] - 0.5 * slope(0), x[1] - 0.5 * slope(1)];
        let cost = |y: &[f64]| (x[0] - y[0]).powi(2) + (x[1] - y[1]).powi(2);
        let conjugate = cost(&image) - at(g, &image);
        let d = conjugate + at(g, y) - cost(y);
        let expectile = if d > 0.0 { config.expectile } else { 1.0 - config.expectile } * d * d;
        losses.map += conjugate / n as f64;
        losses.dual += (conjugate + at(g, y)) / n as f64;
        losses.regulariser += config.regularisation * expectile / n as f64;
    }
    losses
}

fn small() -> (EnotConfig<SqEuclidean>, SmallState, Batch<2, f64>) {
    let config = EnotConfig { expectile: 0.8, ..EnotConfig::default() };
    let state = enot_init(&config, module(1, 0.7), module(2, 0.7)).unwrap();
    (config, state, Batch::new(cloud(3, 40), cloud(4, 40)).unwrap())
}

#[test]
fn metrics_are_the_losses_by_loops() {
    let (config, state, batch) = small();
    let exact = by_loops(&config, state.source.params(), state.target.params(), &batch);
    let (_, seen) = enot_step(&config, state, &batch, Key::new(0)).unwrap();
    // The slopes by differences are off by 1e-10, and g bends by no more than ten.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-8;
    assert!(close(seen.map_loss, exact.map), "{seen:?} {}", exact.map);
    assert!(close(seen.dual_value, exact.dual) && close(seen.regulariser, exact.regulariser));
    assert!(close(seen.potential_loss, exact.regulariser - exact.dual));
    // Both branches of the expectile are seen.
    assert!(exact.regulariser > 0.0);
}

/// With one step of Adam from zero moments each parameter moves by rate · sign(slope) (for slopes well
/// above ε): the signs must be those of differences of the losses by loops.
#[test]
fn a_step_descends_the_losses_by_loops() {
    let (config, state, batch) = small();
    let (f, g) = (state.source.params().clone(), state.target.params().clone());
    let (after, seen) = enot_step(&config, state, &batch, Key::new(0)).unwrap();
    let mut compared = 0;
    let mut square_norms = [0.0, 0.0];
    for (side, (before, after)) in
        [(&f, after.source.params()), (&g, after.target.params())].into_iter().enumerate()
    {
        let (start, end) = (arrays(before), arrays(after));
        for (a, (start_array, end_array)) in start.iter().zip(&end).enumerate() {
            for (i, (from, to)) in start_array.values.iter().zip(&end_array.values).enumerate() {
                let loss = |by: f64| {
                    let mut values = start.clone();
                    values[a].values[i] += by;
                    let mut moved = before.clone();
                    replace(&mut moved, &values).unwrap();
                    if side == 0 {
                        return by_loops(&config, &moved, &g, &batch).map;
                    }
                    let losses = by_loops(&config, &f, &moved, &batch);
                    losses.regulariser - losses.dual
                };
                let h = 1e-4;
                let slope = (loss(h) - loss(-h)) / (2.0 * h);
                square_norms[side] += slope * slope;
                if slope.abs() > 1e-4 {
                    let moved = (to - from) / config.source.rate;
                    assert!(
                        (moved + slope.signum()).abs() < 1e-2,
                        "{side} {a} {i} {slope} {moved}"
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 60, "{compared}");
    // The curvature of the loss times h² = 1e-8, and differences of differences: four digits.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * b;
    assert!(close(seen.map_gradient_norm, square_norms[0].sqrt()), "{seen:?} {square_norms:?}");
    assert!(close(seen.potential_gradient_norm, square_norms[1].sqrt()));
}

/// T(x) = the y with ∇ₓc(x, y) = p, for each cost: the gradient of the cost in x, by differences.
#[test]
fn the_twist_inverts_the_gradient_of_the_cost() {
    fn check<C: brenier::geometry::TwistCost<f64> + std::fmt::Debug>(cost: C) {
        let (x, p) = ([0.3, -1.2, 0.7], [0.9, -0.4, 0.2]);
        let mut y = [0.0; 3];
        cost.twist(&x, &p, &mut y);
        for i in 0..3 {
            let moved = |by: f64| {
                let mut x = x;
                x[i] += by;
                cost.value(&x, &y)
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            assert!((slope - p[i]).abs() < 1e-9, "{cost:?} {i}: {slope}");
        }
        let seed = [1.0, -2.0, 0.5];
        let mut back = [0.0; 3];
        cost.twist_backward(&p, &seed, &mut back);
        for i in 0..3 {
            let moved = |by: f64| {
                let (mut p, mut y) = (p, [0.0; 3]);
                p[i] += by;
                cost.twist(&x, &p, &mut y);
                y.iter().zip(seed).map(|(y, s)| y * s).sum::<f64>()
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            assert!((slope - back[i]).abs() < 1e-9, "{cost:?} {i}: {slope}");
        }
    }
    check(SqEuclidean);
    check(HalfSqEuclidean);
    check(NegDot);
    check(PNorm::new(1.5).unwrap());
    check(PNorm::new(3.0).unwrap());
}

#[test]
fn back_and_forth_exchanges_the_sides() {
    let (config, state, batch) = small();
    let step = back_and_forth(
        |s, b: &Batch<2, f64>, k| enot_step(&config, s, b, k),
        |s, b: &Batch<2, f64>, k| enot_step(&config, s, b, k),
    );
    let (even, _) = step.step(state.clone(), &batch, Key::new(0)).unwrap();
    let (direct, _) = enot_step(&config, state, &batch, Key::new(0)).unwrap();
    assert_eq!(arrays(even.source.params()), arrays(direct.source.params()));
    let (odd, _) = step.step(even, &batch, Key::new(0)).unwrap();
    let swapped = EnotState { step: 1, source: direct.target, target: direct.source };
    let turned = Batch::new(batch.target.clone(), batch.source.clone()).unwrap();
    let (swapped, _) = enot_step(&config, swapped, &turned, Key::new(0)).unwrap();
    assert_eq!(arrays(odd.source.params()), arrays(swapped.target.params()));
    assert_eq!(arrays(odd.target.params()), arrays(swapped.source.params()));
    assert_eq!(odd.step, 2);
}

#[test]
fn bad_configurations_and_batches_are_refused() {
    let (config, state, batch) = small();
    for (expectile, regularisation) in [(0.0, 0.3), (1.1, 0.3), (f64::NAN, 0.3), (0.9, -0.1)] {
        let bad = EnotConfig { expectile, regularisation, ..config.clone() };
        let init = enot_init::<_, f64, Cpu, Small, Small>(&bad, module(1, 0.7), module(2, 0.7));
        assert!(init.unwrap_err().to_string().contains("invalid"));
    }
    let uneven = Batch::new(batch.source, cloud(4, 39)).unwrap();
    let error = enot_step(&config, state, &uneven, Key::new(0)).unwrap_err().to_string();
    assert!(error.contains("40 points") && error.contains("39"), "{error}");
}

#[test]
fn it_learns_a_known_map() {
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [f, g, data, training, score] = Key::new(1).split();
    let steps = 2000;
    let adam = AdamConfig {
        betas: (0.9, 0.99),
        schedule: Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 },
        ..AdamConfig::with_rate(2e-3)
    };
    let config = EnotConfig::<HalfSqEuclidean> {
        source: adam.clone(),
        target: adam,
        ..EnotConfig::default()
    };
    let (f, g): (Net, Net) = (build(f), build(g));
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let step = back_and_forth(
        |s, b: &Batch<2>, k| enot_step(&config, s, b, k),
        |s, b: &Batch<2>, k| enot_step(&config, s, b, k),
    );
    let state = enot_init(&config, f, g).unwrap();
    let batches = batches.batches(data).take(steps as usize);
    let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let error =
        map_error(&pair, &state.source.params().map_for(&config.cost), score, 4096).unwrap();
    // The best affine map has 13.2; this run reached 0.9.
    assert!(error.l2_uvp < 2.0, "{error:?}");
}

#[test]
fn a_free_map_learns_a_translation() {
    let (p, q) =
        (GaussianMixture::<2>::standard(), GaussianMixture::isotropic(vec![3.0, -1.0], 1.0));
    let adam = AdamConfig {
        betas: (0.9, 0.99),
        schedule: Schedule::Cosine { warm_up: 0, total: 2000, floor: 0.01 },
        ..AdamConfig::with_rate(1e-3)
    };
    let config = EnotConfig::<PNorm> {
        expectile: 0.99,
        regularisation: 1.0,
        source: adam.clone(),
        target: adam,
        ..EnotConfig::with_cost(PNorm::new(1.5).unwrap())
    };
    let [f, g, data, training, score] = Key::new(2).split();
    let map: FreeMap<Displacement<Mlp<2, 32, 1, 2, Celu>>> = FreeMap(build(f));
    let g: Mlp<2, 32, 1, 1, Celu> = build(g);
    let state = enot_init(&config, map, g).unwrap();
    let batches = Sampled::new(p.clone(), q.unwrap(), 128).unwrap().batches(data).take(2000);
    let step = |s, b: &Batch<2>, k| enot_step(&config, s, b, k);
    let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let x = p.sample(score, 4096).unwrap();
    let moved = rows(&state.source.params().map_for(&config.cost).forward(x.clone()));
    let x = rows(&x);
    let error = moved.chunks(2).zip(x.chunks(2)).map(|(y, x)| {
        f64::from((y[0] - x[0] - 3.0).powi(2) + (y[1] - x[1] + 1.0).powi(2)) / 4096.0
    });
    // In percent of the target's variance, 2; the untrained map has an error of 10, 500 percent, and
    // this run reached 0.45.
    let error = 100.0 * error.sum::<f64>() / 2.0;
    assert!(error < 2.0, "{error}");
}

/// The largest difference of two lists of parameters.
fn apart(a: &[NamedArray<f64>], b: &[NamedArray<f64>]) -> f64 {
    let each = a.iter().zip(b).map(|(a, b)| common::distance(&a.values, &b.values));
    each.fold(0.0, f64::max)
}

/// With g held still, the map makes the steps that it makes on the parts one after the other; with the map
/// held still, g sees one batch however it is cut.
#[test]
fn map_steps_cut_the_batch() {
    let (config, state, batch) = small();
    let (x, y) = (rows(&batch.source), rows(&batch.target));
    let half = |side: &[f64], i: usize| {
        points_on(&Cpu::default(), side[side.len() / 2 * i..side.len() / 2 * (i + 1)].to_vec())
    };
    let still = AdamConfig::with_rate(1e-30);
    let trained = |config: &EnotConfig<SqEuclidean>, batches: &[Batch<2, f64>]| {
        let networks = (state.source.params().clone(), state.target.params().clone());
        let start = enot_init(config, networks.0, networks.1).unwrap();
        let step = |s, b: &Batch<2, f64>, k| enot_step(config, s, b, k);
        let end = batches.iter().try_fold(start, |s, b| Ok::<_, Error>(step(s, b, Key::new(0))?.0));
        let end = end.unwrap();
        [arrays(end.source.params()), arrays(end.target.params())]
    };

    let held = EnotConfig { target: still.clone(), ..config.clone() };
    let halves: Vec<_> =
        (0..2).map(|i| Batch::new(half(&x, i).unwrap(), half(&y, i).unwrap()).unwrap()).collect();
    let two = EnotConfig { map_steps: 2, ..held.clone() };
    let (one_by_one, cut) = (trained(&held, &halves), trained(&two, std::slice::from_ref(&batch)));
    // One pass of g and two give the same slopes, up to the rounding of a division.
    assert!(apart(&one_by_one[0], &cut[0]) < 1e-12);

    let held = EnotConfig { source: still, ..config };
    let two = EnotConfig { map_steps: 2, ..held.clone() };
    let batch = [batch];
    let (whole, cut) = (trained(&held, &batch), trained(&two, &batch));
    assert!(apart(&whole[1], &cut[1]) < 1e-12);
    assert_ne!(whole[1], arrays(state.target.params()));

    let three = EnotConfig { map_steps: 3, ..held };
    assert!(matches!(enot_step(&three, state, &batch[0], Key::new(0)), Err(Error::Shape { .. })));
}

/// The pair of the Wasserstein-2 benchmark at D = 2, whose best affine map has 13.9.
#[test]
fn it_learns_the_benchmark_pair() {
    let Some(folder) = common::data("w2bench") else { return };
    let pair = brenier::data::w2_benchmark_pair::<2>(&folder).unwrap();
    let [f, g, data, training, score] = Key::new(4).split();
    let steps = 2000;
    let adam = AdamConfig {
        betas: (0.9, 0.99),
        schedule: Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 },
        ..AdamConfig::with_rate(2e-3)
    };
    let config: EnotConfig =
        EnotConfig { source: adam.clone(), target: adam, ..EnotConfig::default() };
    let (f, g): (Net, Net) = (build(f), build(g));
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let step = back_and_forth(
        |s, b: &Batch<2>, k| enot_step(&config, s, b, k),
        |s, b: &Batch<2>, k| enot_step(&config, s, b, k),
    );
    let state = enot_init(&config, f, g).unwrap();
    let batches = batches.batches(data).take(steps as usize);
    let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let error =
        map_error(&pair, &state.source.params().map_for(&config.cost), score, 4096).unwrap();
    println!("{error:?}");
    assert!(error.l2_uvp < 2.0, "{error:?}");
}
