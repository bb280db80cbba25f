//! The learner: Adam against PyTorch, schedules, independence of clones and threads, refusals.

use crate::common::*;
use brenier::function::{arrays, AdamConfig, Clip, Decay, DenseIcnn};
use brenier::function::{InputGradient, Learner, Mlp, NamedArray, Schedule};
use brenier::ops::*;
use brenier::tensor::{Points, Scalar, Taped};
use brenier::Error;
use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

/// Seven parameters in two tensors.
type Seven<E> = Linear<6, 1, E, Cpu>;

fn seven<E: Real>(values: &[f64]) -> Seven<E>
where
    Cpu: Engine<E>,
{
    let number = |v: &f64| E::of(*v);
    let tensor = |from: &[f64]| from.iter().map(number).collect::<Vec<_>>();
    let device = Cpu::default();
    Linear {
        weight: device.tensor_from_vec(tensor(&values[..6]), (Const, Const)),
        bias: device.tensor_from_vec(tensor(&values[6..]), (Const,)),
    }
}

/// The sum of products of parameters and `slopes`, a loss whose gradient is `slopes`.
fn linear_loss<E: Real>(learner: &Learner<Seven<E>, E>, slopes: &[f64]) -> Scalar<E, Cpu, Taped<E>>
where
    Cpu: Engine<E>,
{
    let (params, slopes) = (learner.params(), seven::<E>(slopes));
    let weight = (params.weight.trace(params.alloc_grads()) * slopes.weight).sum();
    weight + (params.bias.leaky_trace() * slopes.bias).sum()
}

fn parameters<E: Real>(learner: &Learner<Seven<E>, E>) -> Vec<E>
where
    Cpu: Engine<E>,
{
    arrays(learner.params()).into_iter().flat_map(|a| a.values).collect()
}

/// The cases of `adam.json`: their configurations and the parameters after each step.
fn cases(file: &serde_json::Value) -> Vec<(String, AdamConfig, Vec<Vec<f64>>)> {
    let case = |case: &serde_json::Value| {
        let number = |name: &str| case[name].as_f64();
        let betas = numbers(&case["betas"]);
        let decay = match (number("weight_decay").unwrap(), case["decoupled"].as_bool().unwrap()) {
            (0.0, _) => Decay::None,
            (decay, false) => Decay::Coupled(decay),
            (decay, true) => Decay::Decoupled(decay),
        };
        let config = AdamConfig {
            rate: number("lr").unwrap(),
            betas: (betas[0], betas[1]),
            epsilon: number("eps").unwrap(),
            decay,
            clip: number("clip_norm").map_or(Clip::None, Clip::Norm),
            schedule: Schedule::Constant,
        };
        let after = case["params_after_step"].as_array().unwrap().iter().map(numbers).collect();
        (case["name"].as_str().unwrap().to_string(), config, after)
    };
    file["cases"].as_array().unwrap().iter().map(case).collect()
}

#[test]
fn adam_is_that_of_pytorch() {
    fn check<E: Real>(tolerance: f64)
    where
        Cpu: Engine<E>,
    {
        let file = golden("adam.json");
        let gradients: Vec<_> = file["gradients"].as_array().unwrap().iter().map(numbers).collect();
        let all = cases(&file);
        assert!(all.iter().any(|c| c.1.clip != Clip::None) && all.len() == 5);
        for (name, config, after) in all {
            let mut learner = Learner::new(seven::<E>(&numbers(&file["initial"])), config).unwrap();
            for (gradient, exact) in gradients.iter().zip(&after) {
                let told = learner.descend(linear_loss(&learner, gradient)).unwrap();
                let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                assert!((told.gradient_norm / norm - 1.0).abs() < tolerance);
                let error = distance(&parameters(&learner), exact);
                println!("{name} {}: {error:.1e}", learner.updates());
                assert!(error < tolerance, "{name} {}: {error:e}", learner.updates());
            }
        }
    }
    // The largest parameter is 10, half a unit of which is 9e-16 in f64 and 5e-7 in f32, and each of
    // six steps rounds it once or, with decay, twice; the other roundings are of steps of 0.01.
    check::<f64>(2e-14);
    check::<f32>(6e-6);
}

