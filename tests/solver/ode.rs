//! Integrators: orders, agreement with scipy, time in both directions, steps of their own, failures.

use crate::common::{distance, golden, largest, numbers};
use brenier::solver::{integrate, OdeConfig, OdeMethod, OdePath, OdeStatus, StepControl, Steps};

const METHODS: [(OdeMethod, f64); 5] = [
    (OdeMethod::Euler, 1.0),
    (OdeMethod::Heun, 2.0),
    (OdeMethod::RungeKutta4, 4.0),
    (OdeMethod::DormandPrince, 5.0),
    (OdeMethod::Tsitouras, 5.0),
];

/// A field on the plane, point by point.
fn plane(each: impl Fn(f64, [f64; 2]) -> [f64; 2]) -> impl Fn(&[f64], &[f64], &mut [f64]) {
    move |times, x, v| {
        assert_eq!((times.len() * 2, x.len()), (x.len(), v.len()));
        for ((t, x), v) in times.iter().zip(x.chunks(2)).zip(v.chunks_mut(2)) {
            v.copy_from_slice(&each(*t, [x[0], x[1]]));
        }
    }
}

/// x' = x cos t with x = exp(sin t), and y' = −2t y² with y = 1 / (1 + t²).
fn known(t: f64, [x, y]: [f64; 2]) -> [f64; 2] {
    [x * t.cos(), -2.0 * t * y * y]
}

fn solution(t: f64) -> [f64; 2] {
    [t.sin().exp(), 1.0 / (1.0 + t * t)]
}

/// The largest errors at the end and at times inside of the steps.
fn errors(method: OdeMethod, steps: usize) -> [f64; 2] {
    // Everywhere between the ends of steps.
    let times: Vec<f64> = (0..=83).map(|j| 2.0 * f64::from(j) / 83.0).collect();
    let config = OdeConfig::fixed(method, steps);
    let path = integrate(&config, plane(known), &solution(0.0), 2, &times).unwrap();
    let error = |i: usize| distance(&path.states[i], &solution(times[i]));
    [error(83), (1..83).map(error).fold(0.0, f64::max)]
}

#[test]
fn methods_have_their_orders() {
    for (method, order) in METHODS {
        let (coarse, fine) = (errors(method, 100), errors(method, 200));
        for (place, (coarse, fine)) in coarse.into_iter().zip(fine).enumerate() {
            let measured = (coarse / fine).log2();
            // The next term of the error moves the quotient by O(h), and the times do not hit the same
            // places of their steps; a method of the next lower order is a whole unit off.
            assert!((measured - order).abs() < 0.25, "{method:?}: {measured} at place {place}");
        }
    }
}

#[test]
fn as_scipy_with_no_more_evaluations() {
    let mut work = [0, 0];
    for case in golden("ode.json")["cases"].as_array().unwrap() {
        let field: fn(f64, [f64; 2]) -> [f64; 2] = match case["problem"].as_str().unwrap() {
            "van_der_pol" => |_, [x, y]| [y, 2.0 * (1.0 - x * x) * y - x],
            "predator_prey" => |_, [x, y]| [1.5 * x - x * y, x * y - 3.0 * y],
            _ => |t, [x, y]| [x * (3.0 * t).cos(), x - y + t.sin()],
        };
        let tolerance = case["tolerance"].as_f64().unwrap();
        let (times, exact) = (numbers(&case["times"]), numbers(&case["exact"]));
        let theirs = numbers(&case["states"]);
        let evaluations = case["evaluations"].as_u64().unwrap();
        let run = |method| {
            let config = OdeConfig::adaptive(method, tolerance);
            let start = numbers(&case["start"]);
            let path = integrate(&config, plane(field), &start, 2, &times).unwrap();
            path.into_reached().unwrap()
        };
        let path = run(OdeMethod::DormandPrince);
        // The same method, error norm and rule for steps: equal up to roundings, which a step that is
        // near a bound could amplify no further than a small part of the tolerance.
        let (ours, scale) = (path.states.concat(), largest(&exact));
        assert!(distance(&ours, &theirs) < 1e-3 * tolerance * scale, "{case}");
        assert!(path.reports[0].evaluations <= evaluations, "{:?} > {evaluations}", path.reports);
        assert_eq!(path.calls, path.reports[0].evaluations);
        // The other pair: as exact as scipy's up to a factor.
        let path = run(OdeMethod::Tsitouras);
        let (ours, theirs) = (distance(&path.states.concat(), &exact), distance(&theirs, &exact));
        assert!(ours < 3.0 * theirs, "{ours} against {theirs}");
        work = [work[0] + path.reports[0].evaluations, work[1] + evaluations];
    }
    // And for no more work in the sum.
    assert!(work[0] <= work[1], "{work:?}");
}

