//! Strong neural optimal transport: the contract of a step, what it learns, what it refuses.

use brenier::prelude::*;
use dfdx::prelude::{Module, NonMutableModule};

type Potential2 = Mlp<2, 32, 1, 1>;
type Map2 = Displacement<Mlp<2, 32, 1, 2>>;
type State2 = NotState<Potential2, Map2>;

fn config(map_steps: usize) -> NotConfig {
    let adam = AdamConfig::with_rate(1e-3);
    NotConfig { map_steps, map: adam.clone(), potential: adam, ..NotConfig::default() }
}

fn state<C>(config: &NotConfig<C>) -> State2 {
    let [f, t] = Key::new(3).split();
    not_init(config, build(f), build(t)).unwrap()
}

fn shifted(mean: [f32; 2]) -> GaussianMixture<2> {
    GaussianMixture::isotropic(mean.to_vec(), 1.0).unwrap()
}

fn batch(parts: usize) -> Batch<2> {
    let sampled = Sampled::new(shifted([0.0, 0.0]), shifted([3.0, -1.0]), 64).unwrap();
    sampled.with_source_parts(parts).unwrap().batches(Key::new(5)).batch(0).unwrap()
}

fn bytes<F, T>(state: &NotState<F, T>) -> Vec<u32>
where
    NotState<F, T>: brenier::function::Persist,
{
    use brenier::function::{Persist, Record};
    let mut record = Record::default();
    state.save(&mut record, "");
    format!("{record:?}").bytes().map(u32::from).collect()
}

#[test]
fn a_step_is_pure_and_counts() {
    let config = config(3);
    let (before, batch) = (state(&config), batch(4));
    let saved = bytes(&before);
    let (a, seen) = not_step(&config, before.clone(), &batch, Key::new(0)).unwrap();
    let (b, seen_again) = not_step(&config, before.clone(), &batch, Key::new(0)).unwrap();
    assert_eq!(bytes(&before), saved, "the original of a clone was touched");
    assert_eq!(bytes(&a), bytes(&b));
    assert_eq!(seen, seen_again);
    assert_ne!(bytes(&a), saved);
    assert_eq!((a.step, a.map.updates(), a.potential.updates()), (1, 3, 1));
    assert!(seen.readings().iter().all(|(_, v)| v.is_finite()));
}

