//! Entropic maps and extended potentials: closed forms, loops, differences, and ott-jax.

use crate::common;
use brenier::geometry::{Elastic, FnDifference, Stvs, TranslationInvariant, L1};
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{sinkhorn, EntropicMap, Epsilon, SinkhornConfig, Solution, Stop};

use crate::common::{distance, golden, normals, numbers, on_any_threads, weights};

fn exactly(epsilon: f64, tolerance: f64) -> SinkhornConfig {
    let stop = Stop::Tolerance { tolerance, limit: 50_000 };
    SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), stop, ..Default::default() }
}

fn solved(config: &SinkhornConfig, problem: &Discrete<'_, f64>) -> Solution {
    sinkhorn(config, problem, None).unwrap().into_converged().unwrap()
}

/// Between N(0, s²) and N(1, t²) on the line, the plan at ε is normal, with the covariance that solves
/// c² + ε c / 2 = s² t² (the cross term of its density is 2 x y / ε): the map has slope c / s².
#[test]
fn between_normal_laws_the_map_is_affine() {
    let (s, t, epsilon) = (0.8, 1.3, 0.7f64);
    let covariance = -epsilon / 4.0 + (epsilon * epsilon / 16.0 + s * s * t * t).sqrt();
    // Trapezoidal sums of smooth functions that vanish at the ends converge geometrically.
    let grid = |mean: f64, deviation: f64| {
        let z: Vec<f64> = (0..161).map(|i| (i as f64 - 80.0) / 10.0).collect();
        let w: Vec<f64> = z.iter().map(|z| (-0.5 * z * z).exp()).collect();
        (z.iter().map(|z| mean + deviation * z).collect::<Vec<_>>(), common::normalised(w))
    };
    let ((x, a), (y, b)) = (grid(0.0, s), grid(1.0, t));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
    let solution = solved(&exactly(epsilon, 1e-13), &problem);
    let map = solution.entropic_map(&problem, &SqEuclidean).unwrap();
    for at in [-2.0, -0.3, 0.0, 0.123, 1.5] {
        let image = map.forward(&[at]).unwrap()[0];
        assert!((image - (1.0 + covariance / (s * s) * at)).abs() < 1e-9, "{image}");
        let back = map.backward(&[at]).unwrap()[0];
        assert!((back - covariance / (t * t) * (at - 1.0)).abs() < 1e-9, "{back}");
    }
}

#[test]
fn at_the_points_of_the_problem_it_is_the_barycentric_projection() {
    for d in [1, 2, 3, 20] {
        let (n, m) = (75, 130);
        let (x, y): (Vec<f64>, Vec<f64>) = (normals(1, n * d), normals(2, m * d));
        let (a, b) = (weights(3, n), weights(4, m));
        let problem = Discrete::clouds(&HalfSqEuclidean, &x, &y, d).unwrap();
        let problem = problem.with_source_weights(&a).unwrap().with_target_weights(&b).unwrap();
        let solution = solved(&exactly(0.3 * d as f64, 1e-10), &problem);
        let map = solution.entropic_map(&problem, &HalfSqEuclidean).unwrap();
        let expected = solution.plan(&problem).unwrap().barycentric().unwrap();
        // Row sums do not enter: both are averages under the same terms.
        assert!(distance(&map.forward(&x).unwrap(), &expected) < 1e-10);
        let back = map.backward(&y).unwrap();
        let plan = solution.plan(&problem).unwrap();
        let (moved, columns) = (plan.apply_transpose(&x).unwrap(), plan.marginals().1);
        let expected: Vec<f64> = (0..m * d).map(|k| moved[k] / columns[k / d]).collect();
        assert!(distance(&back, &expected) < 1e-10);
        // The potentials extend the ones of the solution, which satisfy the same equations to the
        // tolerance, relative to the smallest weight.
        let f = map.source_potential(&x).unwrap();
        let g = map.target_potential(&y).unwrap();
        let rounding = d as f64 * 1e-10 / a.iter().chain(&b).fold(1.0, |l: f64, w| l.min(*w));
        assert!(distance(&f, &solution.potentials.f) < rounding);
        assert!(distance(&g, &solution.potentials.g) < rounding);
    }
}

