//! Pairs drawn from plans, and the couplings of minibatches.

use std::collections::HashSet;

use brenier::prelude::*;
use brenier::problem::{Axis, Discrete, Gridded, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_grid, Coupling, Draw, Epsilon, ExactConfig, MinibatchCoupling, Plan,
    SinkhornConfig, Solution, Stop,
};

use crate::common::{costs, naive, normals, on_any_threads, uniform, weights};

fn exactly(epsilon: f64, tolerance: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance, limit: 50_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

/// Refuses counts whose χ² against the law is larger than is exceeded with probability e⁻²⁰
/// (Laurent and Massart: P(χ² ≥ k + 2 √(k t) + 2 t) ≤ e⁻ᵗ), over cells of at least five expected draws;
/// the others are one cell.
fn assert_law(counts: &[usize], law: &[f64], what: &str) {
    let draws: usize = counts.iter().sum();
    let total: f64 = law.iter().sum();
    let (mut chi, mut cells) = (0.0, 0.0);
    let (mut rest, mut rest_expected) = (0.0, 0.0);
    for (count, p) in counts.iter().zip(law) {
        let (count, expected) = (*count as f64, draws as f64 * p / total);
        assert!(expected > 0.0 || count == 0.0, "{what}: a draw of probability zero");
        if expected >= 5.0 {
            chi += (count - expected).powi(2) / expected;
            cells += 1.0;
        } else {
            rest += count;
            rest_expected += expected;
        }
    }
    if rest_expected >= 5.0 {
        chi += (rest - rest_expected).powi(2) / rest_expected;
        cells += 1.0;
    }
    let bound = cells + 2.0 * (cells * 20f64).sqrt() + 40.0;
    assert!(cells > 1.0 && chi < bound, "{what}: χ² of {chi} over {cells} cells");
}

fn counted(pairs: &[(usize, usize)], n: usize, m: usize) -> Vec<usize> {
    let mut counts = vec![0; n * m];
    pairs.iter().for_each(|(i, j)| counts[i * m + j] += 1);
    counts
}

fn wide<E: brenier::ops::Real>(v: &[E]) -> Vec<f64> {
    v.iter().map(|v| v.double()).collect()
}

#[test]
fn draws_follow_the_plan() {
    let (n, m, draws) = (30, 200, 40_000);
    for d in [1, 2, 20] {
        let (x, y): (Vec<f64>, Vec<f64>) = (normals(1, n * d), normals(2, m * d));
        let (xs, ys): (Vec<f32>, Vec<f32>) = (normals(1, n * d), normals(2, m * d));
        let (a, b) = (weights(3, n), weights(4, m));
        let c = costs(&x, &y, d, 2.0);
        let (small, short): (Vec<f32>, Vec<f32>) =
            (a.iter().map(|v| *v as f32).collect(), b.iter().map(|v| *v as f32).collect());
        let config = exactly(0.3 * d as f64, 1e-5);
        let double = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
        let matrix = Discrete::matrix(&c, n, m).unwrap();
        let single = Discrete::clouds(&SqEuclidean, &xs, &ys, d).unwrap();
        for problem in [double, matrix] {
            let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
            law_of_the_plan(&config, &problem, draws);
        }
        let single = single.with_source_weights(&small).unwrap();
        law_of_the_plan(&config, &single.with_target_weights(&short).unwrap(), draws);
    }
}

fn law_of_the_plan<E: brenier::ops::Real>(
    config: &SinkhornConfig,
    problem: &Discrete<'_, E>,
    draws: usize,
) {
    let (n, m) = problem.sizes();
    let solution = sinkhorn(config, problem, None).unwrap().into_converged().unwrap();
    let plan = solution.plan(problem).unwrap();
    let pairs = plan.sample(Key::new(5), draws).unwrap();
    assert_eq!(pairs.len(), draws);
    // The tolerance of 1e-5 is far below the resolution of the draws, 1 / √draws.
    let law = wide(&plan.matrix());
    assert_law(&counted(&pairs, n, m), &law, &format!("{problem:?}"));
    let (rows, columns) = (wide(problem.weights().0), wide(problem.weights().1));
    let side = |k: fn(&(usize, usize)) -> usize, n| counted_side(&pairs, k, n);
    assert_law(&side(|p| p.0, n), &rows, "sources");
    assert_law(&side(|p| p.1, m), &columns, "targets");
    // Successive pairs are independent: the law of the row of a draw and the row of the next.
    let both: Vec<usize> =
        pairs.windows(2).map(|w| (w[0].0 % 5) * 5 + w[1].0 % 5).collect::<Vec<_>>();
    let mut folded = [0.0; 5];
    rows.iter().enumerate().for_each(|(i, p)| folded[i % 5] += p);
    let law: Vec<f64> = (0..25).map(|k| folded[k / 5] * folded[k % 5]).collect();
    let mut counts = vec![0; 25];
    both.iter().step_by(2).for_each(|k| counts[*k] += 1);
    assert_law(&counts, &law, "successive draws");
}

fn counted_side(pairs: &[(usize, usize)], k: fn(&(usize, usize)) -> usize, n: usize) -> Vec<usize> {
    let mut counts = vec![0; n];
    pairs.iter().for_each(|pair| counts[k(pair)] += 1);
    counts
}

#[test]
fn relaxed_plans_draw_by_their_own_marginals() {
    let (n, m, d, epsilon) = (12, 15, 2, 0.4);
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(6, n * d), normals(7, m * d));
    let (a, b) = (uniform(n), weights(8, m));
    let tau = [0.6, 0.8];
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    let problem = problem.with_target_weights(&b).unwrap();
    let expected = naive(&costs(&x, &y, d, 2.0), &a, &b, epsilon, tau, 3000);
    let sinkhorn = exactly(epsilon, 1e-8);
    let coupling = MinibatchCoupling::Unbalanced { sinkhorn, tau };
    let pairs = coupling.pairs(&problem, Draw::WithReplacement(30_000), Key::new(9)).unwrap();
    assert_law(&counted(&pairs, n, m), &expected, "unbalanced");
    let [s, t] = tau.map(|tau| Relaxation::Kl { tau });
    let relaxed = problem.clone().relaxed(s, t).unwrap();
    let other = MinibatchCoupling::Entropic(sinkhorn);
    assert_eq!(other.pairs(&relaxed, Draw::WithReplacement(30_000), Key::new(9)).unwrap(), pairs);
}

