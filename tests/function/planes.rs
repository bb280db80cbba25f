//! Planes of conditions and noise, and averages of networks with running statistics.

use crate::common::{cloud, module};
use brenier::function::image::{AsImage, UNetOf3};
use brenier::function::{arrays, Leading, WithPlanes};
use brenier::prelude::*;
use brenier::testing::check_input_gradient;
use dfdx::prelude::{Cpu, Module};

#[test]
fn a_condition_fills_its_planes() {
    // Three numbers, and two planes of two.
    let inner: MlpOn<7, 1> = module(1, 0.5);
    let f: WithPlanes<2, 2, 7, MlpOn<7, 1>> = WithPlanes(inner.clone());
    let (x, c): (Points<3, f64>, Points<2, f64>) = (cloud(2, 4), cloud(3, 4));
    let (values, conditions) = (rows(&x), rows(&c));
    let joined = values
        .chunks(3)
        .zip(conditions.chunks(2))
        .flat_map(|(x, c)| [x[0], x[1], x[2], c[0], c[0], c[1], c[1]]);
    let joined: Points<7, f64> =
        brenier::tensor::points_on(&Cpu::default(), joined.collect()).unwrap();
    let values: Points<1, f64> = f.forward((x.clone(), c.clone()));
    assert_eq!(rows(&values), rows(&inner.forward(joined)));
    let error = check_input_gradient(&x, |x| {
        let values: Points<1, f64, Cpu, Taped<f64>> = f.forward((x, c.clone()));
        values.square().sum()
    });
    assert!(error.relative < 1e-7, "{error:?}");
}

type MlpOn<const I: usize, const O: usize> = Mlp<I, 16, 0, O, Celu, f64>;

#[test]
fn the_leading_numbers_and_their_gradient() {
    let inner: MlpOn<3, 5> = module(1, 0.5);
    let f: Leading<2, 5, MlpOn<3, 5>> = Leading(inner.clone());
    let x: Points<3, f64> = cloud(2, 4);
    let all: Points<5, f64> = inner.forward(x.clone());
    let wanted: Vec<f64> = rows(&all).chunks(5).flat_map(|y| [y[0], y[1]]).collect();
    let found: Points<2, f64> = f.forward(x.clone());
    assert_eq!(rows(&found), wanted);
    let error = check_input_gradient(&x, |x| {
        let y: Points<2, f64, Cpu, Taped<f64>> = f.forward(x);
        y.square().sum()
    });
    assert!(error.relative < 1e-7, "{error:?}");
}

/// The averaged map has the running statistics of the trained one: with those of the start it would be another
/// function altogether.
#[test]
fn averages_keep_running_statistics() {
    type Map = AsImage<1, 8, 8, UNetOf3<1, 1, 4, 4, 4>>;
    type F = Mlp<64, 8, 0, 1>;
    let config: NotConfig =
        NotConfig { map_steps: 1, source: SourceUse::Whole, ..NotConfig::default() };
    let (f, t): (F, Map) = (build(Key::new(0)), build(Key::new(1)));
    let mut state = Averaged::new(not_init(&config, f, t).unwrap());
    let start = arrays(&state.average);
    let step = with_ema(0.999, |s, b: &Batch<64>, k| not_step(&config, s, b, k)).unwrap();
    for i in 0..3 {
        let noise = |seed| points(Key::new(seed).normal(64 * 4)).unwrap();
        let batch = Batch::new(noise(10 + i), noise(20 + i)).unwrap();
        state = brenier::train::Step::step(&step, state, &batch, Key::new(2)).unwrap().0;
    }
    let trained = arrays(state.state.map.params());
    let average = arrays(&state.average);
    let mut running = 0;
    for ((start, trained), average) in start.iter().zip(&trained).zip(&average) {
        assert_ne!(start.values, average.values, "{}", start.name);
        if start.name.contains("running") {
            assert_eq!(trained.values, average.values, "{}", start.name);
            running += 1;
        } else {
            assert_ne!(trained.values, average.values, "{}", start.name);
        }
    }
    // Two norms in each of the seven double convolutions.
    assert_eq!(running, 28);
}