/// T(x) = x − ∇h*(∇f(x)) and S(y) = y + ∇h*(−∇g(y)), with gradients by central differences.
fn by_differences<C: TranslationInvariant<f64>>(map: &EntropicMap<f64, C>, cost: &C, at: &[f64]) {
    let (d, step) = (at.len(), 1e-5);
    let gradient = |potential: &dyn Fn(&[f64]) -> f64| {
        let moved = |i: usize, by: f64| {
            let mut at = at.to_vec();
            at[i] += by;
            potential(&at)
        };
        (0..d).map(|i| (moved(i, step) - moved(i, -step)) / (2.0 * step)).collect::<Vec<f64>>()
    };
    let mut along = vec![0.0; d];
    let slope = gradient(&|x| map.source_potential(x).unwrap()[0]);
    cost.h_star_gradient(&slope, &mut along);
    let image: Vec<f64> = at.iter().zip(&along).map(|(x, s)| x - s).collect();
    // Differences have errors of step² and 1e-16 / step; ∇h* of PNorm 1.5 is a square.
    assert!(distance(&map.forward(at).unwrap(), &image) < 1e-7, "{image:?}");
    let slope: Vec<f64> =
        gradient(&|y| map.target_potential(y).unwrap()[0]).iter().map(|s| -s).collect();
    cost.h_star_gradient(&slope, &mut along);
    let image: Vec<f64> = at.iter().zip(&along).map(|(y, s)| y + s).collect();
    assert!(distance(&map.backward(at).unwrap(), &image) < 1e-7, "{image:?}");
}

#[test]
fn maps_of_any_cost_follow_the_gradients_of_the_potentials() {
    fn check<C: TranslationInvariant<f64>>(cost: &C) {
        let (n, m, d) = (20, 30, 2);
        let (x, y): (Vec<f64>, Vec<f64>) = (normals(5, n * d), normals(6, m * d));
        let problem = Discrete::clouds(cost, &x, &y, d).unwrap();
        let solution = solved(&exactly(0.4, 1e-10), &problem);
        let map = solution.entropic_map(&problem, cost).unwrap();
        for at in normals::<f64>(7, 5 * d).chunks(d) {
            by_differences(&map, cost, at);
        }
    }
    check(&SqEuclidean);
    check(&HalfSqEuclidean);
    check(&PNorm::new(1.5).unwrap());
    check(&PNorm::new(3.0).unwrap());
    check(&Elastic(L1::new(0.2).unwrap()));
    check(&Elastic(Stvs::new(0.4).unwrap()));
    // h(z) = Σ eᶻ − z, which is not even: it tells x − y from y − x. ∇h* = log(1 + p).
    check(&FnDifference {
        h: |z: &[f64]| z.iter().map(|z| z.exp() - z).sum::<f64>(),
        gradient: |z: &[f64], out: &mut [f64]| {
            out.iter_mut().zip(z).for_each(|(o, z)| *o = z.exp_m1());
        },
        star_gradient: |p: &[f64], out: &mut [f64]| {
            out.iter_mut().zip(p).for_each(|(o, p)| *o = p.ln_1p());
        },
    });
}

#[test]
fn sparse_costs_move_along_few_coordinates() {
    let (n, d) = (60, 6);
    // Only the first coordinate differs much.
    let noise = |key| normals::<f64>(key, n * d).into_iter().map(|v| 0.1 * v);
    let x: Vec<f64> = noise(8).collect();
    let y: Vec<f64> =
        noise(9).enumerate().map(|(k, v)| if k % d == 0 { v + 5.0 } else { v }).collect();
    let cost = Elastic(L1::new(3.0).unwrap());
    let problem = Discrete::clouds(&cost, &x, &y, d).unwrap();
    let map = solved(&exactly(1.0, 1e-6), &problem).entropic_map(&problem, &cost).unwrap();
    let image = map.forward(&x).unwrap();
    let still = (0..n * d).filter(|k| k % d > 0 && image[*k] == x[*k]).count();
    assert!(still > n * (d - 1) * 9 / 10, "{still} of {} coordinates", n * (d - 1));
    assert!((0..n).all(|i| (image[i * d] - 5.0).abs() < 0.5));
}

