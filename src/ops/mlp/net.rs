//! The parameters of a perceptron with one output, and their gradients, as the passes want them.

use super::super::dense::add;
use super::super::gemm::{multiply_here, Into, Matrix};
use super::super::thin::{from_few, over_rows, to_few, transpose, THIN};
use super::super::{Real, Scratch};

/// The hidden layers, and the weight and bias of the output.
pub(super) struct Net<E: Real> {
    pub(super) layers: Vec<Dense<E>>,
    pub(super) head: Scratch<E>,
    pub(super) shift: E,
}

impl<E: Real> Net<E> {
    pub(super) fn inputs(&self) -> usize {
        self.layers[0].inputs
    }
    pub(super) fn width(&self) -> usize {
        self.head.len()
    }
    /// Index of the last hidden layer.
    pub(super) fn last(&self) -> usize {
        self.layers.len() - 1
    }
}

/// One layer, with its products on the calling thread: the caller shares out rows.
pub(super) struct Dense<E: Real> {
    inputs: usize,
    outputs: usize,
    weight: Scratch<E>,
    transposed: Scratch<E>,
    pub(super) bias: Scratch<E>,
}

impl<E: Real> Dense<E> {
    /// From the weight `[outputs, inputs]` and the bias.
    pub(super) fn new(weight: Scratch<E>, bias: Scratch<E>) -> Self {
        let (outputs, inputs) = (bias.len(), weight.len() / bias.len());
        let mut transposed = Scratch::new(weight.len());
        transpose::<E>(&weight, outputs, inputs, &mut transposed);
        Self { inputs, outputs, weight, transposed, bias }
    }

    /// x Wᵀ.
    pub(super) fn forward(&self, x: &[E]) -> Scratch<E> {
        let rows = x.len() / self.inputs;
        let mut z = Scratch::new(rows * self.outputs);
        if self.inputs <= THIN {
            from_few::<E>(x, &self.transposed, self.inputs, &mut z, true);
        } else {
            let w = Matrix::new(&self.transposed, self.inputs, self.outputs);
            let x = Matrix::new(x, rows, self.inputs);
            multiply_here(x, w, &mut z, self.outputs, Into::Overwrite);
        }
        z
    }

    /// d W to `out`.
    pub(super) fn backward(&self, d: &[E], out: &mut [E], into: Into) {
        if self.inputs <= THIN {
            if into == Into::Overwrite {
                out.fill(E::zero());
            }
            to_few::<E>(d, &self.transposed, self.inputs, out);
        } else {
            let w = Matrix::new(&self.weight, self.outputs, self.inputs);
            let d = Matrix::new(d, d.len() / self.outputs, self.outputs);
            multiply_here(d, w, out, self.inputs, into);
        }
    }

    /// dW += dᵀ x.
    pub(super) fn add_products(&self, d: &[E], x: &[E], dw: &mut [E]) {
        if self.inputs <= THIN {
            let (mut flipped, mut back) = (zeros(dw.len()), Scratch::new(dw.len()));
            over_rows::<E>(x, d, self.inputs, &mut flipped);
            transpose::<E>(&flipped, self.inputs, self.outputs, &mut back);
            add::<E>(dw, &back);
        } else {
            let rows = x.len() / self.inputs;
            let (d, x) = (Matrix::new(d, rows, self.outputs), Matrix::new(x, rows, self.inputs));
            multiply_here(d.transposed(), x, dw, self.inputs, Into::Add);
        }
    }
}

/// Gradients of the parameters, in the layout of [`Net`].
pub(super) struct Slopes<E: Real> {
    pub(super) weights: Vec<Scratch<E>>,
    pub(super) biases: Vec<Scratch<E>>,
    pub(super) head: Scratch<E>,
}

impl<E: Real> Slopes<E> {
    pub(super) fn zero(net: &Net<E>) -> Self {
        Self {
            weights: net.layers.iter().map(|l| zeros(l.weight.len())).collect(),
            biases: net.layers.iter().map(|l| zeros(l.outputs)).collect(),
            head: zeros(net.width()),
        }
    }

    /// Adds another set.
    pub(super) fn add(&mut self, other: &Self) {
        let own = self.weights.iter_mut().chain(&mut self.biases);
        for (own, other) in own.zip(other.weights.iter().chain(&other.biases)) {
            add::<E>(own, other);
        }
        add::<E>(&mut self.head, &other.head);
    }
}

/// `n` zeros.
pub(super) fn zeros<E: Real>(n: usize) -> Scratch<E> {
    let mut s = Scratch::new(n);
    s.fill(E::zero());
    s
}
