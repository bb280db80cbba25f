//! Single operations.
//!
//! Names are `op/<operation>/<shape>`; bytes and operations of each are in `docs/benchmarking.md`.

use std::hint::black_box;

use brenier::ops::{linear, Activation};
use brenier::prelude::*;
use criterion::{criterion_group, criterion_main, Criterion};
use dfdx::nn::modules::Linear;

fn one_layer<A: Activation>(c: &mut Criterion, name: &str) {
    const WIDTH: usize = 512;
    let layer: Linear<WIDTH, WIDTH, f32, Cpu> = build(Key::new(0));
    let x = points::<WIDTH>(Key::new(1).normal(1024 * WIDTH)).expect("finite points");
    c.bench_function(&format!("op/linear/{name},512-512,n=1024"), |b| {
        b.iter(|| linear::<WIDTH, WIDTH, f32, Cpu, A, _>(black_box(x.clone()), &layer));
    });
}

fn layers(c: &mut Criterion) {
    one_layer::<Identity>(c, "identity");
    one_layer::<Relu>(c, "relu");
    one_layer::<LeakyRelu>(c, "leaky_relu");
    one_layer::<Celu>(c, "celu");
    one_layer::<Softplus>(c, "softplus");
    one_layer::<Silu>(c, "silu");
    one_layer::<Gelu>(c, "gelu");
}

fn costs(c: &mut Criterion) {
    const N: usize = 64;
    let [x, y] = Key::new(2).split();
    let cloud = |key: Key| points::<N>(key.normal(1024 * N)).expect("finite points");
    let (x, y) = (cloud(x), cloud(y));
    c.bench_function("op/paired/sq_euclidean,d=64,n=1024", |b| {
        b.iter(|| SqEuclidean.paired(black_box(&x), y.clone()));
    });
    c.bench_function("op/pairwise/sq_euclidean,d=64,n=m=1024", |b| {
        b.iter(|| Cost::<N>::pairwise(&SqEuclidean, black_box(&x), &y));
    });
}

fn draws(c: &mut Criterion) {
    c.bench_function("op/normal/n=1048576", |b| b.iter(|| Key::new(3).normal(1 << 20)));
}

criterion_group!(benches, layers, costs, draws);
criterion_main!(benches);
