//! Exact transport against enumeration, closed forms, duality, and the values of POT.

use crate::common;
use crate::common::{costs, golden, normalised, normals, numbers, uniform, weights};
use brenier::error::Error;
use brenier::prelude::*;
use brenier::solver::*;

const AUTOMATIC: ExactConfig = ExactConfig { form: ExactForm::Automatic, max_pivots: None };
const SIMPLEX: ExactConfig = ExactConfig { form: ExactForm::NetworkSimplex, max_pivots: None };
const ASSIGNMENT: ExactConfig = ExactConfig { form: ExactForm::Assignment, max_pivots: None };

fn cloud_costs(seed: u64, n: usize, m: usize, d: usize) -> Vec<f64> {
    let y: Vec<f64> = normals(seed + 1, m * d).iter().map(|v: &f64| 0.8 * v + 0.5).collect();
    costs(&normals(seed, n * d), &y, d, 2.0)
}

fn largest(c: &[f64]) -> f64 {
    c.iter().fold(0.0, |m, v| v.abs().max(m))
}

/// Marginals, feasibility, complementary slackness, and no gap: a proof that the plan is optimal.
fn assert_optimal(found: &ExactTransport, c: &[f64], a: &[f64], b: &[f64]) {
    let m = b.len();
    let (total, scale) = (a.iter().sum::<f64>(), largest(c));
    let (mut rows, mut columns) = (a.to_vec(), b.to_vec());
    let (f, g) = (&found.source_potential, &found.target_potential);
    // Potentials are sums along paths of the tree.
    let slack = 1e-13 * scale * (a.len() + m) as f64;
    for t in &found.plan {
        assert!(t.mass > 0.0);
        rows[t.source] -= t.mass;
        columns[t.target] -= t.mass;
        assert!((f[t.source] + g[t.target] - c[t.source * m + t.target]).abs() <= slack);
    }
    let rounding = 1e-15 * total * (a.len() + m) as f64;
    assert!(largest(&rows) <= rounding && largest(&columns) <= rounding);
    for (i, f) in f.iter().enumerate() {
        for (j, g) in g.iter().enumerate() {
            // One rounding of the sum.
            assert!(f + g <= c[i * m + j] + 4.0 * f64::EPSILON * (f.abs() + g.abs() + scale));
        }
    }
    assert!(found.gap().abs() <= slack * total, "gap {:e}", found.gap());
    assert_eq!(found.status, ExactStatus::Optimal);
    assert!(found.plan.len() < a.len() + m);
    let key = |t: &Transfer| (t.source, t.target);
    assert!(found.plan.windows(2).all(|w| key(&w[0]) < key(&w[1])));
}

/// The least Σ c(i, σ(i)) over all permutations (Heap's algorithm).
fn enumerated(c: &[f64], n: usize) -> f64 {
    let value = |s: &[usize]| s.iter().enumerate().map(|(i, &j)| c[i * n + j]).sum::<f64>();
    let mut s: Vec<usize> = (0..n).collect();
    let mut counts = vec![0; n];
    let (mut best, mut i) = (value(&s), 0);
    while i < n {
        if counts[i] < i {
            s.swap(if i % 2 == 0 { 0 } else { counts[i] }, i);
            best = best.min(value(&s));
            counts[i] += 1;
            i = 0;
        } else {
            counts[i] = 0;
            i += 1;
        }
    }
    best
}

#[test]
fn assignments_are_the_best_of_all_permutations() {
    for n in 1..=7 {
        for seed in 0..20 {
            let random = normals::<f64>(100 * seed + n as u64, n * n);
            // Few different costs: ties everywhere.
            let ties: Vec<f64> = random.iter().map(|v| v.round()).collect();
            for c in [random, ties] {
                let best = enumerated(&c, n);
                let found = assignment(&c, n).unwrap();
                let mut targets = found.targets.clone();
                targets.sort_unstable();
                assert_eq!(targets, (0..n).collect::<Vec<_>>());
                assert!((found.cost - best).abs() < 1e-13);
                for config in [AUTOMATIC, SIMPLEX, ASSIGNMENT] {
                    let w = uniform(n);
                    let found = exact_transport(&c, &w, &w, &config).unwrap();
                    assert_optimal(&found, &c, &w, &w);
                    assert!((found.cost * n as f64 - best).abs() < 1e-13);
                }
            }
        }
    }
}

