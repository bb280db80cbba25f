//! Transport on the line and on random lines, against the network simplex and closed forms.

use crate::common::{cloud, costs, distance, largest, normals, uniform, weights};
use brenier::error::Error;
use brenier::prelude::*;
use brenier::solver::*;
use dfdx::prelude::TensorFromVec as _;

#[test]
fn the_line_against_the_simplex_and_closed_forms() {
    for (n, m) in [(1, 1), (7, 7), (30, 45), (64, 50)] {
        let (x, y) = (normals::<f64>(1, n), normals::<f64>(2, m));
        for (a, b) in [(uniform(n), uniform(m)), (weights(3, n), weights(4, m))] {
            let line = Univariate::weighted(&x, &a).unwrap();
            let other = Univariate::weighted(&y, &b).unwrap();
            for p in [1.0, 1.5, 2.0, 3.0] {
                let c = costs(&x, &y, 1, p);
                let exact = exact_transport(&c, &a, &b, &Default::default()).unwrap().cost;
                assert!((line.cost(&other, p).unwrap() - exact).abs() < 1e-13 * exact.max(1.0));
            }
            // A cost that is not symmetric: upwards is free below 1, downwards costs double.
            let h = |z: f64| (-z - 1.0).max(2.0 * z).max(0.0);
            let c: Vec<f64> = x.iter().flat_map(|x| y.iter().map(move |y| h(x - y))).collect();
            let exact = exact_transport(&c, &a, &b, &Default::default()).unwrap().cost;
            assert!((line.cost_by(&other, h).unwrap() - exact).abs() < 1e-13);
            let plan = line.coupling(&other).unwrap();
            assert!(plan.len() < n + m);
            let cost: f64 = plan.iter().map(|t| t.mass * h(x[t.source] - y[t.target])).sum();
            assert!((cost - exact).abs() < 1e-13);
            assert!(plan
                .windows(2)
                .all(|w| x[w[0].source] <= x[w[1].source] && y[w[0].target] <= y[w[1].target]));
        }
    }
    // A shift by s costs |s|ᵖ, and stretching a uniform grid on [0, 1] to [0, 2] costs ∫ q² = 1/3.
    let n = 1000;
    let grid: Vec<f64> = (0..n).map(|i| (i as f64 + 0.5) / n as f64).collect();
    let line = Univariate::new(&grid).unwrap();
    let moved = |f: fn(f64) -> f64| {
        Univariate::new(&grid.iter().map(|&x| f(x)).collect::<Vec<_>>()).unwrap()
    };
    assert!((line.cost(&moved(|x| x - 3.0), 3.0).unwrap() - 27.0).abs() < 1e-10);
    assert!((line.cost(&moved(|x| 2.0 * x), 2.0).unwrap() - 1.0 / 3.0).abs() < 1e-6);
}

#[test]
fn quantiles() {
    let line = Univariate::weighted(&[5.0, 1.0, 3.0, 0.0], &[1.0, 2.0, 1.0, 0.0]).unwrap();
    let expected = [(0.0, 1.0), (0.5, 1.0), (0.51, 3.0), (0.75, 3.0), (0.76, 5.0), (1.0, 5.0)];
    for (q, x) in expected {
        assert_eq!(line.quantile(q).unwrap(), x);
    }
    for q in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(line.quantile(q), Err(Error::InvalidConfig { .. })));
    }
    assert!(matches!(Univariate::new::<f64>(&[]), Err(Error::Shape { .. })));
    assert!(matches!(Univariate::new(&[f64::NAN]), Err(Error::NonFinite { .. })));
    assert!(matches!(Univariate::weighted(&[1.0], &[0.0]), Err(Error::InvalidConfig { .. })));
    assert!(matches!(Univariate::weighted(&[1.0], &[1.0, 1.0]), Err(Error::Shape { .. })));
    assert!(matches!(line.cost(&line, 0.5), Err(Error::InvalidConfig { .. })));
    assert!(matches!(line.cost_by(&line, |_| f64::NAN), Err(Error::NonFinite { .. })));
    let light = Univariate::new(&[0.0]).unwrap();
    assert!(matches!(line.coupling(&light), Err(Error::InvalidConfig { .. })));
}