#[test]
fn potentials_and_maps_of_ott_jax() {
    let file = golden("ott.json");
    let file = &file["clouds"];
    let [x, y, a, b, at] = ["x", "y", "a", "b", "at"].map(|key| numbers(&file[key]));
    let d = file["d"].as_u64().unwrap() as usize;
    for case in file["cases"].as_array().unwrap() {
        let (epsilon, tau) = (case["eps"].as_f64().unwrap(), numbers(&case["tau"]));
        let check = |solution: &Solution| {
            // The potentials of both are good to about 1e-12 over the smallest weight.
            let Solution { potentials, .. } = solution;
            let error = [(&potentials.f, "f"), (&potentials.g, "g")]
                .map(|(p, key)| distance(p, &numbers(&case[key])));
            assert!(error[0].max(error[1]) < 1e-9, "{case}: {error:?}");
        };
        macro_rules! with {
            ($cost:expr, $map:expr) => {{
                let cost = $cost;
                let problem = Discrete::clouds(&cost, &x, &y, d).unwrap();
                // Costs of relaxed problems, as the script says.
                let tilted: Vec<f64> = (0..a.len() * b.len())
                    .map(|k| {
                        let (i, j) = (k / b.len(), k % b.len());
                        let c: f64 = cost.value(&x[i * d..][..d], &y[j * d..][..d]);
                        c + epsilon * (a[i].ln() + b[j].ln())
                    })
                    .collect();
                let problem = if tau == [1.0, 1.0] {
                    let unit = |w: &[f64]| common::normalised(w.to_vec());
                    problem.with_source_weights(&unit(&a)).unwrap().with_target_weights(&unit(&b))
                } else {
                    let [s, t] = [tau[0], tau[1]].map(|tau| Relaxation::Kl { tau });
                    let problem = Discrete::matrix(&tilted, a.len(), b.len()).unwrap();
                    let problem = problem.relaxed(s, t).unwrap();
                    problem.with_source_weights(&a).unwrap().with_target_weights(&b)
                };
                let problem = problem.unwrap();
                let solution = solved(&exactly(epsilon, 1e-12), &problem);
                check(&solution);
                let map: fn(&Solution, &Discrete<'_, f64>, &_, &[f64], &serde_json::Value) = $map;
                map(&solution, &problem, &cost, &at, case);
            }};
        }
        fn images<C: TranslationInvariant<f64>>(
            solution: &Solution,
            problem: &Discrete<'_, f64>,
            cost: &C,
            at: &[f64],
            case: &serde_json::Value,
        ) {
            if case.get("forward").is_none() {
                return;
            }
            let map = solution.entropic_map(problem, cost).unwrap();
            let forward = distance(&map.forward(at).unwrap(), &numbers(&case["forward"]));
            let backward = distance(&map.backward(at).unwrap(), &numbers(&case["backward"]));
            assert!(forward.max(backward) < 1e-9, "{case}: {forward:e} {backward:e}");
        }
        match case["cost"].as_str().unwrap() {
            "SqEuclidean" => with!(SqEuclidean, images),
            "PNorm 1.5" => with!(PNorm::new(1.5).unwrap(), images),
            "Elastic L1 0.3" => with!(Elastic(L1::new(0.3).unwrap()), images),
            "Euclidean" => with!(Euclidean, |_, _, _, _, _| ()),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn single_precision_threads_and_the_module() {
    let (n, m) = (300, 500);
    let (x, y): (Vec<f32>, Vec<f32>) = (normals(10, n * 2), normals(11, m * 2));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let solution = sinkhorn(&SinkhornConfig::default(), &problem, None).unwrap();
    let map = solution.entropic_map(&problem, &SqEuclidean).unwrap();
    let at = normals::<f32>(12, 400);
    let image = on_any_threads(|| map.forward(&at).unwrap());
    let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
    let (wide_x, wide_y) = (wide(&x), wide(&y));
    let double = Discrete::clouds(&SqEuclidean, &wide_x, &wide_y, 2).unwrap();
    let expected =
        solution.entropic_map(&double, &SqEuclidean).unwrap().forward(&wide(&at)).unwrap();
    // Exponents up to 1e3 at ε = 0.05 of the mean cost are rounded at 6e-5.
    assert!(distance(&image, &expected) < 1e-3, "{:e}", distance(&image, &expected));
    // As a module it is a map that scores take.
    let module = map.forward_points(&at);
    assert_eq!(module, image);
}

trait ForwardPoints {
    fn forward_points(&self, at: &[f32]) -> Vec<f32>;
}

impl ForwardPoints for EntropicMap<f32, SqEuclidean> {
    fn forward_points(&self, at: &[f32]) -> Vec<f32> {
        let wrong = Module::<Points<3>>::try_forward(self, points::<3>(vec![0.0; 3]).unwrap());
        assert!(wrong.is_err());
        rows(&Module::<Points<2>>::forward(self, points::<2>(at.to_vec()).unwrap()))
    }
}

#[test]
fn what_cannot_be_a_map_is_an_error() {
    let (x, y) = ([0.0f64, 1.0], [2.0f64, 3.0, 4.0]);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let solution = sinkhorn(&SinkhornConfig::default(), &problem, None).unwrap();
    assert!(solution.entropic_map(&problem, &HalfSqEuclidean).is_err());
    let map = solution.entropic_map(&problem, &SqEuclidean).unwrap();
    assert!(matches!(map.forward(&[]), Err(Error::Shape { .. })));
    assert!(matches!(map.forward(&[f64::NAN]), Err(Error::NonFinite { .. })));
    assert!(matches!(map.backward(&[f64::INFINITY]), Err(Error::NonFinite { .. })));
    assert!(matches!(map.forward(&[1e200]), Err(Error::NonFinite { .. })));
    // Far away, the nearest target takes all.
    assert_eq!(map.forward(&[-1e6]).unwrap(), [2.0]);
    let matrix = Discrete::matrix(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3).unwrap();
    assert!(solution.entropic_map(&matrix, &SqEuclidean).is_err());
    let other = Discrete::clouds(&SqEuclidean, &y, &x, 1).unwrap();
    assert!(solution.entropic_map(&other, &SqEuclidean).is_err());
    let one = PNorm::new(1.0).unwrap();
    let problem = Discrete::clouds(&one, &x, &y, 1).unwrap();
    let solution = sinkhorn(&SinkhornConfig::default(), &problem, None).unwrap();
    assert!(solution.entropic_map(&problem, &one).is_err());
}