#[test]
fn back_in_time_is_back_at_the_start() {
    let start = [2.0, 0.0, 0.3, -1.0];
    for steps in [Steps::Shared(tight()), Steps::PerSample(tight()), Steps::Fixed(2000)] {
        let config = OdeConfig { method: OdeMethod::Tsitouras, steps };
        let field = || plane(|_, [x, y]| [y, (1.0 - x * x) * y - x]);
        let there = integrate(&config, field(), &start, 2, &[0.0, 3.0]).unwrap();
        let back = integrate(&config, field(), there.end(), 2, &[3.0, 1.0, 0.0]).unwrap();
        // The field contracts by a factor of some hundred on the way, by which errors grow on the way
        // back.
        assert!(distance(back.end(), &start) < 1e-6, "{steps:?}: {:?}", back.end());
        assert!((back.reports[0].time, back.reports[0].status) == (0.0, OdeStatus::Reached));
    }
}

fn tight() -> StepControl {
    StepControl::with_tolerance(1e-10)
}

/// Rotation at a speed that is the radius squared.
fn spin(_: f64, [x, y]: [f64; 2]) -> [f64; 2] {
    let speed = x * x + y * y;
    [-speed * y, speed * x]
}

#[test]
fn a_point_with_steps_of_its_own_is_as_if_alone() {
    let start: Vec<f64> = vec![0.1, 0.0, 3.0, 0.0, 1.0, 1.0];
    let times = [0.0, 0.4, 1.0];
    for method in [OdeMethod::Heun, OdeMethod::DormandPrince, OdeMethod::Tsitouras] {
        let control = StepControl { limit: 100_000, ..StepControl::with_tolerance(1e-5) };
        let config = OdeConfig { method, steps: Steps::PerSample(control) };
        let together = integrate(&config, plane(spin), &start, 2, &times).unwrap();
        let mut evaluations = Vec::new();
        for (i, x) in start.chunks(2).enumerate() {
            let alone = integrate(&config, plane(spin), x, 2, &times).unwrap();
            for (all, one) in together.states.iter().zip(&alone.states) {
                assert_eq!(all[2 * i..2 * i + 2], one[..]);
            }
            assert_eq!(together.reports[i], alone.reports[0]);
            evaluations.push(alone.reports[0].evaluations);
        }
        // The slow point is done early; the calls are those of the fast one.
        assert!(2 * evaluations[0] < evaluations[1], "{evaluations:?}");
        assert_eq!(together.calls, *evaluations.iter().max().unwrap());
        let shared = OdeConfig { method, steps: Steps::Shared(control) };
        let shared = integrate(&shared, plane(spin), &start, 2, &times).unwrap();
        assert_eq!(shared.reports.len(), 1);
        assert!(shared.evaluations() > together.evaluations());
    }
}

#[test]
fn single_precision_keeps_its_tolerance() {
    let field = |times: &[f64], x: &[f32], v: &mut [f32]| {
        for ((t, x), v) in times.iter().zip(x).zip(v) {
            *v = x * t.cos() as f32;
        }
    };
    let config = OdeConfig::adaptive(OdeMethod::DormandPrince, 1e-5);
    let path = integrate(&config, field, &[1.0f32, 2.0], 1, &[0.0, 2.0]).unwrap();
    let exact = 2f64.sin().exp();
    assert!(distance(path.end(), &[exact, 2.0 * exact]) < 3e-5, "{:?}", path.end());
}

/// A field that jumps makes the controller with a proportional part refuse fewer steps.
#[test]
fn a_proportional_part_refuses_fewer_steps() {
    let kinks = |_: f64, [x, y]: [f64; 2]| [(x - y).abs().sqrt() + 0.1, (8.0 * x).sin().abs()];
    let run = |pid| {
        let control = StepControl { pid, ..StepControl::with_tolerance(1e-7) };
        let config = OdeConfig { method: OdeMethod::Tsitouras, steps: Steps::Shared(control) };
        let path = integrate(&config, plane(kinks), &[0.0, 0.2], 2, &[0.0, 6.0]).unwrap();
        assert_eq!(path.reports[0].status, OdeStatus::Reached);
        (path.reports[0].rejected, path.end().to_vec())
    };
    let ((plain, a), (smooth, b)) = (run([0.0, 1.0, 0.0]), run([0.4, 0.3, 0.0]));
    assert!(smooth < plain, "{smooth} against {plain}");
    assert!(distance(&a, &b) < 1e-4);
}