/// Of two different pairs, the first is drawn by P and the second by P without the first.
#[test]
fn different_pairs_are_drawn_one_after_the_other() {
    let (n, m) = (2, 3);
    let problem = Discrete::clouds(&SqEuclidean, &[0.0f64, 1.0], &[0.2, 0.5, 1.5], 1).unwrap();
    let solution = sinkhorn(&exactly(0.5, 1e-10), &problem, None).unwrap();
    let plan = solution.plan(&problem).unwrap();
    let p = plan.matrix();
    let cells = n * m;
    let mut law = vec![0.0; cells * cells];
    for (first, second) in (0..cells).flat_map(|f| (0..cells).map(move |s| (f, s))) {
        if first != second {
            law[first * cells + second] = p[first] * p[second] / (1.0 - p[first]);
        }
    }
    let mut counts = vec![0; cells * cells];
    for key in 0..20_000 {
        let pairs = plan.sample_distinct(Key::new(key), 2).unwrap();
        let [first, second] = [0, 1].map(|k| pairs[k].0 * m + pairs[k].1);
        counts[first * cells + second] += 1;
    }
    assert_law(&counts, &law, "two different pairs");
}

/// With a dominant pair, repetitions are many and the rest is drawn by the race.
#[test]
fn the_race_has_the_same_law() {
    let c = [0.0f64, 8.0, 7.0, 9.0];
    let problem = Discrete::matrix(&c, 2, 2).unwrap();
    let problem = problem.with_source_weights(&[0.999, 0.001]).unwrap();
    let problem = problem.with_target_weights(&[0.998, 0.002]).unwrap();
    let solution = sinkhorn(&exactly(2.0, 1e-12), &problem, None).unwrap();
    let plan = solution.plan(&problem).unwrap();
    let p = plan.matrix();
    assert!(p[0] > 0.99);
    let mut last = vec![0; 4];
    let mut second = vec![0; 4];
    for key in 0..20_000 {
        let pairs = plan.sample_distinct(Key::new(key), 4).unwrap();
        assert_eq!(pairs.iter().collect::<HashSet<_>>().len(), 4);
        second[pairs[1].0 * 2 + pairs[1].1] += 1;
        last[pairs[3].0 * 2 + pairs[3].1] += 1;
    }
    // P(second = k) = Σ over first of p(first) p(k) / (1 − p(first)); the last by all orders.
    let orders = permutations();
    let probability = |order: &[usize; 4]| {
        let mut left = 1.0;
        order.iter().fold(1.0, |q, k| {
            let here = q * p[*k] / left;
            left -= p[*k];
            here
        })
    };
    let law = |place: usize| {
        let mut law = vec![0.0; 4];
        orders.iter().for_each(|o| law[o[place]] += probability(o));
        law
    };
    assert_law(&second, &law(1), "the second of four");
    assert_law(&last, &law(3), "the last of four");
}

