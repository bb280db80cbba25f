//! Numbers that nobody should give to a solver.

use brenier::problem::Relaxation;
use brenier::solver::{Acceleration, Annealing, Epsilon, Form, SinkhornConfig, Stop};
use proptest::prelude::*;
use proptest::sample::select;

const LARGE: [f64; 12] =
    [1e3, -1e3, 1e6, 1e-6, 1e12, -1e12, 1e19, 1e-20, 1e30, -1e30, 1e-30, 1e-42];
const ABSURD: [f64; 8] =
    [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 5e-324, -0.0, 1e150];

/// Mostly tame; how often not is up to `wild`.
fn number(wild: u32) -> BoxedStrategy<f64> {
    prop_oneof![
        60 => -3.0..3.0,
        4 => Just(0.0),
        2 * wild + 1 => select(&LARGE[..]),
        wild + 1 => select(&ABSURD[..]).prop_map(move |v| if wild > 0 { v } else { 1.0 }),
    ]
    .boxed()
}

fn weight(wild: u32) -> BoxedStrategy<f64> {
    let odd = [1e-30, 1e-12, 1e12, 1e30, 1e-42, 5e-324];
    prop_oneof![
        30 => 0.01..2.0,
        8 => Just(0.0),
        wild + 1 => select(odd.to_vec()),
        wild + 1 => prop_oneof![select(&ABSURD[..]), Just(-1.0)]
            .prop_map(move |v| if wild > 1 { v } else { 1.0 }),
    ]
    .boxed()
}

/// Two weighted clouds of one to seven points.
#[derive(Clone, Debug)]
pub struct Clouds {
    pub d: usize,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    pub a: Vec<f64>,
    pub b: Vec<f64>,
}

pub fn clouds() -> impl Strategy<Value = Clouds> {
    let sizes = (1..8usize, 1..8usize, 1..6usize, 0..3u32, 0..4u8);
    let vector = proptest::collection::vec::<BoxedStrategy<f64>>;
    sizes.prop_flat_map(move |(n, m, d, wild, same)| {
        let points = (vector(number(wild), n * d), vector(number(wild), m * d));
        let weights = (vector(weight(wild), n), vector(weight(wild), m));
        (points, weights).prop_map(move |((mut x, mut y), (mut a, mut b))| {
            // Points that coincide, and equal masses, which balanced problems need.
            if same == 0 {
                (0..n * d).for_each(|i| x[i] = x[i % d]);
                (0..m * d).for_each(|j| y[j] = x[j % d]);
            }
            if same < 3 {
                for w in [&mut a, &mut b] {
                    let sum: f64 = w.iter().sum();
                    w.iter_mut().for_each(|v| *v /= sum);
                }
            }
            Clouds { d, x, y, a, b }
        })
    })
}

/// Two lists of one to seven points, and their dimension.
pub fn points() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, usize)> {
    (1..8usize, 1..6usize, 0..3u32).prop_flat_map(|(n, d, wild)| {
        let vector = || proptest::collection::vec(number(wild), n * d);
        (vector(), vector(), Just(d))
    })
}

pub fn tau() -> impl Strategy<Value = Relaxation> {
    let odd = select(vec![0.0, -1.0, 2.0, f64::NAN, 1e-300]);
    prop_oneof![
        8 => Just(1.0),
        12 => select(vec![0.95, 0.5, 0.1, 1e-3, 1e-6]),
        1 => odd,
    ]
    .prop_map(|tau| Relaxation::Kl { tau })
}

pub fn config() -> impl Strategy<Value = SinkhornConfig> {
    let value = prop_oneof![
        12 => select(vec![0.05, 0.3, 1.0, 10.0]),
        4 => select(vec![1e-3, 1e-6, 1e3, 1e6, 1e-30, 1e30, 1e-300, 1e300]),
        1 => select(vec![0.0, -1.0, f64::NAN, f64::INFINITY]),
    ];
    let epsilon = (value, 0..4u8).prop_map(|(v, kind)| match kind {
        0 => Epsilon::Absolute(v),
        1 => Epsilon::RelativeToMean(v),
        2 => Epsilon::RelativeToStd(v),
        _ => Epsilon::RelativeToMax(v),
    });
    let stop = prop_oneof![
        3 => Just(Stop::Tolerance { tolerance: 1e-3, limit: 100 }),
        1 => (0..4usize).prop_map(Stop::Iterations),
    ];
    let annealing = prop_oneof![3 => Just(None), 1 => Just(Some(Annealing::default()))];
    let acceleration = select(vec![Acceleration::Automatic, Acceleration::Off]);
    let form = select(vec![Form::Auto, Form::Stored, Form::Online]);
    (epsilon, stop, annealing, acceleration, form).prop_map(
        |(epsilon, stop, annealing, acceleration, form)| SinkhornConfig {
            epsilon,
            stop,
            annealing,
            acceleration,
            form,
        },
    )
}
