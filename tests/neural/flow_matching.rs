//! Flow matching: paths, pairs, what it learns, flows and their densities, what it refuses.

use crate::common;
use crate::common::{distance, golden, module, normals, numbers, on_any_threads};
use brenier::function::{arrays, replace, Clip};
use brenier::neural::{
    conditional_flow_matching_step, divergence, flow, log_likelihood, path_energy, standard_normal,
    ConditionedBatch, DivergenceRule, Draws, FlowPath, FlowTimes, Pairing,
};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{
    ByClass, Coupling, Draw, Epsilon, ExactConfig, MinibatchCoupling, OdeConfig, OdeMethod,
    SinkhornConfig, StepControl, Steps,
};
use dfdx::nn::{ModuleVisitor, NonMutableModule};
use dfdx::prelude::{Device, Dtype, HasErr, SplitTape, Tape, TensorFromVec};

type V2 = VelocityMlp<3, 64, 1, 2, Celu>;

const PATHS: [FlowPath; 4] = [
    FlowPath::Straight { sigma: 0.25 },
    FlowPath::Bridge { sigma: 0.5 },
    FlowPath::VariancePreserving { sigma: 0.25 },
    FlowPath::Target { sigma: 0.125 },
];

#[test]
fn paths_are_those_of_torchcfm() {
    let file = golden("flow.json");
    let d = file["dimension"].as_u64().unwrap() as usize;
    let of = |name: &str| numbers(&file[name]);
    for (path, case) in PATHS.iter().zip(file["cases"].as_array().unwrap()) {
        let source = numbers(&case["source"]);
        let (x, u) = path.points(&source, &of("targets"), &of("noise"), &of("times"), d).unwrap();
        // torchcfm adds 1e-8 to the denominator of the bridge, which is 1/8 at least.
        assert!(distance(&x, &numbers(&case["points"])) < 1e-12, "{path:?}");
        assert!(distance(&u, &numbers(&case["velocities"])) < 1e-6, "{path:?}");
    }
}

/// u is the derivative of the point in the time, for the same ends and noise.
#[test]
fn velocities_are_derivatives_of_points() {
    let (x0, x1, noise): (Vec<f64>, Vec<f64>, Vec<f64>) =
        (normals(1, 12), normals(2, 12), normals(3, 12));
    let h = 1e-5;
    for path in PATHS {
        for t in [0.01, 0.3, 0.8, 0.99] {
            let at = |t: f64| path.points(&x0, &x1, &noise, &[t; 4], 3).unwrap();
            let (after, before) = (at(t + h).0, at(t - h).0);
            let slope: Vec<f64> =
                after.iter().zip(before).map(|(a, b)| (a - b) / (2.0 * h)).collect();
            // h² times the third derivative, which for the bridge near its ends is of order 1e5.
            assert!(distance(&slope, &at(t).1) < 1e-4, "{path:?} at {t}");
        }
    }
}

fn batch(n: usize) -> Batch<2> {
    let (p, q) = (GaussianMixture::standard(), GaussianMixture::eight_gaussians());
    Sampled::new(p, q, n).unwrap().batches(Key::new(5)).batch(0).unwrap()
}

