//! Whole training steps of image and volume networks: one map step and one potential step of strong
//! neural optimal transport.
//!
//! Names are `step/not/<networks>,<shape>,n=<batch>`; their floors are in `docs/benchmarking.md`.

use std::hint::black_box;

use brenier::function::image::*;
use brenier::prelude::*;
use criterion::{criterion_group, criterion_main, Criterion};

fn transport<const N: usize, T, F>(c: &mut Criterion, name: &str, n: usize)
where
    T: TransportMap<N> + BuildModule<Cpu, f32> + Clone + 'static,
    F: Potential<N> + BuildModule<Cpu, f32> + Clone + 'static,
{
    let adam = AdamConfig::with_rate(1e-4);
    let mut config =
        NotConfig::<SqEuclidean> { map: adam.clone(), potential: adam, ..Default::default() };
    config.map_steps = 1;
    let [f, t, p, q] = Key::new(0).split();
    let (f, t): (F, T) = (build(f), build(t));
    let source = points(p.normal(config.source_parts() * n * N)).expect("finite points");
    let target = points(q.normal(n * N)).expect("finite points");
    let batch = Batch::new(source, target).expect("finite points");
    let mut state = Some(not_init(&config, f, t).expect("a configuration"));
    c.bench_function(&format!("step/not/{name},n={n}"), |b| {
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

fn steps(c: &mut Criterion) {
    type Map = AsImage<3, 32, 32, UNetOf3<3, 3, 32, 64, 128>>;
    type Critic = AsImage<3, 32, 32, ResNetD32<3, 64, 128, 256, 512, 512>>;
    transport::<3072, Map, Critic>(c, "unet-resnet,3x32x32", 16);
    type VolumeMap = AsVolume<3, 16, 16, 16, VolumeUNetOf3<3, 3, 32, 64, 128>>;
    type VolumeCritic = AsVolume<3, 16, 16, 16, VolumeResNetD16<3, 32, 64, 128, 128>>;
    transport::<12288, VolumeMap, VolumeCritic>(c, "unet-resnet,3x16x16x16", 8);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = steps
}
criterion_main!(benches);
