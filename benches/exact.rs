//! Exact solvers.
//!
//! Names are `exact/<form>/d=<dimension>,n=<points>`; the form is the one that the solver took. Costs
//! are squared distances between normal clouds, in `f64`; the matrix is not part of the time.

use std::hint::black_box;

use brenier::prelude::*;
use brenier::solver::*;
use criterion::{criterion_group, criterion_main, Criterion};

fn cloud(seed: u64, n: usize, d: usize) -> Vec<f64> {
    Key::new(seed).normal(n * d).into_iter().map(f64::from).collect()
}

/// From standard normal points to ones of standard deviation 0.8 whose mean is 1 away.
fn matrix(n: usize, m: usize, d: usize) -> Vec<f64> {
    let (x, mut y) = (cloud(1, n, d), cloud(2, m, d));
    y.iter_mut().for_each(|v| *v = 0.8 * *v + 1.0 / (d as f64).sqrt());
    let distance = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum();
    x.chunks(d).flat_map(|x| y.chunks(d).map(move |y| distance(x, y))).collect()
}

fn weights(seed: u64, n: usize) -> Vec<f64> {
    let weights: Vec<f64> = cloud(seed, n, 1).into_iter().map(f64::exp).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

fn transport(c: &mut Criterion) {
    let mut group = c.benchmark_group("exact");
    group.sample_size(10);
    for (form, d, n) in [
        (ExactForm::NetworkSimplex, 2, 256),
        (ExactForm::NetworkSimplex, 2, 1024),
        (ExactForm::NetworkSimplex, 2, 2048),
        (ExactForm::NetworkSimplex, 64, 1024),
        (ExactForm::Assignment, 2, 256),
        (ExactForm::Assignment, 64, 1024),
    ] {
        let (cost, w) = (matrix(n, n, d), vec![1.0 / n as f64; n]);
        let config = ExactConfig { form, max_pivots: None };
        group.bench_function(format!("{form:?}/d={d},n={n}"), |b| {
            b.iter(|| exact_transport(black_box(&cost), &w, &w, &config));
        });
    }
    let (n, m) = (1024, 800);
    let (cost, a, b) = (matrix(n, m, 2), weights(3, n), weights(4, m));
    group.bench_function("weights/d=2,n=1024,m=800", |bench| {
        bench.iter(|| exact_transport(black_box(&cost), &a, &b, &ExactConfig::default()));
    });
    group.finish();
}

fn lines(c: &mut Criterion) {
    let (x, y) = (cloud(1, 1 << 16, 1), cloud(2, 1 << 16, 1));
    c.bench_function("exact/univariate/n=65536", |b| {
        b.iter(|| Univariate::new(black_box(&x))?.cost(&Univariate::new(&y)?, 2.0));
    });
    let config = SlicedConfig::default();
    let cloud = |seed| points::<16>(Key::new(seed).normal(1024 * 16)).expect("finite points");
    let (x, y) = (cloud(1), cloud(2));
    c.bench_function("exact/sliced/d=16,n=1024,projections=128", |b| {
        b.iter(|| sliced_wasserstein(black_box(&x), &y, &config, Key::new(0)));
    });
}

criterion_group!(benches, transport, lines);
criterion_main!(benches);
