//! Training steps: forward, backward and update.
//!
//! Names are `step/<case>/<shape>`; the work of each is stated in `docs/benchmarking.md`.

use std::hint::black_box;

use brenier::prelude::*;
use brenier::solver::ConjugateConfig;
use criterion::{criterion_group, criterion_main, Criterion};

/// Descent of the squared distance to a fixed target.
fn regression<const I: usize, const O: usize, M>(c: &mut Criterion, name: &str, n: usize)
where
    M: BuildModule<Cpu, f32>
        + Module<Points<I, f32, Cpu, Taped>, Output = Points<O, f32, Cpu, Taped>>,
{
    let [net, x, y] = Key::new(0).split();
    let mut learner = Learner::<M>::new(build(net), AdamConfig::default()).expect("a network");
    let x = points::<I>(x.normal(n * I)).expect("finite points");
    let y = points::<O>(y.normal(n * O)).expect("finite points");
    c.bench_function(name, |b| {
        b.iter(|| {
            let loss = SqEuclidean.paired(&y, learner.traced(black_box(&x))).expect("equal sizes");
            learner.descend(loss.mean()).expect("a finite loss")
        });
    });
}

fn networks(c: &mut Criterion) {
    regression::<64, 64, Mlp<64, 512, 2, 64>>(c, "step/mlp/64-512x3-64,n=1024", 1024);
    regression::<2, 2, Mlp<2, 64, 2, 2>>(c, "step/mlp/2-64x3-2,n=256", 256);
    regression::<64, 64, GradientMap<DenseIcnn<64, 256, 0, 256>>>(
        c,
        "step/icnn_gradient/64-256x2,n=1024",
        1024,
    );
}

/// Ten map steps and one potential step, perceptrons of three hidden layers of 128.
fn transport<const N: usize>(c: &mut Criterion) {
    let config = NotConfig::<SqEuclidean>::default();
    let [f, t, p, q] = Key::new(0).split();
    let (f, t): (Mlp<N, 128, 2, 1>, Mlp<N, 128, 2, N>) = (build(f), build(t));
    let n = 256;
    let source = points(p.normal(config.source_parts() * n * N)).expect("finite points");
    let target = points(q.normal(n * N)).expect("finite points");
    let batch = Batch::new(source, target).expect("finite points");
    let mut state = Some(not_init(&config, f, t).expect("a configuration"));
    c.bench_function(&format!("step/not/d={N},128x3,n={n},k=10"), |b| {
        b.iter(|| {
            let (next, metrics) = state
                .take()
                .map(|s| not_step(&config, s, black_box(&batch), Key::new(0)).expect("a step"))
                .expect("a state");
            state = Some(next);
            metrics
        });
    });
}

/// Benches a step that takes a state and gives it back.
fn stepping<S, M>(c: &mut Criterion, name: &str, state: S, step: impl Fn(S) -> Result<(S, M)>) {
    let mut state = Some(state);
    c.bench_function(name, |b| {
        b.iter(|| {
            let (next, metrics) = state.take().map(|s| step(s).expect("a step")).expect("a state");
            state = Some(next);
            metrics
        });
    });
}

fn normal_batch<const N: usize>(n: usize) -> Batch<N> {
    let [p, q] = Key::new(1).split();
    let side = |key: Key| points(key.normal(n * N)).expect("finite points");
    Batch::new(side(p), side(q)).expect("finite points")
}

/// One ENOT step between two potentials of four hidden layers of 128.
fn enot<const N: usize>(c: &mut Criterion, n: usize) {
    type Net<const N: usize> = PotentialMap<Mlp<N, 128, 3, 1, Celu>>;
    let config = EnotConfig::<HalfSqEuclidean>::default();
    let [f, g] = Key::new(0).split();
    let (f, g): (Net<N>, Net<N>) = (build(f), build(g));
    let batch = normal_batch::<N>(n);
    let state = enot_init(&config, f, g).expect("a configuration");
    stepping(c, &format!("step/enot/d={N},128x4,n={n}"), state, |s| {
        enot_step(&config, s, black_box(&batch), Key::new(0))
    });
}

/// One step of the dual between perceptrons of four hidden layers of 64, conjugates to 1e-3.
fn w2_dual<const N: usize>(c: &mut Criterion, n: usize) {
    type Net<const N: usize> = PlusHalfSquare<Mlp<N, 64, 3, 1, Celu>>;
    let solver = ConjugateConfig { tolerance: 1e-3, limit: 20, ..ConjugateConfig::default() };
    let amortisation = Amortisation::Regression;
    let conjugation = Conjugation::FineTuned { solver, amortisation };
    let config = W2DualConfig { conjugation, ..W2DualConfig::default() };
    let [f, g] = Key::new(0).split();
    let (f, g): (Net<N>, Net<N>) = (build(f), build(g));
    let batch = normal_batch::<N>(n);
    let state = w2_dual_init(&config, f, GradientMap(g)).expect("a configuration");
    stepping(c, &format!("step/w2_dual/d={N},64x4,n={n}"), state, |s| {
        w2_dual_step(&config, s, black_box(&batch), Key::new(0))
    });
}

fn estimators(c: &mut Criterion) {
    transport::<2>(c);
    transport::<64>(c);
    enot::<2>(c, 256);
    enot::<64>(c, 256);
    enot::<64>(c, 1024);
    w2_dual::<2>(c, 256);
    w2_dual::<64>(c, 1024);
}

criterion_group!(benches, networks, estimators);
criterion_main!(benches);
