//! Weak transport: costs against loops in double precision, what the steps learn and see.

use crate::common;
use crate::common::{cloud, normals, relative};
use brenier::geometry::{conditional_variance, weak_costs, Kernel, WeakCost};
use brenier::prelude::*;
use brenier::score::diversity;
use brenier::testing::check_input_gradient;
use dfdx::prelude::{Cpu, Module};

const N: usize = 3;
const Z: usize = 4;
const COUNT: usize = 5;

/// C by its definition: A − (γ/2) · (mean of ρ over ordered pairs).
fn naive(rho: impl Fn(&[f64], &[f64]) -> f64, gamma: f64, x: &[f64], y: &[f64]) -> Vec<f64> {
    let of_one = |(x, y): (&[f64], &[f64])| {
        let y: Vec<&[f64]> = y.chunks(N).collect();
        let away = y.iter().map(|y| rho(x, y)).sum::<f64>() / Z as f64;
        let mut apart = 0.0;
        for (i, a) in y.iter().enumerate() {
            for (j, b) in y.iter().enumerate() {
                apart += if i == j { 0.0 } else { rho(a, b) };
            }
        }
        away - 0.5 * gamma * apart / (Z * (Z - 1)) as f64
    };
    x.chunks(N).zip(y.chunks(Z * N)).map(of_one).collect()
}

