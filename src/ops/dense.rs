//! Fused dense layers on slices: σ(x Wᵀ + b), forward and backward, for [`super::linear`] and
//! [`super::mlp`].

use super::gemm::{multiply, multiply_then, Into, Matrix};
use super::parallel::for_each_chunk;
use super::simd::vectorised;
use super::thin::{from_few, over_rows, to_few, transpose, THIN};
use super::{Activation, Identity, Real, Scratch};

/// Numbers below which an elementwise pass stays on the calling thread.
const SERIAL: usize = 1 << 16;

/// Points from which on a product with the transposed weight pays for transposing it.
const MANY: usize = 512;

/// The parameters of one layer: weight `[outputs, inputs]` and bias `[outputs]`; the transposed weight
/// for thin inputs and many points.
pub(crate) struct Layer<E: Real> {
    weight: Scratch<E>,
    transposed: Option<Scratch<E>>,
    bias: Scratch<E>,
    inputs: usize,
    outputs: usize,
}

/// What a layer keeps for its backward pass: its output and, if the activation wants it, its input.
pub(crate) struct Kept<E: Real> {
    pub(crate) output: Scratch<E>,
    before: Option<Scratch<E>>,
}

impl<E: Real> Kept<E> {
    /// The numbers that the derivatives of the activation are functions of.
    pub(crate) fn for_slope(&self) -> &[E] {
        self.before.as_deref().unwrap_or(&self.output)
    }
}

impl<E: Real> Layer<E> {
    /// A layer for `n` points.
    pub(crate) fn new(weight: Scratch<E>, bias: Scratch<E>, n: usize) -> Self {
        let outputs = bias.len();
        let inputs = weight.len() / outputs;
        let transposed = (inputs <= THIN || (outputs > THIN && n >= MANY)).then(|| {
            let mut transposed = Scratch::new(weight.len());
            transpose::<E>(&weight, outputs, inputs, &mut transposed);
            transposed
        });
        Self { weight, transposed, bias, inputs, outputs }
    }

    /// σ(x Wᵀ + b) for `x` of shape `[n, inputs]`.
    pub(crate) fn forward<A: Activation>(&self, x: &[E], n: usize) -> Kept<E> {
        let outputs = self.outputs;
        let mut output = Scratch::new(n * outputs);
        let mut before = (!A::FROM_OUTPUT).then(|| Scratch::new(n * outputs));
        // Where the derivatives want the input of the activation, the product goes there first.
        let z = before.as_mut().unwrap_or(&mut output);
        let finish = |z: &mut [E]| {
            if A::FROM_OUTPUT {
                bias_activate::<E, A>(z, &self.bias);
            } else {
                bias_activate::<E, Identity>(z, &self.bias);
            }
        };
        self.product_then(x, n, z, finish);
        if let Some(z) = &before {
            let pitch = chunk(n, outputs) * outputs;
            for_each_chunk(&mut output, pitch, |i, y| {
                activate::<E, A>(y, &z[i * pitch..][..y.len()]);
            });
        }
        Kept { output, before }
    }

    /// x Wᵀ, without the bias, for `x` of shape `[n, inputs]`.
    pub(crate) fn product(&self, x: &[E], n: usize) -> Scratch<E> {
        let mut z = Scratch::new(n * self.outputs);
        self.product_then(x, n, &mut z, |_| ());
        z
    }