#[test]
fn the_forms_agree_on_clouds() {
    for (n, d) in [(50, 1), (200, 2), (333, 3), (256, 64)] {
        let (c, w) = (cloud_costs(n as u64, n, n, d), uniform(n));
        let [auto, simplex, assigned] = [AUTOMATIC, SIMPLEX, ASSIGNMENT].map(|config| {
            let found = exact_transport(&c, &w, &w, &config).unwrap();
            assert_optimal(&found, &c, &w, &w);
            // The optimum is unique, and its masses are exact.
            assert!(
                found.plan.len() == n && found.plan.iter().all(|t| t.mass == found.plan[0].mass)
            );
            found
        });
        assert_eq!(simplex.plan, assigned.plan);
        assert_eq!(auto.plan, assigned.plan);
        assert_eq!((simplex.form, assigned.form), (SIMPLEX.form, ASSIGNMENT.form));
        // Clouds in the plane take the simplex, clouds in many dimensions the assignment.
        if d >= 2 {
            assert_eq!(auto.form, if d == 64 { ASSIGNMENT.form } else { SIMPLEX.form });
        }
    }
}

#[test]
fn any_weights_have_a_proof_of_optimality() {
    for (n, m) in [(1, 1), (1, 9), (9, 1), (40, 70), (70, 40), (128, 128), (3, 5000), (5000, 3)] {
        let c = cloud_costs(7, n, m, 2);
        for (a, b) in [(weights(1, n), weights(2, m)), (uniform(n), uniform(m))] {
            assert_optimal(&exact_transport(&c, &a, &b, &AUTOMATIC).unwrap(), &c, &a, &b);
        }
    }
}

#[test]
fn golden_costs_of_pot() {
    for case in golden("emd.json")["cases"].as_array().unwrap() {
        let [x, y, a, b] = ["x", "y", "a", "b"].map(|key| numbers(&case[key]));
        let [scale, cost, p] = ["scale", "cost", "p"].map(|key| case[key].as_f64().unwrap());
        let d = case["d"].as_u64().unwrap() as usize;
        let c: Vec<f64> = costs(&x, &y, d, p).iter().map(|c| c * scale).collect();
        let (a, b) = (normalised(a), normalised(b));
        let found = exact_transport(&c, &a, &b, &AUTOMATIC).unwrap();
        assert_optimal(&found, &c, &a, &b);
        assert!((found.cost - cost).abs() < 1e-12 * scale.max(cost), "{}", case["name"]);
        if d == 1 {
            let line = Univariate::weighted(&x, &a).unwrap();
            let other = Univariate::weighted(&y, &b).unwrap();
            assert!((line.cost(&other, p).unwrap() - cost).abs() < 1e-12);
        }
    }
}

#[test]
fn degenerate_problems() {
    let n = 60;
    let constant = vec![3.0; n * n];
    // Points on a small grid: ties among costs, and among sums of weights.
    let grid: Vec<f64> = (0..n).map(|i| (i % 4) as f64).collect();
    let ties = costs(&grid, &grid, 1, 2.0);
    let mut zeros = weights(3, n);
    zeros[0] = 0.0;
    zeros[n - 1] = 0.0;
    zeros[17] = 0.0;
    let whole = normalised((0..n).map(|i| (1 + i % 3) as f64).collect());
    let reverse: Vec<f64> = whole.iter().rev().copied().collect();
    let mut spread: Vec<f64> = (0..n).map(|i| 10f64.powi(-((i % 7) as i32))).collect();
    spread[5] = 1e-20;
    for c in [&constant, &ties, &cloud_costs(1, n, n, 2)] {
        let weights: [(Vec<f64>, Vec<f64>); 6] = [
            (uniform(n), uniform(n)),
            (whole.clone(), reverse.clone()),
            (normalised(zeros.clone()), uniform(n)),
            (uniform(n), normalised(zeros.clone())),
            (normalised(zeros.clone()), normalised(zeros.iter().rev().copied().collect())),
            (spread.clone(), spread.clone()),
        ];
        for (a, b) in weights {
            for config in [AUTOMATIC, SIMPLEX] {
                assert_optimal(&exact_transport(c, &a, &b, &config).unwrap(), c, &a, &b);
            }
        }
    }
    // One point with mass on each side, among others.
    let (mut a, mut b) = (vec![0.0; n], vec![0.0; n]);
    (a[4], b[9]) = (2.0, 2.0);
    let c = cloud_costs(5, n, n, 2);
    let found = exact_transport(&c, &a, &b, &AUTOMATIC).unwrap();
    assert_optimal(&found, &c, &a, &b);
    assert_eq!(found.plan, [Transfer { source: 4, target: 9, mass: 2.0 }]);
}

