//! Every estimator, cost, network and sampler of the crate passes the conformance suite; broken ones
//! do not.

use crate::common;
use crate::common::module;
use brenier::neural::monge_gap_plain_step;
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{ConjugateConfig, ConjugateMethod, Coupling, Draw, EnergyLoss};
use brenier::testing::*;
use dfdx::prelude::ZerosTensor;

type Net<const N: usize> = Mlp<N, 32, 1, 1, Celu>;
/// Wide enough, with the batches here, that every operation takes its parallel path.
type Icnn = DenseIcnn<8, 64, 0, 32>;

fn batches(parts: usize) -> impl Fn(u64) -> Result<Batch<8>> + Sync {
    let (p, q) = (GaussianMixture::<8>::standard(), GaussianMixture::isotropic(vec![1.0; 8], 0.7));
    let sampled = Sampled::new(p, q.unwrap(), 300).unwrap().with_source_parts(parts).unwrap();
    let batches = sampled.batches(Key::new(0));
    move |i| batches.batch(i)
}

fn two<F, G>(key: Key) -> (F, G)
where
    F: BuildModule<Cpu, f32>,
    G: BuildModule<Cpu, f32>,
{
    let [f, g] = key.split();
    (build(f), build(g))
}

#[test]
fn not() {
    for source in [SourceUse::Fresh, SourceUse::Whole] {
        let config: NotConfig = NotConfig { map_steps: 2, source, ..NotConfig::default() };
        let fresh = |key| {
            let (f, t): (Net<8>, Displacement<Mlp<8, 32, 1, 8>>) = two(key);
            not_init(&config, f, t)
        };
        let step = |s, b: &Batch<8>, k| not_step(&config, s, b, k);
        assert_eq!(check_estimator(fresh, step, batches(config.source_parts())), Ok(()));
    }
}

type Stochastic = Displacement<Joined<2, 10, Mlp<10, 32, 1, 8, Celu>>>;

#[test]
fn weak_not() {
    let turns = Turns::with_rates(2, 1e-4, 1e-4);
    let config = WeakNotConfig { turns: turns.clone(), ..WeakNotConfig::default() };
    let fresh = |key| {
        let (f, t): (Net<8>, Stochastic) = two(key);
        weak_not_init(&config, f, t)
    };
    let step = |s, b: &Batch<8>, k| weak_not_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(3)), Ok(()));
    let config = KernelNotConfig { turns, ..KernelNotConfig::<DistanceKernel>::default() };
    let step = |s, b: &Batch<8>, k| kernel_not_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(3)), Ok(()));
}

#[test]
fn partial_and_noised() {
    let turns = Turns::with_rates(2, 1e-4, 1e-4);
    let config = ItConfig::<HalfSqEuclidean> {
        weight: Ramp { from: 1.0, to: 4.0, steps: 2 },
        turns: turns.clone(),
        ..Default::default()
    };
    let fresh = |key| {
        let (f, t): (NegativeAbs<Net<8>>, Displacement<Mlp<8, 32, 1, 8, Celu>>) = two(key);
        it_init(&config, f, t)
    };
    let step = |s, b: &Batch<8>, k| it_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(3)), Ok(()));

    let config = NoisedNotConfig::<HalfSqEuclidean> { turns: turns.clone(), ..Default::default() };
    type Conditional = Joined<1, 9, Mlp<9, 32, 1, 1, Celu>>;
    let fresh = |key| {
        let (f, t): (Conditional, Displacement<Mlp<8, 32, 1, 8, Celu>>) = two(key);
        noised_not_init(&config, f, t)
    };
    let step = |s, b: &Batch<8>, k| noised_not_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(3)), Ok(()));

    let config = NotAeConfig::<HalfSqEuclidean> { turns, ..Default::default() };
    type Coder = (Mlp<8, 32, 0, 3, Celu>, Mlp<3, 32, 0, 8, Celu>);
    let fresh = |key| {
        let (f, t): (Net<8>, Coder) = two(key);
        not_ae_init(&config, f, t)
    };
    let step = |s, b: &Batch<8>, k| not_ae_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(3)), Ok(()));
}

#[test]
fn maximin_on_convex_networks() {
    let config = NotConfig::<NegDot> { map_steps: 1, ..NotConfig::default() };
    let fresh = |key: Key| {
        let (f, t): (Icnn, Icnn) = two(key);
        let mut state = not_init(&config, Negated(f), GradientMap(t))?;
        state.potential = state.potential.projected(|f| f.0.make_convex());
        state.map = state.map.projected(|t| t.0.make_convex());
        Ok(state)
    };
    let step = reversed(|s, b: &Batch<8>, k| not_step(&config, s, b, k));
    assert_eq!(check_estimator(fresh, step, |i| batches(2)(i).map(swapped)), Ok(()));
}

