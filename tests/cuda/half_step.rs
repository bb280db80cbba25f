//! One half step of Sinkhorn's algorithm on the device against loops in double precision.

use brenier::cuda::{sinkhorn, CudaDevice, DeviceReal};
use brenier::prelude::*;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{Acceleration, Epsilon, Form, Potentials, SinkhornConfig, Stop};
use brenier_emulator::Settings;

use crate::emulated::*;

/// One iteration at this ε, by kernels that recompute costs.
fn once(epsilon: f64) -> SinkhornConfig {
    SinkhornConfig {
        epsilon: Epsilon::Absolute(epsilon),
        stop: Stop::Iterations(1),
        annealing: None,
        acceleration: Acceleration::Off,
        form: Form::Online,
    }
}

/// −τ ε log Σⱼ bⱼ exp((gⱼ − c(xᵢ, yⱼ)) / ε), every step rounded to the number type.
fn softmin<E: DeviceReal>(
    cost: &str,
    [x, y]: [&[E]; 2],
    d: usize,
    (b, g): (&[E], &[f64]),
    (epsilon, tau): (f64, f64),
) -> Vec<f64> {
    let epsilon = E::of(epsilon);
    let row = |x: &[E]| {
        let terms = y.chunks_exact(d).zip(b).zip(g).filter(|((_, b), _)| **b > E::zero());
        let terms: Vec<E> = terms
            .map(|((y, b), g)| (E::of(*g) - plain_cost(cost, x, y)) / epsilon + b.ln())
            .collect();
        let top = terms.iter().fold(E::neg_infinity(), |t, v| t.max(*v));
        let sum = terms.iter().fold(E::zero(), |s, v| s + (*v - top).exp());
        (-E::of(tau) * epsilon * (top + sum.ln())).double()
    };
    x.chunks_exact(d).map(row).collect()
}

#[derive(Clone, Copy)]
struct Case {
    sizes: (usize, usize, usize),
    data: Data,
    epsilon: f64,
    tau: f64,
}

/// Weights of sum 1; with more than two points one of them is zero.
fn weights(n: usize) -> Vec<f64> {
    let mut w: Vec<f64> = Key::new(8).uniform(n).iter().map(|v| 0.05 + f64::from(*v)).collect();
    if n > 2 {
        w[n / 2] = 0.0;
    }
    let sum: f64 = w.iter().sum();
    w.iter().map(|v| v / sum).collect()
}

fn check<E: DeviceReal, C: RowCost<E> + RowCost<f64>>(
    device: &CudaDevice,
    name: &str,
    cost: &C,
    case: Case,
) {
    let Case { sizes: (n, m, d), data, epsilon, tau } = case;
    let [x, y] = clouds(data, 3, n, m, d);
    let (a, b) = (weights(n), weights(m));
    let (xs, ys, bs) = (rounded::<E>(&x), rounded::<E>(&y), rounded::<E>(&b));
    // Rounding must not leave the sum of weights, which the device divides by.
    let mass: f64 = bs.iter().map(|v| v.double()).sum();
    let g: Vec<f64> = Key::new(4).normal(m).iter().map(|v| epsilon * f64::from(*v)).collect();
    let relaxation = if tau < 1.0 { Relaxation::Kl { tau } } else { Relaxation::Balanced };
    let problem = Discrete::clouds(cost, &xs, &ys, d).unwrap();
    let problem = problem.with_source_weights(&rounded(&a)).unwrap();
    let problem = problem.with_target_weights(&bs).unwrap();
    let problem = problem.relaxed(relaxation, relaxation).unwrap();
    let start = Potentials { f: vec![0.0; n], g: g.clone() };
    let solution = sinkhorn(device, &once(epsilon), &problem, Some(&start)).unwrap();
    let (f, rest) = (&solution.potentials.f, &solution.potentials.g);
    let exact: Vec<f64> = bs.iter().map(|v| v.double() / mass).collect();
    let truth = softmin::<f64>(name, [&x, &y], d, (&exact, &g), (epsilon, tau));
    let plain = softmin::<E>(name, [&xs, &ys], d, (&bs, &g), (epsilon, tau));
    let what = format!("{name}, f{}, {n} × {m} × {d}, {data:?}, ε {epsilon}", 8 * size_of::<E>());
    assert!(rest.iter().all(|v| v.is_finite()), "{what}");
    // Potentials are known up to a constant.
    let centred = |v: &[f64]| v.iter().map(|u| u - v[0]).collect::<Vec<f64>>();
    let (f, truth, plain) = (centred(f), centred(&truth), centred(&plain));
    if size_of::<E>() == 8 {
        let bound = 1e-13 * (largest(&truth).max(largest(&g)) + 1.0) * (d as f64).sqrt() * 10.0;
        assert!(distance(&f, &truth) < bound, "{what}: {:e}", distance(&f, &truth));
    } else {
        // What is subtracted above was rounded too.
        let scale = largest(&solution.potentials.f) * unit::<E>() * 2.0;
        let (error, bound) = (distance(&f, &truth), 2.0 * distance(&plain, &truth));
        assert!(error <= bound + scale, "{what}: {error:e}, plain {:e}", bound / 2.0);
    }
}