/// A velocity that is the constant b: then the loss and the first update are known.
#[test]
fn metrics_and_the_update_are_what_they_say() {
    let b = [0.5f32, -0.25];
    let mut v: V2 = build(Key::new(0));
    let mut values = arrays(&v);
    for array in &mut values {
        array.values.fill(0.0);
        if array.name == "inner.last.bias" {
            array.values.copy_from_slice(&b);
        }
    }
    replace(&mut v, &values).unwrap();
    let path = FlowPath::Straight { sigma: 0.3 };
    let config = FlowMatchingConfig { path, ..FlowMatchingConfig::independent() };
    let batch = batch(64);
    let state = flow_matching_init(&config, v).unwrap();
    let (after, seen) = flow_matching_step(&config, state, &batch, Key::new(1)).unwrap();

    let (x, y) = (rows(&batch.source), rows(&batch.target));
    let (mut loss, mut energy, mut slope) = (0.0, 0.0, [0.0, 0.0]);
    for (i, (x, y)) in x.iter().zip(&y).enumerate() {
        let (u, b) = (f64::from(y - x), f64::from(b[i % 2]));
        loss += (b - u) * (b - u) / 128.0;
        energy += u * u / 64.0;
        slope[i % 2] += 2.0 * (b - u) / 128.0;
    }
    // Sums of 128 numbers of order one in f32.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5 * b.abs().max(1.0);
    assert!(close(seen.loss, loss) && close(seen.pair_energy, energy), "{seen:?}");
    assert!(close(seen.pair_cost, energy), "the cost is the squared distance: {seen:?}");
    assert!(close(seen.gradient_norm, slope[0].hypot(slope[1])), "{seen:?}");
    assert_eq!((seen.sources_used, seen.targets_used, after.step), (1.0, 1.0, 1));
    // The first update of Adam is the rate, against the sign of the gradient.
    let moved = rows(&after.velocity.params().inner.last.bias);
    for i in 0..2 {
        let wanted = f64::from(b[i]) - 1e-3 * slope[i].signum();
        assert!((f64::from(moved[i]) - wanted).abs() < 1e-6);
    }
}

#[test]
fn exact_pairs_are_cheap_and_use_every_point() {
    let batch = batch(100);
    let run = |config: &FlowMatchingConfig| {
        let state = flow_matching_init(config, build::<V2, _, _>(Key::new(0))).unwrap();
        flow_matching_step(config, state, &batch, Key::new(1)).unwrap().1
    };
    let (exact, drawn) =
        (run(&FlowMatchingConfig::exact()), run(&FlowMatchingConfig::independent()));
    let truth = brenier::solver::exact_between(
        &SqEuclidean,
        &batch.source,
        &batch.target,
        &ExactConfig::default(),
    );
    let cost = truth.unwrap().cost;
    assert!((exact.pair_cost - cost).abs() < 1e-4 * cost && drawn.pair_cost > 2.0 * cost);
    assert_eq!((exact.sources_used, exact.targets_used), (1.0, 1.0));
    let coupling = MinibatchCoupling::Exact(ExactConfig::default());
    let pairing = Pairing::Coupled { coupling, draws: Draws::Independent };
    let again = run(&FlowMatchingConfig { pairing, ..FlowMatchingConfig::exact() });
    // 1 − 1/e of the points, give or take five deviations of √(n/e (1 − 2/e)) / n.
    assert!((again.sources_used - 0.632).abs() < 0.16 && again.sources_used == again.targets_used);
}

/// Targets of which a third is far away: relaxed, they are seldom drawn.
#[test]
fn unbalanced_pairs_pass_over_what_is_dear() {
    let x: Vec<f32> = normals(1, 300);
    let y: Vec<f32> = normals::<f32>(2, 300)
        .iter()
        .enumerate()
        .map(|(i, v)| v + 9.0 * f32::from(u8::from(i < 100)))
        .collect();
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let far = |tau| {
        let sinkhorn = SinkhornConfig::default();
        let coupling = MinibatchCoupling::Unbalanced { sinkhorn, tau };
        let pairs = coupling.pairs(&problem, Draw::WithReplacement(3000), Key::new(3)).unwrap();
        pairs.iter().filter(|(_, j)| *j < 100).count()
    };
    // A third if balanced: 1000 ± 130 is five deviations.
    assert!(far([1.0, 1.0]).abs_diff(1000) < 130);
    assert!(far([0.9, 0.9]) < 100, "{}", far([0.9, 0.9]));
}