#[test]
fn flow_matching() {
    use brenier::neural::Pairing;
    /// Everyone with the first target.
    #[derive(Clone, Debug)]
    struct First;
    impl Coupling for First {
        fn pairs(&self, p: &Discrete<'_>, draw: Draw, _: Key) -> Result<Vec<(usize, usize)>> {
            let (Draw::WithReplacement(k) | Draw::WithoutReplacement(k)) = draw;
            Ok((0..k).map(|i| (i % p.sizes().0, 0)).collect())
        }
    }
    type V = VelocityMlp<11, 32, 1, 8>;
    let fresh = |key| flow_matching_init(&FlowMatchingConfig::exact(), build::<V, _, _>(key));
    for config in [
        FlowMatchingConfig::exact(),
        FlowMatchingConfig::independent(),
        FlowMatchingConfig::unbalanced([0.9, 1.0]),
    ] {
        let step = |s, b: &Batch<8>, k| flow_matching_step(&config, s, b, k);
        assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
    }
    let config = FlowMatchingConfig::exact();
    let config = FlowMatchingConfig {
        pairing: Pairing::Coupled { coupling: First, draws: Default::default() },
        path: config.path,
        times: config.times,
        cost: Euclidean,
        velocity: config.velocity,
    };
    let step = |s, b: &Batch<8>, k| flow_matching_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
}

#[test]
fn velocities() {
    let v: VelocityMlp<8, 32, 1, 4, Silu, f64> = module(1, 0.5);
    assert_eq!(check_velocity::<4, _, _>(&v, &()), Ok(()));
    let conditions: Points<3, f64> = common::cloud(2, 300);
    assert_eq!(check_velocity::<4, _, _>(&v, &conditions), Ok(()));
    let few: Points<3, f64> = common::cloud(2, 299);
    assert!(check_velocity::<4, _, _>(&v, &few).is_err());
}

fn swapped(b: Batch<8>) -> Batch<8> {
    Batch { source: b.target, target: b.source }
}

#[test]
fn enot() {
    let config = EnotConfig::<HalfSqEuclidean>::default();
    let fresh = |key| {
        let (f, g): (PotentialMap<Net<8>>, PotentialMap<Net<8>>) = two(key);
        enot_init(&config, f, g)
    };
    let step = back_and_forth(
        |s, b: &Batch<8>, k| enot_step(&config, s, b, k),
        |s, b: &Batch<8>, k| enot_step(&config, s, b, k),
    );
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
    // A map of its own, and a wide potential.
    let config = EnotConfig::<Euclidean>::default();
    let fresh = |key| {
        let (f, g): (FreeMap<Mlp<8, 32, 1, 8>>, Mlp<8, 256, 1, 1, Silu>) = two(key);
        enot_init(&config, f, g)
    };
    let step = |s, b: &Batch<8>, k| enot_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
}

#[test]
fn w2_dual() {
    let lbfgs = ConjugateConfig { tolerance: 1e-3, limit: 10, ..ConjugateConfig::default() };
    let adam = ConjugateConfig { method: ConjugateMethod::Adam { rate: 0.1 }, ..lbfgs.clone() };
    let tuned = |solver, amortisation| Conjugation::FineTuned { solver, amortisation };
    for conjugation in [
        Conjugation::Minimax { map_steps: 2 },
        Conjugation::Cycle { weight: 8.0 },
        tuned(lbfgs, Amortisation::Regression),
        tuned(adam, Amortisation::Objective),
    ] {
        let config = W2DualConfig { conjugation, ..W2DualConfig::default() };
        let fresh = |key: Key| {
            let (f, g): (Icnn, Icnn) = two(key);
            let mut state = w2_dual_init(&config, f, GradientMap(g))?;
            state.potential = state.potential.projected(Icnn::make_convex);
            Ok(state)
        };
        let step = |s, b: &Batch<8>, k| w2_dual_step(&config, s, b, k);
        assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()), "{config:?}");
    }
}

#[test]
fn weak_baselines() {
    let config = BatchDualConfig::<HalfSqEuclidean>::default();
    let fresh = |key| batch_dual_init(&config, build::<Net<8>, _, _>(key));
    let step = |s, b: &Batch<8>, k| batch_dual_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
    let config = RegressedDualConfig::default();
    let fresh = |key| regressed_dual_init(&config, build::<Icnn, _, _>(key));
    let step = |s, b: &Batch<8>, k| regressed_dual_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
    for penalty in [Penalty::Quadratic, Penalty::Entropic] {
        let config = RegularisedDualConfig::<HalfSqEuclidean> {
            penalty,
            epsilon: 1.0,
            ..Default::default()
        };
        let fresh = |key| {
            let (f, g): (Net<8>, Net<8>) = two(key);
            regularised_dual_init(&config, f, g)
        };
        let step = |s, b: &Batch<8>, k| regularised_dual_step(&config, s, b, k);
        assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
    }
}