fn permutations() -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    for k in 0..256 {
        let order = [k / 64, k / 16 % 4, k / 4 % 4, k % 4];
        if order.iter().collect::<HashSet<_>>().len() == 4 {
            all.push(order);
        }
    }
    all
}

#[test]
fn points_without_weight_are_never_drawn() {
    let (n, m) = (10, 130);
    let (x, y): (Vec<f32>, Vec<f32>) = (normals(11, n), normals(12, m));
    let a: Vec<f32> = (0..n).map(|i| if i % 3 == 0 { 0.0 } else { 1.0 / 6.0 }).collect();
    let b: Vec<f32> = (0..m).map(|j| if j % 2 == 0 { 0.0 } else { 1.0 / 65.0 }).collect();
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let solution = sinkhorn(&SinkhornConfig::default(), &problem, None).unwrap();
    let plan = solution.plan(&problem).unwrap();
    let allowed = |pairs: &[(usize, usize)]| pairs.iter().all(|(i, j)| i % 3 != 0 && j % 2 == 1);
    assert!(allowed(&plan.sample(Key::new(0), 5000).unwrap()));
    // All pairs that there are, each once.
    let all = plan.sample_distinct(Key::new(0), 6 * 65).unwrap();
    assert!(allowed(&all) && all.iter().collect::<HashSet<_>>().len() == 6 * 65);
    let error = plan.sample_distinct(Key::new(0), 6 * 65 + 1).unwrap_err();
    assert!(matches!(error, Error::InvalidConfig { .. }), "{error}");
    assert!(plan.sample(Key::new(0), 0).unwrap().is_empty());
    for coupling in couplings() {
        let draw = Draw::WithReplacement(2000);
        assert!(allowed(&coupling.pairs(&problem, draw, Key::new(1)).unwrap()), "{coupling:?}");
    }
}

fn couplings() -> [MinibatchCoupling; 4] {
    let sinkhorn = exactly(0.2, 1e-4);
    [
        MinibatchCoupling::Independent,
        MinibatchCoupling::Exact(ExactConfig::default()),
        MinibatchCoupling::Entropic(sinkhorn),
        MinibatchCoupling::Unbalanced { sinkhorn, tau: [0.9, 1.0] },
    ]
}

#[test]
fn draws_do_not_depend_on_threads() {
    let (n, m, d) = (300, 400, 3);
    let (x, y): (Vec<f32>, Vec<f32>) = (normals(13, n * d), normals(14, m * d));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    for coupling in couplings() {
        for draw in [Draw::WithReplacement(700), Draw::WithoutReplacement(500)] {
            let key = Key::new(15);
            let pairs = on_any_threads(|| coupling.pairs(&problem, draw, key).unwrap());
            assert_ne!(pairs, coupling.pairs(&problem, draw, Key::new(16)).unwrap());
        }
    }
    // So many that a race decides.
    let solution = sinkhorn(&exactly(0.05, 1e-2), &problem, None).unwrap();
    let draw = |plan: &Plan<'_, f32>| plan.sample_distinct(Key::new(17), 30_000).unwrap();
    let pairs = on_any_threads(|| draw(&solution.plan(&problem).unwrap()));
    assert_eq!(pairs.iter().collect::<HashSet<_>>().len(), 30_000);
}

#[test]
fn couplings_have_the_marginals_of_the_problem() {
    let (n, m, d, draws) = (40, 25, 2, 50_000);
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(18, n * d), normals(19, m * d));
    let (a, b) = (weights(20, n), weights(21, m));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let mean_cost = |pairs: &[(usize, usize)]| {
        let c = costs(&x, &y, d, 2.0);
        pairs.iter().map(|(i, j)| c[i * m + j]).sum::<f64>() / pairs.len() as f64
    };
    let mut prices = Vec::new();
    for coupling in &couplings()[..3] {
        let draw = Draw::WithReplacement(draws);
        let pairs = coupling.pairs(&problem, draw, Key::new(22)).unwrap();
        assert_law(&counted_side(&pairs, |p| p.0, n), &a, &format!("{coupling:?}"));
        assert_law(&counted_side(&pairs, |p| p.1, m), &b, &format!("{coupling:?}"));
        prices.push(mean_cost(&pairs));
    }
    // The product costs more than the entropic plan, and that more than the exact one.
    assert!(prices[0] > prices[2] && prices[2] > prices[1], "{prices:?}");
    let product: Vec<f64> = (0..n * m).map(|k| a[k / m] * b[k % m]).collect();
    let independent = couplings()[0].pairs(&problem, Draw::WithReplacement(draws), Key::new(23));
    assert_law(&counted(&independent.unwrap(), n, m), &product, "the product");
}

