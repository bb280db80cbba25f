//! The Wasserstein-2 dual in its three forms: losses and what they learn.

use crate::common::{cloud, gradient_norm, module};
use brenier::function::arrays;
use brenier::prelude::*;
use brenier::solver::ConjugateConfig;
use brenier::testing::STEP;

type Psi = PlusHalfSquare<Mlp<2, 64, 1, 1, Celu>>;
type Small = DenseIcnn<2, 4, 0, 3, Softplus, f64>;
type SmallState = W2DualState<Small, GradientMap<Small>, f64>;

fn quick(steps: u64, rate: f64, betas: (f64, f64)) -> AdamConfig {
    let schedule = Schedule::Cosine { warm_up: 0, total: steps, floor: 0.01 };
    AdamConfig { betas, schedule, ..AdamConfig::with_rate(rate) }
}

/// Trains on a random pair and returns the L2-UVP of ∇ψ; the best affine map has 13.2.
fn trained<F>(
    conjugation: Conjugation,
    steps: u64,
    [f, g]: [F; 2],
    projection: Option<fn(&mut F)>,
) -> f64
where
    F: InputGradient<2> + Clone,
    GradientMap<F>: TransportMap<2>,
{
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [data, training, score] = Key::new(1).split();
    let inner = match &conjugation {
        Conjugation::Minimax { map_steps } => *map_steps as u64,
        _ => 1,
    };
    let config = W2DualConfig {
        conjugation,
        potential: quick(steps, 2e-3, (0.5, 0.9)),
        conjugate: quick(steps * inner, 2e-3, (0.5, 0.9)),
    };
    let mut state = w2_dual_init(&config, f, GradientMap(g)).unwrap();
    if let Some(project) = projection {
        state.potential = state.potential.projected(project);
    }
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let batches = batches.batches(data).take(steps as usize);
    let step = |s, b: &Batch<2>, k| w2_dual_step(&config, s, b, k);
    let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let map = GradientMap(state.potential.params().clone());
    let uvp = map_error(&pair, &map, score, 4096).unwrap().l2_uvp;
    println!("{uvp:.3}");
    uvp
}

fn perceptrons() -> [Psi; 2] {
    Key::new(2).split().map(build)
}

#[test]
fn fine_tuned_conjugates_learn_a_known_map() {
    for amortisation in [Amortisation::Regression, Amortisation::Objective] {
        let solver = ConjugateConfig { tolerance: 1e-3, limit: 20, ..ConjugateConfig::default() };
        let form = Conjugation::FineTuned { solver, amortisation };
        let uvp = trained(form, 500, perceptrons(), None);
        // This run reached 1.9, as did the minimax form; the cycle form 2.2, convex networks 2.
        assert!(uvp < 4.0, "{amortisation:?} {uvp}");
    }
}

#[test]
fn the_minimax_form_learns_a_known_map() {
    let uvp = trained(Conjugation::Minimax { map_steps: 5 }, 500, perceptrons(), None);
    assert!(uvp < 4.0, "{uvp}");
}

#[test]
fn the_cycle_form_learns_a_known_map() {
    let uvp = trained(Conjugation::Cycle { weight: 2.0 }, 1000, perceptrons(), None);
    assert!(uvp < 4.0, "{uvp}");
}

/// The networks of the benchmark, kept convex.
#[test]
fn convex_networks_learn_a_known_map() {
    type Icnn = DenseIcnn<2, 64, 1, 32>;
    let icnns = Key::new(2).split().map(|k| pretrain_identity(build(k), k, 500).unwrap());
    let solver = ConjugateConfig { tolerance: 1e-3, limit: 20, ..ConjugateConfig::default() };
    let form = Conjugation::FineTuned { solver, amortisation: Amortisation::Regression };
    let uvp = trained(form, 500, icnns, Some(Icnn::make_convex));
    assert!(uvp < 4.0, "{uvp}");
}

/// The losses of the module's head by loops: ψ and G at one point at a time, gradients of ψ by
/// central differences.
struct Loops<'a> {
    psi: &'a Small,
    map: &'a GradientMap<Small>,
    batch: &'a Batch<2, f64>,
}

impl Loops<'_> {
    fn psi(&self, x: &[f64]) -> f64 {
        let x = points_of(x);
        rows(&self.psi.forward(x))[0]
    }
    fn slope(&self, x: &[f64]) -> Vec<f64> {
        let moved = |i: usize, by: f64| {
            let mut x = x.to_vec();
            x[i] += by;
            self.psi(&x)
        };
        (0..2).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect()
    }
    fn g(&self, y: &[f64]) -> Vec<f64> {
        rows(&self.map.forward(points_of(y)))
    }
    fn mean(points: &Points<2, f64>, each: impl Fn(&[f64]) -> f64) -> f64 {
        let values = rows(points);
        values.chunks(2).map(each).sum::<f64>() / (values.len() / 2) as f64
    }
    fn objective(&self) -> f64 {
        Self::mean(&self.batch.target, |y| {
            let g = self.g(y);
            self.psi(&g) - g[0] * y[0] - g[1] * y[1]
        })
    }
    fn cycle(&self) -> f64 {
        let square = |a: &[f64], b: &[f64]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        let back = Self::mean(&self.batch.target, |y| square(&self.slope(&self.g(y)), y));
        let forth = Self::mean(&self.batch.source, |x| square(&self.g(&self.slope(x)), x));
        back + forth
    }
    /// mean ψ(x) − mean ψ(x̂) for fixed x̂.
    fn dual(&self, best: &[Vec<f64>]) -> f64 {
        let at_best = best.iter().map(|x| self.psi(x)).sum::<f64>() / best.len() as f64;
        Self::mean(&self.batch.source, |x| self.psi(x)) - at_best
    }
}

