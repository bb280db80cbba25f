//! The reverse pass of a DenseICNN, through its value and through its input gradient.

use super::super::dense::{add, sum_rows};
use super::super::gemm::{multiply_here, Into, Matrix};
use super::super::simd::vectorised;
use super::super::{Activation, Identity, Real, Scratch};
use super::forward::{double_product, multiply, Adjoint, Pass};
use super::net::{copy_block, zeros, Icnn, Slopes};

/// The gradient of the output: of the values `[rows]` or of the gradients `[rows, N]`.
#[derive(Clone, Copy)]
pub(crate) enum Seed<'a, E> {
    Value(&'a [E]),
    Gradient(&'a [E]),
}

impl<E: Real> Pass<E> {
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

/// out = seed · head, and slope += seed · h.
fn scale_and_sum<E: Real>(out: &mut [E], head: &[E], slope: &mut [E], h: &[E], seed: E) {
    for ((o, w), (s, h)) in out.iter_mut().zip(head).zip(slope.iter_mut().zip(h)) {
        *o = seed * *w;
        *s += seed * *h;
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