#[test]
fn a_schedule_is_a_factor_on_each_step() {
    let schedule = Schedule::MultiStep { milestones: vec![2, 3], factor: 0.5 };
    let config = AdamConfig { schedule, ..AdamConfig::with_rate(0.01) };
    let mut learner = Learner::new(seven::<f64>(&[0.0; 7]), config).unwrap();
    // While the gradient does not change, a step of Adam is rate · sign, but for ε.
    let mut position = 0.0;
    for factor in [1.0, 1.0, 0.5, 0.25, 0.25] {
        learner.descend(linear_loss(&learner, &[2.0; 7])).unwrap();
        position -= 0.01 * factor;
        assert!(distance(&parameters(&learner), &[position; 7]) < 1e-9, "{factor}");
    }
}

#[test]
fn schedules_have_their_values() {
    assert_eq!(Schedule::Constant.factor(12), 1.0);
    let cosine = Schedule::Cosine { warm_up: 4, total: 12, floor: 0.2 };
    let rise: Vec<f64> = (0..4).map(|i| cosine.factor(i)).collect();
    assert_eq!(rise, [0.25, 0.5, 0.75, 1.0]);
    // 0.2 + 0.8 (1 + cos πt) / 2 at t = 0, 1/4, 1/2, 3/4, 1, and constant from there.
    let root = 0.5f64.sqrt();
    let fall = [1.0, 0.6 + 0.4 * root, 0.6, 0.6 - 0.4 * root, 0.2, 0.2];
    for (done, exact) in [4, 6, 8, 10, 12, 1000].into_iter().zip(fall) {
        assert!((cosine.factor(done) - exact).abs() < 1e-15, "{done}");
    }
    let no_rise = Schedule::Cosine { warm_up: 0, total: 2, floor: 0.0 };
    assert_eq!([no_rise.factor(0), no_rise.factor(2)], [1.0, 0.0]);
    let steps = Schedule::MultiStep { milestones: vec![3, 5], factor: 0.1 };
    let factors: Vec<f64> = (2..7).map(|i| steps.factor(i)).collect();
    let exact = [1.0, 0.1, 0.1, 0.01, 0.01];
    assert!(distance(&factors, &exact) < 1e-16, "{factors:?}");
}

#[test]
fn a_clone_is_independent() {
    let config = AdamConfig::with_rate(0.1);
    let mut original = Learner::new(seven::<f64>(&[1.0; 7]), config).unwrap();
    original.descend(linear_loss(&original, &[1.0; 7])).unwrap();
    let state = |l: &Learner<Seven<f64>, f64>| (parameters(l), l.moments().to_vec(), l.updates());
    let before = state(&original);
    let mut clone = original.clone();
    clone.descend(linear_loss(&clone, &[-3.0; 7])).unwrap();
    assert_eq!(state(&original), before);
    let after = state(&clone);
    assert_ne!(after, before);
    // The same step again, of the original, is the same to the bit, and leaves the clone alone.
    original.descend(linear_loss(&original, &[-3.0; 7])).unwrap();
    assert_eq!(state(&original), after);
    original.descend(linear_loss(&original, &[5.0; 7])).unwrap();
    assert_eq!(state(&clone), after);
}

/// Parameters after training in a pool of so many threads.
fn trained(
    threads: usize,
    train: impl Fn() -> Vec<NamedArray<f32>> + Send,
) -> Vec<NamedArray<f32>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(train)
}

