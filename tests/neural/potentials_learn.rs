//! Every estimator of the maximin family trains its potential.

use brenier::function::arrays;
use brenier::neural::Readings;
use brenier::prelude::*;
use dfdx::prelude::{BuildModule, Cpu, TensorCollection};

type F = Mlp<4, 16, 1, 1, Silu>;
type T = Displacement<Mlp<4, 16, 1, 4, Silu>>;
type Noisy = Displacement<Joined<2, 6, Mlp<6, 16, 1, 4, Silu>>>;

fn batch() -> Batch<4> {
    let p = GaussianMixture::<4>::isotropic(vec![0.0; 4], 1.0).unwrap();
    let q = GaussianMixture::<4>::isotropic(vec![1.0; 4], 0.5).unwrap();
    let sampled = Sampled::new(p, q, 32).unwrap().with_source_parts(2).unwrap();
    sampled.batches(Key::new(1)).batch(0).unwrap()
}

fn new<N: BuildModule<Cpu, f32>>(seed: u64) -> N {
    build(Key::new(seed))
}

/// The gradient is seen, and the step changes every array, the last bias apart: f(T(x)) − f(y) does not depend
/// on it.
fn check<P, M, R: Readings>(name: &str, before: &NotState<P, M>, after: (NotState<P, M>, R))
where
    P: TensorCollection<f32, Cpu>,
    M: TensorCollection<f32, Cpu>,
{
    let seen = after.1.readings();
    let norm = seen.iter().find(|r| r.0 == "potential_gradient_norm").unwrap().1;
    assert!(norm > 0.0, "{name}: the gradient is {norm}");
    let arrays = |s: &NotState<P, M>| arrays(s.potential.params());
    let (before, after) = (arrays(before), arrays(&after.0));
    let stayed: Vec<&str> = before
        .iter()
        .zip(&after)
        .filter(|(b, a)| b.values == a.values)
        .map(|(b, _)| b.name.as_str())
        .collect();
    assert!(before.len() > 4 && stayed.len() <= 1, "{name}: {stayed:?} stayed as they were");
}

#[test]
fn one_step_moves_the_potential() {
    let (batch, key) = (batch(), Key::new(2));
    let turns = || Turns::with_rates(1, 1e-3, 1e-3);
    let Turns { map_steps, source, map, potential } = turns();

    let config = NotConfig { cost: HalfSqEuclidean, map_steps, source, map, potential };
    let start = not_init(&config, new::<F>(3), new::<T>(4)).unwrap();
    check("strong", &start, not_step(&config, start.clone(), &batch, key).unwrap());

    let config = NoisedNotConfig::<HalfSqEuclidean> { turns: turns(), ..Default::default() };
    let start =
        noised_not_init(&config, new::<Joined<1, 5, Mlp<5, 16, 1, 1, Silu>>>(3), new::<T>(4));
    let start = start.unwrap();
    check("noised", &start, noised_not_step(&config, start.clone(), &batch, key).unwrap());

    let config = WeakNotConfig { turns: turns(), ..Default::default() };
    let start = weak_not_init(&config, new::<F>(3), new::<Noisy>(4)).unwrap();
    check("weak", &start, weak_not_step(&config, start.clone(), &batch, key).unwrap());

    let config = KernelNotConfig::<DistanceKernel> { turns: turns(), ..Default::default() };
    let start = kernel_not_init(&config, new::<F>(3), new::<Noisy>(4)).unwrap();
    check("kernel", &start, kernel_not_step(&config, start.clone(), &batch, key).unwrap());

    let config = ItConfig::<HalfSqEuclidean> { turns: turns(), ..Default::default() };
    let start = it_init(&config, new::<NegativeAbs<F>>(3), new::<T>(4)).unwrap();
    check("incomplete", &start, it_step(&config, start.clone(), &batch, key).unwrap());

    let config = NotAeConfig::<HalfSqEuclidean> { turns: turns(), ..Default::default() };
    let start = not_ae_init(&config, new::<F>(3), new::<T>(4)).unwrap();
    check("auto-encoder", &start, not_ae_step(&config, start.clone(), &batch, key).unwrap());
}
