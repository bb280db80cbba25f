//! DenseICNNs by the formulas of `icnn/forward.rs`, as matrices of any size.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use super::super::icnn::IcnnParameters;
use super::super::{Activation, AttachOp, Real};
use crate::tensor::{rows, Points};

type Matrix<E, D, T> = Tensor<(usize, usize), E, D, T>;

/// All tensors of a module in order, as matrices; a vector is one row.
struct Matrices<E: Real, D: Device<E>, T>(Vec<Matrix<E, D, T>>);

impl<E: Real, D: Device<E>, T: Tape<E, D>> TensorVisitor<E, D> for Matrices<E, D, T> {
    type Viewer = ViewTensorRef;
    type Err = <D as HasErr>::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, D>,
        t: &Tensor<S, E, D>,
    ) -> Result<Option<Tensor<S, E, D>>, Self::Err> {
        let (shape, all) = (t.shape().concrete(), t.shape().num_elements());
        let first = if S::NUM_DIMS == 2 { shape[0] } else { 1 };
        self.0.push(t.retaped::<T>().try_reshape_like(&(first, all / first.max(1)))?);
        Ok(None)
    }
}

/// The parameters of a network.
struct Net<E: Real, D: Device<E>, T> {
    /// Factor A `[N, H]`, weight B `[H, N]`, bias c `[1, H]` of each layer.
    quadratic: Vec<[Matrix<E, D, T>; 3]>,
    /// C `[H', H]` of each layer but the first.
    convex: Vec<Matrix<E, D, T>>,
    /// `[1, H]`.
    head: Matrix<E, D, T>,
}

fn network<E: Real, D: Device<E>, T: Tape<E, D>, P: IcnnParameters<E, D>>(p: &P) -> Net<E, D, T> {
    let mut all = Matrices(Vec::new());
    P::iter_tensors(&mut RecursiveWalker { m: p, f: &mut all }).expect("memory for the parameters");
    let (mut all, mut quadratic, mut convex) = (all.0.into_iter(), Vec::new(), Vec::new());
    const ORDER: &str = "the module lists its tensors in the order of `IcnnParameters`";
    let mut next = all.next();
    while let Some(tensor) = next.take() {
        let rest = all.len();
        if rest == 0 {
            return Net { quadratic, convex, head: tensor };
        }
        let factor = if quadratic.is_empty() {
            tensor
        } else {
            convex.push(tensor);
            all.next().expect(ORDER)
        };
        quadratic.push([factor, all.next().expect(ORDER), all.next().expect(ORDER)]);
        next = all.next();
    }
    panic!("{ORDER}")
}

fn transposed<E: Real, D: Device<E>, T: Tape<E, D>>(m: &Matrix<E, D, T>) -> Matrix<E, D, T> {
    m.with_empty_tape().permute::<(usize, usize), Axes2<1, 0>>()
}

/// One row for each of `n` points.
fn repeated<E: Real, D: Device<E>, T: Tape<E, D>>(
    row: &Matrix<E, D, T>,
    n: usize,
) -> Matrix<E, D, T> {
    let width = row.shape().1;
    let row = row.with_empty_tape().reshape_like(&(width,));
    row.broadcast_like::<_, Axis<0>>(&(n, width))
}

/// What the layers leave: u of each, σ' of each but the first, and h of the last, whose tape has them all.
struct Pass<E: Real, D: Device<E>, T> {
    u: Vec<Matrix<E, D, T>>,
    slopes: Vec<Matrix<E, D, T>>,
    h: Matrix<E, D, T>,
}