#[test]
fn a_step_does_not_depend_on_threads() {
    // Wide and large enough that every operation takes its parallel path.
    type F = Mlp<8, 256, 1, 1>;
    type T = Displacement<Mlp<8, 256, 1, 8>>;
    let config = config(2);
    let sampled = Sampled::new(GaussianMixture::<8>::standard(), GaussianMixture::standard(), 512);
    let batch = sampled.unwrap().with_source_parts(3).unwrap().batches(Key::new(0));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (f, t): (F, T) = (build(Key::new(1)), build(Key::new(2)));
            let state = not_init(&config, f, t).unwrap();
            let (state, _) =
                not_step(&config, state, &batch.batch(0).unwrap(), Key::new(0)).unwrap();
            bytes(&state)
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

/// The metrics of a step with one map step, from forward passes of the networks before it.
#[test]
fn metrics_are_what_they_say() {
    let mut config = config(1);
    config.source = SourceUse::Whole;
    let (before, batch) = (state(&config), batch(1));
    let (after, seen) = not_step(&config, before.clone(), &batch, Key::new(0)).unwrap();

    let mean = |p: &Points<1>| {
        let values = rows(p);
        values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64
    };
    let f = before.potential.params();
    let moved = before.map.params().forward(batch.source.clone());
    let half_square: f64 = rows(&moved)
        .iter()
        .zip(rows(&batch.source))
        .map(|(y, x)| 0.5 * f64::from(y - x).powi(2))
        .sum();
    let cost = half_square / 64.0;
    let map_loss = cost - mean(&f.forward(moved));
    // The potential step sees the images under the map that has just moved.
    let moved = after.map.params().forward(batch.source.clone());
    let potential_loss = mean(&f.forward(moved)) - mean(&f.forward(batch.target.clone()));
    // Means of 64 numbers of order one in f32.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
    assert!(close(seen.transport_cost, cost) && close(seen.map_loss, map_loss));
    assert!(close(seen.potential_loss, potential_loss));
    assert!(close(seen.saddle_value, cost - potential_loss));
}

#[test]
fn it_learns_a_translation() {
    let config = config(5);
    let mean = [3.0f32, -1.0];
    let batches = Sampled::new(shifted([0.0, 0.0]), shifted(mean), 64).unwrap();
    let batches = batches.with_source_parts(6).unwrap().batches(Key::new(7)).take(400);
    let step = |s, b: &Batch<2>, k| not_step(&config, s, b, k);
    let state = run(&step, state(&config), batches, Key::new(8), &mut nothing).unwrap();
    let x = shifted([0.0, 0.0]).sample(Key::new(9), 4096).unwrap();
    let moved = rows(&state.map.params().forward(x.clone()));
    let error: f64 = moved
        .iter()
        .zip(rows(&x))
        .enumerate()
        .map(|(i, (y, x))| f64::from(y - x - mean[i % 2]).powi(2))
        .sum::<f64>()
        / 4096.0;
    // L2-UVP in percent: the target has total variance 2, the untrained map an error of |mean|² = 10.
    assert!(100.0 * error / 2.0 < 3.0, "L2-UVP {}", 100.0 * error / 2.0);
}

fn nothing<S, M>(_: &S, _: &M) -> Result<()> {
    Ok(())
}

#[test]
fn a_closure_is_as_good_as_a_named_cost() {
    let named = config(2);
    let own = FnCost(|x: &[f32], y: &[f32], dy: &mut [f32]| {
        dy.iter_mut().zip(x.iter().zip(y)).for_each(|(d, (x, y))| *d = y - x);
        0.5 * x.iter().zip(y).map(|(x, y)| (y - x) * (y - x)).sum::<f32>()
    });
    let closure = NotConfig {
        map_steps: 2,
        map: named.map.clone(),
        potential: named.potential.clone(),
        ..NotConfig::with_cost(own)
    };
    let batch = batch(3);
    let (a, _) = not_step(&named, state(&named), &batch, Key::new(0)).unwrap();
    let (b, _) = not_step(&closure, state(&closure), &batch, Key::new(0)).unwrap();
    assert_eq!(bytes(&a), bytes(&b));
}

#[test]
fn modules_of_dfdx_are_potentials_and_maps() {
    use dfdx::nn::modules::{Linear, ReLU};
    type F = (Linear<2, 16, f32, dfdx::tensor::Cpu>, ReLU, Linear<16, 1, f32, dfdx::tensor::Cpu>);
    type T = (Linear<2, 16, f32, dfdx::tensor::Cpu>, ReLU, Linear<16, 2, f32, dfdx::tensor::Cpu>);
    let config = config(2);
    let (f, t): (F, T) = (build(Key::new(1)), build(Key::new(2)));
    let state = not_init(&config, f, t).unwrap();
    let (state, seen) = not_step(&config, state, &batch(3), Key::new(0)).unwrap();
    assert!(state.step == 1 && seen.map_gradient_norm > 0.0);
}

#[test]
fn the_source_must_be_cut_into_equal_parts() {
    let config = config(4);
    let error = not_step(&config, state(&config), &batch(1), Key::new(0)).unwrap_err().to_string();
    assert!(error.contains("multiple of map_steps + 1 = 5") && error.contains("64"), "{error}");
}

#[test]
fn bad_configurations_and_batches_are_refused() {
    let [f, t] = Key::new(0).split();
    let refused = |config: &NotConfig| {
        not_init(config, build::<Potential2, _, _>(f), build::<Map2, _, _>(t))
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&config(0)).contains("map_steps = 0"));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let map = AdamConfig::with_rate(rate);
        assert!(refused(&NotConfig { map, ..config(1) }).contains("invalid rate"));
    }
    assert!(Sampled::new(shifted([0.0; 2]), shifted([0.0; 2]), 0).is_err());
    assert!(points::<2>(vec![]).is_err() && points::<2>(vec![0.0; 3]).is_err());
    let infinite = points::<2>(vec![0.0, f32::INFINITY]).unwrap_err().to_string();
    assert!(infinite.contains("coordinate 1 of point 0 is inf"), "{infinite}");
    // Points that did not come through `points` are looked at again.
    use dfdx::prelude::TensorFromVec;
    let nan =
        dfdx::tensor::Cpu::default().tensor_from_vec(vec![f32::NAN; 2], (1, dfdx::shapes::Const));
    assert!(matches!(Batch::new(nan, batch(1).target), Err(Error::NonFinite { .. })));
}

