//! Perceptrons and DenseICNNs.

use dfdx::nn::modules::Linear;
use dfdx::prelude::*;

use super::super as composed;
use super::{close, differentiate, random, Tape64, E};
use crate::function::{build, DenseIcnn};
use crate::ops::{
    Activation, Celu, Gelu, IcnnOp, Identity, JacobianOp, LeakyRelu, LinearOp, MlpOp, Real, Relu,
    Silu, Softplus,
};
use crate::random::Key;
use crate::tensor::Points;

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
        let of = composed::tape::gradient::<_, E, Cpu>;
        one("x", of(&mut grads, &x).unwrap(), of(&mut expected, &x).unwrap());
        macro_rules! layer {
            ($layer:expr) => {
                let l = $layer;
                let of = composed::tape::gradient::<_, E, Cpu>;
                let pair = (of(&mut grads, &l.weight), of(&mut expected, &l.weight));
                one("a weight", pair.0.unwrap(), pair.1.unwrap());
                let of = composed::tape::gradient::<_, E, Cpu>;
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
            |x| composed::mlp::<3, 6, 2, E, Cpu, A, _>(x, first, hidden, last),
            |x| Cpu::mlp::<3, 6, 2, A, _>(x, first, hidden, last),
        );
        net.compare(
            &format!("{name} linear"),
            |x| composed::linear::<3, 6, E, Cpu, A, _>(x, first),
            |x| <Cpu as LinearOp<E>>::linear::<3, 6, A, _>(x, first),
        );
        let net = Layers::<3, 1>::new(depth);
        let (first, hidden, last) = (&net.first, &net.hidden[..], &net.last);
        net.compare(
            &format!("{name} mlp_gradient"),
            |x| composed::mlp_gradient::<3, 6, E, Cpu, A, _>(x, first, hidden, last),
            |x| Cpu::mlp_gradient::<3, 6, A, _>(x, first, hidden, last),
        );
        let x = random::<3>(5, 9).as_vec();
        let found = composed::mlp_slopes::<3, 6, E, Cpu, A>(first, hidden, last)(&x);
        let expected = <Cpu as MlpOp<E>>::mlp_slopes::<3, 6, A>(first, hidden, last)(&x);
        close("values", &found.0, &expected.0);
        close("slopes", &found.1, &expected.1);
        let net = Layers::<3, 3>::new(depth);
        let (first, hidden, last) = (&net.first, &net.hidden[..], &net.last);
        let v = random::<3>(8, 7);
        net.compare(
            &format!("{name} asymmetry"),
            |x| composed::mlp_asymmetry::<3, 6, E, Cpu, A, _>(x, &v, first, hidden, last),
            |x| Cpu::mlp_asymmetry::<3, 6, A, _>(x, &v, first, hidden, last),
        );
        let square = Layers::<6, 1>::new(1);
        square.compare(
            &format!("{name} residual"),
            |x| composed::residual_linear::<6, E, Cpu, A, _>(x, &square.hidden[0]),
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
        self.1.extend(composed::tape::gradient(self.0, t)?);
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
        collected.extend(composed::tape::gradient(&mut gradients, &x).unwrap());
        collected
    };
    let (a, grads) =
        differentiate(&x, |x| composed::icnn_value::<3, E, Cpu, Celu, Icnn<K>, _>(x, &net, 0.3));
    let (b, expected) = differentiate(&x, |x| Cpu::icnn_value::<3, Celu, Icnn<K>, _>(x, &net, 0.3));
    close("value", &a, &b);
    close("gradients of the value", &all(grads), &all(expected));
    let (a, grads) =
        differentiate(&x, |x| composed::icnn_gradient::<3, E, Cpu, Celu, Icnn<K>, _>(x, &net, 0.3));
    let (b, expected) =
        differentiate(&x, |x| Cpu::icnn_gradient::<3, Celu, Icnn<K>, _>(x, &net, 0.3));
    close("gradient", &a, &b);
    close("gradients of the gradient", &all(grads), &all(expected));
    let points = x.as_vec();
    let found = composed::icnn_slopes::<3, E, Cpu, Celu, Icnn<K>>(&net, 0.3)(&points);
    let expected = <Cpu as IcnnOp<E>>::icnn_slopes::<3, Celu, Icnn<K>>(&net, 0.3)(&points);
    close("values", &found.0, &expected.0);
    close("slopes", &found.1, &expected.1);
}

#[test]
fn convex_networks() {
    icnns::<0>();
    icnns::<2>();
}
