//! Costs h(x − y): conjugates, gradients, and the solvers that take them.

use brenier::geometry::{Elastic, FnDifference, Regulariser, Stvs, TranslationInvariant, L1};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{exact_between, sinkhorn, Epsilon, ExactConfig, Form, SinkhornConfig, Stop};

use crate::common::{distance, naive, normals, uniform};

fn check<C: TranslationInvariant<f64>>(name: &str, cost: &C) {
    let d = 4;
    for at in normals::<f64>(1, 20 * d).chunks(d) {
        let (mut slope, mut back) = (vec![0.0; d], vec![0.0; d]);
        cost.h_gradient(at, &mut slope);
        let step = 1e-6;
        for i in 0..d {
            let moved = |by: f64| {
                let mut z = at.to_vec();
                z[i] += by;
                cost.h(&z)
            };
            // Central differences: step² / 6 times the third derivative, and 1e-16 / step.
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((slope[i] - difference).abs() < 1e-7, "{name}: {} {difference}", slope[i]);
        }
        cost.h_star_gradient(&slope, &mut back);
        assert!(distance(&back, at) < 1e-12, "{name}: {back:?} {at:?}");
        // The value, and its gradient in y, which is −∇h.
        let y: Vec<f64> = normals(2, d);
        let x: Vec<f64> = y.iter().zip(at).map(|(y, z)| y + z).collect();
        let scale = 1.0 + cost.h(at).abs();
        assert!((cost.value(&x, &y) - cost.h(at)).abs() < 1e-13 * scale, "{name}");
        let mut dy = vec![0.0; d];
        assert!((cost.value_and_gradient(&x, &y, &mut dy) - cost.h(at)).abs() < 1e-13 * scale);
        let minus: Vec<f64> = slope.iter().map(|s| -s).collect();
        assert!(distance(&dy, &minus) < 1e-12, "{name}");
    }
    // Fenchel and Young: h(z) + h*(p) ≥ ⟨p, z⟩, so that the maximiser beats every other z.
    for p in normals::<f64>(3, 20 * d).chunks(d) {
        let mut best = vec![0.0; d];
        cost.h_star_gradient(p, &mut best);
        let gain = |z: &[f64]| p.iter().zip(z).map(|(p, z)| p * z).sum::<f64>() - cost.h(z);
        for z in normals::<f64>(4, 50 * d).chunks(d) {
            let near: Vec<f64> = best.iter().zip(z).map(|(b, z)| b + 0.1 * z).collect();
            assert!(gain(&best) >= gain(z).max(gain(&near)) - 1e-12, "{name}");
        }
    }
}

#[test]
fn gradients_of_h_and_its_conjugate_are_inverse() {
    check("SqEuclidean", &SqEuclidean);
    check("HalfSqEuclidean", &HalfSqEuclidean);
    check("PNorm 1.5", &PNorm::new(1.5).unwrap());
    check("PNorm 2", &PNorm::new(2.0).unwrap());
    check("PNorm 4", &PNorm::new(4.0).unwrap());
    check("L1", &Elastic(L1::new(0.3).unwrap()));
    check("Stvs", &Elastic(Stvs::new(0.7).unwrap()));
}

#[test]
fn regularisers_threshold() {
    let p = [-3.0, -0.5, 0.0, 0.2, 0.5, 2.0];
    let mut z = [0.0; 6];
    L1::new(0.5).unwrap().prox(&p, &mut z);
    assert_eq!(z, [-2.5, 0.0, 0.0, 0.0, 0.0, 1.5]);
    Stvs::new(0.5).unwrap().prox(&p, &mut z);
    assert!(distance(&z, &[-3.0 + 0.25 / 3.0, 0.0, 0.0, 0.0, 0.0, 1.875]) < 1e-15);
    for gamma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(L1::new(gamma).is_err() && Stvs::new(gamma).is_err());
    }
    let elastic = Elastic(L1::new(0.5).unwrap());
    let text = serde_json::to_string(&elastic).unwrap();
    assert_eq!(serde_json::from_str::<Elastic<L1>>(&text).unwrap(), elastic);
    assert!(serde_json::from_str::<Elastic<L1>>("-1.0").is_err());
    assert!(!TranslationInvariant::<f64>::is_strictly_convex(&PNorm::new(1.0).unwrap()));
}