/// A map that leaves the range of f32 after a while.
#[derive(Clone, Debug)]
struct Exploding(Map2);
impl NonMutableModule for Exploding {}
impl<X: dfdx::tensor::HasErr> Module<X> for Exploding
where
    Map2: Module<X, Output = X>,
    X: std::ops::Mul<f32, Output = X>,
{
    type Output = X;
    type Error = <Map2 as Module<X>>::Error;
    fn try_forward(&self, x: X) -> std::result::Result<X, Self::Error> {
        Ok(self.0.try_forward(x)? * 1e30)
    }
}
impl dfdx::nn::TensorCollection<f32, dfdx::tensor::Cpu> for Exploding {
    type To<E2: dfdx::shapes::Dtype, D2: dfdx::tensor_ops::Device<E2>> = ();
    fn iter_tensors<V: dfdx::nn::ModuleVisitor<Self, f32, dfdx::tensor::Cpu>>(
        visitor: &mut V,
    ) -> std::result::Result<Option<()>, V::Err> {
        visitor.visit_fields((Self::module("0", |s| &s.0, |s| &mut s.0),), |_| ())
    }
}

#[test]
fn divergence_names_the_step_and_the_quantity() {
    let config = config(1);
    let state =
        not_init(&config, build::<Potential2, _, _>(Key::new(0)), Exploding(build(Key::new(1))));
    let error = not_step(&config, state.unwrap(), &batch(2), Key::new(0)).unwrap_err().to_string();
    assert!(error.contains("loss is inf at step 0") && error.contains("learning rate"), "{error}");
}

#[test]
fn guard_finite_names_a_reading() {
    struct Nan;
    impl Readings for Nan {
        fn readings(&self) -> Vec<(&'static str, f64)> {
            vec![("fine", 1.0), ("drift", f64::NAN)]
        }
    }
    struct Counted(u64);
    impl State for Counted {
        fn step(&self) -> u64 {
            self.0
        }
    }
    let step = guard_finite(|s: Counted, _: &(), _| Ok((Counted(s.0 + 1), Nan)));
    let error = step.step(Counted(41), &(), Key::new(0)).err().unwrap().to_string();
    assert!(error.contains("drift is NaN at step 41"), "{error}");
}

#[test]
fn repeat_takes_steps_with_keys_of_their_own() {
    let step = repeat(3, |s: Vec<Key>, _: &(), k| Ok(([s, vec![k]].concat(), k)));
    let (keys, last) = step.step(vec![], &(), Key::new(1)).unwrap();
    assert_eq!(keys.len(), 3);
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[2] == last);
    let none = repeat(0, |s: (), _: &(), _| Ok((s, ())));
    assert!(none.step((), &(), Key::new(1)).is_err());
}

#[test]
fn the_average_follows_the_map() {
    let config = config(1);
    let start = Averaged::new(state(&config));
    let first = rows(&start.average.forward(batch(1).source));
    let step = with_ema(0.5, |s, b: &Batch<2>, k| not_step(&config, s, b, k)).unwrap();
    let (next, _) = step.step(start, &batch(2), Key::new(0)).unwrap();
    // At step 0 the decay is min(0.5, 1/10): the average of each weight is 0.1 old + 0.9 new.
    let weight = |m: &Map2| rows(&m.0.first.weight);
    let (old, new) = (weight(state(&config).map.params()), weight(next.state.map.params()));
    for ((a, o), n) in weight(&next.average).iter().zip(old).zip(new) {
        assert!((a - (0.1 * o + 0.9 * n)).abs() < 1e-6);
    }
    assert_ne!(first, rows(&next.average.forward(batch(1).source)));
    let identity = |s: Averaged<State2, Map2>| s.step();
    assert_eq!(identity(next), 1);
    assert!(with_ema(1.0, |s: State2, _: &(), _| Ok((s, ()))).is_err());
}