#[test]
fn the_exact_coupling_of_equal_sizes_is_a_permutation() {
    let (n, d) = (64, 5);
    let (x, y): (Vec<f32>, Vec<f32>) = (normals(24, n * d), normals(25, n * d));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).unwrap();
    let exact = &couplings()[1];
    let pairs = exact.pairs(&problem, Draw::WithoutReplacement(n), Key::new(26)).unwrap();
    let c: Vec<f32> =
        x.chunks(d).flat_map(|x| y.chunks(d).map(move |y| SqEuclidean.value(x, y))).collect();
    let best = brenier::solver::assignment(&c, n).unwrap();
    let mut sorted = pairs.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, best.targets.iter().copied().enumerate().collect::<Vec<_>>());
    // In random order.
    assert_ne!(sorted, pairs);
    assert!(exact.pairs(&problem, Draw::WithoutReplacement(n + 1), Key::new(0)).is_err());
    let half = exact.pairs(&problem, Draw::WithoutReplacement(n / 2), Key::new(0)).unwrap();
    assert!(half.iter().all(|(i, j)| best.targets[*i] == *j));
    let kl = Relaxation::Kl { tau: 0.5 };
    let relaxed = problem.clone().relaxed(kl, kl).unwrap();
    assert!(exact.pairs(&relaxed, Draw::WithReplacement(1), Key::new(0)).is_err());
    let wrong = MinibatchCoupling::Unbalanced { sinkhorn: exactly(0.1, 1e-3), tau: [1.5, 1.0] };
    assert!(wrong.pairs(&problem, Draw::WithReplacement(1), Key::new(0)).is_err());
    for coupling in couplings() {
        let text = serde_json::to_string(&coupling).unwrap();
        assert_eq!(serde_json::from_str::<MinibatchCoupling>(&text).unwrap(), coupling);
    }
}

/// A solution of one problem asked about another whose costs overflow.
#[test]
fn costs_that_overflow_are_an_error() {
    let problem = Discrete::clouds(&SqEuclidean, &[0.0f32, 1.0], &[0.0, 1.0], 1).unwrap();
    let solution: Solution = sinkhorn(&SinkhornConfig::default(), &problem, None).unwrap();
    let far = Discrete::clouds(&SqEuclidean, &[0.0f32, 1e30], &[0.0, 1.0], 1).unwrap();
    let plan = solution.plan(&far).unwrap();
    assert!(matches!(plan.sample(Key::new(0), 10), Err(Error::NonFinite { .. })));
}

#[test]
fn draws_between_grids_follow_the_plan() {
    let (ns, ms, draws) = ([3, 4], [5, 2], 40_000);
    let line = |key, n| normals::<f64>(key, n);
    let axis = |k: usize| {
        let (x, y) = (line(50 + k as u64, ns[k]), line(60 + k as u64, ms[k]));
        Axis::new(&SqEuclidean, &x, &y).unwrap()
    };
    let axes = [axis(0), axis(1)];
    let (n, m) = (12, 10);
    let (a, mut b) = (weights(3, n), weights(4, m));
    b[7] = 0.0;
    let problem = Gridded::<f64>::new(axes.to_vec()).unwrap();
    let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let problem =
        problem.relaxed(Relaxation::Kl { tau: 0.9 }, Relaxation::Kl { tau: 0.8 }).unwrap();
    let solution = sinkhorn_grid(&exactly(0.5, 1e-9), &problem, None).unwrap();
    let plan = solution.grid_plan(&problem).unwrap();
    // P from its formula, axis by axis.
    let mut law = vec![0.0; n * m];
    for (k, p) in law.iter_mut().enumerate() {
        let (i, j) = (k / m, k % m);
        let cost = axes[0].costs()[i / ns[1] * ms[0] + j / ms[1]]
            + axes[1].costs()[i % ns[1] * ms[1] + j % ms[1]];
        let [f, g] = [solution.potentials.f[i], solution.potentials.g[j]];
        *p = a[i] * b[j] * ((f + g - cost) / solution.epsilon).exp();
    }
    let pairs = on_any_threads(|| plan.sample(Key::new(7), draws).unwrap());
    assert_law(&counted(&pairs, n, m), &law, "pairs of grids");
    let mut all = plan.sample_distinct(Key::new(8), n * (m - 1)).unwrap();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), n * (m - 1));
    assert!(plan.sample_distinct(Key::new(8), n * m).is_err());
    let empty = Gridded::<f64>::new(axes.to_vec()).unwrap();
    assert!(empty
        .with_target_weights(&vec![0.0; m])
        .and_then(|empty| solution.grid_plan(&empty))
        .is_err());
}