fn points_of(x: &[f64]) -> Points<2, f64> {
    use dfdx::prelude::TensorFromVec;
    Cpu::default().tensor_from_vec(x.to_vec(), (x.len() / 2, Const))
}

fn small(conjugation: Conjugation) -> (W2DualConfig, SmallState, Batch<2, f64>) {
    let config = W2DualConfig { conjugation, ..W2DualConfig::default() };
    let networks = (module(1, 0.5), GradientMap(module(2, 0.5)));
    let state = w2_dual_init(&config, networks.0, networks.1).unwrap();
    (config, state, Batch::new(cloud(3, 30), cloud(4, 20)).unwrap())
}

/// Differences of differences with steps of 1e-4: five digits.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5 * b.abs().max(1.0)
}

#[test]
fn losses_and_gradients_of_the_cycle_form_are_those_by_loops() {
    let weight = 1.7;
    let (config, state, batch) = small(Conjugation::Cycle { weight });
    let (psi, map) = (state.potential.params().clone(), state.conjugate.params().clone());
    let loops = Loops { psi: &psi, map: &map, batch: &batch };
    let best: Vec<_> = rows(&batch.target).chunks(2).map(|y| loops.g(y)).collect();
    let (_, seen) = w2_dual_step(&config, state, &batch, Key::new(0)).unwrap();
    let cycle = 0.5 * weight * loops.cycle();
    assert!(close(seen.conjugate_loss, cycle), "{seen:?} {cycle}");
    assert!(close(seen.potential_loss, loops.dual(&best) + cycle));
    let of_map =
        gradient_norm(&map, |map| 0.5 * weight * Loops { psi: &psi, map, batch: &batch }.cycle());
    let of_psi = gradient_norm(&psi, |psi| {
        let loops = Loops { psi, map: &map, batch: &batch };
        loops.dual(&best) + 0.5 * weight * loops.cycle()
    });
    assert!(close(seen.conjugate_gradient_norm, of_map), "{seen:?} {of_map}");
    assert!(close(seen.potential_gradient_norm, of_psi), "{seen:?} {of_psi}");
}

#[test]
fn losses_and_gradients_of_the_minimax_form_are_those_by_loops() {
    let (config, state, batch) = small(Conjugation::Minimax { map_steps: 1 });
    let (psi, map) = (state.potential.params().clone(), state.conjugate.params().clone());
    let (after, seen) = w2_dual_step(&config, state, &batch, Key::new(0)).unwrap();
    let loops = Loops { psi: &psi, map: &map, batch: &batch };
    assert!(close(seen.conjugate_loss, loops.objective()));
    let of_map = gradient_norm(&map, |map| Loops { psi: &psi, map, batch: &batch }.objective());
    assert!(close(seen.conjugate_gradient_norm, of_map), "{seen:?} {of_map}");
    // ψ sees the images under the map that has just moved.
    let moved = Loops { psi: &psi, map: after.conjugate.params(), batch: &batch };
    let best: Vec<_> = rows(&batch.target).chunks(2).map(|y| moved.g(y)).collect();
    assert!(close(seen.potential_loss, loops.dual(&best)));
    let of_psi = gradient_norm(&psi, |psi| Loops { psi, map: &map, batch: &batch }.dual(&best));
    assert!(close(seen.potential_gradient_norm, of_psi), "{seen:?} {of_psi}");
    let half = |p: &Points<2, f64>| Loops::mean(p, |x| 0.5 * (x[0] * x[0] + x[1] * x[1]));
    let products: f64 = rows(&batch.target)
        .chunks(2)
        .zip(&best)
        .map(|(y, x)| (x[0] * y[0] + x[1] * y[1]) / 20.0)
        .sum();
    let dual = half(&batch.source) + half(&batch.target) - loops.dual(&best) - products;
    assert!(close(seen.dual_value, dual));
}

