//! Two steps of every estimator, on `dfdx`'s `Cuda` and on the CPU.
//!
//! The readings of the second step are those of parameters that the first has changed, so they agree only if
//! losses, gradients and updates do.

use brenier::function::{FreeMap, PotentialMap};
use brenier::neural::{Amortisation, Conjugation, NotAeConfig};
use brenier::prelude::*;
use brenier::solver::ConjugateConfig;
use dfdx::tensor::Cuda;

type On<D> = Batch<2, f32, D>;

fn batch(parts: usize) -> Batch<2> {
    let (x, y) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
    let sampled = Sampled::new(x, y, 16).unwrap().with_source_parts(parts).unwrap();
    sampled.batches(Key::new(5)).batch(0).unwrap()
}

/// Two steps on one batch: what they read.
fn twice<S, B, T>((state, step): (S, T), batch: &B) -> Vec<(String, f64)>
where
    T: Step<S, B, Metrics: Readings>,
{
    let (state, first) = step.step(state, batch, Key::new(0)).unwrap();
    let (_, second) = step.step(state, batch, Key::new(1)).unwrap();
    let both = [first.readings(), second.readings()];
    both.into_iter().flatten().map(|(name, value)| (name.to_string(), value)).collect()
}

/// Sums have another order on the device, in single precision: an error of some 1e-6, and where an iteration
/// stops it, that of a marginal, a little more.
fn same(device: &[(String, f64)], host: &[(String, f64)]) {
    assert!(!host.is_empty() && device.len() == host.len());
    for ((name, a), (_, b)) in device.iter().zip(host) {
        println!("{name}: {a:e} on the device, {b:e} on the CPU");
        let near = (a - b).abs() <= 5e-5 * b.abs().max(1e-2);
        assert!(near, "{name}: {a} on the device, {b} on the CPU");
    }
}

