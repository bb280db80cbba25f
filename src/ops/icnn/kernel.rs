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
//! with all Aᵢ (and all Bᵢ) are one. `backward` is the reverse pass through both lines; σ' and σ''
//! are functions of h.

use super::super::dense::{add, sum_rows};
use super::super::gemm::{multiply_here, Into, Matrix};
use super::super::simd::vectorised;
use super::super::thin::transpose;
use super::super::{Activation, Identity, Real, Scratch};

/// The parameters of a DenseICNN; `A` is `[N, S]`, `B` is `[S, N]`, the Cᵢ are `[Hᵢ, Hᵢ₋₁]`.
pub(crate) struct Icnn<E: Real> {
    pub(crate) inputs: usize,
    widths: Vec<usize>,
    factor: Weight<E>,
    weight: Weight<E>,
    bias: Scratch<E>,
    convex: Vec<Weight<E>>,
    head: Scratch<E>,
    beta: E,
}

/// A matrix and its transpose, both row-major: products with packed columns are a tenth slower.
struct Weight<E: Real> {
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
    fn as_is(&self) -> Matrix<'_, E> {
        Matrix::new(&self.plain, self.rows, self.plain.len() / self.rows)
    }
    fn flipped(&self) -> Matrix<'_, E> {
        Matrix::new(&self.transposed, self.plain.len() / self.rows, self.rows)
    }
}

/// Gradients of the parameters, in the layout of [`Icnn`].
pub(crate) struct Slopes<E: Real> {
    factor: Scratch<E>,
    weight: Scratch<E>,
    bias: Scratch<E>,
    convex: Vec<Scratch<E>>,
    head: Scratch<E>,
}

/// What a forward pass leaves for the backward pass: u, h, and for the gradient d, e and 2 d ∘ u.
pub(crate) struct Pass<E: Real> {
    u: Scratch<E>,
    h: Scratch<E>,
    adjoint: Option<Adjoint<E>>,
}

struct Adjoint<E: Real> {
    d: Scratch<E>,
    e: Scratch<E>,
    product: Scratch<E>,
}