#[test]
fn monge_gap() {
    let config: MongeGapConfig = MongeGapConfig::default();
    type Map = Displacement<Mlp<8, 32, 1, 8, Gelu>>;
    let fresh = |key| monge_gap_init(&config, build::<Map, _, _>(key));
    let step = |s, b: &Batch<8>, k| monge_gap_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
    // A map without a conservative term, on the energy distance.
    let fitting = Fitting::Energy(EnergyLoss::with_cost(HalfSqEuclidean));
    let config = MongeGapConfig {
        fitting,
        gap: MongeGap::with_cost(Euclidean),
        conservative_weight: 0.0,
        ..MongeGapConfig::default()
    };
    let fresh = |key| monge_gap_init(&config, GradientMap(build::<Icnn, _, _>(key)));
    let step = |s, b: &Batch<8>, k| monge_gap_plain_step(&config, s, b, k);
    assert_eq!(check_estimator(fresh, step, batches(1)), Ok(()));
}

#[test]
fn unbalanced() {
    let not: NotConfig = NotConfig { map_steps: 1, ..NotConfig::default() };
    let config: UnbalancedConfig = UnbalancedConfig { tau: [0.9, 0.8], ..Default::default() };
    let fresh = |key: Key| {
        let [nets, ratios] = key.split();
        let (f, t): (Net<8>, Displacement<Mlp<8, 32, 1, 8, Celu>>) = two(nets);
        let (eta, xi): (Net<8>, Net<8>) = two(ratios);
        Unbalanced::new(&config, not_init(&not, f, t)?, eta, xi)
    };
    let inner = |s, b: &Batch<8>, k| not_step(&not, s, b, k);
    let step = with_unbalanced(config.clone(), inner);
    assert_eq!(check_estimator(fresh, step, batches(2)), Ok(()));
}

#[test]
fn steps_around_steps() {
    type Map = Displacement<Mlp<8, 32, 0, 8>>;
    let config: NotConfig = NotConfig { map_steps: 1, ..NotConfig::default() };
    let fresh = |key| {
        let (f, t): (Net<8>, Map) = two(key);
        Ok(Averaged::new(not_init(&config, f, t)?))
    };
    let step = with_ema(0.9, guard_finite(|s, b: &Batch<8>, k| not_step(&config, s, b, k)));
    assert_eq!(check_estimator(fresh, step.unwrap(), batches(2)), Ok(()));
}

/// Breaks one law of an estimator that keeps them.
#[test]
fn broken_estimators_are_found() {
    type S = NotState<Net<8>, Mlp<8, 32, 0, 8>>;
    let config: NotConfig = NotConfig { map_steps: 1, ..NotConfig::default() };
    let fresh = |key| {
        let (f, t): (Net<8>, Mlp<8, 32, 0, 8>) = two(key);
        not_init(&config, f, t)
    };
    type OneStep<'a> = dyn Fn(S, &Batch<8>, Key) -> Result<(S, NotMetrics)> + Sync + 'a;
    let broken = |step: &OneStep<'_>| {
        check_estimator(fresh, |s, b: &Batch<8>, k| step(s, b, k), batches(2))
            .unwrap_err()
            .join("; ")
    };
    // A source of randomness beside the key.
    let calls = std::sync::atomic::AtomicU64::new(0);
    let random = broken(&|s, b, k| {
        let (mut s, m) = not_step(&config, s, b, k)?;
        if calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(4) {
            s.map.params_mut().last.bias = Cpu::default().zeros();
        }
        Ok((s, m))
    });
    assert!(random.contains("equal inputs give different states"), "{random}");
    let miscounted = broken(&|s, b, k| {
        let (mut s, m) = not_step(&config, s, b, k)?;
        s.step += 1;
        Ok((s, m))
    });
    assert!(miscounted.contains("three steps count 6"), "{miscounted}");
    let infinite = broken(&|s, b, k| {
        let (s, m) = not_step(&config, s, b, k)?;
        Ok((s, NotMetrics { map_loss: f64::NAN, ..m }))
    });
    assert!(infinite.contains("reading map_loss is NaN"), "{infinite}");
    let blind = broken(&|s, b, k| {
        not_step(&config, s.clone(), b, k).or(Ok((
            S { step: s.step + 1, ..s },
            NotMetrics {
                map_loss: 0.0,
                potential_loss: 0.0,
                transport_cost: 0.0,
                saddle_value: 0.0,
                map_gradient_norm: 0.0,
                potential_gradient_norm: 0.0,
            },
        )))
    });
    assert!(blind.contains("NaN in the source goes unnoticed"), "{blind}");
    let fragile = broken(&|s, b, k| Ok(not_step(&config, s, b, k).expect("good data")));
    assert!(fragile.contains("NaN in the target panics"), "{fragile}");
}