/// One class of targets on either side, and noise between them.
#[test]
fn sources_know_nothing_of_the_class() {
    let (n, key) = (256, Key::new(7));
    let x: Vec<f32> = normals(1, n);
    let classes: Vec<u32> = (0..n).map(|i| u32::from(i % 4 == 0)).collect();
    let y: Vec<f32> = classes.iter().map(|c| if *c == 1 { 3.0 } else { -3.0 }).collect();
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 1).unwrap();
    let exact = MinibatchCoupling::Exact(ExactConfig::default());
    let by_class = ByClass { coupling: &exact, source: None, target: &classes };
    let draw = Draw::WithoutReplacement(n);
    let mean_of_class = |pairs: &[(usize, usize)]| {
        let of: Vec<f32> = pairs.iter().filter(|p| classes[p.1] == 1).map(|p| x[p.0]).collect();
        assert_eq!(of.len(), 64);
        f64::from(of.iter().sum::<f32>()) / 64.0
    };
    let mut means = [0.0; 2];
    for i in 0..20 {
        let key = key.fold_in(i);
        let pairs = by_class.pairs(&problem, draw, key).unwrap();
        let mut sources: Vec<usize> = pairs.iter().map(|p| p.0).collect();
        sources.sort_unstable();
        assert!(sources.iter().enumerate().all(|(i, s)| i == *s), "every source once");
        means[0] += mean_of_class(&pairs) / 20.0;
        means[1] += mean_of_class(&exact.pairs(&problem, draw, key).unwrap()) / 20.0;
    }
    // A coupling of the whole batch takes the upper quarter of the sources, whose mean is 1.27; dealt
    // sources have the mean of all, up to five deviations of 1/√(20·64).
    let all = f64::from(x.iter().sum::<f32>()) / n as f64;
    assert!(means[1] > 1.0 && (means[0] - all).abs() < 5.0 / 1280f64.sqrt(), "{means:?}");
    // Fewer draws than points: the class keeps its quarter, up to rounding.
    for k in [10, 101] {
        let pairs = by_class.pairs(&problem, Draw::WithReplacement(k), key).unwrap();
        let of_class = pairs.iter().filter(|p| classes[p.1] == 1).count() as f64;
        assert!(pairs.len() == k && (of_class - k as f64 / 4.0).abs() <= 1.0);
    }
    // Fewer sources than targets, and classes that are hard to serve.
    let few = Discrete::clouds(&SqEuclidean, &x[..3], &y, 1).unwrap();
    let pairs = by_class.pairs(&few, Draw::WithReplacement(40), key).unwrap();
    assert!(pairs.len() == 40 && pairs.iter().all(|p| p.0 < 3));
    let one = Discrete::clouds(&SqEuclidean, &x[..1], &y, 1).unwrap();
    let error = by_class.pairs(&one, draw, key).unwrap_err().to_string();
    assert!(error.contains("at least one for each of 2 classes"), "{error}");
    let named = ByClass { source: Some(&vec![0; n]), ..by_class };
    let error = named.pairs(&problem, draw, key).unwrap_err().to_string();
    assert!(error.contains("sources of class 1") && error.contains("none for 64"), "{error}");
    let short = ByClass { target: &classes[1..], ..by_class };
    assert!(short.pairs(&problem, draw, key).is_err());
    on_any_threads(|| by_class.pairs(&problem, draw, key).unwrap());
}

/// The velocity between N(0, I) and N(m, s² I) for independent pairs: v = E[x₁ − x₀ | xₜ].
#[derive(Clone, Debug)]
struct Gaussians;

const MEAN: [f64; 2] = [1.5, -1.0];
const S: f64 = 0.5;

impl Gaussians {
    fn at<E: brenier::ops::Real>(x: &[E], t: E) -> [E; 2] {
        let t = t.double();
        let variance = (1.0 - t) * (1.0 - t) + S * S * t * t;
        let gain = (S * S * t - (1.0 - t)) / variance;
        std::array::from_fn(|i| E::of(MEAN[i] + gain * (x[i].double() - t * MEAN[i])))
    }
}