/// With conjugates solved to 1e-9 the gradient of ψ's loss is that of the dual at the true conjugate
/// (the envelope theorem): x̂ moves with ψ, and its movement does not matter.
#[test]
fn fine_tuned_gradients_are_those_of_the_dual() {
    let solver = ConjugateConfig { tolerance: 1e-9, limit: 300, ..ConjugateConfig::default() };
    let amortisation = Amortisation::Regression;
    let form = Conjugation::FineTuned { solver: solver.clone(), amortisation };
    let config = W2DualConfig { conjugation: form, ..W2DualConfig::default() };
    let mut psi: Small = module(5, 0.5);
    psi.strong_convexity = 0.5;
    psi.make_convex();
    let map: GradientMap<Small> = GradientMap(module(6, 0.5));
    let batch = Batch::new(cloud(7, 30), cloud(8, 20)).unwrap();
    let y = rows(&batch.target);
    let state = w2_dual_init(&config, psi.clone(), map.clone()).unwrap();
    let (_, seen) = w2_dual_step(&config, state, &batch, Key::new(0)).unwrap();
    assert_eq!(seen.solver_unconverged, 0.0);
    assert!(seen.solver_iterations > 1.0);
    let conjugated =
        |psi: &Small| brenier::solver::conjugates(psi.slopes(), &y, &y, 2, &solver).unwrap();
    let of_psi = gradient_norm(&psi, |psi| {
        let loops = Loops { psi, map: &map, batch: &batch };
        let values = conjugated(psi).values;
        Loops::mean(&batch.source, |x| loops.psi(x)) + values.iter().sum::<f64>() / 20.0
    });
    assert!(close(seen.potential_gradient_norm, of_psi), "{seen:?} {of_psi}");
    let best = conjugated(&psi).points;
    let regression = |map: &GradientMap<Small>| {
        let loops = Loops { psi: &psi, map, batch: &batch };
        let each = y.chunks(2).zip(best.chunks(2)).map(|(y, x)| {
            let g = loops.g(y);
            (g[0] - x[0]).powi(2) + (g[1] - x[1]).powi(2)
        });
        each.sum::<f64>() / 20.0
    };
    assert!(close(seen.conjugate_loss, regression(&map)));
    let of_map = gradient_norm(&map, regression);
    assert!(close(seen.conjugate_gradient_norm, of_map), "{seen:?} {of_map}");
}

#[test]
fn projected_networks_stay_convex() {
    let (config, mut state, batch) = small(Conjugation::Minimax { map_steps: 2 });
    state.potential = state.potential.projected(Small::make_convex);
    state.conjugate = state.conjugate.projected(|g| g.0.make_convex());
    for _ in 0..20 {
        state = w2_dual_step(&config, state, &batch, Key::new(0)).unwrap().0;
    }
    let negative = |net: &Small| {
        let convex =
            arrays(net).into_iter().filter(|a| a.name.ends_with("convex") || a.name == "head");
        convex.flat_map(|a| a.values).filter(|w| *w < 0.0).count()
    };
    assert_eq!(negative(state.potential.params()) + negative(&state.conjugate.params().0), 0);
    // Without the projection some are.
    let (config, mut state, batch) = small(Conjugation::Minimax { map_steps: 2 });
    state = w2_dual_step(&config, state, &batch, Key::new(0)).unwrap().0;
    assert!(negative(state.potential.params()) > 0);
}

/// MM and MM:R of the benchmark with `not_step`.
#[test]
fn maximin_forms_learn_a_known_map() {
    let pair = KnownPair::<2>::random(Key::new(0)).unwrap();
    let [data, training, score] = Key::new(1).split();
    let [f, g] = perceptrons();
    let steps = 500;
    let config = NotConfig::<NegDot> {
        map_steps: 5,
        source: SourceUse::Whole,
        map: quick(5 * steps, 2e-3, (0.5, 0.9)),
        potential: quick(steps, 2e-3, (0.5, 0.9)),
        ..NotConfig::default()
    };
    let state = not_init(&config, Negated(f), GradientMap(g)).unwrap();
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256).unwrap();
    let batches = || batches.clone().batches(data).take(steps as usize);
    let step = |s, b: &Batch<2>, k| not_step(&config, s, b, k);
    let forward = run(&step, state.clone(), batches(), training, &mut |_: &_, _: &_| Ok(()));
    let uvp = map_error(&pair, forward.unwrap().map.params(), score, 4096).unwrap().l2_uvp;
    println!("MM {uvp}");
    assert!(uvp < 5.0, "MM {uvp}");
    let step = reversed(step);
    let backward = run(&step, state, batches(), training, &mut |_: &_, _: &_| Ok(())).unwrap();
    let map = GradientMap(backward.potential.params().0.clone());
    let uvp = map_error(&pair, &map, score, 4096).unwrap().l2_uvp;
    println!("MM:R {uvp}");
    assert!(uvp < 5.0, "MM:R {uvp}");
}

#[test]
fn bad_configurations_are_refused() {
    let init = |conjugation| {
        let config = W2DualConfig { conjugation, ..W2DualConfig::default() };
        w2_dual_init::<f64, Cpu, Small, Small>(&config, module(1, 0.5), module(2, 0.5))
            .unwrap_err()
            .to_string()
    };
    assert!(init(Conjugation::Minimax { map_steps: 0 }).contains("map_steps = 0"));
    assert!(init(Conjugation::Cycle { weight: -1.0 }).contains("weight = -1"));
    let solver = ConjugateConfig { limit: 0, ..ConjugateConfig::default() };
    let amortisation = Amortisation::Regression;
    assert!(init(Conjugation::FineTuned { solver, amortisation }).contains("limit"));
}