#[test]
fn sliced_distances_of_shifts_and_stretches() {
    let x = cloud::<3, f64>(0, 200);
    let image = |f: fn(&[f64]) -> [f64; 3]| {
        let moved = rows(&x).chunks(3).flat_map(f).collect();
        brenier::tensor::points_on::<3, f64, Cpu>(&Cpu::default(), moved).unwrap()
    };
    let config = SlicedConfig { projections: 4096, ..Default::default() };
    let shifted = image(|p| [p[0] + 2.0, p[1] - 1.0, p[2] + 2.0]);
    let found = sliced_wasserstein(&x, &shifted, &config, Key::new(1)).unwrap();
    assert!((found.power - 3.0).abs() < 5.0 * found.standard_error);
    assert!(found.standard_error < 0.1);
    let most = max_sliced_wasserstein(&x, &shifted, &config, Key::new(1)).unwrap();
    assert!((most.distance - 3.0).abs() < 1e-9);
    let expected = [2.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0];
    let sign = most.direction[0].signum();
    let direction: Vec<f64> = most.direction.iter().map(|v| v * sign).collect();
    assert!(distance(&direction, &expected) < 1e-4);
    // Projections do not lengthen, and a cloud is nowhere from itself.
    assert!(found.distance <= most.distance);
    let still = sliced_wasserstein(&x, &x, &config, Key::new(2)).unwrap();
    assert!(still.distance == 0.0 && still.standard_error == 0.0);
    let still = max_sliced_wasserstein(&x, &x, &config, Key::new(2)).unwrap();
    assert!(still.distance == 0.0 && largest(&still.direction) <= 1.0);
}

#[test]
fn the_ascent_beats_the_random_directions() {
    // Equal but for the last of sixteen coordinates, which is stretched.
    let x = cloud::<16, f32>(0, 300);
    let flat = rows(&x);
    let moved = flat.chunks(16).flat_map(|p| {
        let mut p = p.to_vec();
        p[15] *= 4.0;
        p
    });
    let y = points::<16>(moved.collect()).unwrap();
    for p in [1.0, 2.0, 3.0] {
        let config = SlicedConfig { p, ..Default::default() };
        let still = SlicedConfig { ascent_steps: 0, ..config.clone() };
        let [best, start] = [config, still]
            .map(|config| max_sliced_wasserstein(&x, &y, &config, Key::new(3)).unwrap());
        assert!(best.distance > 1.1 * start.distance && best.steps > 0);
        assert!(best.direction[15].abs() > 0.98, "{:?}", best.direction);
    }
}

#[test]
fn sliced_distances_on_the_line_and_of_other_sizes() {
    let (x, y) = (cloud::<1, f64>(0, 40), cloud::<1, f64>(1, 25));
    let config = SlicedConfig { p: 1.0, projections: 3, ascent_steps: 5 };
    let found = sliced_wasserstein(&x, &y, &config, Key::new(0)).unwrap();
    let exact = exact_between(&Euclidean, &x, &y, &Default::default()).unwrap().cost;
    assert!((found.power - exact).abs() < 1e-14 && found.standard_error < 1e-14);
    let most = max_sliced_wasserstein(&x, &y, &config, Key::new(0)).unwrap();
    assert!((most.distance - exact).abs() < 1e-14 && most.steps == 0);
}

#[test]
fn threads_do_not_change_sliced_distances() {
    let (x, y) = (cloud::<5, f32>(0, 500), cloud::<5, f32>(1, 400));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let config = SlicedConfig::default();
            let sliced = sliced_wasserstein(&x, &y, &config, Key::new(7)).unwrap();
            (sliced, max_sliced_wasserstein(&x, &y, &config, Key::new(7)).unwrap())
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}

#[test]
fn bad_slices_are_errors() {
    let x = cloud::<2, f64>(0, 10);
    let run = |config: &SlicedConfig| {
        let most = max_sliced_wasserstein(&x, &x, config, Key::new(0)).unwrap_err();
        assert!(matches!(most, Error::InvalidConfig { .. }));
        sliced_wasserstein(&x, &x, config, Key::new(0)).unwrap_err()
    };
    let config = SlicedConfig::default();
    let none = SlicedConfig { projections: 0, ..config.clone() };
    assert!(matches!(run(&none), Error::InvalidConfig { .. }));
    for p in [0.5, f64::NAN, f64::INFINITY] {
        let config = SlicedConfig { p, ..config.clone() };
        assert!(matches!(run(&config), Error::InvalidConfig { .. }));
    }
    let device = Cpu::default();
    let nan: Points<2, f64> = device.tensor_from_vec(vec![f64::NAN; 4], (2, Const));
    let found = sliced_wasserstein(&x, &nan, &config, Key::new(0));
    assert!(matches!(found, Err(Error::NonFinite { .. })));
    let empty: Points<2, f64> = device.tensor_from_vec(Vec::new(), (0, Const));
    let found = sliced_wasserstein(&x, &empty, &config, Key::new(0));
    assert!(matches!(found, Err(Error::Shape { .. })));
    let found = exact_between(&SqEuclidean, &x, &empty, &Default::default());
    assert!(matches!(found, Err(Error::Shape { .. })));
}
