//! The formulas on the CPU against its kernels: values, and gradients of everything.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use crate::function::{arrays, build, DenseIcnn};
use crate::geometry::{Cosine, Euclidean, NegDot, PNorm, SqEuclidean};
use crate::ops::{
    Activation, AdamOp, AdamUpdate, AttachOp, Celu, Engine, Gelu, IcnnOp, Identity, JacobianOp,
    LeakyRelu, LinearOp, MlpOp, Moments, Real, Relu, RowCostOp, Silu, Softplus,
};
use crate::random::Key;
use crate::tensor::Points;

type E = f64;
type Tape64 = OwnedTape<E, Cpu>;

/// An activation without formulas of tensors.
#[derive(Clone, Copy, Debug, Default)]
struct Sine;

impl Activation for Sine {
    const FROM_OUTPUT: bool = false;
    fn value<E: Real>(z: E) -> E {
        z.sin()
    }
    fn slope<E: Real>(z: E) -> E {
        z.cos()
    }
    fn curvature<E: Real>(z: E) -> E {
        -z.sin()
    }
}

fn random<const N: usize>(seed: u64, n: usize) -> Points<N, E, Cpu> {
    let values = Key::new(seed).normal(n * N).iter().map(|v| 1.5 * f64::from(*v)).collect();
    Cpu::default().tensor_from_vec(values, (n, Const))
}

/// Both round each coordinate some times, by other exponentials; the sums have up to 40 terms.
fn close(what: &str, a: &[E], b: &[E]) {
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1.0f64, |s, v| s.max(v.abs()));
    for (a, b) in a.iter().zip(b) {
        let near = (a - b).abs() <= 1e-11 * scale;
        assert!(near, "{what}: {a} for {b}");
    }
}

/// The output of an operation on `x`, and the gradients of a random functional of it.
fn differentiate<const N: usize, const M: usize>(
    x: &Points<N, E, Cpu>,
    operation: impl Fn(Points<N, E, Cpu, Tape64>) -> Points<M, E, Cpu, Tape64>,
) -> (Vec<E>, Gradients<E, Cpu>) {
    let y = operation(x.leaky_trace());
    let values = y.as_vec();
    let seeds = random::<M>(99, y.shape().0);
    (values, (y * seeds).sum().backward())
}

struct Layers<const I: usize, const O: usize> {
    first: Linear<I, 6, E, Cpu>,
    hidden: Vec<Linear<6, 6, E, Cpu>>,
    last: Linear<6, O, E, Cpu>,
}

impl<const I: usize, const O: usize> Layers<I, O> {
    fn new(depth: u64) -> Self {
        let hidden = (0..depth).map(|k| build(Key::new(k))).collect();
        Self { first: build(Key::new(10)), hidden, last: build(Key::new(11)) }
    }

    /// Compares two operations with these parameters at the same points.
    fn compare<const M: usize>(
        &self,
        what: &str,
        composed: impl Fn(Points<I, E, Cpu, Tape64>) -> Points<M, E, Cpu, Tape64>,
        kernels: impl Fn(Points<I, E, Cpu, Tape64>) -> Points<M, E, Cpu, Tape64>,
    ) {
        let x = random::<I>(3, 7);
        let (a, mut grads) = differentiate(&x, composed);
        let (b, mut expected) = differentiate(&x, kernels);
        close(what, &a, &b);
        let one = |name: &str, a: Vec<E>, b: Vec<E>| {
            close(&format!("{what}, gradient in {name}"), &a, &b);
        };
        let of = super::tape::gradient::<_, E, Cpu>;
        one("x", of(&mut grads, &x).unwrap(), of(&mut expected, &x).unwrap());
        macro_rules! layer {
            ($layer:expr) => {
                let l = $layer;
                let of = super::tape::gradient::<_, E, Cpu>;
                let pair = (of(&mut grads, &l.weight), of(&mut expected, &l.weight));
                one("a weight", pair.0.unwrap(), pair.1.unwrap());
                let of = super::tape::gradient::<_, E, Cpu>;
                let pair = (of(&mut grads, &l.bias), of(&mut expected, &l.bias));
                one("a bias", pair.0.unwrap(), pair.1.unwrap());
            };
        }
        layer!(&self.first);
        self.hidden.iter().for_each(|l| {
            layer!(l);
        });
        layer!(&self.last);
    }
}