#[test]
fn failures_are_told_apart() {
    let run = |field: fn(f64, [f64; 2]) -> [f64; 2], control| -> OdePath<f64> {
        let config = OdeConfig { steps: Steps::PerSample(control), ..OdeConfig::default() };
        integrate(&config, plane(field), &[1.0, 0.0, 0.1, 0.0], 2, &[0.0, 0.5, 2.0]).unwrap()
    };
    let said = |path: OdePath<f64>| path.into_reached().unwrap_err().to_string();

    // x' = x² leaves every bound at t = 1 from 1, and at t = 10 from 0.1: the second point arrives.
    let path = run(|_, [x, _]| [x * x, 0.0], tight());
    assert_eq!(path.reports[0].status, OdeStatus::StepTooSmall);
    assert_eq!(path.reports[1].status, OdeStatus::Reached);
    assert!((path.reports[0].time - 1.0).abs() < 1e-6);
    assert!((path.states[1][0] - 2.0).abs() < 1e-6 && path.end()[0].is_nan());
    assert!((path.end()[2] - 0.125).abs() < 1e-8);
    assert!(said(path).contains("steps vanish here"));

    let path = run(|t, [x, _]| [if t > 0.7 { f64::NAN } else { -x }, 0.0], tight());
    assert!(path.reports.iter().all(|r| r.status == OdeStatus::StepTooSmall && r.time > 0.69));
    let path = run(|_, _| [f64::INFINITY, 0.0], tight());
    assert_eq!(path.reports[1].status, OdeStatus::NonFinite);
    assert!(said(path).contains("field or the state at t = 0"));
    let path = run(spin, StepControl { limit: 3, ..tight() });
    assert_eq!((path.reports[0].status, path.reports[0].accepted), (OdeStatus::StepLimit, 3));
    assert!(said(path).contains("raise the limit"));
    let fixed = OdeConfig::fixed(OdeMethod::Euler, 40);
    let path = integrate(&fixed, plane(|_, [x, _]| [x.powi(9), 0.0]), &[9.0, 0.0], 2, &[0.0, 2.0]);
    assert_eq!(path.unwrap().reports[0].status, OdeStatus::NonFinite);
}

#[test]
fn bad_arguments_are_refused() {
    let run = |config: &OdeConfig, start: &[f64], times: &[f64]| {
        let error = integrate(config, plane(spin), start, 2, times);
        error.unwrap_err().to_string()
    };
    let config = OdeConfig::default();
    for times in [&[0.0][..], &[], &[0.0, 0.0], &[0.0, 1.0, 0.5], &[0.0, f64::NAN]] {
        assert!(run(&config, &[1.0, 0.0], times).contains("all increasing or all decreasing"));
    }
    assert!(run(&config, &[1.0], &[0.0, 1.0]).contains("multiple of 2"));
    let nan = run(&config, &[1.0, 0.0, 0.0, f64::NAN], &[0.0, 1.0]);
    assert!(nan.contains("coordinate 1 of start 1 is NaN"), "{nan}");
    for method in [OdeMethod::Euler, OdeMethod::RungeKutta4] {
        let config = OdeConfig::adaptive(method, 1e-3);
        assert!(run(&config, &[1.0, 0.0], &[0.0, 1.0]).contains("fixed steps"));
    }
    assert!(run(&OdeConfig::fixed(OdeMethod::Heun, 0), &[1.0, 0.0], &[0.0, 1.0]).contains("steps"));
    let control = |c: StepControl| OdeConfig { steps: Steps::Shared(c), ..config };
    let base = StepControl::default();
    for (bad, name) in [
        (StepControl { rtol: 0.0, ..base }, "rtol"),
        (StepControl { atol: f64::NAN, ..base }, "atol"),
        (StepControl { limit: 0, ..base }, "limit of steps"),
        (StepControl { first: Some(-1.0), ..base }, "first step"),
        (StepControl { pid: [0.1, 0.0, 0.0], ..base }, "integral part"),
        (StepControl { pid: [-0.1, 1.0, 0.0], ..base }, "pid"),
    ] {
        let said = run(&control(bad), &[1.0, 0.0], &[0.0, 1.0]);
        assert!(said.contains(name), "{said}");
    }
}
