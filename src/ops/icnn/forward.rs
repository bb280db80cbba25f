//! The formulas of a DenseICNN with rank-one quadratic layers, on slices.
//!
//! With K layers of widths H₀ … H_{K-1}, uᵢ = x Aᵢ and q_i(x) = uᵢ² + x Bᵢᵀ + cᵢ:
//!
//! ```text
//! h₀ = q₀(x),   hᵢ = σ(hᵢ₋₁ Cᵢᵀ + qᵢ(x)),   v(x) = h_{K-1}·w + β/2 |x|²           (value)
//! e_{K-1} = w,  dᵢ = eᵢ ∘ σ'(hᵢ) (d₀ = e₀),  eᵢ₋₁ = dᵢ Cᵢ,
//! ∇v(x) = Σᵢ [ (2 dᵢ ∘ uᵢ) Aᵢᵀ + dᵢ Bᵢ ] + β x                                    (gradient)
//! ```
//!
//! The layers lie side by side: u, h, d, e are matrices `[rows, S]` with S = ΣHᵢ, so that the products
//! with all Aᵢ (and all Bᵢ) are one. The reverse pass through both lines is
//! in `backward.rs`; σ' and σ'' are functions of h.

use super::super::gemm::{multiply_here, Into, Matrix};
use super::super::simd::vectorised;
use super::super::{Activation, Real, Scratch};
use super::net::{copy_block, Icnn};

/// What a forward pass leaves for the backward pass: u, h, and for the gradient d, e and 2 d ∘ u.
pub(crate) struct Pass<E: Real> {
    pub(super) u: Scratch<E>,
    pub(super) h: Scratch<E>,
    pub(super) adjoint: Option<Adjoint<E>>,
}

pub(super) struct Adjoint<E: Real> {
    pub(super) d: Scratch<E>,
    pub(super) e: Scratch<E>,
    pub(super) product: Scratch<E>,
}

impl<E: Real> Pass<E> {
    /// u and h at the rows of `x`.
    pub(crate) fn forward<A: Activation>(net: &Icnn<E>, x: &[E]) -> Self {
        const { assert!(A::FROM_OUTPUT, "a DenseICNN keeps only the outputs of its activations") };
        let (s, rows) = (net.total(), x.len() / net.inputs);
        let points = Matrix::new(x, rows, net.inputs);
        let mut pass = Self { u: Scratch::new(rows * s), h: Scratch::new(rows * s), adjoint: None };
        multiply(points, net.factor.as_is(), &mut pass.u, Into::Overwrite);
        multiply(points, net.weight.flipped(), &mut pass.h, Into::Overwrite);
        add_square_and_bias::<E>(&mut pass.h, &pass.u, &net.bias);
        for i in 1..net.widths.len() {
            let (from, at) = (net.offset(i - 1), net.offset(i));
            // h is read in block i - 1 and written in block i of the same rows: through a copy.
            let below = copy_block(&pass.h, s, from, net.widths[i - 1]);
            let below = Matrix::new(&below, rows, net.widths[i - 1]);
            multiply_here(below, net.c(i).flipped(), &mut pass.h[at..], s, Into::Add);
            for row in pass.h.chunks_exact_mut(s) {
                activate::<E, A>(&mut row[at..at + net.widths[i]]);
            }
        }
        pass
    }

    /// v to `out` `[rows]`.
    pub(crate) fn write_value(&mut self, net: &Icnn<E>, x: &[E], out: &mut [E]) {
        let at = net.offset(net.last());
        let half = 0.5 * net.beta.double();
        let rows = self.h.chunks_exact(net.total()).zip(x.chunks_exact(net.inputs));
        for ((h, x), out) in rows.zip(out) {
            *out = E::of(dot(&h[at..], &net.head) + half * dot(x, x));
        }
    }

    /// ∇v to `out` `[rows, N]`.
    pub(crate) fn write_gradient<A: Activation>(&mut self, net: &Icnn<E>, x: &[E], out: &mut [E]) {
        let (s, rows) = (net.total(), x.len() / net.inputs);
        let (mut d, mut e) = (Scratch::new(rows * s), Scratch::new(rows * s));
        let at = net.offset(net.last());
        for row in e.chunks_exact_mut(s) {
            row[at..].copy_from_slice(&net.head);
        }
        for i in (0..net.widths.len()).rev() {
            let (at, width) = (net.offset(i), net.widths[i]);
            if i < net.last() {
                multiply_here(
                    net.block(&d, i + 1),
                    net.c(i + 1).as_is(),
                    &mut e[at..],
                    s,
                    Into::Overwrite,
                );
            }
            for ((d, e), h) in
                d.chunks_exact_mut(s).zip(e.chunks_exact(s)).zip(self.h.chunks_exact(s))
            {
                let block = at..at + width;
                if i == 0 {
                    d[block.clone()].copy_from_slice(&e[block]);
                } else {
                    times_slope::<E, A>(&mut d[block.clone()], &e[block.clone()], &h[block]);
                }
            }
        }
        let mut product = Scratch::new(rows * s);
        double_product::<E>(&mut product, &d, &self.u);
        for (out, x) in out.iter_mut().zip(x) {
            *out = net.beta * *x;
        }
        multiply(Matrix::new(&product, rows, s), net.factor.flipped(), out, Into::Add);
        multiply(Matrix::new(&d, rows, s), net.weight.as_is(), out, Into::Add);
        self.adjoint = Some(Adjoint { d, e, product });
    }
}

/// A product on this thread with a contiguous destination.
pub(super) fn multiply<E: Real>(a: Matrix<E>, b: Matrix<E>, c: &mut [E], into: Into) {
    multiply_here(a, b, c, b.cols(), into);
}

/// In double precision: the terms of a value cancel.
fn dot<E: Real>(a: &[E], b: &[E]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.double() * b.double()).sum()
}

vectorised! {
    fn add_square_and_bias<E: Real>(h: &mut [E], u: &[E], bias: &[E]) {
        for (h, u) in h.chunks_exact_mut(bias.len()).zip(u.chunks_exact(bias.len())) {
            for ((h, u), b) in h.iter_mut().zip(u).zip(bias) {
                *h += *u * *u + *b;
            }
        }
    }
}
vectorised! {
    fn activate<E: Real, A: Activation>(h: &mut [E]) {
        for h in h {
            *h = A::value(*h);
        }
    }
}
vectorised! {
    /// d = e ∘ σ'(h)
    fn times_slope<E: Real, A: Activation>(d: &mut [E], e: &[E], h: &[E]) {
        for ((d, e), h) in d.iter_mut().zip(e).zip(h) {
            *d = *e * A::slope(*h);
        }
    }
}
vectorised! {
    /// p = 2 a ∘ b
    pub(super) fn double_product<E: Real>(p: &mut [E], a: &[E], b: &[E]) {
        for ((p, a), b) in p.iter_mut().zip(a).zip(b) {
            *p = *a * *b + *a * *b;
        }
    }
}
