//! Flow matching: pairs of a minibatch, training steps, and flows.
//!
//! Names are `flow/<what>/<shape>`; the work of each is stated in `docs/flow-matching.md`.

use std::hint::black_box;

use brenier::neural::{flow, Draws, Pairing};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{
    Coupling, Draw, ExactConfig, MinibatchCoupling, OdeConfig, OdeMethod, SinkhornConfig,
};
use criterion::{criterion_group, criterion_main, Criterion};

type Net2 = VelocityMlp<3, 64, 2, 2, Celu>;
type Net64 = VelocityMlp<65, 256, 2, 64, Celu>;

fn normal_batch<const N: usize>(n: usize) -> Batch<N> {
    let [p, q] = Key::new(1).split();
    let side = |key: Key| points(key.normal(n * N)).expect("finite points");
    Batch::new(side(p), side(q)).expect("finite points")
}

fn pairs<const N: usize>(c: &mut Criterion, n: usize) {
    let batch = normal_batch::<N>(n);
    let (x, y) = (rows(&batch.source), rows(&batch.target));
    for (name, coupling) in [
        ("exact", MinibatchCoupling::Exact(ExactConfig::default())),
        ("entropic", MinibatchCoupling::Entropic(SinkhornConfig::default())),
    ] {
        c.bench_function(&format!("flow/pairs/{name},d={N},n={n}"), |b| {
            b.iter(|| {
                let problem = Discrete::clouds(&SqEuclidean, black_box(&x), &y, N);
                let problem = problem.expect("finite points");
                coupling.pairs(&problem, Draw::WithoutReplacement(n), Key::new(0)).expect("pairs")
            });
        });
    }
}

fn step<const N: usize, V>(c: &mut Criterion, name: &str, n: usize, config: &FlowMatchingConfig)
where
    V: BuildModule<Cpu, f32> + Velocity<N>,
{
    let batch = normal_batch::<N>(n);
    let state = flow_matching_init(config, build::<V, _, _>(Key::new(0))).expect("a configuration");
    let mut state = Some(state);
    c.bench_function(name, |b| {
        b.iter(|| {
            let now = state.take().expect("a state");
            let (next, metrics) =
                flow_matching_step(config, now, black_box(&batch), Key::new(0)).expect("a step");
            state = Some(next);
            metrics
        });
    });
}

fn all(c: &mut Criterion) {
    pairs::<2>(c, 256);
    pairs::<64>(c, 256);
    pairs::<2>(c, 1024);
    let independent = FlowMatchingConfig::independent();
    let exact = FlowMatchingConfig::exact();
    let replaced = FlowMatchingConfig {
        pairing: Pairing::Coupled {
            coupling: MinibatchCoupling::Exact(ExactConfig::default()),
            draws: Draws::Independent,
        },
        ..FlowMatchingConfig::exact()
    };
    for (name, config) in
        [("independent", &independent), ("exact", &exact), ("replaced", &replaced)]
    {
        step::<2, Net2>(c, &format!("flow/step/{name},d=2,64x3,n=256"), 256, config);
        step::<64, Net64>(c, &format!("flow/step/{name},d=64,256x3,n=256"), 256, config);
    }
    let v: Net2 = build(Key::new(0));
    let x = normal_batch::<2>(1024).source;
    for (name, config) in [
        ("euler-20", OdeConfig::fixed(OdeMethod::Euler, 20)),
        ("dopri5,1e-5", OdeConfig::default()),
    ] {
        c.bench_function(&format!("flow/flow/{name},d=2,64x3,n=1024"), |b| {
            b.iter(|| flow(&v, &config, black_box(&x), &(), &[0.0, 1.0]).expect("a flow"));
        });
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