#[test]
fn large_and_shifted_costs_and_small_masses() {
    let (n, m) = (80, 64);
    let (plain, a, b) = (cloud_costs(9, n, m, 2), weights(1, n), weights(2, m));
    let found = exact_transport(&plain, &a, &b, &AUTOMATIC).unwrap();
    for (scale, shift) in [(1e8, 0.0), (1e-12, 0.0), (1.0, 1e8), (1.0, -1e8), (1e150, 0.0)] {
        let c: Vec<f64> = plain.iter().map(|c| scale * c + shift).collect();
        let other = exact_transport(&c, &a, &b, &AUTOMATIC).unwrap();
        assert_optimal(&other, &c, &a, &b);
        let expected = scale * found.cost + shift;
        assert!((other.cost - expected).abs() < 1e-13 * largest(&c));
    }
    for mass in [1e-300, 1e-6, 1e6, 1e200] {
        let scaled = |w: &[f64]| w.iter().map(|w| w * mass).collect::<Vec<_>>();
        let (a, b) = (scaled(&a), scaled(&b));
        let other = exact_transport(&plain, &a, &b, &AUTOMATIC).unwrap();
        assert_optimal(&other, &plain, &a, &b);
        assert!((other.cost / mass - found.cost).abs() < 1e-13);
    }
}

#[test]
fn permuting_the_points_permutes_the_plan() {
    let (n, m) = (90, 110);
    let (c, a, b) = (cloud_costs(3, n, m, 3), weights(1, n), weights(2, m));
    let found = exact_transport(&c, &a, &b, &AUTOMATIC).unwrap();
    // i ↦ 7 i mod 90, j ↦ 3 j mod 110.
    let (p, q) = (|i: usize| 7 * i % n, |j: usize| 3 * j % m);
    let permuted: Vec<f64> = (0..n * m).map(|k| c[p(k / m) * m + q(k % m)]).collect();
    let (pa, pb): (Vec<f64>, Vec<f64>) =
        ((0..n).map(|i| a[p(i)]).collect(), (0..m).map(|j| b[q(j)]).collect());
    let other = exact_transport(&permuted, &pa, &pb, &AUTOMATIC).unwrap();
    let mut plan: Vec<(usize, usize, f64)> =
        other.plan.iter().map(|t| (p(t.source), q(t.target), t.mass)).collect();
    plan.sort_by_key(|t| (t.0, t.1));
    assert_eq!(plan.len(), found.plan.len());
    for (s, t) in plan.iter().zip(&found.plan) {
        assert!((s.0, s.1) == (t.source, t.target) && (s.2 - t.mass).abs() < 1e-15);
    }
}

#[test]
fn single_precision_costs_are_solved_exactly() {
    for (n, d) in [(150, 2), (128, 64)] {
        let c: Vec<f32> = cloud_costs(2, n, n, d).iter().map(|&c| c as f32).collect();
        let wide: Vec<f64> = c.iter().map(|&c| f64::from(c)).collect();
        let w = vec![1.0f32 / n as f32; n];
        let found = exact_transport(&c, &w, &w, &AUTOMATIC).unwrap();
        let double = exact_transport(&wide, &w, &w, &AUTOMATIC).unwrap();
        assert_eq!(found, double);
        // Weights that were normalised in single precision sum to 1 up to rounding only.
        let skewed: Vec<f32> = weights(1, n).iter().map(|&w| w as f32).collect();
        let found = exact_transport(&c, &skewed, &w, &AUTOMATIC).unwrap();
        assert!(found.status == ExactStatus::Optimal && found.gap().abs() < 1e-5 * found.cost);
    }
}

