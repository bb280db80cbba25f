//! Sinkhorn divergences with their gradients, and steps of the Monge gap, in single precision.
//!
//! Names are `divergence/<what>/<shape>`; ε = 0.05 of the mean cost, to a marginal error of 1e-3. The
//! clouds are those of the peers' figures.

use std::hint::black_box;
use std::time::Duration;

use brenier::neural::monge_gap_plain_step;
use brenier::ops::Gelu;
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{sinkhorn_divergence, sinkhorn_divergence_gradient, DivergenceConfig};
use criterion::{criterion_group, criterion_main, Criterion};

fn clouds(n: usize, d: usize) -> (Vec<f32>, Vec<f32>) {
    let [x, y] = Key::new(0).split();
    let shift = 1.0 / (d as f32).sqrt();
    (x.normal(n * d), y.normal(n * d).iter().map(|v| 0.8 * v + shift).collect())
}

fn divergences(c: &mut Criterion) {
    let config = DivergenceConfig::default();
    for (n, d) in [(512, 2), (512, 64), (2048, 2), (2048, 64)] {
        let (x, y) = clouds(n, d);
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, d).expect("finite points");
        c.bench_function(&format!("divergence/value+gradient/d={d},n={n}"), |b| {
            b.iter(|| {
                sinkhorn_divergence_gradient(&config, black_box(&problem), None, [true; 2])
                    .expect("a gradient")
            });
        });
        let seen = sinkhorn_divergence(&config, &problem, None).expect("a divergence");
        c.bench_function(&format!("divergence/gradient/d={d},n={n}"), |b| {
            b.iter(|| seen.gradient(black_box(&problem)).expect("a gradient"));
        });
    }
}

/// One descent of a perceptron of three hidden layers of 64.
fn step<const N: usize>(c: &mut Criterion, n: usize, conservative_weight: f64) {
    let config: MongeGapConfig = MongeGapConfig { conservative_weight, ..Default::default() };
    let (x, y) = clouds(n, N);
    let batch = Batch::new(points(x).expect("points"), points(y).expect("points"));
    let batch = batch.expect("a batch");
    let map: Displacement<Mlp<N, 64, 2, N, Gelu>> = build(Key::new(0));
    let mut state = Some(monge_gap_init(&config, map).expect("a configuration"));
    let name = if conservative_weight > 0.0 { "conservative" } else { "plain" };
    c.bench_function(&format!("divergence/monge_gap/{name}/d={N},64x3,n={n}"), |b| {
        b.iter(|| {
            let (next, metrics) = state
                .take()
                .map(|s| {
                    let key = Key::new(0);
                    if conservative_weight > 0.0 {
                        monge_gap_step(&config, s, black_box(&batch), key).expect("a step")
                    } else {
                        monge_gap_plain_step(&config, s, black_box(&batch), key).expect("a step")
                    }
                })
                .expect("a state");
            state = Some(next);
            metrics
        });
    });
}

fn steps(c: &mut Criterion) {
    step::<2>(c, 256, 0.0);
    step::<2>(c, 256, 0.01);
    step::<64>(c, 256, 0.0);
    step::<64>(c, 1024, 0.0);
    step::<64>(c, 1024, 0.01);
}

fn settings() -> Criterion {
    let (warm, measured) = (Duration::from_millis(300), Duration::from_secs(1));
    Criterion::default().sample_size(10).warm_up_time(warm).measurement_time(measured)
}

criterion_group!(name = benches; config = settings(); targets = divergences, steps);
criterion_main!(benches);