/// A closure and a difference cost, in every solver and both forms.
#[test]
fn any_closure_works_in_all_solvers() {
    let (n, m, d) = (25, 25, 2);
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(5, n * d), normals(6, m * d));
    let closure = FnCost(|x: &[f64], y: &[f64], dy: &mut [f64]| {
        let (a, b) = (y[0] - x[0], y[1] - x[1]);
        dy.copy_from_slice(&[2.0 * a, 4.0 * b]);
        a * a + 2.0 * b * b
    });
    let difference = FnDifference {
        h: |z: &[f64]| z[0] * z[0] + 2.0 * z[1] * z[1],
        gradient: |z: &[f64], out: &mut [f64]| out.copy_from_slice(&[2.0 * z[0], 4.0 * z[1]]),
        star_gradient: |p: &[f64], out: &mut [f64]| {
            out.copy_from_slice(&[0.5 * p[0], 0.25 * p[1]]);
        },
    };
    check("a type of one's own", &Own);
    fn solve<C: RowCost<f64> + Cost<2, f64>>(cost: &C, x: &[f64], y: &[f64]) -> [Vec<f64>; 2] {
        let problem = Discrete::clouds(cost, x, y, 2).unwrap();
        let plans = [Form::Stored, Form::Online].map(|form| {
            let stop = Stop::Tolerance { tolerance: 1e-11, limit: 10_000 };
            let epsilon = Epsilon::Absolute(1.0);
            let config = SinkhornConfig { epsilon, stop, form, ..Default::default() };
            let solution = sinkhorn(&config, &problem, None).unwrap().into_converged().unwrap();
            solution.plan(&problem).unwrap().matrix()
        });
        let on = |v: &[f64]| {
            brenier::tensor::points_on::<2, f64, _>(&Cpu::default(), v.to_vec()).unwrap()
        };
        let exact = exact_between(cost, &on(x), &on(y), &ExactConfig::default()).unwrap();
        let best = exact.into_optimal().unwrap();
        let c: Vec<f64> =
            x.chunks(2).flat_map(|x| y.chunks(2).map(move |y| cost.value(x, y))).collect();
        let price: f64 = plans[0].iter().zip(&c).map(|(p, c)| p * c).sum();
        assert!(best.cost <= price + 1e-9);
        plans
    }
    let c: Vec<f64> = x
        .chunks(d)
        .flat_map(|x| y.chunks(d).map(move |y| (x[0] - y[0]).powi(2) + 2.0 * (x[1] - y[1]).powi(2)))
        .collect();
    let expected = naive(&c, &uniform(n), &uniform(m), 1.0, [1.0; 2], 3000);
    for plan in solve(&closure, &x, &y).iter().chain(&solve(&difference, &x, &y)) {
        assert!(distance(plan, &expected) < 1e-9, "{:e}", distance(plan, &expected));
    }
}

/// h(z) = Σ (i + 1) zᵢ², as a type of one's own.
#[derive(Clone)]
struct Own;

impl RowCost<f64> for Own {
    fn value(&self, x: &[f64], y: &[f64]) -> f64 {
        let z: Vec<f64> = x.iter().zip(y).map(|(x, y)| x - y).collect();
        self.h(&z)
    }
    fn value_and_gradient(&self, x: &[f64], y: &[f64], dy: &mut [f64]) -> f64 {
        let z: Vec<f64> = x.iter().zip(y).map(|(x, y)| x - y).collect();
        self.h_gradient(&z, dy);
        dy.iter_mut().for_each(|d| *d = -*d);
        self.h(&z)
    }
}

impl TranslationInvariant<f64> for Own {
    fn h(&self, z: &[f64]) -> f64 {
        z.iter().enumerate().map(|(i, z)| (1.0 + i as f64) * z * z).sum()
    }
    fn h_gradient(&self, z: &[f64], out: &mut [f64]) {
        for (i, (o, z)) in out.iter_mut().zip(z).enumerate() {
            *o = 2.0 * (1.0 + i as f64) * z;
        }
    }
    fn h_star_gradient(&self, p: &[f64], out: &mut [f64]) {
        for (i, (o, p)) in out.iter_mut().zip(p).enumerate() {
            *o = p / (2.0 * (1.0 + i as f64));
        }
    }
}