fn cases(dimensions: &[usize]) -> Vec<Case> {
    let mut cases = Vec::new();
    for &d in dimensions {
        for (k, sizes) in [(1, 1, d), (1, 270, d), (40, 1, d), (33, 300, d)].into_iter().enumerate()
        {
            for data in EVERY_DATA {
                let tiny = if data == Data::NearlyEqual { 1e-11 } else { 1e-3 };
                for epsilon in [0.3, tiny] {
                    let tau = if k == 3 { 0.9 } else { 1.0 };
                    cases.push(Case { sizes, data, epsilon, tau });
                    if k == 3 {
                        cases.push(Case { sizes, data, epsilon, tau: 1.0 });
                    }
                }
            }
        }
    }
    cases
}

/// Translation moves the constant of relaxed potentials, which the comparison removes only for balanced
/// ones: where both marginals are relaxed, f is compared up to that constant too.
fn every<C: RowCost<f32> + RowCost<f64>>(name: &str, cost: &C, single: &[usize], double: &[usize]) {
    let device = device();
    cases(single).into_iter().for_each(|case| check::<f32, C>(&device, name, cost, case));
    cases(double).into_iter().for_each(|case| check::<f64, C>(&device, name, cost, case));
}

#[test]
fn squares_in_registers() {
    every("square", &SqEuclidean, &[2, 3, 8], &[2]);
}

#[test]
fn squares_of_many_coordinates() {
    every("half", &HalfSqEuclidean, &[16, 32, 64], &[]);
}

#[test]
fn squares_in_tiles() {
    every("half", &HalfSqEuclidean, &[1, 17], &[9]);
}

#[test]
fn distances() {
    every("distance", &Euclidean, &[2, 3, 5], &[5]);
}

#[test]
fn products() {
    every("product", &NegDot, &[2, 9], &[3]);
    every("cosine", &Cosine, &[3, 8], &[10]);
}

/// The products that are compiled for a number of coordinates.
#[test]
fn products_of_many_coordinates() {
    every("product", &NegDot, &[3, 8, 16, 32, 64], &[]);
}

#[test]
fn powers() {
    every("power 1.5", &PNorm::new(1.5).unwrap(), &[2], &[3]);
}

#[test]
fn three_hundred_coordinates() {
    let device = device();
    let case = Case { sizes: (34, 130, 300), data: Data::Normal, epsilon: 1.0, tau: 1.0 };
    check::<f32, _>(&device, "square", &SqEuclidean, case);
    check::<f32, _>(&device, "square", &SqEuclidean, Case { data: Data::Far, ..case });
    check::<f32, _>(&device, "distance", &Euclidean, case);
    check::<f64, _>(&device, "product", &NegDot, Case { sizes: (3, 9, 300), ..case });
}

#[test]
fn approximate_instructions_may_be_off_by_their_documented_error() {
    if is_real() {
        return;
    }
    let [x, y] = clouds(Data::Normal, 3, 50, 300, 2).map(|v| rounded::<f32>(&v));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
    let solve = |perturb| {
        let device = device_with(Settings { perturb, ..Default::default() });
        sinkhorn(&device, &once(0.1), &problem, None).unwrap().potentials
    };
    let exact = solve(None);
    for seed in 1..4 {
        let off = solve(Some(seed));
        // 2^-22 per exponential moves ε log Σ by as much at most; f and g are two half steps.
        let bound = 2.0 * 0.1 * 2f64.powi(-21);
        let rounding = 4.0 * unit::<f32>() * largest(&exact.f).max(largest(&exact.g));
        assert!(off != exact && distance(&off.f, &exact.f) <= bound + rounding);
        assert!(distance(&off.g, &exact.g) <= bound + rounding);
    }
}

#[test]
fn the_same_bits_in_every_order() {
    let [x, y] = clouds(Data::Normal, 3, 40, 600, 2).map(|v| rounded::<f32>(&v));
    let wide = clouds(Data::Normal, 3, 40, 300, 11).map(|v| rounded::<f32>(&v));
    let kl = Relaxation::Kl { tau: 0.9 };
    in_every_order(|device| {
        let flat = Discrete::clouds(&SqEuclidean, &x, &y, 2).unwrap();
        let wide = Discrete::clouds(&Euclidean, &wide[0], &wide[1], 11).unwrap();
        let mut all = Vec::new();
        for problem in [flat.relaxed(kl, kl).unwrap(), wide] {
            let solution = sinkhorn(device, &once(0.2), &problem, None).unwrap();
            all.extend(bits(&solution.potentials.f).chain(bits(&solution.potentials.g)));
            all.push(solution.transport_cost.to_bits());
        }
        all
    });
}
