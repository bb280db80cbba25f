//! Incomplete transport and auto-encoders: what they learn, what they refuse.

use crate::common;
use crate::common::cloud;
use brenier::function::{Potential, ZeroPotential};
use brenier::prelude::*;
use brenier::score::used_share;
use brenier::testing::{check_input_gradient, check_parameter_gradient};
use dfdx::prelude::{Module, Trace};

type Potential1<const N: usize> = NegativeAbs<Mlp<N, 32, 1, 1, Silu>>;

/// Potentials of one sign: values and gradients.
#[test]
fn signed_potentials() {
    fn check<F: Potential<3, f64> + Clone>(f: &F, formula: impl Fn(f64) -> f64, inner: &[f64]) {
        let x: Points<3, f64> = cloud(2, 20);
        let found = rows(&f.forward(x.clone()));
        for (found, v) in found.iter().zip(inner) {
            assert!((found - formula(*v)).abs() < 1e-13);
        }
        let error = check_input_gradient(&x, |x| f.forward(x).square().sum());
        assert!(error.relative < 1e-7, "{error:?}");
        let error = check_parameter_gradient(f, |f, g| f.forward(x.trace(g)).square().sum());
        assert!(error.relative < 1e-7, "{error:?}");
    }
    let net: Mlp<3, 8, 1, 1, Silu, f64> = common::module(1, 0.7);
    let inner = rows(&net.forward(cloud(2, 20)));
    assert!(inner.iter().any(|v| *v > 0.0) && inner.iter().any(|v| *v < 0.0));
    check(&NegativeAbs(net.clone()), |v| -v.abs(), &inner);
    check(&NegativeSoftplus(net.clone()), |v| -(1.0 + v.exp()).ln(), &inner);
    check(&Positive(net), |v| (1.0 + v.exp()).ln(), &inner);
}

/// Images on the sphere, and the gradients through the projection onto it.
#[test]
fn maps_onto_the_sphere() {
    type Net = OnSphere<Mlp<3, 8, 1, 3, Silu, f64>>;
    let map = Net { inner: common::module(5, 0.7), radius: 2.0 };
    let x: Points<3, f64> = cloud(6, 10);
    for y in rows(&map.forward(x.clone())).chunks(3) {
        assert!((y.iter().map(|v| v * v).sum::<f64>().sqrt() - 2.0).abs() < 1e-12);
    }
    let target: Points<3, f64> = cloud(7, 10);
    let loss = |y: Points<3, f64, Cpu, _>| (y * target.clone()).square().sum();
    let error = check_input_gradient(&x, |x| loss(map.forward(x)));
    assert!(error.relative < 1e-7, "{error:?}");
    let error = check_parameter_gradient(&map, |map, g| loss(map.forward(x.trace(g))));
    assert!(error.relative < 1e-7, "{error:?}");
}

/// P uniform on [0, 1], Q uniform on [½, 1½], cost ½|x − y|². At w = 1 the map is x + ½ and costs ⅛. In the
/// limit of large w it is max(x, ½) and costs ½ ∫ (½ − x)² dx over [0, ½], which is 1/48; points of Q above 1
/// are not used.
#[test]
fn the_cost_falls_with_the_weight() {
    let uniform = |from: f32| {
        move |key: Key, n: usize| points::<1>(key.uniform(n).iter().map(|u| from + u).collect())
    };
    let cost = |weight: f64| {
        let config = ItConfig::<HalfSqEuclidean> {
            weight: Ramp { from: 1.0, to: weight, steps: 100 },
            turns: Turns::with_rates(5, 1e-3, 5e-3),
            ..Default::default()
        };
        let batches = Sampled::new(Fn1(uniform(0.0)), Fn1(uniform(0.5)), 64).unwrap();
        let batches = batches.with_source_parts(6).unwrap().batches(Key::new(1)).take(2000);
        let (f, t): (Potential1<1>, Displacement<Mlp<1, 32, 1, 1, Silu>>) =
            (build(Key::new(2)), build(Key::new(3)));
        let start = it_init(&config, f, t).unwrap();
        let step = |s, b: &Batch<1>, k| it_step(&config, s, b, k);
        let end = run(&step, start, batches, Key::new(4), &mut |_: &_, _: &_| Ok(())).unwrap();
        let x: Vec<f32> = (0..1000).map(|i| (i as f32 + 0.5) / 1000.0).collect();
        let y = rows(&end.map.params().forward(points::<1>(x.clone()).unwrap()));
        let cost: f64 = x.iter().zip(&y).map(|(x, y)| 0.5 * f64::from(y - x).powi(2)).sum();
        let q = uniform(0.5)(Key::new(5), 1000).unwrap();
        (cost / 1000.0, used_share(end.potential.params(), &q, 0.01).unwrap())
    };
    let ((balanced, all), (partial, some)) = (cost(1.0), cost(8.0));
    assert!((balanced - 0.125).abs() < 0.02, "w = 1 costs {balanced}");
    assert!((partial - 1.0 / 48.0).abs() < 0.005, "w = 8 costs {partial}");
    assert!(some < all - 0.2, "used: {all} at w = 1, {some} at w = 8");
}

