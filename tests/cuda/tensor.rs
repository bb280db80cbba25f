//! The half step on tensor cores: three TF32 products are as accurate as one product in f32.

use std::ops::Deref;

use brenier::cuda::{sinkhorn, CudaDevice, CudaOptions, Specialise};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{self, Acceleration, Epsilon, Form, Potentials, SinkhornConfig, Stop};

use crate::emulated::*;

fn tensor_cores(device: &Device) -> CudaDevice {
    let specialise = Specialise::Never;
    let options = CudaOptions { specialise, cache: None, tensor_cores: true, ..Default::default() };
    let tensor = CudaDevice::open_with(options).expect("the device again");
    assert_eq!(device.deref().name(), tensor.name());
    tensor
}

fn once(epsilon: f64) -> SinkhornConfig {
    SinkhornConfig {
        epsilon: Epsilon::Absolute(epsilon),
        stop: Stop::Iterations(1),
        annealing: None,
        acceleration: Acceleration::Off,
        form: Form::Online,
    }
}

/// −ε log Σⱼ bⱼ exp((gⱼ − c) / ε) for c = |x|² + |y|² − 2⟨x, y⟩ of centred points, or −⟨x, y⟩; every step
/// is rounded by `round`.
fn softmin(
    [x, y]: [&[f64]; 2],
    d: usize,
    g: &[f64],
    epsilon: f64,
    square: bool,
    round: fn(f64) -> f64,
) -> Vec<f64> {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).fold(0.0, |s, (x, y)| round(s + round(x * y)));
    let weight = (d as f64 / y.len() as f64).ln();
    let row = |x: &[f64]| {
        let terms = y.chunks_exact(d).zip(g).map(|(y, g)| {
            let product = dot(x, y);
            let c = match square {
                true => round(round(dot(x, x) + dot(y, y)) - 2.0 * product),
                false => -product,
            };
            round(round(round(g - c) / epsilon) + weight)
        });
        let terms: Vec<f64> = terms.collect();
        let top = terms.iter().fold(f64::NEG_INFINITY, |t, v| t.max(*v));
        let sum = terms.iter().fold(0.0, |s, v| round(s + round((v - top).exp())));
        round(-epsilon * round(top + sum.ln()))
    };
    x.chunks_exact(d).map(row).collect()
}

fn check<C: RowCost<f32>>(device: &CudaDevice, cost: &C, square: bool, data: Data, d: usize) {
    for (n, m) in [(1, 1), (70, 1), (1, 65), (33, 300)] {
        for epsilon in [0.05, 2.0] {
            let [x, y] = clouds(data, 3, n, m, d);
            let g: Vec<f64> = Key::new(4).normal(m).iter().map(|v| f64::from(*v)).collect();
            let (xs, ys) = (rounded::<f32>(&x), rounded::<f32>(&y));
            let problem = Discrete::clouds(cost, &xs, &ys, d).unwrap();
            let start = Potentials { f: vec![0.0; n], g: g.clone() };
            let solution = sinkhorn(device, &once(epsilon), &problem, Some(&start)).unwrap();
            // The plain method works with centred points too.
            let mut centred = [x.clone(), y.clone()];
            for k in 0..d {
                let all = x.chunks_exact(d).chain(y.chunks_exact(d)).map(|p| p[k]);
                let centre = if square { all.sum::<f64>() / (n + m) as f64 } else { 0.0 };
                for cloud in &mut centred {
                    cloud
                        .iter_mut()
                        .skip(k)
                        .step_by(d)
                        .for_each(|v| *v -= f64::from(centre as f32));
                }
            }
            let centred = [&centred[0][..], &centred[1][..]];
            let truth = softmin(centred, d, &g, epsilon, square, |v| v);
            let plain = softmin(centred, d, &g, epsilon, square, |v| f64::from(v as f32));
            let difference = |v: &[f64]| v.iter().map(|u| u - v[0]).collect::<Vec<f64>>();
            let found = difference(&solution.potentials.f);
            let (truth, plain) = (difference(&truth), difference(&plain));
            let (error, bound) = (distance(&found, &truth), 2.0 * distance(&plain, &truth));
            // What the products left out, 2⁻²² |x||y| twice, and rounding of what was subtracted.
            let lengths = |v: &[f64]| {
                v.chunks_exact(d)
                    .map(|p| p.iter().map(|u| u * u).sum::<f64>().sqrt())
                    .fold(0.0, worst)
            };
            let products = lengths(centred[0]) * lengths(centred[1]);
            let granted = 2.0 * unit::<f32>() * (products + largest(&solution.potentials.f));
            assert!(
                error <= bound + granted,
                "{n} × {m} × {d}, {data:?}, ε {epsilon}: {error:e}, plain {:e}, granted {granted:e}",
                bound / 2.0
            );
        }
    }
}

#[test]
fn half_steps() {
    let device = device();
    let tensor = tensor_cores(&device);
    for d in [9, 33, 64] {
        for data in [Data::Normal, Data::Far, Data::Degenerate] {
            check(&tensor, &SqEuclidean, true, data, d);
        }
        check(&tensor, &HalfSqEuclidean, true, Data::NearlyEqual, d);
        check(&tensor, &NegDot, false, Data::Normal, d);
    }
}

#[test]
fn plans_agree_with_the_cpu() {
    let device = device();
    let tensor = tensor_cores(&device);
    let [x, y] = clouds(Data::Normal, 5, 100, 90, 40);
    let (xs, ys) = (rounded::<f32>(&x), rounded::<f32>(&y));
    let single = Discrete::clouds(&SqEuclidean, &xs, &ys, 40).unwrap();
    let exact = Discrete::clouds(&SqEuclidean, &x, &y, 40).unwrap();
    let stop = Stop::Tolerance { tolerance: 1e-5, limit: 3000 };
    let epsilon = Epsilon::Absolute(8.0);
    let config = SinkhornConfig { epsilon, stop, form: Form::Online, ..Default::default() };
    let found = sinkhorn(&tensor, &config, &single, None).unwrap().into_converged().unwrap();
    let stop = Stop::Tolerance { tolerance: 1e-11, limit: 10_000 };
    let truth = solver::sinkhorn(&SinkhornConfig { stop, ..config }, &exact, None).unwrap();
    let plan = |s: &solver::Solution| s.plan(&exact).unwrap().matrix();
    let apart: f64 = plan(&found).iter().zip(plan(&truth)).map(|(p, q)| (p - q).abs()).sum();
    assert!(apart < 1e-3, "{apart:e}");
    let launches = tensor.profile(|| sinkhorn(&tensor, &once(8.0), &single, None)).unwrap().1;
    assert!(launches.iter().any(|l| l.kernel.contains("softmin_tensor-square")));
}

#[test]
fn the_same_bits_in_every_order() {
    let [x, y] = clouds(Data::Normal, 5, 70, 150, 20).map(|v| rounded::<f32>(&v));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 20).unwrap();
    in_every_order(|_| {
        let specialise = Specialise::Never;
        let options =
            CudaOptions { specialise, cache: None, tensor_cores: true, ..Default::default() };
        let device = CudaDevice::open_with(options).unwrap();
        let solution = sinkhorn(&device, &once(2.0), &problem, None).unwrap();
        bits(&solution.potentials.f).chain(bits(&solution.potentials.g)).collect()
    });
}
