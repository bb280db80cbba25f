//! The parameters of a DenseICNN, and their gradients, as the passes want them.

use super::super::dense::add;
use super::super::gemm::Matrix;
use super::super::thin::transpose;
use super::super::{Real, Scratch};

/// The parameters of a DenseICNN; `A` is `[N, S]`, `B` is `[S, N]`, the Cᵢ are `[Hᵢ, Hᵢ₋₁]`.
pub(crate) struct Icnn<E: Real> {
    pub(crate) inputs: usize,
    pub(super) widths: Vec<usize>,
    pub(super) factor: Weight<E>,
    pub(super) weight: Weight<E>,
    pub(super) bias: Scratch<E>,
    convex: Vec<Weight<E>>,
    pub(super) head: Scratch<E>,
    pub(super) beta: E,
}

/// A matrix and its transpose, both row-major: products with packed columns are a tenth slower.
pub(super) struct Weight<E: Real> {
    rows: usize,
    plain: Scratch<E>,
    transposed: Scratch<E>,
}

impl<E: Real> Weight<E> {
    fn new(plain: Scratch<E>, rows: usize) -> Self {
        let mut transposed = Scratch::new(plain.len());
        transpose::<E>(&plain, rows, plain.len() / rows, &mut transposed);
        Self { rows, plain, transposed }
    }
    pub(super) fn as_is(&self) -> Matrix<'_, E> {
        Matrix::new(&self.plain, self.rows, self.plain.len() / self.rows)
    }
    pub(super) fn flipped(&self) -> Matrix<'_, E> {
        Matrix::new(&self.transposed, self.plain.len() / self.rows, self.rows)
    }
}

/// Gradients of the parameters, in the layout of [`Icnn`].
pub(crate) struct Slopes<E: Real> {
    pub(super) factor: Scratch<E>,
    pub(super) weight: Scratch<E>,
    pub(super) bias: Scratch<E>,
    pub(super) convex: Vec<Scratch<E>>,
    pub(super) head: Scratch<E>,
}

impl<E: Real> Icnn<E> {
    /// From the arrays in the order of [`super::IcnnParameters`]; `None` if their lengths do not fit.
    pub(crate) fn from_arrays(inputs: usize, arrays: &[Scratch<E>], beta: f64) -> Option<Self> {
        let (head, arrays) = arrays.split_last()?;
        if inputs == 0 || arrays.len() % 4 != 3 {
            return None;
        }
        let biases = arrays.iter().skip(2).step_by(4);
        let widths: Vec<usize> = biases.map(|b| b.len()).collect();
        let total = widths.iter().sum();
        let (mut a, mut b) = (Scratch::new(inputs * total), Scratch::new(inputs * total));
        let (mut bias, mut convex) = (Scratch::new(total), Vec::new());
        let (mut rest, mut offset) = (arrays, 0);
        for (i, &width) in widths.iter().enumerate() {
            if i > 0 {
                let (c, tail) = rest.split_first()?;
                if c.len() != width * widths[i - 1] {
                    return None;
                }
                convex.push(Weight::new(Scratch::copy_of(c), width));
                rest = tail;
            }
            let [factor, weight, shift, tail @ ..] = rest else { return None };
            if factor.len() != inputs * width || weight.len() != inputs * width {
                return None;
            }
            for (to, from) in a.chunks_exact_mut(total).zip(factor.chunks_exact(width)) {
                to[offset..offset + width].copy_from_slice(from);
            }
            b[inputs * offset..inputs * (offset + width)].copy_from_slice(weight);
            bias[offset..offset + width].copy_from_slice(shift);
            (rest, offset) = (tail, offset + width);
        }
        (head.len() == *widths.last()?).then(|| Self {
            inputs,
            factor: Weight::new(a, inputs),
            weight: Weight::new(b, total),
            bias,
            convex,
            head: Scratch::copy_of(head),
            beta: E::of(beta),
            widths,
        })
    }

    pub(super) fn total(&self) -> usize {
        self.bias.len()
    }

    /// Cᵢ, for i ≥ 1.
    pub(super) fn c(&self, i: usize) -> &Weight<E> {
        &self.convex[i - 1]
    }
    pub(super) fn offset(&self, i: usize) -> usize {
        self.widths[..i].iter().sum()
    }
    pub(super) fn last(&self) -> usize {
        self.widths.len() - 1
    }
    /// The block of layer `i` in a matrix `[rows, S]`.
    pub(super) fn block<'a>(&self, m: &'a [E], i: usize) -> Matrix<'a, E> {
        let rows = m.len() / self.total();
        Matrix::new(m, rows, self.total()).some_columns(self.offset(i), self.widths[i])
    }
}

impl<E: Real> Slopes<E> {
    pub(crate) fn zero(net: &Icnn<E>) -> Self {
        Self {
            factor: zeros(net.factor.plain.len()),
            weight: zeros(net.weight.plain.len()),
            bias: zeros(net.bias.len()),
            convex: net.convex.iter().map(|c| zeros(c.plain.len())).collect(),
            head: zeros(net.head.len()),
        }
    }

    /// Adds another set.
    pub(crate) fn add(&mut self, other: &Self) {
        add::<E>(&mut self.factor, &other.factor);
        add::<E>(&mut self.weight, &other.weight);
        add::<E>(&mut self.bias, &other.bias);
        add::<E>(&mut self.head, &other.head);
        for (c, o) in self.convex.iter_mut().zip(&other.convex) {
            add::<E>(c, o);
        }
    }

    /// As separate arrays, in the order of [`super::IcnnParameters`].
    pub(crate) fn into_arrays(self, net: &Icnn<E>) -> Vec<Scratch<E>> {
        let mut convex = self.convex.into_iter();
        let mut arrays = Vec::with_capacity(4 * net.widths.len());
        for (i, &width) in net.widths.iter().enumerate() {
            let at = net.offset(i);
            if i > 0 {
                arrays.extend(convex.next());
            }
            arrays.push(copy_block(&self.factor, net.total(), at, width));
            arrays.push(Scratch::copy_of(&self.weight[net.inputs * at..net.inputs * (at + width)]));
            arrays.push(Scratch::copy_of(&self.bias[at..at + width]));
        }
        arrays.push(self.head);
        arrays
    }
}

/// Columns `at..at + width` of a matrix of `pitch` columns.
pub(super) fn copy_block<E: Real>(m: &[E], pitch: usize, at: usize, width: usize) -> Scratch<E> {
    let mut out = Scratch::new(m.len() / pitch * width);
    for (to, from) in out.chunks_exact_mut(width).zip(m.chunks_exact(pitch)) {
        to.copy_from_slice(&from[at..at + width]);
    }
    out
}

/// `n` zeros.
pub(super) fn zeros<E: Real>(n: usize) -> Scratch<E> {
    let mut s = Scratch::new(n);
    s.fill(E::zero());
    s
}
