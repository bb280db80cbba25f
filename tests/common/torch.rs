//! Arrays by name and their projections, as in `golden/make_image.py`.

use brenier::function::{arrays, replace, AdamConfig, Learner};
use brenier::tensor::{points_on, Points, Taped};
use dfdx::prelude::*;
use serde_json::Value as Json;

use super::numbers;

/// Numbers in [−1, 1) that depend on a name, as in the script.
pub fn named(name: &str, n: usize) -> Vec<f64> {
    let seed = u64::from(crc32fast::hash(name.as_bytes()));
    let number = |i: u64| {
        let mut h = (i * 2_654_435_761 + seed) & 0xffff_ffff;
        for (shift, factor) in [(16, 0x85eb_ca6b), (13, 0xc2b2_ae35), (16, 1)] {
            h ^= h >> shift;
            h = (h * factor) & 0xffff_ffff;
        }
        h as f64 / f64::from(1u32 << 31) - 1.0
    };
    (0..n as u64).map(number).collect()
}

pub fn parameter(name: &str, shape: &[usize]) -> Vec<f64> {
    let u = named(name, shape.iter().product());
    let scale = (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
    let near_one = name.ends_with("weight") || name.ends_with("running_var");
    let of = |u: f64| match shape.len() {
        1 if near_one => 1.0 + 0.3 * u,
        1 => 0.3 * u,
        _ => u * scale,
    };
    u.into_iter().map(of).collect()
}

pub fn sizes(json: &Json) -> Vec<usize> {
    numbers(json).into_iter().map(|n| n as usize).collect()
}

/// Projections of `v` against those of the file. Sums of up to 10⁴ numbers of order one, each right to
/// 1e-13: what is wrong in one entry shows at the order of that entry.
pub fn check(what: &str, v: &[f64], expected: &Json) {
    let dot = |u: &[f64]| v.iter().zip(u).map(|(a, b)| a * b).sum::<f64>();
    let own = [v.iter().sum(), dot(&named("first", v.len())), dot(&named("second", v.len()))];
    let size = v.iter().map(|v| v * v).sum::<f64>().sqrt().max(1.0);
    for (own, expected) in own.iter().zip(numbers(expected)) {
        assert!((own - expected).abs() < 1e-10 * size, "{what}: {own} for {expected}");
    }
}

pub fn find<'a>(list: &'a Json, name: &str) -> &'a Json {
    let all = list.as_array().expect("a list");
    all.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name} in the file"))
}

pub fn taped<const N: usize>(x: &Points<N, f64>) -> Points<N, f64, Cpu, Taped<f64>> {
    x.leaky_trace()
}

/// Σ y ∘ seed.
pub fn loss<const M: usize, T: Tape<f64, Cpu>>(
    y: Points<M, f64, Cpu, T>,
) -> Tensor<Rank0, f64, Cpu, T> {
    let n = y.shape().0;
    let seed: Points<M, f64> = points_on(y.device(), named("seed", n * M)).expect("points");
    (y * seed).sum()
}

/// Gives the parameters of a module the numbers of their names, and checks that it has those of a case.
pub fn with_parameters<P: TensorCollection<f64, Cpu>>(name: &str, net: &mut P, case: &Json) {
    let mut values = arrays(net);
    let (trained, running) = (&case["parameters"], &case["running"]);
    let listed = trained.as_array().unwrap().len() + running.as_array().unwrap().len();
    assert_eq!(values.len(), listed, "{name}: as many arrays as PyTorch has");
    for array in &mut values {
        let list = if array.name.contains("running") { running } else { trained };
        let entry = find(list, &array.name);
        assert_eq!(array.shape, sizes(&entry["shape"]), "{name}: {}", array.name);
        array.values = parameter(&array.name, &array.shape);
    }
    replace(net, &values).unwrap();
}

/// The gradients of parameters and what running statistics become, by a learner whose moments after one
/// update of rate zero are the gradients.
pub fn check_gradients<const M: usize, P>(
    name: &str,
    (net, case): (P, &Json),
    record: impl FnOnce(&Learner<P, f64, Cpu>) -> Points<M, f64, Cpu, Taped<f64>>,
) where
    P: TensorCollection<f64, Cpu> + Clone + std::fmt::Debug,
{
    let adam = AdamConfig { rate: 1e-30, betas: (0.0, 0.0), ..AdamConfig::default() };
    let mut learner = Learner::new(net, adam).unwrap();
    let y = record(&learner);
    learner.descend(loss(y)).unwrap();
    let after = arrays(learner.params());
    let names = after.iter().filter(|a| !a.name.contains("running"));
    for (array, moments) in names.zip(learner.moments()) {
        let what = format!("{name}: {}", array.name);
        let entry = find(&case["parameters"], &array.name);
        check(&what, &moments.mean, &entry["gradient"]);
    }
    for array in after.iter().filter(|a| a.name.contains("running")) {
        check(&array.name, &array.values, &find(&case["running"], &array.name)["after"]);
    }
}