impl NonMutableModule for Gaussians {}
impl<E: Dtype, D: Device<E>> TensorCollection<E, D> for Gaussians {
    type To<E2: Dtype, D2: Device<E2>> = Self;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
        visitor: &mut V,
    ) -> std::result::Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields((), |()| Self)
    }
}
impl<T: Tape<f64, Cpu>> Module<(Points<2, f64, Cpu, T>, Values<f64>, ())> for Gaussians {
    type Output = Points<2, f64, Cpu, T>;
    type Error = <Cpu as HasErr>::Err;
    fn try_forward(
        &self,
        (x, t, ()): (Points<2, f64, Cpu, T>, Values<f64>, ()),
    ) -> std::result::Result<Self::Output, Self::Error> {
        use brenier::ops::AttachOp;
        let (x, tape) = x.split_tape();
        let (places, times) = (rows(&x), rows(&t));
        let of = |(x, t): (&[f64], &f64)| Self::at(x, *t);
        let v = places.chunks(2).zip(&times).flat_map(of).collect::<Vec<f64>>();
        let v = x.device().tensor_from_vec(v, *x.shape());
        let input = Cpu::input(&x);
        Ok(Cpu::attach(v, vec![input], tape, move |seed| {
            let gain = |t: &f64| Self::at(&[1.0, 0.0], *t)[0] - Self::at(&[0.0, 0.0], *t)[0];
            vec![seed
                .chunks(2)
                .zip(&times)
                .flat_map(|(s, t)| [s[0] * gain(t), s[1] * gain(t)])
                .collect()]
        }))
    }
}

#[test]
fn flows_and_densities_of_gaussians_are_known() {
    let x: Points<2, f64> = common::cloud(1, 50);
    let config = OdeConfig::adaptive(OdeMethod::DormandPrince, 1e-9);
    let own = OdeConfig {
        method: OdeMethod::Tsitouras,
        steps: Steps::PerSample(StepControl::with_tolerance(1e-9)),
    };
    // The flow of a field that is affine with a multiple of the identity is the optimal map.
    let image = |x: f64, i: usize| MEAN[i % 2] + S * x;
    let images: Vec<f64> = rows(&x).iter().enumerate().map(|(i, x)| image(*x, i)).collect();
    for config in [&config, &own] {
        let path =
            flow(&Gaussians, config, &x, &(), &[0.0, 0.3, 1.0]).unwrap().into_reached().unwrap();
        assert!(distance(path.end(), &images) < 1e-7);
        let y = Cpu::default().tensor_from_vec(path.end().to_vec(), *x.shape());
        let back = flow(&Gaussians, config, &y, &(), &[1.0, 0.0]).unwrap();
        assert!(distance(back.end(), &rows(&x)) < 1e-7);
    }

    // The density of N(m, s² I) at the images and elsewhere; both rules are exact for a Jacobian that
    // is a multiple of the identity.
    let rules = [DivergenceRule::Exact, DivergenceRule::Hutchinson { probes: 1 }];
    for (rule, config) in [(rules[0], config), (rules[1], config), (rules[0], own), (rules[1], own)]
    {
        let found =
            log_likelihood(&Gaussians, &config, &x, &(), standard_normal, (rule, Key::new(3)))
                .unwrap();
        let density = |x: &[f64]| {
            let square: f64 = (0..2).map(|i| ((x[i] - MEAN[i]) / S).powi(2)).sum();
            -0.5 * square - (2.0 * std::f64::consts::PI).ln() - 2.0 * S.ln()
        };
        let wanted: Vec<f64> = rows(&x).chunks(2).map(density).collect();
        assert!(distance(&found.log_density, &wanted) < 1e-6, "{rule:?}");
        let start: Vec<f64> =
            rows(&x).iter().enumerate().map(|(i, x)| (x - MEAN[i % 2]) / S).collect();
        assert!(distance(&found.start, &start) < 1e-6);
    }

    // Its energy: paths are curved in time, x(t) = t m + r(t) x with r = √((1 − t)² + s² t²), so that
    // the energy is |m|² + 2 ∫ r'² dt for E|x|² = 2 (here by the mean of the drawn points).
    let energy = path_energy(&Gaussians, &config, &x, &()).unwrap();
    let steps = 20_000;
    let slopes = (0..steps).map(|k| {
        let t = (f64::from(k) + 0.5) / f64::from(steps);
        let r = ((1.0 - t) * (1.0 - t) + S * S * t * t).sqrt();
        let slope = (S * S * t - (1.0 - t)) / r;
        let of = |x: &[f64]| (0..2).map(|i| (MEAN[i] + slope * x[i]).powi(2)).sum::<f64>();
        rows(&x).chunks(2).map(of).sum::<f64>() / 50.0
    });
    let wanted: f64 = slopes.sum::<f64>() / f64::from(steps);
    assert!((energy.energy - wanted).abs() < 1e-6 * wanted, "{} {wanted}", energy.energy);
    assert!(distance(&energy.end, &images) < 1e-7 && energy.length > energy.displacement);
}