fn forward<E, D, A, T>(net: &Net<E, D, T>, x: &Matrix<E, D, T>) -> Pass<E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    T: Tape<E, D>,
{
    let n = x.shape().0;
    let (mut u, mut slopes) = (Vec::new(), Vec::new());
    let mut below: Option<Matrix<E, D, T>> = None;
    for (i, [factor, weight, bias]) in net.quadratic.iter().enumerate() {
        let linear = x.with_empty_tape().matmul(factor.with_empty_tape());
        let plain = x.with_empty_tape().matmul(transposed(weight)) + repeated(bias, n);
        u.push(linear.with_empty_tape());
        let q = linear.square() + plain;
        below = Some(match below {
            None => q,
            Some(h) => {
                let z = h.matmul(transposed(&net.convex[i - 1])) + q;
                slopes.push(A::slope_on(z.with_empty_tape()));
                A::value_on(z)
            }
        });
    }
    Pass { u, slopes, h: below.expect("a layer at least") }
}

/// [`IcnnOp::icnn_value`](super::super::IcnnOp::icnn_value).
pub(crate) fn icnn_value<const N: usize, E, D, A, P, T>(
    x: Points<N, E, D, T>,
    parameters: &P,
    strong_convexity: f64,
) -> Points<1, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    P: IcnnParameters<E, D>,
    T: Tape<E, D>,
{
    let n = x.shape().0;
    let (net, x) = (network::<E, D, T, P>(parameters), x.reshape_like(&(n, N)));
    let h = forward::<E, D, A, T>(&net, &x).h;
    let half = E::of(0.5 * strong_convexity);
    let square = x.square().sum::<(usize,), Axis<1>>().reshape_like(&(n, Const::<1>)) * half;
    square + h.matmul(transposed(&net.head)).reshape_like(&(n, Const::<1>))
}

/// [`IcnnOp::icnn_gradient`](super::super::IcnnOp::icnn_gradient).
pub(crate) fn icnn_gradient<const N: usize, E, D, A, P, T>(
    x: Points<N, E, D, T>,
    parameters: &P,
    strong_convexity: f64,
) -> Points<N, E, D, T>
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    P: IcnnParameters<E, D>,
    T: Tape<E, D>,
{
    let n = x.shape().0;
    let (net, x) = (network::<E, D, T, P>(parameters), x.reshape_like(&(n, N)));
    let Pass { u, mut slopes, h } = forward::<E, D, A, T>(&net, &x);
    let (x, tape) = x.split_tape();
    let x = x.put_tape(tape.merge(h.split_tape().1));
    let mut out = x * E::of(strong_convexity);
    let mut above = Some(repeated(&net.head, n));
    for (i, ([factor, weight, _], u)) in net.quadratic.iter().zip(u).enumerate().rev() {
        let Some(e) = above.take() else { break };
        let d = match slopes.pop() {
            Some(slope) => e * slope,
            None => e,
        };
        if i > 0 {
            above = Some(d.with_empty_tape().matmul(net.convex[i - 1].with_empty_tape()));
        }
        let curved = d.with_empty_tape() * u * E::of(2.0);
        out = out + curved.matmul(transposed(factor)) + d.matmul(weight.with_empty_tape());
    }
    out.reshape_like(&(n, Const::<N>))
}

/// [`IcnnOp::icnn_slopes`](super::super::IcnnOp::icnn_slopes).
pub(crate) fn icnn_slopes<const N: usize, E, D, A, P>(
    parameters: &P,
    strong_convexity: f64,
) -> impl Fn(&[E]) -> (Vec<E>, Vec<E>)
where
    E: Real,
    D: AttachOp<E>,
    A: Activation,
    P: IcnnParameters<E, D>,
{
    let device = network::<E, D, NoneTape, P>(parameters).head.device().clone();
    let parameters = parameters.clone();
    move |x| {
        let x: Points<N, E, D> = device.tensor_from_vec(x.to_vec(), (x.len() / N, Const));
        let values = icnn_value::<N, E, D, A, P, _>(x.clone(), &parameters, strong_convexity);
        let slopes = icnn_gradient::<N, E, D, A, P, _>(x, &parameters, strong_convexity);
        (rows(&values), rows(&slopes))
    }
}
