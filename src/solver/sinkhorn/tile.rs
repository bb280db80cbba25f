//! Blocks of rows of the kernel, computed from the problem.
//!
//! In units of ε ln 2, a cost is c̃ᵢⱼ = ρᵢ + σⱼ − κᵢⱼ with offsets ρ, σ in double precision. A tile holds
//! pᵢ + qⱼ + κᵢⱼ, or 2 to that power; potentials p and q are relative to the offsets.

use super::kernels::contracted;
use super::shape::{Contract, Finish, Power, Product, Root, Shape, Square};
use crate::ops::gemm::{multiply_here, Into, Matrix};
use crate::ops::{CostForm, Real};
use crate::problem::{Discrete, Ground};

/// Largest dimension whose products are summed here rather than by a matrix product.
const FEW: usize = 8;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Sums over coordinates.
    Square,
    Root,
    Product,
    /// ⟨x, y⟩ by a matrix product.
    MatrixProduct,
    /// One call or look-up per pair.
    Values,
}

/// The costs of a problem at one ε.
pub(super) struct Tiles<'a, E: Real> {
    problem: &'a Discrete<'a, E>,
    kind: Kind,
    d: usize,
    /// 1 / (ε ln 2).
    scale: E,
    /// Scaled sources `[n, d]`.
    x: Vec<E>,
    /// Scaled targets, `[m, d]` for matrix products and `[d, m]` otherwise.
    y: Vec<E>,
    /// ρ and σ.
    pub(super) offsets: [Vec<f64>; 2],
}

impl<'a, E: Real> Tiles<'a, E> {
    pub(super) fn new(problem: &'a Discrete<'a, E>, epsilon: f64) -> Self {
        let (n, m) = problem.sizes();
        let scale = 1.0 / (epsilon * std::f64::consts::LN_2);
        let mut tiles = Self {
            problem,
            kind: Kind::Values,
            d: 0,
            scale: E::of(scale),
            x: Vec::new(),
            y: Vec::new(),
            offsets: [vec![0.0; n], vec![0.0; m]],
        };
        let Ground::Clouds { x, y, d, form, .. } = &problem.ground else { return tiles };
        tiles.d = *d;
        let few = *d <= FEW;
        let factor = match form {
            CostForm::SquaredDistance { scale: times } => {
                tiles.kind = if few { Kind::Square } else { Kind::MatrixProduct };
                (scale * times).sqrt()
            }
            CostForm::Distance => {
                tiles.kind = Kind::Root;
                scale
            }
            CostForm::NegativeProduct | CostForm::Cosine => {
                tiles.kind = if few { Kind::Product } else { Kind::MatrixProduct };
                scale.sqrt()
            }
            CostForm::PowerSum { .. } | CostForm::Other => return tiles,
        };
        let wide = |cloud: &[E]| cloud.iter().map(|v| v.double()).collect::<Vec<f64>>();
        let (mut x, mut y) = (wide(x), wide(y));
        match form {
            CostForm::SquaredDistance { .. } if tiles.kind == Kind::MatrixProduct => {
                tiles.centre(&mut x, &mut y, factor);
            }
            CostForm::SquaredDistance { .. } | CostForm::Distance => {
                let centre = mean(&x, *d);
                subtract(&mut x, &centre);
                subtract(&mut y, &centre);
            }
            CostForm::Cosine => {
                [&mut x, &mut y].into_iter().for_each(|cloud| normalise(cloud, *d));
                tiles.offsets[0].fill(scale);
            }
            _ => {}
        }
        // |x − y|² contains the product twice.
        let twice =
            tiles.kind == Kind::MatrixProduct && matches!(form, CostForm::SquaredDistance { .. });
        let factor = if twice { factor * std::f64::consts::SQRT_2 } else { factor };
        tiles.x = x.iter().map(|v| E::of(v * factor)).collect();
        tiles.y = match tiles.kind {
            Kind::MatrixProduct => y.iter().map(|v| E::of(v * factor)).collect(),
            _ => (0..d * m).map(|k| E::of(y[k % m * d + k / m] * factor)).collect(),
        };
        tiles
    }

    /// Centres each cloud at its mean, so that products cancel little, and puts the rest of |x − y|²
    /// into the offsets: with δ = x̄ − ȳ, |x' − y' + δ|² = (|x'|² + 2⟨δ, x'⟩ + |δ|²) + (|y'|² − 2⟨δ, y'⟩)
    /// − 2⟨x', y'⟩.
    fn centre(&mut self, x: &mut [f64], y: &mut [f64], factor: f64) {
        let d = self.d;
        let (of_x, of_y) = (mean(x, d), mean(y, d));
        subtract(x, &of_x);
        subtract(y, &of_y);
        let delta: Vec<f64> = of_x.iter().zip(&of_y).map(|(a, b)| a - b).collect();
        let square = factor * factor;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let norm = dot(&delta, &delta);
        let [rho, sigma] = &mut self.offsets;
        for (rho, x) in rho.iter_mut().zip(x.chunks_exact(d)) {
            *rho = square * (dot(x, x) + 2.0 * dot(&delta, x) + norm);
        }
        for (sigma, y) in sigma.iter_mut().zip(y.chunks_exact(d)) {
            *sigma = square * (dot(y, y) - 2.0 * dot(&delta, y));
        }
    }