#[test]
fn divergence_is_the_trace_of_differences() {
    type V = VelocityMlp<5, 16, 1, 3, Silu, f64>;
    let v: V = module(1, 0.5);
    let x: Points<3, f64> = common::cloud(2, 20);
    let times: Vec<f64> = (0..20).map(|i| f64::from(i) / 19.0).collect();
    let t = Cpu::default().tensor_from_vec(times, (20,));
    let of = |rule, key| divergence(&v, &x, &t, &(), rule, key).unwrap();
    let exact = of(DivergenceRule::Exact, Key::new(0));
    let h = 1e-5;
    let mut wanted = vec![0.0; 20];
    for i in 0..3 {
        let shifted = |by: f64| {
            let mut values = rows(&x);
            values.iter_mut().skip(i).step_by(3).for_each(|v| *v += by);
            let x: Points<3, f64> = x.device().tensor_from_vec(values, *x.shape());
            rows(&v.forward((x, t.clone(), ())))
        };
        let (after, before) = (shifted(h), shifted(-h));
        for (k, wanted) in wanted.iter_mut().enumerate() {
            *wanted += (after[3 * k + i] - before[3 * k + i]) / (2.0 * h);
        }
    }
    // h² times third derivatives, and rounding of 1e-16 / h.
    assert!(distance(&exact, &wanted) < 1e-8);
    // Unbiased: the mean over many probes, within five standard errors.
    let many: Vec<Vec<f64>> = (0..400)
        .map(|i| of(DivergenceRule::Hutchinson { probes: 1 }, Key::new(9).fold_in(i)))
        .collect();
    for k in 0..20 {
        let values = many.iter().map(|m| m[k] - exact[k]);
        let (sum, squares) = values.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let error = (squares / 400.0).sqrt() / 20.0;
        assert!((sum / 400.0_f64).abs() < 5.0 * error, "point {k}: {} of {error}", sum / 400.0);
    }
    let one = of(DivergenceRule::Hutchinson { probes: 400 }, Key::new(1));
    let spread = distance(&of(DivergenceRule::Hutchinson { probes: 1 }, Key::new(1)), &exact);
    assert!(distance(&one, &exact) < 0.5 * spread);
    assert!(
        divergence(&v, &x, &t, &(), DivergenceRule::Hutchinson { probes: 0 }, Key::new(0)).is_err()
    );
}