#[test]
fn the_limit_is_a_status_with_a_valid_bound() {
    let (n, m) = (100, 120);
    let (c, a, b) = (cloud_costs(4, n, m, 2), weights(1, n), weights(2, m));
    let best = exact_transport(&c, &a, &b, &AUTOMATIC).unwrap().cost;
    let mut gaps = Vec::new();
    for limit in [0, 100, 400] {
        let config = ExactConfig { max_pivots: Some(limit), ..AUTOMATIC };
        let found = exact_transport(&c, &a, &b, &config).unwrap();
        assert_eq!((found.status, found.pivots), (ExactStatus::PivotLimit, limit));
        assert!(found.dual_cost <= best && best <= found.cost);
        gaps.push(found.gap());
        assert!(matches!(found.into_optimal(), Err(Error::InvalidConfig { .. })));
    }
    assert!(gaps[2] < gaps[0]);
}

#[test]
fn clouds_as_points() {
    let (x, y) = (common::cloud::<3, f32>(0, 40), common::cloud::<3, f32>(1, 30));
    let found = exact_between(&Euclidean, &x, &y, &AUTOMATIC).unwrap();
    let c: Vec<f64> = rows(&Euclidean.pairwise(&x, &y)).iter().map(|&c| f64::from(c)).collect();
    assert_optimal(&found, &c, &uniform(40), &uniform(30));
    // To itself nothing moves.
    let still = exact_between(&SqEuclidean, &x, &x, &AUTOMATIC).unwrap();
    assert!(still.cost == 0.0 && still.plan.iter().all(|t| t.source == t.target));
}

#[test]
fn bad_problems_are_errors() {
    let run = |c: &[f64], a: &[f64], b: &[f64]| {
        let error = exact_transport(c, a, b, &AUTOMATIC).unwrap_err();
        (error.to_string(), error)
    };
    let half = [0.5, 0.5];
    for c in [[0.0, 1.0, f64::NAN, 0.0], [0.0, 1.0, f64::INFINITY, 0.0]] {
        let (text, error) = run(&c, &half, &half);
        assert!(matches!(error, Error::NonFinite { .. }) && text.contains("row 1, column 0"));
        assert!(matches!(assignment(&c, 2), Err(Error::NonFinite { .. })));
    }
    // In every place of rows that are longer than a vector register.
    for k in 0..2 * 77 {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut c = vec![1.0; 2 * 77];
            c[k] = bad;
            let (text, error) = run(&c, &half, &uniform(77));
            assert!(matches!(error, Error::NonFinite { .. }));
            assert!(text.contains(&format!("row {}, column {} ", k / 77, k % 77)), "{text}");
        }
    }
    let c = [0.0, 1.0, 1.0, 0.0];
    assert!(matches!(run(&c, &[], &half).1, Error::Shape { .. }));
    assert!(matches!(run(&[], &[], &[]).1, Error::Shape { .. }));
    assert!(matches!(run(&c, &[1.0], &half).1, Error::Shape { .. }));
    assert!(matches!(run(&c, &[f64::NAN, 0.5], &half).1, Error::NonFinite { .. }));
    assert!(matches!(run(&c, &[1.5, -0.5], &half).1, Error::InvalidConfig { .. }));
    assert!(matches!(run(&c, &[0.0, 0.0], &half).1, Error::InvalidConfig { .. }));
    assert!(matches!(run(&c, &[f64::MAX, f64::MAX], &half).1, Error::NonFinite { .. }));
    assert!(matches!(run(&[1e308; 4], &half, &half).1, Error::InvalidConfig { .. }));
    let (text, error) = run(&c, &half, &[0.5, 0.6]);
    assert!(matches!(error, Error::InvalidConfig { .. }));
    assert!(text.contains("1.1") && text.contains("divide both weights by their sums"), "{text}");
    assert!(exact_transport(&c, &[0.4, 0.6], &half, &ASSIGNMENT).is_err());
    assert!(matches!(assignment(&c, 0), Err(Error::Shape { .. })));
    assert!(matches!(assignment(&c, 3), Err(Error::Shape { .. })));
}