fn perceptrons<A: Activation>() {
    let name = std::any::type_name::<A>();
    for depth in [0, 2] {
        let net = Layers::<3, 2>::new(depth);
        let (first, hidden, last) = (&net.first, &net.hidden[..], &net.last);
        net.compare(
            &format!("{name} mlp"),
            |x| super::mlp::<3, 6, 2, E, Cpu, A, _>(x, first, hidden, last),
            |x| Cpu::mlp::<3, 6, 2, A, _>(x, first, hidden, last),
        );
        net.compare(
            &format!("{name} linear"),
            |x| super::linear::<3, 6, E, Cpu, A, _>(x, first),
            |x| <Cpu as LinearOp<E>>::linear::<3, 6, A, _>(x, first),
        );
        let net = Layers::<3, 1>::new(depth);
        let (first, hidden, last) = (&net.first, &net.hidden[..], &net.last);
        net.compare(
            &format!("{name} mlp_gradient"),
            |x| super::mlp_gradient::<3, 6, E, Cpu, A, _>(x, first, hidden, last),
            |x| Cpu::mlp_gradient::<3, 6, A, _>(x, first, hidden, last),
        );
        let x = random::<3>(5, 9).as_vec();
        let found = super::mlp_slopes::<3, 6, E, Cpu, A>(first, hidden, last)(&x);
        let expected = <Cpu as MlpOp<E>>::mlp_slopes::<3, 6, A>(first, hidden, last)(&x);
        close("values", &found.0, &expected.0);
        close("slopes", &found.1, &expected.1);
        let net = Layers::<3, 3>::new(depth);
        let (first, hidden, last) = (&net.first, &net.hidden[..], &net.last);
        let v = random::<3>(8, 7);
        net.compare(
            &format!("{name} asymmetry"),
            |x| super::mlp_asymmetry::<3, 6, E, Cpu, A, _>(x, &v, first, hidden, last),
            |x| Cpu::mlp_asymmetry::<3, 6, A, _>(x, &v, first, hidden, last),
        );
        let square = Layers::<6, 1>::new(1);
        square.compare(
            &format!("{name} residual"),
            |x| super::residual_linear::<6, E, Cpu, A, _>(x, &square.hidden[0]),
            |x| <Cpu as LinearOp<E>>::residual_linear::<6, A, _>(x, &square.hidden[0]),
        );
    }
}

#[test]
fn perceptrons_of_every_activation() {
    perceptrons::<Identity>();
    perceptrons::<Relu>();
    perceptrons::<LeakyRelu>();
    perceptrons::<Celu>();
    perceptrons::<Softplus>();
    perceptrons::<Silu>();
    perceptrons::<Gelu>();
    perceptrons::<Sine>();
}

#[test]
fn activations_of_large_numbers() {
    let z: Vec<E> = vec![-800.0, -50.0, -1e-9, 0.0, 1e-9, 30.0, 45.0, 800.0];
    let tensor = Cpu::default().tensor_from_vec(z.clone(), (8,));
    fn check<A: Activation>(z: &[E], tensor: &Tensor<(usize,), E, Cpu>) {
        let values: Vec<E> = z.iter().map(|z| A::value(*z)).collect();
        let kept = if A::FROM_OUTPUT { &values } else { z };
        let slopes: Vec<E> = kept.iter().map(|k| A::slope(*k)).collect();
        let name = std::any::type_name::<A>();
        close(name, &A::value_on(tensor.clone()).as_vec(), &values);
        close(name, &A::slope_on(tensor.clone()).as_vec(), &slopes);
    }
    check::<Relu>(&z, &tensor);
    check::<LeakyRelu>(&z, &tensor);
    check::<Celu>(&z, &tensor);
    check::<Softplus>(&z, &tensor);
    check::<Silu>(&z, &tensor);
    check::<Gelu>(&z, &tensor);
}

/// Collects the gradients of all tensors of a module.
struct Slopes<'a>(&'a mut Gradients<E, Cpu>, Vec<E>);

impl TensorVisitor<E, Cpu> for Slopes<'_> {
    type Viewer = dfdx::nn::tensor_collection::ViewTensorRef;
    type Err = CpuError;
    type E2 = E;
    type D2 = Cpu;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, Cpu>,
        t: &Tensor<S, E, Cpu>,
    ) -> Result<Option<Tensor<S, E, Cpu>>, CpuError> {
        self.1.extend(super::tape::gradient(self.0, t)?);
        Ok(None)
    }
}

type Icnn<const K: usize> = DenseIcnn<3, 5, K, 4, Celu, E, Cpu>;

fn icnns<const K: usize>() {
    let net: Icnn<K> = build(Key::new(4));
    let x = random::<3>(3, 7);
    let all = |mut gradients: Gradients<E, Cpu>| {
        let mut slopes = Slopes(&mut gradients, Vec::new());
        Icnn::<K>::iter_tensors(&mut RecursiveWalker { m: &net, f: &mut slopes }).unwrap();
        let mut collected = slopes.1;
        collected.extend(super::tape::gradient(&mut gradients, &x).unwrap());
        collected
    };
    let (a, grads) =
        differentiate(&x, |x| super::icnn_value::<3, E, Cpu, Celu, Icnn<K>, _>(x, &net, 0.3));
    let (b, expected) = differentiate(&x, |x| Cpu::icnn_value::<3, Celu, Icnn<K>, _>(x, &net, 0.3));
    close("value", &a, &b);
    close("gradients of the value", &all(grads), &all(expected));
    let (a, grads) =
        differentiate(&x, |x| super::icnn_gradient::<3, E, Cpu, Celu, Icnn<K>, _>(x, &net, 0.3));
    let (b, expected) =
        differentiate(&x, |x| Cpu::icnn_gradient::<3, Celu, Icnn<K>, _>(x, &net, 0.3));
    close("gradient", &a, &b);
    close("gradients of the gradient", &all(grads), &all(expected));
    let points = x.as_vec();
    let found = super::icnn_slopes::<3, E, Cpu, Celu, Icnn<K>>(&net, 0.3)(&points);
    let expected = <Cpu as IcnnOp<E>>::icnn_slopes::<3, Celu, Icnn<K>>(&net, 0.3)(&points);
    close("values", &found.0, &expected.0);
    close("slopes", &found.1, &expected.1);
}