#[derive(Clone)]
struct Fn1<F>(F);
impl<const N: usize, F: Fn(Key, usize) -> Result<Points<N>>> Sampler<N> for Fn1<F> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        (self.0)(key, n)
    }
}

#[test]
fn bad_weights_are_refused() {
    for weight in [0.5, f64::NAN, f64::INFINITY] {
        let config =
            ItConfig::<HalfSqEuclidean> { weight: Ramp::constant(weight), ..Default::default() };
        let (f, t): (Potential1<2>, Mlp<2, 8, 0, 2>) = (build(Key::new(0)), build(Key::new(1)));
        let error = it_init(&config, f, t).unwrap_err().to_string();
        assert!(error.contains("weight") && error.contains("at least 1"), "{error}");
    }
}

/// A strong run and a partial run of w = 1 with the same networks are the same, to the last bit.
#[test]
fn weight_one_is_the_strong_estimator() {
    let turns = Turns::with_rates(2, 1e-3, 1e-3);
    let Turns { map_steps, source, map, potential } = turns.clone();
    let strong = NotConfig { cost: HalfSqEuclidean, map_steps, source, map, potential };
    let partial = ItConfig { turns, ..ItConfig::with_cost(HalfSqEuclidean) };
    let batches = Sampled::new(GaussianMixture::<2>::standard(), GaussianMixture::standard(), 32);
    let batch = batches.unwrap().with_source_parts(3).unwrap().batches(Key::new(0)).batch(0);
    let (f, t): (Potential1<2>, Mlp<2, 8, 0, 2>) = (build(Key::new(0)), build(Key::new(1)));
    let start = not_init(&strong, f, t).unwrap();
    let batch = batch.unwrap();
    let (_, a) = not_step(&strong, start.clone(), &batch, Key::new(0)).unwrap();
    let (_, b) = it_step(&partial, start, &batch, Key::new(0)).unwrap();
    assert_eq!((a.map_loss, a.potential_loss), (b.map_loss, b.potential_loss));
}

/// Points on a circle, which one number describes: both arms reconstruct, and the potential moves.
#[test]
fn auto_encoders_reconstruct() {
    type Net<const I: usize, const O: usize> = Mlp<I, 32, 1, O, Silu>;
    let circle = || {
        Fn1(|key: Key, n: usize| {
            let angle = key.uniform(n).into_iter().map(|u| 2.8 * u);
            points::<2>(angle.flat_map(|a| [a.cos(), a.sin()]).collect())
        })
    };
    let config = NotAeConfig::<HalfSqEuclidean> {
        turns: Turns::with_rates(5, 3e-3, 1e-3),
        ..Default::default()
    };
    let batches = Sampled::new(circle(), circle(), 64).unwrap();
    let batches = || batches.clone().with_source_parts(6).unwrap().batches(Key::new(7)).take(300);
    let coder = || build::<(Net<2, 1>, Net<1, 2>), f32, Cpu>(Key::new(8));
    let mut last = Vec::new();
    let step = |s, b: &Batch<2>, k| not_ae_step(&config, s, b, k);
    let start = not_ae_init(&config, ZeroPotential, coder()).unwrap();
    let mut see = |_: &_, m: &NotAeMetrics| {
        assert_eq!((m.potential_loss, m.potential_gradient_norm), (0.0, 0.0));
        last.push(m.reconstruction);
        Ok(())
    };
    run(&step, start, batches(), Key::new(9), &mut see).unwrap();
    // ½ of the variance of the points is about 0.3.
    let plain = last.last().copied().unwrap();
    assert!(plain < 0.01, "plain: {plain}");

    let mut last = Vec::new();
    let step = |s, b: &Batch<2>, k| not_ae_step(&config, s, b, k);
    let start = not_ae_init(&config, build::<Net<2, 1>, f32, Cpu>(Key::new(1)), coder()).unwrap();
    let mut see = |_: &_, m: &NotAeMetrics| {
        assert!(m.potential_gradient_norm > 0.0);
        last.push(m.reconstruction);
        Ok(())
    };
    run(&step, start, batches(), Key::new(9), &mut see).unwrap();
    let with = last.last().copied().unwrap();
    assert!(with < 0.02, "with a potential: {with}");
}
