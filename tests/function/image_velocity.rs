//! Velocity fields of images against PyTorch (`golden/make_image.py`), and dropout.

use crate::common::torch::*;
use crate::common::*;
use brenier::function::image::*;
use brenier::function::{build, Condition, Velocity};
use brenier::ops::*;
use brenier::random::Key;
use brenier::tensor::{points_on, rows, Points, Values};
use brenier::testing::check_velocity;
use dfdx::prelude::*;

/// A field with the names, shapes, values and gradients of PyTorch, that obeys the laws of velocities.
fn field<const N: usize, Q, V>(name: &str, conditions: impl Fn(usize) -> Q)
where
    Q: Condition<f64>,
    V: BuildModule<Cpu, f64> + Velocity<N, Q, f64> + Clone + std::fmt::Debug,
{
    let file = golden("image.json");
    let case = find(&file["velocities"], name);
    let mut net: V = build(Key::new(0));
    with_parameters(name, &mut net, case);
    let n = sizes(&case["shape"])[0];
    let device = Cpu::default();
    let x: Points<N, f64> = points_on(&device, named("x", n * N)).expect("points");
    let times = || -> Values<f64> { device.tensor_from_vec(named("t", n), (n,)) };
    let y = net.forward((taped(&x), times(), conditions(n)));
    check(name, &y.as_vec(), &case["y"]);
    let gradients = loss(y).backward();
    check(&format!("{name}: x"), &gradients.get(&x).as_vec(), &case["dx"][0]);
    assert_eq!(check_velocity::<N, Q, V>(&net, &conditions(300)), Ok(()), "{name}");
    check_gradients(name, (net, case), |learner| {
        learner.traced_by(&x, |net, x| net.forward((x, times(), conditions(n))))
    });
}

fn classes(n: usize) -> Points<3, f64> {
    points_on(&Cpu::default(), named("q", 3 * n)).expect("points")
}

#[test]
fn fields_are_those_of_pytorch() {
    type Wide = FlowUNetOf2<2, 3, 4, 4, 6, 8, 2, 0b10, 2, 0, f64>;
    field::<192, _, AsVelocity<2, 8, 12, Wide>>("FlowUNetOf2", classes);
    type Narrow = FlowUNetOf2<1, 0, 4, 4, 4, 4, 1, 0b101, 1, 0, f64>;
    field::<32, _, AsVelocity<1, 4, 8, Narrow>>("FlowUNetOf2 of one block", |_| ());
    type Mixed = Mixer<2, 3, 2, 6, 5, 7, 8, 2, f64>;
    field::<48, _, AsVelocity<2, 4, 6, Mixed>>("Mixer", classes);
}

/// A field that drops half of its numbers is the one without dropout outside of a scope; inside it is a
/// function of the key alone.
#[test]
fn dropout_is_of_training() {
    type Field<const P: usize> = AsVelocity<1, 4, 8, FlowUNetOf2<1, 0, 4, 4, 4, 4, 1, 0, 1, P>>;
    let (plain, dropping): (Field<0>, Field<50>) = (build(Key::new(1)), build(Key::new(1)));
    let x = cloud::<32, f32>(2, 3);
    let times = || -> Values { Cpu::default().tensor_from_vec(vec![0.1, 0.5, 0.9], (3,)) };
    let of = |key: Option<u64>| match key {
        None => rows(&dropping.forward((x.clone(), times(), ()))),
        Some(key) => {
            Dropouts::scope(Key::new(key), || rows(&dropping.forward((x.clone(), times(), ()))))
        }
    };
    assert_eq!(of(None), rows(&plain.forward((x.clone(), times(), ()))));
    assert_eq!(of(Some(3)), of(Some(3)));
    assert_ne!(of(Some(3)), of(Some(4)));
    assert_ne!(of(Some(3)), of(None));
    on_any_threads(|| of(Some(3)));
}

/// x ↦ x ∘ m with P(m = 0) = p and m = 1 / (1 − p) else; the gradient is m.
#[test]
fn dropout_drops_what_it_says() {
    const N: usize = 40_000;
    let (x, rate) = (cloud::<N, f64>(5, 2), 0.3);
    let run = |key: u64| {
        let (mut program, inputs) = Program::new(&[Extent::vector(N)]);
        program.dropout(inputs[0], rate, Key::new(key));
        let y = Cpu::run::<N, N, _>(taped(&x), program);
        let values = y.as_vec();
        (values, loss(y).backward().get(&x).as_vec())
    };
    let (y, slopes) = run(0);
    let seed = named("seed", 2 * N);
    let mut dropped = 0;
    for (i, x) in rows(&x).iter().enumerate() {
        let mask = if y[i] == 0.0 { 0.0 } else { 1.0 / (1.0 - rate) };
        dropped += usize::from(mask == 0.0);
        assert!((y[i] - x * mask).abs() < 1e-15 * x.abs());
        assert!((slopes[i] - seed[i] * mask).abs() < 1e-15);
    }
    // Five standard errors of a binomial share.
    let n = 2.0 * N as f64;
    assert!((dropped as f64 / n - rate).abs() < 5.0 * (rate * (1.0 - rate) / n).sqrt());
    // The zeros of another key are independent: those in common are rate² of all.
    let both = y.iter().zip(run(1).0).filter(|(a, b)| **a == 0.0 && *b == 0.0).count();
    let square = rate * rate;
    assert!((both as f64 / n - square).abs() < 5.0 * (square * (1.0 - square) / n).sqrt());
}