#[test]
fn convex_networks() {
    icnns::<0>();
    icnns::<2>();
}

#[test]
fn costs_between_rows() {
    let (x, y) = (random::<3>(1, 6), random::<3>(2, 6));
    fn check<C: crate::ops::RowCost<E>>(cost: &C, x: &Points<3, E, Cpu>, y: &Points<3, E, Cpu>) {
        let unit = |v: Tensor<(usize,), E, Cpu, Tape64>| v.reshape_like(&(6, Const::<1>));
        let (a, mut grads) = differentiate(y, |y| unit(super::paired(cost, x, y)));
        let (b, mut expected) = differentiate(y, |y| unit(Cpu::paired(cost, x, y)));
        close("paired", &a, &b);
        let of = super::tape::gradient::<_, E, Cpu>;
        close("slope", &of(&mut grads, y).unwrap(), &of(&mut expected, y).unwrap());
        let matrix = super::pairwise(cost, x, y).as_vec();
        assert_eq!(matrix, Cpu::pairwise(cost, x, y).as_vec());
    }
    check(&SqEuclidean, &x, &y);
    check(&NegDot, &x, &y);
    check(&Euclidean, &x, &y);
    check(&Cosine, &x, &y);
    let cost = PNorm::new(1.5).unwrap();
    let (a, mut grads) = differentiate(&y, |s| super::twist(&cost, &x, s));
    let (b, mut expected) = differentiate(&y, |s| Cpu::twist(&cost, &x, s));
    close("twist", &a, &b);
    let of = super::tape::gradient::<_, E, Cpu>;
    close("its slope", &of(&mut grads, &y).unwrap(), &of(&mut expected, &y).unwrap());
}

/// A result from outside whose input is used once more; a tap behind it; an input that is constant.
#[test]
fn results_from_outside() {
    let x = random::<2>(1, 4);
    let outside = |x: &Points<2, E, Cpu>, plain: bool, tape| {
        let out = x.clone() * 3.0;
        let back = |seeds: &[E]| vec![seeds.iter().map(|s| 3.0 * s).collect::<Vec<E>>()];
        if plain {
            Cpu::attach(out, vec![<Cpu as AttachOp<E>>::input(x)], tape, back)
        } else {
            super::attach(out, vec![super::input(x)], tape, back)
        }
    };
    let both = |plain: bool| {
        let tapped = x.leaky_trace();
        let (tapped, tap) = if plain { Cpu::tapped(tapped) } else { super::tapped(tapped) };
        let (inner, tape) = tapped.split_tape();
        let squared = inner.clone().put_tape(tape).square();
        let y = squared + outside(&inner, plain, Tape64::default());
        (y.sum().backward(), inner, tap.take())
    };
    let expected: Vec<E> = x.as_vec().iter().map(|v| 2.0 * v + 3.0).collect();
    assert_eq!(both(true).2, expected);
    let (mut gradients, inner, tap) = both(false);
    assert_eq!(tap, expected);
    // Unlike the kernels, the formulas leave the gradient of what was tapped where it was.
    assert_eq!(super::tape::gradient(&mut gradients, &inner).unwrap(), expected);
    let fixed = crate::ops::Constants::default().tensor(&x);
    assert!(fixed.scope(|| !super::input(&x).wanted()));
}

#[test]
fn updates_are_those_of_the_kernels() {
    let update = |count| AdamUpdate {
        rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        count,
        coupled_decay: 0.01,
        decoupled_decay: 0.02,
        scale: 0.5,
    };
    let mut layers: [Linear<3, 4, E, Cpu>; 2] = [build(Key::new(1)), build(Key::new(1))];
    let mut moments = [Moments::default(), Moments::default()];
    for count in 1..4 {
        for (k, layer) in layers.iter_mut().enumerate() {
            let x = random::<3>(count, 5).leaky_traced();
            let mut gradients =
                <Cpu as LinearOp<E>>::linear::<3, 4, Silu, _>(x, layer).square().sum().backward();
            let w = &mut layer.weight;
            if k == 0 {
                Cpu::adam(w, &mut gradients, &mut moments[0], &update(count));
            } else {
                let norm = super::square_norm(w, &mut gradients);
                assert_eq!(norm, Cpu::square_norm(w, &mut gradients));
                super::adam(w, &mut gradients, &mut moments[1], &update(count));
            }
            assert!(gradients.get(w).as_vec().iter().all(|g| *g == 0.0));
        }
        assert_eq!(arrays(&layers[0]), arrays(&layers[1]));
        assert_eq!(moments[0], moments[1]);
    }
}