/// The gradient of the output: of the values `[rows]` or of the gradients `[rows, N]`.
#[derive(Clone, Copy)]
pub(crate) enum Seed<'a, E> {
    Value(&'a [E]),
    Gradient(&'a [E]),
}

/// A product on this thread with a contiguous destination.
fn multiply<E: Real>(a: Matrix<E>, b: Matrix<E>, c: &mut [E], into: Into) {
    multiply_here(a, b, c, b.cols(), into);
}

fn zeros<E: Real>(n: usize) -> Scratch<E> {
    let mut s = Scratch::new(n);
    s.fill(E::zero());
    s
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

    fn total(&self) -> usize {
        self.bias.len()
    }

    /// Cᵢ, for i ≥ 1.
    fn c(&self, i: usize) -> &Weight<E> {
        &self.convex[i - 1]
    }
    fn offset(&self, i: usize) -> usize {
        self.widths[..i].iter().sum()
    }
    fn last(&self) -> usize {
        self.widths.len() - 1
    }
    /// The block of layer `i` in a matrix `[rows, S]`.
    fn block<'a>(&self, m: &'a [E], i: usize) -> Matrix<'a, E> {
        let rows = m.len() / self.total();
        Matrix::new(m, rows, self.total()).some_columns(self.offset(i), self.widths[i])
    }
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

    /// Adds the gradients of the parameters and, in `dx`, of the points, given that of the output.
    pub(crate) fn backward<A: Activation>(
        &self,
        net: &Icnn<E>,
        x: &[E],
        seed: Seed<E>,
        slopes: &mut Slopes<E>,
        dx: Option<&mut [E]>,
    ) {
        let (s, rows) = (net.total(), x.len() / net.inputs);
        let points = Matrix::new(x, rows, net.inputs);
        // Gradients of u and of the pre-activations z, to which both lines of the formulas add.
        let (mut du, mut dz) = (Scratch::new(rows * s), zeros(rows * s));
        match (seed, &self.adjoint) {
            (Seed::Gradient(seed), Some(adjoint)) => {
                self.adjoint_backward::<A>(net, adjoint, seed, slopes, &mut du, &mut dz);
            }
            _ => du.fill(E::zero()),
        }

        // Through h, from the last layer to the first.
        let mut dh = Scratch::new(rows * s);
        if let Seed::Value(seed) = seed {
            let at = net.offset(net.last());
            for ((dh, h), seed) in dh.chunks_exact_mut(s).zip(self.h.chunks_exact(s)).zip(seed) {
                scale_and_sum(&mut dh[at..], &net.head, &mut slopes.head, &h[at..], *seed);
            }
        }
        for i in (0..net.widths.len()).rev() {
            let (at, width) = (net.offset(i), net.widths[i]);
            let block = at..at + width;
            let from_above = i < net.last() || matches!(seed, Seed::Value(_));
            if i < net.last() {
                multiply_here(
                    net.block(&dz, i + 1),
                    net.c(i + 1).as_is(),
                    &mut dh[at..],
                    s,
                    Into::Overwrite,
                );
            }
            if from_above {
                let above = dh.chunks_exact(s).zip(self.h.chunks_exact(s));
                for (dz, (dh, h)) in dz.chunks_exact_mut(s).zip(above) {
                    let (dh, h) = (&dh[block.clone()], &h[block.clone()]);
                    if i == 0 {
                        add_slope::<E, Identity>(&mut dz[block.clone()], dh, h);
                    } else {
                        add_slope::<E, A>(&mut dz[block.clone()], dh, h);
                    }
                }
            }
            if i > 0 {
                let (dz, h) = (net.block(&dz, i), net.block(&self.h, i - 1));
                multiply(dz.transposed(), h, &mut slopes.convex[i - 1], Into::Add);
            }
        }

        // Through q = u² + x Bᵀ + c.
        add_double_product::<E>(&mut du, &self.u, &dz);
        sum_rows::<E>(&dz, &mut slopes.bias);
        let (du, dz) = (Matrix::new(&du, rows, s), Matrix::new(&dz, rows, s));
        multiply(dz.transposed(), points, &mut slopes.weight, Into::Add);
        multiply(points.transposed(), du, &mut slopes.factor, Into::Add);
        if let Some(dx) = dx {
            multiply(du, net.factor.flipped(), dx, Into::Add);
            multiply(dz, net.weight.as_is(), dx, Into::Add);
            match seed {
                Seed::Gradient(seed) => {
                    dx.iter_mut().zip(seed).for_each(|(d, g)| *d += net.beta * *g);
                }
                Seed::Value(seed) => {
                    let rows = dx.chunks_exact_mut(net.inputs).zip(x.chunks_exact(net.inputs));
                    for ((dx, x), g) in rows.zip(seed) {
                        dx.iter_mut().zip(x).for_each(|(d, x)| *d += net.beta * *g * *x);
                    }
                }
            }
        }
    }

    /// The reverse of the line of ∇v: adds to the slopes and, through σ'', to `dz`; overwrites `du`.
    fn adjoint_backward<A: Activation>(
        &self,
        net: &Icnn<E>,
        adjoint: &Adjoint<E>,
        seed: &[E],
        slopes: &mut Slopes<E>,
        du: &mut [E],
        dz: &mut [E],
    ) {
        let (s, rows) = (net.total(), seed.len() / net.inputs);
        let seed = Matrix::new(seed, rows, net.inputs);
        let (d, product) =
            (Matrix::new(&adjoint.d, rows, s), Matrix::new(&adjoint.product, rows, s));
        multiply(seed.transposed(), product, &mut slopes.factor, Into::Add);
        multiply(d.transposed(), seed, &mut slopes.weight, Into::Add);
        let (mut dp, mut dd) = (Scratch::new(rows * s), Scratch::new(rows * s));
        multiply(seed, net.factor.as_is(), &mut dp, Into::Overwrite);
        multiply(seed, net.weight.flipped(), &mut dd, Into::Overwrite);
        double_product::<E>(du, &adjoint.d, &dp);
        add_double_product::<E>(&mut dd, &self.u, &dp);
        // `dd` holds the gradient of d and, once a block is done, that of e.
        for i in 1..net.widths.len() {
            let (at, width) = (net.offset(i), net.widths[i]);
            let below = copy_block(&dd, s, net.offset(i - 1), net.widths[i - 1]);
            let below = Matrix::new(&below, rows, net.widths[i - 1]);
            multiply_here(below, net.c(i).flipped(), &mut dd[at..], s, Into::Add);
            let d = net.block(&adjoint.d, i);
            multiply(d.transposed(), below, &mut slopes.convex[i - 1], Into::Add);
            let rows = dd.chunks_exact_mut(s).zip(dz.chunks_exact_mut(s));
            for ((dd, dz), (e, h)) in
                rows.zip(adjoint.e.chunks_exact(s).zip(self.h.chunks_exact(s)))
            {
                let block = at..at + width;
                bend::<E, A>(
                    &mut dd[block.clone()],
                    &mut dz[block.clone()],
                    &e[block.clone()],
                    &h[block],
                );
            }
        }
        let at = net.offset(net.last());
        for row in dd.chunks_exact(s) {
            add::<E>(&mut slopes.head, &row[at..]);
        }
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
fn copy_block<E: Real>(m: &[E], pitch: usize, at: usize, width: usize) -> Scratch<E> {
    let mut out = Scratch::new(m.len() / pitch * width);
    for (to, from) in out.chunks_exact_mut(width).zip(m.chunks_exact(pitch)) {
        to.copy_from_slice(&from[at..at + width]);
    }
    out
}

/// In double precision: the terms of a value cancel.
fn dot<E: Real>(a: &[E], b: &[E]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.double() * b.double()).sum()
}

/// out = seed · head, and slope += seed · h.
fn scale_and_sum<E: Real>(out: &mut [E], head: &[E], slope: &mut [E], h: &[E], seed: E) {
    for ((o, w), (s, h)) in out.iter_mut().zip(head).zip(slope.iter_mut().zip(h)) {
        *o = seed * *w;
        *s += seed * *h;
    }
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
    fn double_product<E: Real>(p: &mut [E], a: &[E], b: &[E]) {
        for ((p, a), b) in p.iter_mut().zip(a).zip(b) {
            *p = *a * *b + *a * *b;
        }
    }
}
vectorised! {
    /// p += 2 a ∘ b
    fn add_double_product<E: Real>(p: &mut [E], a: &[E], b: &[E]) {
        for ((p, a), b) in p.iter_mut().zip(a).zip(b) {
            *p += *a * *b + *a * *b;
        }
    }
}
vectorised! {
    /// dz += dh ∘ σ'(h)
    fn add_slope<E: Real, A: Activation>(dz: &mut [E], dh: &[E], h: &[E]) {
        for ((dz, dh), h) in dz.iter_mut().zip(dh).zip(h) {
            *dz += *dh * A::slope(*h);
        }
    }
}
vectorised! {
    /// dz += dd ∘ e ∘ σ''(h), then dd ∘= σ'(h)
    fn bend<E: Real, A: Activation>(dd: &mut [E], dz: &mut [E], e: &[E], h: &[E]) {
        for ((dd, dz), (e, h)) in dd.iter_mut().zip(dz).zip(e.iter().zip(h)) {
            *dz += *dd * *e * A::curvature(*h);
            *dd *= A::slope(*h);
        }
    }
}
