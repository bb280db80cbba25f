//! Sinkhorn's algorithm on two normal clouds, in single precision.
//!
//! Names are `sinkhorn/<form>/<shape>`; `its` are fixed iterations at ε = 0.05 of the mean cost, `eps`
//! marks runs to a marginal error of 1e-3. The clouds are those of the peers' figures.

use std::hint::black_box;
use std::time::Duration;

use brenier::prelude::*;
use brenier::problem::{Axis, Discrete, Gridded, Relaxation};
use brenier::solver::{
    sinkhorn, sinkhorn_batch, sinkhorn_grid, Epsilon, Form, SinkhornConfig, Stop,
};
use criterion::{criterion_group, criterion_main, Criterion};

fn clouds(n: usize, d: usize) -> (Vec<f32>, Vec<f32>) {
    let [x, y] = Key::new(0).split();
    let shift = 1.0 / (d as f32).sqrt();
    (x.normal(n * d), y.normal(n * d).iter().map(|v| 0.8 * v + shift).collect())
}

fn fixed(c: &mut Criterion) {
    for (form, name, shapes) in [
        (
            Form::Stored,
            "stored",
            &[(256, 2), (1024, 2), (1024, 16), (1024, 64), (1024, 256), (4096, 64)][..],
        ),
        (Form::Online, "online", &[(256, 2), (1024, 2), (1024, 16), (1024, 64), (4096, 2)][..]),
    ] {
        for &(n, d) in shapes {
            let (x, y) = clouds(n, d);
            let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).expect("finite points");
            let config = SinkhornConfig { stop: Stop::Iterations(100), form, ..Default::default() };
            c.bench_function(&format!("sinkhorn/{name}/d={d},n={n},its=100"), |b| {
                b.iter(|| sinkhorn(&config, black_box(&problem), None));
            });
        }
    }
}

/// O(n) memory at a size where a stored kernel would take 1 GB.
fn large(c: &mut Criterion) {
    let n = 16_384;
    for d in [2, 64] {
        let (x, y) = clouds(n, d);
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).expect("finite points");
        let stop = Stop::Iterations(5);
        let config = SinkhornConfig { stop, form: Form::Online, ..Default::default() };
        c.bench_function(&format!("sinkhorn/online/d={d},n={n},its=5"), |b| {
            b.iter(|| sinkhorn(&config, black_box(&problem), None));
        });
    }
}

/// Problems of one size, and of sizes from 33 to 128.
fn batched(c: &mut Criterion) {
    let d = 2;
    let same = |n: usize| move |_: usize| n;
    let mut run = |name: &str, count: usize, size: &dyn Fn(usize) -> usize| {
        let all: Vec<_> = (0..count).map(|k| clouds(size(k), d)).collect();
        let problem = |(x, y)| Discrete::clouds(&SqEuclidean, x, y, d).expect("finite points");
        let problems: Vec<_> = all.iter().map(|(x, y)| problem((&x[..], &y[..]))).collect();
        let config = SinkhornConfig { stop: Stop::Iterations(100), ..Default::default() };
        c.bench_function(&format!("sinkhorn/batch/d=2,B={count},n={name},its=100"), |b| {
            b.iter(|| sinkhorn_batch(&config, black_box(&problems)));
        });
    };
    run("64", 64, &same(64));
    run("64", 512, &same(64));
    run("128", 512, &same(128));
    run("256", 512, &same(256));
    run("33..129", 512, &|k| 33 + k * 41 % 96);
}

fn to_tolerance(c: &mut Criterion) {
    for (n, epsilon) in [(1024, 0.05), (1024, 0.01), (4096, 0.05), (4096, 0.01)] {
        let (x, y) = clouds(n, 2);
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).expect("finite points");
        let epsilon_config = Epsilon::RelativeToMean(epsilon);
        let config = SinkhornConfig { epsilon: epsilon_config, ..Default::default() };
        c.bench_function(&format!("sinkhorn/auto/d=2,n={n},eps={epsilon}"), |b| {
            b.iter(|| sinkhorn(&config, black_box(&problem), None));
        });
    }
    let (x, y) = clouds(1024, 2);
    let kl = Relaxation::Kl { tau: 0.95 };
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 2).expect("finite points");
    let problem = problem.relaxed(kl, kl).expect("a relaxation");
    let config = SinkhornConfig::default();
    c.bench_function("sinkhorn/relaxed/d=2,n=1024,eps=0.05,tau=0.95", |b| {
        b.iter(|| sinkhorn(&config, black_box(&problem), None));
    });
}

/// Ten iterations, which each take 2 N Σ nₖ multiply-adds, on smooth densities.
fn grids(c: &mut Criterion) {
    for extents in [&[256, 256][..], &[64, 64, 64], &[24, 24, 24, 24]] {
        let axis = |n: &usize| Axis::regular(&SqEuclidean, *n, 1.0 / *n as f64).expect("an axis");
        let points: usize = extents.iter().product();
        let bump = |from: f64| -> Vec<f32> {
            let wave = |k: usize| ((k as f64 / points as f64 - from) * 6.0).powi(2);
            let density: Vec<f64> = (0..points).map(|k| 0.01 + (-wave(k)).exp()).collect();
            let mass: f64 = density.iter().sum();
            density.iter().map(|v| (v / mass) as f32).collect()
        };
        let problem = Gridded::new(extents.iter().map(axis).collect()).expect("a grid");
        let problem = problem.with_source_weights(&bump(0.3)).expect("a density");
        let problem = problem.with_target_weights(&bump(0.7)).expect("a density");
        let config = SinkhornConfig { stop: Stop::Iterations(10), ..Default::default() };
        let shape = extents.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        c.bench_function(&format!("sinkhorn/grid/{shape},its=10"), |b| {
            b.iter(|| sinkhorn_grid(&config, black_box(&problem), None).expect("a solution"));
        });
    }
}

/// What is asked of a solution: pairs, and the images of as many points as it has.
fn questions(c: &mut Criterion) {
    let (n, d) = (4096, 16);
    let (x, y) = clouds(n, d);
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).expect("finite points");
    let solution = sinkhorn(&SinkhornConfig::default(), &problem, None).expect("a solution");
    let plan = solution.plan(&problem).expect("a plan");
    c.bench_function("sinkhorn/sample/d=16,n=4096,k=4096", |b| {
        b.iter(|| plan.sample(black_box(Key::new(0)), n));
    });
    c.bench_function("sinkhorn/sample_distinct/d=16,n=4096,k=4096", |b| {
        b.iter(|| plan.sample_distinct(black_box(Key::new(0)), n));
    });
    let map = solution.entropic_map(&problem, &SqEuclidean).expect("a map");
    c.bench_function("sinkhorn/map/d=16,n=4096", |b| b.iter(|| map.forward(black_box(&x))));
}

fn settings() -> Criterion {
    let (warm, measured) = (Duration::from_millis(300), Duration::from_secs(1));
    Criterion::default().sample_size(10).warm_up_time(warm).measurement_time(measured)
}

criterion_group!(name = benches; config = settings(); targets = fixed, large, batched, to_tolerance, grids, questions);
criterion_main!(benches);