#[test]
fn costs() {
    assert_eq!(check_cost::<3, _>(&SqEuclidean), Ok(()));
    assert_eq!(check_cost::<3, _>(&HalfSqEuclidean), Ok(()));
    assert_eq!(check_cost::<3, _>(&Euclidean), Ok(()));
    assert_eq!(check_cost::<3, _>(&Cosine), Ok(()));
    assert_eq!(check_cost::<3, _>(&NegDot), Ok(()));
    assert_eq!(check_cost::<3, _>(&Scaled::new(Cosine, 3.0).unwrap()), Ok(()));
    assert_eq!(check_cost::<17, _>(&NegDot), Ok(()));
    assert_eq!(check_cost::<3, _>(&DistanceKernel::new(1.5).unwrap()), Ok(()));
    assert_eq!(check_cost::<3, _>(&DistanceKernel::default()), Ok(()));
    assert_eq!(check_cost::<3, _>(&GaussianKernel::default()), Ok(()));
    assert_eq!(check_cost::<3, _>(&LaplacianKernel::default()), Ok(()));
    for p in [1.5, 2.0, 3.0] {
        let cost = PNorm::new(p).unwrap();
        assert_eq!(check_cost::<3, _>(&cost), Ok(()));
        assert_eq!(check_twist(&cost, 3), Ok(()));
    }
    assert_eq!(check_twist(&SqEuclidean, 5), Ok(()));
    assert_eq!(check_twist(&HalfSqEuclidean, 5), Ok(()));
    assert_eq!(check_twist(&NegDot, 5), Ok(()));
}

#[test]
fn networks() {
    type P = Mlp<3, 9, 1, 1, Silu, f64>;
    type V = DenseIcnn<3, 6, 1, 4, Softplus, f64>;
    let (p, v): (P, V) = (module(1, 0.5), module(2, 0.5));
    assert_eq!(check_potential::<3, _>(&p), Ok(()));
    assert_eq!(check_potential::<3, _>(&v), Ok(()));
    assert_eq!(check_potential::<3, _>(&Negated(p.clone())), Ok(()));
    assert_eq!(check_potential::<3, _>(&PlusHalfSquare(p.clone())), Ok(()));
    assert_eq!(check_potential::<3, _>(&PotentialMap(p.clone())), Ok(()));
    assert_eq!(check_potential::<3, _>(&NegativeAbs(p.clone())), Ok(()));
    assert_eq!(check_potential::<3, _>(&NegativeSoftplus(p.clone())), Ok(()));
    assert_eq!(check_potential::<3, _>(&ZeroPotential), Ok(()));
    let residual: brenier::function::ResidualMlp<3, 9, 2, 1, Gelu, f64> = module(3, 0.5);
    assert_eq!(check_potential::<3, _>(&residual), Ok(()));
    assert_eq!(check_input_gradient_of::<3, _>(&p), Ok(()));
    assert_eq!(check_input_gradient_of::<3, _>(&v), Ok(()));
    assert_eq!(check_input_gradient_of::<3, _>(&Negated(v.clone())), Ok(()));
    assert_eq!(check_input_gradient_of::<3, _>(&PlusHalfSquare(p.clone())), Ok(()));
    assert_eq!(check_map::<3, _>(&GradientMap(p)), Ok(()));
    assert_eq!(check_map::<3, _>(&GradientMap(v)), Ok(()));
    let map: Displacement<Mlp<3, 9, 1, 3, Relu, f64>> = Displacement(module(4, 0.5));
    assert_eq!(check_map::<3, _>(&map), Ok(()));
    assert_eq!(check_map::<3, _>(&OnSphere { inner: map, radius: 2.0 }), Ok(()));
}

#[test]
fn samplers() {
    let pair = KnownPair::<3>::random(Key::new(0)).unwrap();
    assert_eq!(check_sampler(pair.source()), Ok(()));
    assert_eq!(check_sampler(&pair.target()), Ok(()));
    struct Fixed;
    impl Sampler<1> for Fixed {
        fn sample(&self, _: Key, n: usize) -> Result<Points<1>> {
            points(vec![0.5; n])
        }
    }
    let broken = check_sampler(&Fixed).unwrap_err().join("; ");
    assert!(broken.contains("different keys give equal points"), "{broken}");
}