/// Trains on N(0, I) and N(m, s² I), where the velocity for independent pairs and the optimal map are
/// known.
fn learned(config: &FlowMatchingConfig, steps: usize) -> V2 {
    let target = GaussianMixture::isotropic(MEAN.map(|m| m as f32).to_vec(), S as f32).unwrap();
    let batches = Sampled::new(GaussianMixture::standard(), target, 128).unwrap();
    let state = flow_matching_init(config, build::<V2, _, _>(Key::new(1))).unwrap();
    let step = |s, b: &Batch<2>, k| flow_matching_step(config, s, b, k);
    let batches = batches.batches(Key::new(2)).take(steps);
    let state = run(&step, state, batches, Key::new(3), &mut |_: &_, _: &_| Ok(()));
    state.unwrap().velocity.params().clone()
}

#[test]
fn it_learns_the_known_velocity() {
    let velocity = AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: 2000, floor: 0.01 },
        ..AdamConfig::with_rate(5e-3)
    };
    let path = FlowPath::Straight { sigma: 0.0 };
    let independent = FlowMatchingConfig {
        path,
        velocity: velocity.clone(),
        ..FlowMatchingConfig::independent()
    };
    let v = learned(&independent, 2000);
    // At points of the path: |v − v*|² against |v* − E v*|², for which a constant field would be 1 and a
    // field that does not see the time about one third.
    let n = 2000;
    let (x0, z): (Vec<f64>, Vec<f64>) = (normals(11, 2 * n), normals(12, 2 * n));
    let x1: Vec<f64> = z.iter().enumerate().map(|(i, z)| MEAN[i % 2] + S * z).collect();
    let times: Vec<f64> = (0..n).map(|i| (i as f64 + 0.5) / n as f64).collect();
    let (x, _) = path.points(&x0, &x1, &vec![0.0; 2 * n], &times, 2).unwrap();
    let wanted: Vec<f64> =
        x.chunks(2).zip(&times).flat_map(|(x, t)| Gaussians::at(x, *t)).collect();
    let single = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    let found = v.forward((points::<2>(single(&x)).unwrap(), values(single(&times)).unwrap(), ()));
    let error = rows(&found).into_iter().zip(&wanted).map(|(a, b)| (f64::from(a) - b).powi(2));
    let spread = wanted.iter().enumerate().map(|(i, w)| (w - MEAN[i % 2]).powi(2));
    let part = error.sum::<f64>() / spread.sum::<f64>();
    assert!(part < 0.03, "{part}");

    // With exact pairs the flow is the optimal map x ↦ m + s x, and nearly straight.
    let exact = FlowMatchingConfig { path, velocity, ..FlowMatchingConfig::exact() };
    let x: Points<2> = common::cloud(13, 500);
    let wanted: Vec<f64> =
        rows(&x).iter().enumerate().map(|(i, x)| MEAN[i % 2] + S * f64::from(*x)).collect();
    let uvp = |v: &V2| {
        let end = path_energy(v, &OdeConfig::default(), &x, &()).unwrap();
        let squares = end.end.iter().zip(&wanted).map(|(a, b)| (f64::from(*a) - b).powi(2));
        // The total variance of the target is 2 s².
        (100.0 * squares.sum::<f64>() / 500.0 / (2.0 * S * S), end.length / end.displacement)
    };
    let (error, bend) = uvp(&learned(&exact, 2000));
    // In percent; the constant map has 100, a shift alone 100 (1 − s)² / s² = 100.
    assert!(error < 4.0 && bend < 1.02, "{error} {bend}");
}