fn square(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn check(cost: &impl WeakCost<f64>, rho: impl Fn(&[f64], &[f64]) -> f64) {
    let (x, y): (Points<N, f64>, Points<N, f64>) = (cloud(1, COUNT), cloud(2, COUNT * Z));
    for gamma in [0.0, 0.4, 1.0] {
        let found = rows(&weak_costs(cost, gamma, &x, y.clone(), Z).unwrap());
        let wanted = naive(&rho, gamma, &rows(&x), &rows(&y));
        // A few dozen operations in double precision.
        assert!(relative(&found, &wanted) < 1e-13);
        let error = check_input_gradient(&y, |y| {
            let costs = weak_costs(cost, gamma, &x, y, Z).unwrap();
            // A weight for each, so that one gradient in place of another is seen.
            (costs.square()).sum()
        });
        assert!(error.relative < 1e-7, "{error:?}");
    }
}

#[test]
fn weak_costs_are_their_definition() {
    check(&WeakQuadratic, |x, y| 0.5 * square(x, y));
    check(&KernelCost(HalfSqEuclidean), |x, y| 0.5 * square(x, y));
    let scaled = KernelCost(Scaled::new(HalfSqEuclidean, 3.0).unwrap());
    check(&scaled, |x, y| 1.5 * square(x, y));
    check(&KernelCost(DistanceKernel::default()), |x, y| 0.5 * square(x, y).sqrt());
    check(&KernelCost(DistanceKernel::new(1.5).unwrap()), |x, y| 0.5 * square(x, y).powf(0.75));
    check(&KernelCost(GaussianKernel::new(2.0).unwrap()), |x, y| 1.0 - (-square(x, y) / 8.0).exp());
    let laplacian = KernelCost(LaplacianKernel::new(0.5).unwrap());
    check(&laplacian, |x, y| 1.0 - (-2.0 * square(x, y).sqrt()).exp());
}

/// Two images in one place: the distance has no gradient there, and none must be NaN.
#[test]
fn equal_images_have_a_finite_gradient() {
    fn slopes(kernel: impl Kernel<f64>) -> Vec<f64> {
        let mut dy = [0.0; 2 * N];
        KernelCost(kernel).value_and_gradient(1.0, &[0.0; N], &[0.0; 2 * N], &mut dy);
        dy.to_vec()
    }
    let zero = vec![0.0; 2 * N];
    assert_eq!(slopes(DistanceKernel::default()), zero);
    assert_eq!(slopes(LaplacianKernel::default()), zero);
    assert_eq!(slopes(GaussianKernel::default()), zero);
}

#[test]
fn bad_samples_are_refused() {
    let (x, y): (Points<N, f64>, Points<N, f64>) = (cloud(1, 2), cloud(2, 2));
    let error = |samples| weak_costs(&WeakQuadratic, 0.5, &x, y.clone(), samples).unwrap_err();
    assert!(error(1).to_string().contains("invalid samples = 1"), "{}", error(1));
    assert!(error(2).to_string().contains("expected 2 × 2, found 2"), "{}", error(2));
    let noise = Noise { samples: 1, deviation: 1.0 };
    let config = WeakNotConfig { noise, ..WeakNotConfig::default() };
    assert!(weak_not_init(&config, potential(), map(0)).is_err());
    let gamma = Ramp::constant(f64::NAN);
    let config = KernelNotConfig::<DistanceKernel> { gamma, ..Default::default() };
    assert!(kernel_not_init(&config, potential(), map(0)).is_err());
    assert!(DistanceKernel::new(2.0).is_err() && GaussianKernel::new(0.0).is_err());
}

type Potential2 = Mlp<2, 32, 1, 1, Silu>;
/// (x, z) ↦ x + M(x, z) with z of one number.
type Map2 = Displacement<Joined<1, 3, Mlp<3, 32, 1, 2, Silu>>>;

fn potential() -> Potential2 {
    build(Key::new(20))
}

fn map(seed: u64) -> Map2 {
    build(Key::new(seed).fold_in(1))
}

/// The metrics of a step with one map step, from forward passes of the networks before it.
#[test]
fn metrics_are_what_they_say() {
    let turns = Turns { source: SourceUse::Whole, ..Turns::with_rates(1, 1e-3, 1e-3) };
    let gamma = Ramp { from: 0.0, to: 1.0, steps: 2 };
    let noise = Noise { samples: 3, deviation: 0.5 };
    let config = WeakNotConfig { gamma, noise, turns };
    let x = GaussianMixture::<2>::standard();
    let batch = Sampled::new(x.clone(), x, 64).unwrap().batches(Key::new(1)).batch(0).unwrap();
    let mut state = weak_not_init(&config, potential(), map(0)).unwrap();
    state.step = 1;
    let (_, seen) = weak_not_step(&config, state.clone(), &batch, Key::new(3)).unwrap();
    assert_eq!(seen.gamma, 0.5);

    let [many, _] = Key::new(3).split();
    let points_of: Vec<f32> = rows(&batch.source).chunks(2).flat_map(|x| x.repeat(3)).collect();
    let z = noise.draw::<1, f32, Cpu>(&Cpu::default(), many.fold_in(0), 192);
    let images: Points<2> = state.map.params().forward((points(points_of).unwrap(), z));
    let flat: Vec<f64> = rows(&images).into_iter().map(f64::from).collect();
    let source: Vec<f64> = rows(&batch.source).into_iter().map(f64::from).collect();
    let (mut cost, mut variance) = (0.0, 0.0);
    for (x, y) in source.chunks(2).zip(flat.chunks(6)) {
        let mean = [(y[0] + y[2] + y[4]) / 3.0, (y[1] + y[3] + y[5]) / 3.0];
        let spread: f64 = y.chunks(2).map(|y| square(y, &mean)).sum::<f64>() / 2.0;
        cost += y.chunks(2).map(|y| 0.5 * square(x, y)).sum::<f64>() / 3.0 - 0.25 * spread;
        variance += spread;
    }
    // Means of 64 numbers of order one in f32.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
    assert!(close(seen.transport_cost, cost / 64.0), "{} {}", seen.transport_cost, cost / 64.0);
    assert!(close(seen.conditional_variance, variance / 64.0));
    assert!(close(conditional_variance(&rows(&images), 2, 3), variance / 64.0));
    let gain = rows(&state.potential.params().forward(images));
    let gain = gain.iter().map(|f| f64::from(*f)).sum::<f64>() / 192.0;
    assert!(close(seen.map_loss, cost / 64.0 - gain));
}

/// Bias and total variance of the images of N(0, ¼I), whose target is N(m, I).
fn moments(map: &Map2, noise: &Noise, mean: [f32; 2]) -> (f64, f64) {
    let n = 4096;
    let x = points(Key::new(90).normal(2 * n).iter().map(|v| 0.5 * v).collect()).unwrap();
    let z = noise.draw::<1, f32, Cpu>(&Cpu::default(), Key::new(91), n);
    let y: Vec<f64> = rows(&map.forward((x, z))).into_iter().map(f64::from).collect();
    let at = |k: usize| y.iter().skip(k).step_by(2).sum::<f64>() / n as f64;
    let centre = [at(0), at(1)];
    let bias = square(&centre, &mean.map(f64::from)).sqrt();
    let spread: f64 = y.chunks(2).map(|y| square(y, &centre)).sum::<f64>() / n as f64;
    (bias, spread)
}

/// N(0, ¼I) goes to N(m, I): the mean of the images moves by more than 2, and their total variance grows from
/// ½ to 2. A gradient that misses the potential or the noise leaves one of them where it was.
#[test]
fn both_learn_mean_and_variance() {
    let mean = [2.0f32, -1.0];
    let source = GaussianMixture::<2>::isotropic(vec![0.0; 2], 0.5).unwrap();
    let target = GaussianMixture::<2>::isotropic(mean.to_vec(), 1.0).unwrap();
    let turns = Turns::with_rates(5, 2e-3, 2e-3);
    let noise = Noise { samples: 4, deviation: 1.0 };
    let parts = turns.source_parts();
    let batches = Sampled::new(source.clone(), target, 64).unwrap();
    let batches = batches.with_source_parts(parts).unwrap().batches(Key::new(5));
    let quiet = &mut |_: &_, _: &_| Ok(());

    let gamma = Ramp::constant(0.5);
    let weak = WeakNotConfig { gamma, noise, turns: turns.clone() };
    let start = weak_not_init(&weak, potential(), map(0)).unwrap();
    let step = |s, b: &Batch<2>, k| weak_not_step(&weak, s, b, k);
    let end = run(&step, start, batches.clone().take(400), Key::new(6), quiet).unwrap();
    let (bias, spread) = moments(end.map.params(), &noise, mean);
    assert!(bias < 0.2 && (spread - 2.0).abs() < 0.4, "weak: bias {bias}, variance {spread}");

    let kernel = KernelNotConfig { gamma, noise, turns, kernel: DistanceKernel::default() };
    let start = kernel_not_init(&kernel, potential(), map(0)).unwrap();
    let step = |s, b: &Batch<2>, k| kernel_not_step(&kernel, s, b, k);
    let end = run(&step, start, batches.take(400), Key::new(6), quiet).unwrap();
    let (bias, spread) = moments(end.map.params(), &noise, mean);
    assert!(bias < 0.2 && (spread - 2.0).abs() < 0.4, "kernel: bias {bias}, variance {spread}");

    // The score is that of its definition: a map that adds z has its variance.
    let seen = diversity(end.map.params(), &noise, &source, Key::new(1), 500).unwrap();
    assert!(seen.variance > 0.0 && seen.square_distance > f64::from(mean[0] * mean[0]));
}

/// The images of a pair do not depend on the other pairs, equal noise gives equal images, and the gradient
/// in the points goes through the joined module.
#[test]
fn joined_modules_are_stochastic_maps() {
    type Map = Displacement<Joined<2, 5, Mlp<5, 8, 1, 3, Silu, f64>>>;
    let map: Map = common::module(7, 0.5);
    let (x, z): (Points<3, f64>, Points<2, f64>) = (cloud(8, 6), cloud(9, 6));
    let all: Points<3, f64> = map.forward((x.clone(), z.clone()));
    let one = |v: &[f64], i: usize, d: usize| v[i * d..(i + 1) * d].to_vec();
    for i in 0..6 {
        let x = brenier::tensor::points_on(&Cpu::default(), one(&rows(&x), i, 3)).unwrap();
        let z = brenier::tensor::points_on(&Cpu::default(), one(&rows(&z), i, 2)).unwrap();
        let alone: Points<3, f64> = map.forward((x, z));
        assert!(relative(&rows(&alone), &one(&rows(&all), i, 3)) < 1e-14);
    }
    let error = check_input_gradient(&x, |x| map.forward((x, z.clone())).square().sum());
    assert!(error.relative < 1e-7, "{error:?}");
    assert_ne!(rows(&all), rows(&map.forward((x, cloud::<2, f64>(10, 6)))));
}

/// Each sample has a weight of its own: a weight that is lost to broadcasting would make this loss another.
#[test]
fn noised_losses_weight_each_sample() {
    type F = Joined<1, 3, Mlp<3, 16, 0, 1, Silu>>;
    type T = Displacement<Mlp<2, 16, 0, 2, Silu>>;
    let turns = Turns { source: SourceUse::Whole, ..Turns::with_rates(1, 1e-3, 1e-3) };
    let noise = NoiseLaw::LogUniform { least: 0.2, largest: 5.0 };
    let weight = NoiseWeight::Edm { data_deviation: 0.5 };
    let config = NoisedNotConfig { cost: SqEuclidean, noise, weight, turns };
    let x = GaussianMixture::<2>::standard();
    let batch = Sampled::new(x.clone(), x, 50).unwrap().batches(Key::new(1)).batch(0).unwrap();
    let (f, t): (F, T) = (build(Key::new(2)), build(Key::new(3)));
    let state = noised_not_init(&config, f, t).unwrap();
    let (_, seen) = noised_not_step(&config, state.clone(), &batch, Key::new(4)).unwrap();

    let [of_map, _] = Key::new(4).split();
    let [of_levels, of_noise] = of_map.fold_in(0).split();
    let levels: Vec<f64> =
        of_levels.uniform(50).iter().map(|u| 0.2 * 25f64.powf(f64::from(*u))).collect();
    let z = of_noise.normal(100);
    let moved = rows(&state.map.params().forward(batch.source.clone()));
    let source = rows(&batch.source);
    let mut loss = 0.0;
    for (i, sigma) in levels.iter().enumerate() {
        let noised: Vec<f32> =
            (0..2).map(|k| moved[2 * i + k] + (sigma * f64::from(z[2 * i + k])) as f32).collect();
        let condition = points::<1>(vec![(0.25 * sigma.ln()) as f32]).unwrap();
        let value: Points<1> =
            state.potential.params().forward((points::<2>(noised).unwrap(), condition));
        let weight = (sigma * sigma + 0.25) / (0.5 * sigma * 0.5 * sigma);
        let cost: f64 =
            (0..2).map(|k| f64::from(moved[2 * i + k] - source[2 * i + k]).powi(2)).sum();
        loss += weight * (cost - f64::from(rows(&value)[0])) / 50.0;
    }
    assert!((seen.map_loss - loss).abs() < 1e-4 * loss.abs(), "{} {loss}", seen.map_loss);
}

#[test]
fn noised_transport_learns_a_translation() {
    type F = Joined<1, 3, Mlp<3, 32, 1, 1, Silu>>;
    type T = Displacement<Mlp<2, 32, 1, 2, Silu>>;
    let config = NoisedNotConfig {
        noise: NoiseLaw::LogNormal { mean: -0.5, deviation: 0.8 },
        weight: NoiseWeight::Uniform,
        turns: Turns::with_rates(5, 2e-3, 2e-3),
        ..NoisedNotConfig::with_cost(HalfSqEuclidean)
    };
    let mean = [3.0f32, -1.0];
    let of = |mean: [f32; 2]| GaussianMixture::<2>::isotropic(mean.to_vec(), 1.0).unwrap();
    let batches = Sampled::new(of([0.0; 2]), of(mean), 64).unwrap();
    let batches = batches.with_source_parts(6).unwrap().batches(Key::new(7)).take(500);
    let (f, t): (F, T) = (build(Key::new(8)), build(Key::new(9)));
    let start = noised_not_init(&config, f, t).unwrap();
    let step = |s, b: &Batch<2>, k| noised_not_step(&config, s, b, k);
    let end = run(&step, start, batches, Key::new(10), &mut |_: &_, _: &_| Ok(())).unwrap();
    let x = points::<2>(normals(11, 2 * 1000)).unwrap();
    let y = rows(&end.map.params().forward(x.clone()));
    let off: f64 = y
        .iter()
        .zip(rows(&x))
        .enumerate()
        .map(|(i, (y, x))| f64::from(y - x - mean[i % 2]).powi(2))
        .sum::<f64>()
        / 1000.0;
    // The shift has the square length 10.
    assert!(off < 0.3, "mean square distance to the translation {off}");
}