macro_rules! estimators {
    ($($(#[$attribute:meta])* $name:ident, $parts:expr, |$d:ident| $made:expr;)*) => {
        $($(#[$attribute])*
        #[test]
        fn $name() {
            let _device = crate::device();
            let host = batch($parts);
            let cuda: On<Cuda> = host.on(&Cuda::default());
            let on_host = {
                type $d = Cpu;
                twice($made, &host)
            };
            let on_device = {
                type $d = Cuda;
                twice($made, &cuda)
            };
            same(&on_device, &on_host);
        })*
    };
}

/// Adam with ε far above the rounding of gradients. Some gradients are zero but for rounding, that of the
/// last bias of a potential foremost, since a constant changes no dual value: Adam with a small ε divides
/// rounding by rounding and moves such a parameter by the whole rate, in a direction of its own on each device.
fn adam() -> AdamConfig {
    AdamConfig { epsilon: 1e-2, ..AdamConfig::with_rate(1e-2) }
}

fn turns() -> Turns {
    Turns { map: adam(), potential: adam(), ..Turns::with_rates(2, 1e-3, 1e-3) }
}

type Potential<D, A = Celu> = Mlp<2, 16, 1, 1, A, f32, D>;
type Map<D, A = Silu> = Displacement<Mlp<2, 16, 1, 2, A, f32, D>>;
type Icnn<D> = DenseIcnn<2, 16, 1, 4, Celu, f32, D>;
/// A map of a point and two numbers of noise.
type Stochastic<D> = Displacement<Joined<2, 4, Mlp<4, 16, 1, 2, Celu, f32, D>>>;

estimators! {
    strong_neural_optimal_transport, 3, |D| {
        let config = NotConfig::<HalfSqEuclidean> {
            map_steps: 2,
            map: adam(),
            potential: adam(),
            ..NotConfig::default()
        };
        let (f, t): (Potential<D, Relu>, Map<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = not_init(&config, f, t).unwrap();
        (state, move |s, b: &On<D>, k| not_step(&config, s, b, k))
    };
    weak_neural_optimal_transport, 3, |D| {
        let config = WeakNotConfig { turns: turns(), ..WeakNotConfig::default() };
        let (f, t): (Potential<D>, Stochastic<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = weak_not_init(&config, f, t).unwrap();
        (state, move |s, b: &On<D>, k| weak_not_step(&config, s, b, k))
    };
    kernel_neural_optimal_transport, 3, |D| {
        let config = KernelNotConfig { turns: turns(), ..KernelNotConfig::<DistanceKernel>::default() };
        let (f, t): (Potential<D>, Stochastic<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = kernel_not_init(&config, f, t).unwrap();
        (state, move |s, b: &On<D>, k| kernel_not_step(&config, s, b, k))
    };
    incomplete_transport, 3, |D| {
        let weight = Ramp { from: 1.0, to: 4.0, steps: 2 };
        let config = ItConfig::<HalfSqEuclidean> { weight, turns: turns(), ..Default::default() };
        let (f, t): (NegativeAbs<Potential<D>>, Map<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = it_init(&config, f, t).unwrap();
        (state, move |s, b: &On<D>, k| it_step(&config, s, b, k))
    };
    noised_neural_optimal_transport, 3, |D| {
        type F<D> = Joined<1, 3, Mlp<3, 16, 1, 1, Celu, f32, D>>;
        let config = NoisedNotConfig::<HalfSqEuclidean> { turns: turns(), ..Default::default() };
        let (f, t): (F<D>, Map<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = noised_not_init(&config, f, t).unwrap();
        (state, move |s, b: &On<D>, k| noised_not_step(&config, s, b, k))
    };
    transport_between_codes, 3, |D| {
        type Coder<D> = (Mlp<2, 16, 0, 1, Celu, f32, D>, Mlp<1, 16, 0, 2, Celu, f32, D>);
        let config = NotAeConfig::<HalfSqEuclidean> { turns: turns(), ..Default::default() };
        let (f, t): (Potential<D>, Coder<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = not_ae_init(&config, f, t).unwrap();
        (state, move |s, b: &On<D>, k| not_ae_step(&config, s, b, k))
    };
    expectile_regularised, 1, |D| {
        type F<D> = PotentialMap<Potential<D>>;
        let config = EnotConfig::<HalfSqEuclidean> {
            source: adam(),
            target: adam(),
            ..Default::default()
        };
        let (f, g): (F<D>, F<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = enot_init(&config, f, g).unwrap();
        (state, move |s, b: &On<D>, k| enot_step(&config, s, b, k))
    };
    expectile_regularised_with_a_map, 1, |D| {
        type F<D> = FreeMap<Mlp<2, 16, 1, 2, Silu, f32, D>>;
        let config = EnotConfig::<Euclidean> {
            map_steps: 2,
            source: adam(),
            target: adam(),
            ..Default::default()
        };
        let (f, g): (F<D>, Potential<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = enot_init(&config, f, g).unwrap();
        (state, move |s, b: &On<D>, k| enot_step(&config, s, b, k))
    };
    monge_gap, 1, |D| {
        let config: MongeGapConfig = MongeGapConfig { map: adam(), ..Default::default() };
        let t: Map<D, Gelu> = build(Key::new(2));
        let state = monge_gap_init(&config, t).unwrap();
        (state, move |s, b: &On<D>, k| monge_gap_step(&config, s, b, k))
    };
    dual_of_the_squared_distance, 1, |D| {
        let config = W2DualConfig { potential: adam(), conjugate: adam(), ..W2DualConfig::default() };
        let (f, g): (Icnn<D>, Map<D, Relu>) = (build(Key::new(1)), build(Key::new(2)));
        let state = w2_dual_init(&config, f, g).unwrap();
        (state, move |s, b: &On<D>, k| w2_dual_step(&config, s, b, k))
    };
    dual_with_two_convex_networks, 1, |D| {
        let conjugation = Conjugation::Cycle { weight: 8.0 };
        let config = W2DualConfig {
            conjugation,
            potential: adam(),
            conjugate: adam(),
        };
        let (f, g): (Icnn<D>, GradientMap<Icnn<D>>) = (build(Key::new(1)), build(Key::new(2)));
        let state = w2_dual_init(&config, f, g).unwrap();
        (state, move |s, b: &On<D>, k| w2_dual_step(&config, s, b, k))
    };
    dual_with_fine_tuned_conjugates, 1, |D| {
        let solver = ConjugateConfig { tolerance: 1e-3, limit: 5, ..ConjugateConfig::default() };
        let conjugation = Conjugation::FineTuned { solver, amortisation: Amortisation::Regression };
        let config = W2DualConfig {
            conjugation,
            potential: adam(),
            conjugate: adam(),
        };
        let (f, g): (Icnn<D>, Map<D>) = (build(Key::new(1)), build(Key::new(2)));
        let state = w2_dual_init(&config, f, g).unwrap();
        (state, move |s, b: &On<D>, k| w2_dual_step(&config, s, b, k))
    };
    flow_matching, 1, |D| {
        let config = FlowMatchingConfig { velocity: adam(), ..FlowMatchingConfig::exact() };
        let v: VelocityMlp<3, 16, 1, 2, Silu, f32, D> = build(Key::new(1));
        let state = flow_matching_init(&config, v).unwrap();
        (state, move |s, b: &On<D>, k| flow_matching_step(&config, s, b, k))
    };
    unbalanced_transport, 2, |D| {
        let not = NotConfig::<HalfSqEuclidean> {
            map_steps: 1,
            map: adam(),
            potential: adam(),
            ..NotConfig::default()
        };
        let config: UnbalancedConfig = UnbalancedConfig { tau: [0.9, 0.8], rescaling: adam(), ..Default::default() };
        let (f, t): (Potential<D>, Map<D>) = (build(Key::new(1)), build(Key::new(2)));
        let (a, b): (Potential<D>, Potential<D>) = (build(Key::new(3)), build(Key::new(4)));
        let state = Unbalanced::new(&config, not_init(&not, f, t).unwrap(), a, b).unwrap();
        (state, with_unbalanced(config, move |s, b: &On<D>, k| not_step(&not, s, b, k)))
    };
    regularised_dual, 1, |D| {
        let config: RegularisedDualConfig = RegularisedDualConfig { source: adam(), target: adam(), ..Default::default() };
        let (f, g): (Potential<D, Relu>, Potential<D, Relu>) = (build(Key::new(1)), build(Key::new(2)));
        let state = regularised_dual_init(&config, f, g).unwrap();
        (state, move |s, b: &On<D>, k| regularised_dual_step(&config, s, b, k))
    };
    regressed_dual, 1, |D| {
        let config = RegressedDualConfig { potential: adam(), ..Default::default() };
        let psi: PlusHalfSquare<Potential<D, Softplus>> = build(Key::new(1));
        let state = regressed_dual_init(&config, psi).unwrap();
        (state, move |s, b: &On<D>, k| regressed_dual_step(&config, s, b, k))
    };
    batch_dual, 1, |D| {
        let config: BatchDualConfig = BatchDualConfig { potential: adam(), ..Default::default() };
        let f: Potential<D, Softplus> = build(Key::new(1));
        let state = batch_dual_init(&config, f).unwrap();
        (state, move |s, b: &On<D>, k| batch_dual_step(&config, s, b, k))
    };
}
