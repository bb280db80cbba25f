//! Derivatives of entropic plans against finite differences.

use crate::common;
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{
    plan_gradient, sinkhorn, BarycentricProjection, Epsilon, LinearSolve, SinkhornConfig, Status,
    Stop,
};
use brenier::testing::check_input_gradient;
use dfdx::prelude::*;

use crate::common::{cloud, normals};

const KL: Relaxation = Relaxation::Kl { tau: 0.8 };
const EXACT: LinearSolve = LinearSolve { tolerance: 1e-12, limit: 500, ridge: 0.0 };

/// Unlike the cost, the plan moves in the first order with the potentials: differences over 2e-5 of
/// solutions to 1e-13 are good to about 1e-8 of the potentials' scale.
const CLOSE: f64 = 1e-6;

fn tight(epsilon: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance: 1e-13, limit: 100_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

fn check_projection<const N: usize, C: RowCost<f64>>(cost: C, epsilon: f64) {
    let (x, y) = (cloud::<N, f64>(1, 8), cloud::<N, f64>(2, 6) * 0.7 + 0.3);
    let weights = cloud::<N, f64>(3, 8);
    for relaxation in [[Relaxation::Balanced; 2], [KL; 2], [Relaxation::Balanced, KL]] {
        let projection = BarycentricProjection {
            cost: cost.clone(),
            sinkhorn: tight(epsilon),
            relaxation,
            linear: EXACT,
        };
        let of_x = check_input_gradient(&x, |x| {
            (projection.of(x, y.clone()).unwrap().0 * weights.clone()).sum()
        });
        assert!(of_x.relative < CLOSE, "{relaxation:?} {of_x:?}");
        let of_y = check_input_gradient(&y, |y| {
            let x = x.retaped::<Taped<f64>>();
            (projection.of(x, y).unwrap().0 * weights.clone()).sum()
        });
        assert!(of_y.relative < CLOSE, "{relaxation:?} {of_y:?}");
    }
}

#[test]
fn projections_in_the_points() {
    check_projection::<2, _>(SqEuclidean, 0.3);
    check_projection::<10, _>(HalfSqEuclidean, 1.0);
    check_projection::<2, _>(Euclidean, 0.2);
    check_projection::<3, _>(PNorm::new(1.5).unwrap(), 0.3);
    check_projection::<3, _>(Cosine, 0.1);
}

#[test]
fn projections_in_the_weights() {
    let (x, y) = (cloud::<2, f64>(1, 8), cloud::<2, f64>(2, 6));
    let theta: Values<f64> = Cpu::default().tensor_from_vec(normals(4, 8), (8,));
    let fixed: Values<f64> = Cpu::default().tensor_from_vec(common::weights(5, 6), (6,));
    for relaxation in [Relaxation::Balanced, KL] {
        let projection = BarycentricProjection {
            cost: SqEuclidean,
            sinkhorn: tight(0.4),
            relaxation: [relaxation; 2],
            linear: EXACT,
        };
        for swap in [false, true] {
            let error = check_input_gradient(&theta, |theta| {
                let (w, tape) = theta.softmax().split_tape();
                let (x, y) = if swap { (&y, &x) } else { (&x, &y) };
                let both = if swap { [Some(&fixed), Some(&w)] } else { [Some(&w), Some(&fixed)] };
                let x = x.clone().put_tape(tape);
                let (moved, ..) = projection.weighted(x, y.clone(), both, None).unwrap();
                moved.square().sum()
            });
            assert!(error.relative < CLOSE, "{relaxation:?} {swap} {error:?}");
        }
    }
}

#[test]
fn any_functional_of_the_plan() {
    let (n, m) = (7, 5);
    let (x, y): (Vec<f64>, Vec<f64>) = (normals(1, 2 * n), normals(2, 2 * m));
    let w: Vec<f64> = normals(3, n * m);
    let value = |x: &[f64]| {
        let problem = Discrete::clouds(&SqEuclidean, x, &y, 2).unwrap();
        let s = sinkhorn(&tight(0.4), &problem, None).unwrap();
        let plan = s.plan(&problem).unwrap().matrix();
        plan.iter().zip(&w).map(|(p, w)| p * w).sum::<f64>()
    };
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let s = sinkhorn(&tight(0.4), &problem, None).unwrap();
    let row = |i: usize, out: &mut [f64]| out.copy_from_slice(&w[i * m..][..m]);
    let (gradient, report) = plan_gradient(&EXACT, &problem, &s, row).unwrap();
    // In exact arithmetic, as many iterations as there are targets.
    assert!(report.status == Status::Converged && report.iterations <= m + 2, "{report:?}");
    let h = 1e-5;
    let difference: Vec<f64> = (0..2 * n)
        .map(|k| {
            let at = |by: f64| {
                let mut x = x.clone();
                x[k] += by;
                value(&x)
            };
            (at(h) - at(-h)) / (2.0 * h)
        })
        .collect();
    assert!(common::relative(&gradient.source, &difference) < CLOSE);

    // Too few iterations, and a ridge, are reported or seen.
    let (_, report) = plan_gradient(&LinearSolve { limit: 1, ..EXACT }, &problem, &s, row).unwrap();
    assert!(report.status == Status::IterationLimit && report.residual > 1e-12);
    let (ridged, _) =
        plan_gradient(&LinearSolve { ridge: 0.1, ..EXACT }, &problem, &s, row).unwrap();
    assert!(common::relative(&ridged.source, &difference) > 1e-3);
}

#[test]
fn single_precision_and_reports() {
    let (x, y) = (cloud::<2, f64>(1, 200), cloud::<2, f64>(2, 150));
    let single =
        |p: &Points<2, f64>| points::<2>(rows(p).into_iter().map(|v| v as f32).collect()).unwrap();
    let exact = BarycentricProjection {
        sinkhorn: tight(0.3),
        linear: EXACT,
        ..BarycentricProjection::<SqEuclidean>::default()
    };
    let (moved, ..) = exact.of(x.leaky_trace(), y.clone()).unwrap();
    let truth = rows(&moved.square().sum::<Rank0, _>().backward().get(&x));
    let mut rough = exact.clone();
    rough.sinkhorn.stop = Stop::Tolerance { tolerance: 1e-5, limit: 10_000 };
    rough.linear = LinearSolve::default();
    let xs = single(&x);
    let (moved, _, report) = rough.of(xs.leaky_trace(), single(&y)).unwrap();
    assert!(report.get().is_none());
    let seen = rows(&moved.square().sum::<Rank0, _>().backward().get(&xs));
    assert!(report.get().unwrap().iterations > 0);
    assert!(common::relative(&seen, &truth) < 2e-3, "{}", common::relative(&seen, &truth));
}

#[test]
fn what_cannot_be_differentiated_is_refused() {
    let (x, y) = ([0.0f64, 1.0], [0.5f64, 2.0]);
    let good = || Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let s = sinkhorn(&tight(0.5), &good(), None).unwrap();
    let row = |_: usize, out: &mut [f64]| out.fill(1.0);
    let none = good().with_source_weights(&[0.0, 1.0]).unwrap();
    assert!(plan_gradient(&EXACT, &none, &s, row).is_err());
    for bad in [
        LinearSolve { tolerance: 0.0, ..EXACT },
        LinearSolve { limit: 0, ..EXACT },
        LinearSolve { ridge: -1.0, ..EXACT },
    ] {
        assert!(plan_gradient(&bad, &good(), &s, row).is_err());
    }
    // The total mass of a balanced plan is a constant.
    let (gradient, _) = plan_gradient(&EXACT, &good(), &s, row).unwrap();
    assert!(gradient.source.iter().all(|g| g.abs() < 1e-9), "{gradient:?}");
}