#[test]
fn training_does_not_depend_on_threads() {
    // Large enough that products, elementwise passes and Adam run on several threads.
    let perceptron = || {
        let net: Mlp<24, 512, 1, 24, Silu> = module(1, 0.05);
        let mut learner = Learner::new(net, AdamConfig::default()).unwrap();
        let (x, y) = (cloud::<24, f32>(2, 600), cloud::<24, f32>(3, 600));
        for _ in 0..3 {
            let out: Points<24, f32, Cpu, Taped> = learner.traced(&x);
            learner.descend((out - y.clone()).square().mean()).unwrap();
        }
        arrays(learner.params())
    };
    let potential = || {
        let net: DenseIcnn<24, 384, 1, 128> = module(4, 0.05);
        let mut learner = Learner::new(net, AdamConfig::default()).unwrap();
        let (x, y) = (cloud::<24, f32>(5, 600), cloud::<24, f32>(6, 600));
        for _ in 0..3 {
            let map = learner.params().input_gradient(x.trace(learner.params().alloc_grads()));
            let values: Points<1, f32, Cpu, Taped> = learner.traced(&y);
            learner.descend((map - y.clone()).square().mean() + values.mean()).unwrap();
        }
        arrays(learner.params())
    };
    let (once, once_more) = (trained(1, perceptron), trained(1, potential));
    assert!(once != arrays(&module::<Mlp<24, 512, 1, 24, Silu>, f32>(1, 0.05)));
    for threads in [2, 3] {
        assert!(trained(threads, perceptron) == once, "perceptron, {threads} threads");
        assert!(trained(threads, potential) == once_more, "potential, {threads} threads");
    }
}

#[test]
fn configurations_out_of_range_are_refused() {
    let default = AdamConfig::default;
    let cosine = |warm_up, floor| Schedule::Cosine { warm_up, total: 10, floor };
    let steps = Schedule::MultiStep { milestones: vec![1], factor: 0.0 };
    for (config, wrong) in [
        (AdamConfig::with_rate(-1.0), "rate"),
        (AdamConfig::with_rate(f64::NAN), "rate"),
        (AdamConfig { epsilon: 0.0, ..default() }, "epsilon"),
        (AdamConfig { betas: (1.0, 0.999), ..default() }, "betas"),
        (AdamConfig { betas: (0.9, 1.0), ..default() }, "betas"),
        (AdamConfig { betas: (-0.1, 0.9), ..default() }, "betas"),
        (AdamConfig { betas: (0.9, f64::NAN), ..default() }, "betas"),
        (AdamConfig { decay: Decay::Coupled(-1e-3), ..default() }, "decay"),
        (AdamConfig { decay: Decay::Decoupled(f64::INFINITY), ..default() }, "decay"),
        (AdamConfig { clip: Clip::Norm(0.0), ..default() }, "clip"),
        (AdamConfig { schedule: cosine(11, 0.0), ..default() }, "schedule.warm_up"),
        (AdamConfig { schedule: cosine(0, 1.5), ..default() }, "schedule.floor"),
        (AdamConfig { schedule: steps, ..default() }, "schedule.factor"),
    ] {
        match Learner::new(seven::<f64>(&[0.0; 7]), config.clone()) {
            Err(Error::InvalidConfig { field, .. }) => assert_eq!(field, wrong),
            other => panic!("{config:?} gave {other:?}"),
        }
    }
}

#[test]
fn parameters_that_are_not_finite_are_refused_by_name() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut values = [0.0; 7];
        values[6] = bad;
        let refused = Learner::new(seven::<f64>(&values), AdamConfig::default());
        match refused.map(|_| ()) {
            Err(Error::NonFinite { what, .. }) => assert_eq!(what, "parameter bias"),
            other => panic!("{bad} gave {other:?}"),
        }
    }
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing() {
    let mut learner = Learner::new(seven::<f64>(&[0.5; 7]), AdamConfig::default()).unwrap();
    learner.descend(linear_loss(&learner, &[1.0; 7])).unwrap();
    let state = |l: &Learner<Seven<f64>, f64>| (parameters(l), l.moments().to_vec(), l.updates());
    let before = state(&learner);
    let loss = || linear_loss(&learner, &[1.0; 7]);
    // NaN; infinity; and 0 with an infinite slope.
    let losses = [
        (loss() * f64::NAN, "loss"),
        (loss() * f64::INFINITY, "loss"),
        ((loss() * 0.0).sqrt(), "gradient norm"),
    ];
    for (loss, wrong) in losses {
        match learner.descend(loss) {
            Err(Error::NonFinite { what, .. }) => assert_eq!(what, wrong),
            other => panic!("{wrong}: {other:?}"),
        }
        assert_eq!(state(&learner), before);
    }
    learner.descend(linear_loss(&learner, &[1.0; 7])).unwrap();
    assert_ne!(state(&learner), before);
}