/// Two classes on opposite sides: a velocity that is told the class goes to its side.
#[test]
fn it_learns_conditions() {
    type V = VelocityMlp<5, 32, 1, 2, Celu>;
    let config = FlowMatchingConfig {
        velocity: AdamConfig::with_rate(5e-3),
        path: FlowPath::Straight { sigma: 0.0 },
        ..FlowMatchingConfig::exact()
    };
    let hot = |c: &[u32]| {
        let one = |c: &u32| [f32::from(u8::from(*c == 0)), f32::from(u8::from(*c == 1))];
        points::<2>(c.iter().flat_map(one).collect()).unwrap()
    };
    let n = 64;
    let mut state = flow_matching_init(&config, build::<V, _, _>(Key::new(0))).unwrap();
    for i in 0..300 {
        let [source, target, step] = Key::new(1).fold_in(i).split();
        let classes: Vec<u32> = (0..n).map(|i| u32::from(i % 4 == 0)).collect();
        let noise = target.normal(2 * n);
        let side = |i: usize| if classes[i / 2] == 1 { 2.0 } else { -2.0 };
        let y =
            noise.iter().enumerate().map(|(i, z)| if i % 2 == 0 { side(i) + 0.3 * z } else { *z });
        let batch = Batch::new(
            points::<2>(source.normal(2 * n)).unwrap(),
            points::<2>(y.collect()).unwrap(),
        );
        let batch = ConditionedBatch {
            batch: batch.unwrap(),
            source_classes: None,
            conditions: hot(&classes),
            target_classes: classes,
        };
        state = conditional_flow_matching_step(&config, state, &batch, step).unwrap().0;
    }
    let x: Points<2> = common::cloud(5, 200);
    let classes: Vec<u32> = (0..200).map(|i| i % 2).collect();
    let own = OdeConfig {
        steps: Steps::PerSample(StepControl::with_tolerance(1e-4)),
        ..OdeConfig::default()
    };
    let v = state.velocity.params();
    let path = flow(v, &own, &x, &hot(&classes), &[0.0, 1.0]).unwrap().into_reached().unwrap();
    for (y, class) in path.end().chunks(2).zip(&classes) {
        assert!((y[0] - [-2.0, 2.0][*class as usize]).abs() < 1.6, "class {class} at {y:?}");
    }
    // Sources of both classes are the same: so are the second coordinates, which nothing moves.
    let mean = |c: u32| {
        let of = path.end().chunks(2).zip(&classes).filter(|(_, k)| **k == c);
        of.map(|(y, _)| f64::from(y[0])).sum::<f64>() / 100.0
    };
    assert!((mean(0) + 2.0).abs() < 0.2 && (mean(1) - 2.0).abs() < 0.2, "{} {}", mean(0), mean(1));
    let short = flow(v, &own, &x, &hot(&classes[1..]), &[0.0, 1.0]).unwrap_err().to_string();
    assert!(short.contains("one for every point"), "{short}");
}

#[test]
fn bad_choices_and_batches_are_refused() {
    let said = |config: &FlowMatchingConfig| {
        flow_matching_init(config, build::<V2, _, _>(Key::new(0))).unwrap_err().to_string()
    };
    for path in [
        FlowPath::Straight { sigma: -1.0 },
        FlowPath::Bridge { sigma: f64::NAN },
        FlowPath::VariancePreserving { sigma: f64::INFINITY },
        FlowPath::Target { sigma: 1.5 },
    ] {
        assert!(said(&FlowMatchingConfig { path, ..Default::default() }).contains("path.sigma"));
    }
    let velocity = AdamConfig::with_rate(0.0);
    assert!(said(&FlowMatchingConfig { velocity, ..Default::default() }).contains("rate"));
    let config =
        FlowMatchingConfig { times: FlowTimes::Independent, ..FlowMatchingConfig::independent() };
    let state = flow_matching_init(&config, build::<V2, _, _>(Key::new(0))).unwrap();
    let uneven = Batch { source: common::cloud(1, 5), target: common::cloud(2, 6) };
    let error = flow_matching_step(&config, state.clone(), &uneven, Key::new(0)).unwrap_err();
    assert!(error.to_string().contains("as many as targets (6)"), "{error}");
    let coupled = FlowMatchingConfig::unbalanced([0.9, 1.0]);
    assert!(flow_matching_step(&coupled, state, &uneven, Key::new(0)).is_ok());
    assert!(FlowPath::default().points(&[0.0f32], &[1.0], &[], &[0.5], 1).is_err());
}