    /// The same to `z`, and `finish` for each block of rows.
    fn product_then(&self, x: &[E], n: usize, z: &mut [E], finish: impl Fn(&mut [E]) + Sync) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        match &self.transposed {
            Some(w) if inputs <= THIN => {
                from_few::<E>(x, w, inputs, z, true);
                for_each_chunk(z, chunk(n, outputs) * outputs, |_, z| finish(z));
            }
            _ if outputs <= THIN => {
                z.fill(E::zero());
                to_few::<E>(x, &self.weight, outputs, z);
                finish(z);
            }
            transposed => {
                let w = match transposed {
                    Some(w) => Matrix::new(w, inputs, outputs),
                    None => Matrix::new(&self.weight, outputs, inputs).transposed(),
                };
                multiply_then(Matrix::new(x, n, inputs), w, z, Into::Overwrite, finish);
            }
        }
    }

    /// Turns the gradient of the output, in `delta`, into that of the pre-activation, and returns its
    /// sum over rows, the gradient of the bias.
    pub(crate) fn backward_activation<A: Activation>(
        &self,
        kept: &Kept<E>,
        delta: &mut [E],
        n: usize,
    ) -> Scratch<E> {
        let pitch = chunk(n, self.outputs) * self.outputs;
        let slopes = kept.for_slope();
        for_each_chunk(delta, pitch, |i, d| {
            times_slope::<E, A>(d, &slopes[i * pitch..][..d.len()])
        });
        let mut bias = Scratch::new(self.outputs);
        bias.fill(E::zero());
        sum_rows::<E>(delta, &mut bias);
        bias
    }

    /// dW += δᵀ x.
    pub(crate) fn backward_weight(&self, delta: &[E], x: &[E], n: usize, dw: &mut [E]) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        if outputs <= THIN {
            over_rows::<E>(delta, x, outputs, dw);
        } else if inputs <= THIN {
            let (mut flipped, mut back) = (Scratch::new(dw.len()), Scratch::new(dw.len()));
            flipped.fill(E::zero());
            over_rows::<E>(x, delta, inputs, &mut flipped);
            transpose::<E>(&flipped, inputs, outputs, &mut back);
            add::<E>(dw, &back);
        } else {
            let (delta, x) = (Matrix::new(delta, n, outputs), Matrix::new(x, n, inputs));
            multiply(delta.transposed(), x, dw, Into::Add);
        }
    }

    /// dx = δ W or dx += δ W.
    pub(crate) fn backward_input(&self, delta: &[E], n: usize, dx: &mut [E], into: Into) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        match &self.transposed {
            _ if outputs <= THIN => {
                from_few::<E>(delta, &self.weight, outputs, dx, into == Into::Overwrite);
            }
            Some(w) if inputs <= THIN => {
                if into == Into::Overwrite {
                    dx.fill(E::zero());
                }
                to_few::<E>(delta, w, inputs, dx);
            }
            _ => {
                let w = Matrix::new(&self.weight, outputs, inputs);
                multiply(Matrix::new(delta, n, outputs), w, dx, into);
            }
        }
    }
}

impl<E: Real> Layer<E> {
    /// Zeros of the sizes of the weight and the bias.
    pub(crate) fn zeros(&self) -> [Scratch<E>; 2] {
        [self.weight.len(), self.bias.len()].map(|n| {
            let mut zeros = Scratch::new(n);
            zeros.fill(E::zero());
            zeros
        })
    }
}

/// Rows of a chunk: a quarter of a large batch, whatever the number of threads.
fn chunk(n: usize, width: usize) -> usize {
    if n * width < SERIAL {
        n
    } else {
        n.div_ceil(4)
    }
}

vectorised! {
    fn bias_activate<E: Real, A: Activation>(y: &mut [E], bias: &[E]) {
        for row in y.chunks_exact_mut(bias.len()) {
            for (y, b) in row.iter_mut().zip(bias) {
                *y = A::value(*y + *b);
            }
        }
    }
}
vectorised! {
    fn activate<E: Real, A: Activation>(y: &mut [E], z: &[E]) {
        for (y, z) in y.iter_mut().zip(z) {
            *y = A::value(*z);
        }
    }
}
vectorised! {
    fn times_slope<E: Real, A: Activation>(delta: &mut [E], kept: &[E]) {
        for (d, k) in delta.iter_mut().zip(kept) {
            *d *= A::slope(*k);
        }
    }
}
/// Columns that are summed in registers.
const STRIPE: usize = 64;

vectorised! {
    /// sum += the sum of the rows of m
    pub(crate) fn sum_rows<E: Real>(m: &[E], sum: &mut [E]) {
        let width = sum.len();
        let full = width - width % STRIPE;
        for from in (0..full).step_by(STRIPE) {
            let mut stripe = [E::zero(); STRIPE];
            for row in m.chunks_exact(width) {
                for (s, v) in stripe.iter_mut().zip(&row[from..from + STRIPE]) {
                    *s += *v;
                }
            }
            sum[from..from + STRIPE].iter_mut().zip(stripe).for_each(|(s, v)| *s += v);
        }
        if full < width {
            for row in m.chunks_exact(width) {
                for (s, v) in sum[full..].iter_mut().zip(&row[full..]) {
                    *s += *v;
                }
            }
        }
    }
}
vectorised! {
    /// to += from
    pub(crate) fn add<E: Real>(to: &mut [E], from: &[E]) {
        for (t, f) in to.iter_mut().zip(from) {
            *t += *f;
        }
    }
}