    /// Rows of a block: enough to be worth a matrix product, few enough to stay in cache.
    pub(super) fn block(&self) -> usize {
        let (_, m) = self.problem.sizes();
        match self.kind {
            Kind::MatrixProduct => ((1 << 20) / (m * size_of::<E>())).clamp(16, 64) / 4 * 4,
            _ => ((16 << 10) / (m * size_of::<E>())).clamp(4, 32) / 4 * 4,
        }
    }

    /// Nanoseconds per pair of an online iteration, roughly, on one thread.
    pub(super) fn pair_cost(&self) -> f64 {
        let wide = if size_of::<E>() == 4 { 1.0 } else { 4.0 };
        match self.kind {
            Kind::Values => 2.0 + self.d as f64,
            Kind::MatrixProduct => wide * (0.2 + 0.02 * self.d as f64),
            _ => wide * (0.15 + 0.04 * self.d as f64),
        }
    }

    /// Writes rows `from..` of the tile, as many as `p` has numbers: exponents or their powers.
    pub(super) fn fill<M: Finish>(&self, from: usize, p: &[E], q: &[E], out: &mut [E]) {
        let (d, m) = (self.d, q.len());
        match self.kind {
            Kind::Square => self.sums::<Square, M>(from, p, q, out),
            Kind::Root => self.sums::<Root, M>(from, p, q, out),
            Kind::Product => self.sums::<Product, M>(from, p, q, out),
            Kind::MatrixProduct => {
                let x = Matrix::new(&self.x[from * d..(from + p.len()) * d], p.len(), d);
                let y = Matrix::new(&self.y, m, d).transposed();
                multiply_here(x, y, out, m, Into::Overwrite);
                for (p, out) in p.iter().zip(out.chunks_exact_mut(m)) {
                    contracted!(finish::<E, Product, M>(*p, q, out));
                }
            }
            Kind::Values => {
                for (i, (p, out)) in p.iter().zip(out.chunks_exact_mut(m)).enumerate() {
                    self.values(from + i, out);
                    contracted!(finish::<E, Minus, M>(*p, q, out));
                }
            }
        }
    }

    fn sums<S: Shape, M: Finish>(&self, from: usize, p: &[E], q: &[E], out: &mut [E]) {
        let (d, m) = (self.d, q.len());
        let rows = self.x[from * d..].chunks_exact(d).zip(p).zip(out.chunks_exact_mut(m));
        let power = std::any::TypeId::of::<M>() == std::any::TypeId::of::<Power>();
        for ((x, p), out) in rows {
            match d {
                2 if power => contracted!(row_of_2::<E, S>(x, &self.y, *p, q, out)),
                3 if power => contracted!(row_of_3::<E, S>(x, &self.y, *p, q, out)),
                _ => {
                    out.fill(E::zero());
                    let few = d - d % 4;
                    for k in (0..few).step_by(4) {
                        contracted!(add_4::<E, S>(&x[k..], &self.y[k * m..], out));
                    }
                    for (k, x) in x.iter().enumerate().skip(few) {
                        contracted!(add_1::<E, S>(*x, &self.y[k * m..(k + 1) * m], out));
                    }
                    contracted!(finish::<E, S, M>(*p, q, out));
                }
            }
        }
    }

    /// Scaled costs of row `i`.
    fn values(&self, i: usize, out: &mut [E]) {
        match &self.problem.ground {
            Ground::Clouds { x, y, d, value, .. } => {
                let x = &x[i * d..(i + 1) * d];
                for (out, y) in out.iter_mut().zip(y.chunks_exact(*d)) {
                    *out = value(x, y) * self.scale;
                }
            }
            Ground::Matrix(costs) => {
                let row = &costs[i * out.len()..(i + 1) * out.len()];
                for (out, c) in out.iter_mut().zip(row) {
                    *out = *c * self.scale;
                }
            }
        }
    }
}

/// Minus a cost.
struct Minus;

impl Shape for Minus {
    #[inline(always)]
    fn add<E: Real, T: Contract>(_: E, y: E, sum: E) -> E {
        sum + y
    }
    #[inline(always)]
    fn exponent<E: Real>(base: E, sum: E) -> E {
        base - sum
    }
}

fn mean(rows: &[f64], d: usize) -> Vec<f64> {
    let mut mean = vec![0.0; d];
    let n = (rows.len() / d) as f64;
    for row in rows.chunks_exact(d) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n);
    }
    mean
}

fn subtract(rows: &mut [f64], centre: &[f64]) {
    for row in rows.chunks_exact_mut(centre.len()) {
        row.iter_mut().zip(centre).for_each(|(v, c)| *v -= c);
    }
}

/// Divides rows by their norms; zero stays zero.
fn normalise(rows: &mut [f64], d: usize) {
    for row in rows.chunks_exact_mut(d) {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.iter_mut().for_each(|v| *v /= norm);
        }
    }
}