#[test]
fn configurations_are_text_and_back() {
    for config in [
        FlowMatchingConfig::exact(),
        FlowMatchingConfig::independent(),
        FlowMatchingConfig::unbalanced([0.9, 1.0]),
    ] {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<FlowMatchingConfig>(&text).unwrap(), config);
    }
    let part = "[velocity]\nrate = 0.5";
    let config: FlowMatchingConfig = toml::from_str(part).unwrap();
    assert_eq!(config.velocity.rate, 0.5);
    assert_eq!(config.pairing, FlowMatchingConfig::<SqEuclidean>::default().pairing);
}

/// What a file says is what a configuration is: every variant, written and read again, and keys by name.
#[test]
fn configurations_are_files() {
    use brenier::train::read_settings;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flow.toml");
    let none: [&str; 0] = [];
    let base = FlowMatchingConfig::exact();
    let paths = [
        FlowPath::Straight { sigma: 0.0 },
        FlowPath::Bridge { sigma: 0.5 },
        FlowPath::VariancePreserving { sigma: 0.1 },
        FlowPath::Target { sigma: 0.01 },
    ];
    let (independent, unbalanced) =
        (FlowMatchingConfig::independent(), FlowMatchingConfig::unbalanced([0.9, 1.0]));
    let annealed = SinkhornConfig { annealing: Some(Default::default()), ..Default::default() };
    let pairing = Pairing::Coupled {
        coupling: MinibatchCoupling::Entropic(annealed),
        draws: Draws::Independent,
    };
    let all = paths.into_iter().map(|path| FlowMatchingConfig { path, ..base.clone() });
    let others = [independent, unbalanced, FlowMatchingConfig { pairing, ..base.clone() }];
    for config in all.chain(others) {
        std::fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(read_settings(&base, &[&file], &none).unwrap(), config);
    }

    let by_hand = "cost = \"SqEuclidean\"\npath = { Bridge = { sigma = 1 } }\n\
                   [velocity]\nclip = { Norm = 1.0 }\nrate = 2e-4\n\
                   [pairing.Coupled.coupling.Unbalanced]\ntau = [0.9, 1.0]\n\
                   sinkhorn.epsilon.RelativeToMean = 0.01";
    std::fs::write(&file, by_hand).unwrap();
    let sets = ["velocity.schedule.Cosine={ warm_up = 10, total = 100, floor = 0.0 }"];
    let found = read_settings(&base, &[&file], &sets).unwrap();
    let epsilon = Epsilon::RelativeToMean(0.01);
    let coupling = MinibatchCoupling::Unbalanced {
        sinkhorn: SinkhornConfig { epsilon, ..Default::default() },
        tau: [0.9, 1.0],
    };
    let expected = FlowMatchingConfig {
        path: FlowPath::Bridge { sigma: 1.0 },
        pairing: Pairing::Coupled { coupling, draws: Draws::Different },
        velocity: AdamConfig {
            clip: Clip::Norm(1.0),
            schedule: Schedule::Cosine { warm_up: 10, total: 100, floor: 0.0 },
            ..AdamConfig::with_rate(2e-4)
        },
        ..base.clone()
    };
    assert_eq!(found, expected);

    for (given, said) in [
        ("velocity.rat=1", "did you mean `velocity.rate`?"),
        ("velosity.rate=1", "did you mean `velocity`?"),
        ("path.Strait.sigma=1", "did you mean `Straight`?"),
        ("path.Bridge.sigm=1", "sigma"),
        ("path.Straight.sigm=1", "did you mean `path.Straight.sigma`?"),
        ("cost=Cosine", "did you mean `SqEuclidean`?"),
        ("times=1", "not integer"),
    ] {
        let refused = read_settings(&base, &[], &[given]).unwrap_err().to_string();
        assert!(refused.contains(said), "{given}: {refused}");
    }
}
