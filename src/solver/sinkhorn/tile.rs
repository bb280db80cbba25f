//! Blocks of rows of the kernel, computed from the problem.
//!
//! In units of ε ln 2, a cost is c̃ᵢⱼ = ρᵢ + σⱼ − κᵢⱼ with offsets ρ, σ in double precision. A tile holds
//! pᵢ + qⱼ + κᵢⱼ, or 2 to that power; potentials p and q are relative to the offsets.

use std::ops::Range;

use super::kernels::contracted;
use super::rows::{Dots, Origin, MOST};
use super::shape::{Product, Root, Shape, Square};
use crate::ops::gemm::{multiply_here, Into, Matrix};
use crate::ops::parallel::for_each_chunk;
use crate::ops::{CostForm, Real};
use crate::problem::{Discrete, Ground};

/// Largest dimension whose products are summed here rather than by a matrix product.
pub(super) const FEW: usize = 8;
/// Coordinates that a thread scales at a time, about.
const PART: usize = 1 << 14;

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
        let products = tiles.kind == Kind::MatrixProduct;
        let unit = *form == CostForm::Cosine;
        if unit {
            tiles.offsets[0].fill(scale);
        }
        let mut centres = [vec![0.0; *d], vec![0.0; *d]];
        let mut times = factor;
        match form {
            CostForm::SquaredDistance { .. } if products => {
                centres = [mean(x, *d), mean(y, *d)];
                tiles.split_squares([x, y], &centres, factor);
                // |x − y|² contains the product twice.
                times *= std::f64::consts::SQRT_2;
            }
            CostForm::SquaredDistance { .. } | CostForm::Distance => {
                let centre = mean(x, *d);
                centres = [centre.clone(), centre];
            }
            _ => {}
        }
        tiles.x = scaled(x, &centres[0], times, unit, false);
        tiles.y = scaled(y, &centres[1], times, unit, !products);
        tiles
    }

    /// Puts into the offsets what |x − y|² is beside the product of the clouds, each centred at its mean
    /// so that products cancel little: with δ = x̄ − ȳ, |x' − y' + δ|² = (|x'|² + 2⟨δ, x'⟩ + |δ|²) +
    /// (|y'|² − 2⟨δ, y'⟩) − 2⟨x', y'⟩.
    fn split_squares(&mut self, clouds: [&[E]; 2], centres: &[Vec<f64>; 2], factor: f64) {
        let square = factor * factor;
        let delta: Vec<f64> = centres[0].iter().zip(&centres[1]).map(|(a, b)| a - b).collect();
        let norm: f64 = delta.iter().map(|v| v * v).sum();
        for (k, offsets) in self.offsets.iter_mut().enumerate() {
            let (sign, constant) = if k == 0 { (2.0, norm) } else { (-2.0, 0.0) };
            for (offset, row) in offsets.iter_mut().zip(clouds[k].chunks_exact(self.d)) {
                let mut sum = 0.0;
                for ((v, c), delta) in row.iter().zip(&centres[k]).zip(&delta) {
                    let v = v.double() - c;
                    sum += v * (v + sign * delta);
                }
                *offset = square * (sum + constant);
            }
        }
    }

    /// Rows of a block: enough to be worth a matrix product or to share the targets, few enough that
    /// whole rows of them stay in the second-level cache.
    pub(super) fn block(&self) -> usize {
        let (_, m) = self.problem.sizes();
        match self.kind {
            Kind::MatrixProduct => ((1 << 20) / (m * size_of::<E>())).clamp(16, 64) / 4 * 4,
            _ => ((256 << 10) / (m * size_of::<E>())).clamp(8, 32) / 8 * 8,
        }
    }

    /// Columns of a part of a block that stays in the first-level cache.
    pub(super) fn width(&self) -> usize {
        match self.kind {
            Kind::MatrixProduct => 512,
            _ => (2 << 10) / size_of::<E>(),
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

    /// A bound of the products that an exponent is the sum of, which may cancel; 0 for costs whose terms
    /// have one sign.
    pub(super) fn largest_product(&self) -> f64 {
        let longest = |rows: &[E], d: usize| {
            let squares =
                rows.chunks_exact(d).map(|row| row.iter().map(|v| v.double().powi(2)).sum());
            squares.fold(0.0, f64::max).sqrt()
        };
        match self.kind {
            Kind::MatrixProduct => longest(&self.x, self.d) * longest(&self.y, self.d),
            // The targets are by coordinate.
            Kind::Product => {
                longest(&self.x, self.d) * longest(&self.y, 1) * (self.d as f64).sqrt()
            }
            Kind::Square | Kind::Root | Kind::Values => 0.0,
        }
    }

    /// Writes exponents of the rows from `from` on, as many as `p` has numbers.
    pub(super) fn exponents(&self, from: usize, p: &[E], q: &[E], out: &mut [E]) {
        self.sums(from, p.len(), 0..q.len(), out);
        for (p, out) in p.iter().zip(out.chunks_exact_mut(q.len())) {
            match self.kind {
                Kind::Square | Kind::Values => contracted!(finish::<E, Square>(*p, q, out)),
                Kind::Root => contracted!(finish::<E, Root>(*p, q, out)),
                Kind::Product | Kind::MatrixProduct => {
                    contracted!(finish::<E, Product>(*p, q, out));
                }
            }
        }
    }

    /// Writes 2 to the power of them, for those `columns` that `q` is given for: `out` holds only these,
    /// row by row. Writes the products of the rows, too.
    pub(super) fn powers(
        &self,
        from: usize,
        columns: Range<usize>,
        [p, q]: [&[E]; 2],
        dots: Dots<'_, E>,
        out: &mut [E],
    ) {
        let sums = matches!(self.kind, Kind::Values | Kind::MatrixProduct) || self.d > MOST;
        if sums {
            self.sums(from, p.len(), columns.clone(), out);
        }
        let d = if sums { 0 } else { self.d };
        let origin = Origin { d, x: &self.x[from * d..], p, y: &self.y, start: columns.start, q };
        match self.kind {
            Kind::Square | Kind::Values => origin.write::<Square>(dots, out),
            Kind::Root => origin.write::<Root>(dots, out),
            Kind::Product | Kind::MatrixProduct => origin.write::<Product>(dots, out),
        }
    }

    /// Sums over coordinates, or costs.
    fn sums(&self, from: usize, rows: usize, columns: Range<usize>, out: &mut [E]) {
        let d = self.d;
        match self.kind {
            Kind::Square | Kind::Root => self.add_up::<Square>(from, rows, columns, out),
            Kind::Product => self.add_up::<Product>(from, rows, columns, out),
            Kind::MatrixProduct => {
                let x = Matrix::new(&self.x[from * d..(from + rows) * d], rows, d);
                let y = &self.y[columns.start * d..columns.end * d];
                let y = Matrix::new(y, columns.len(), d).transposed();
                multiply_here(x, y, out, columns.len(), Into::Overwrite);
            }
            Kind::Values => {
                for (i, out) in out.chunks_exact_mut(columns.len()).enumerate() {
                    self.values(from + i, columns.clone(), out);
                }
            }
        }
    }

    fn add_up<S: Shape>(&self, from: usize, rows: usize, columns: Range<usize>, out: &mut [E]) {
        let (d, m) = (self.d, self.offsets[1].len());
        let x = &self.x[from * d..(from + rows) * d];
        // Coordinate k of the targets.
        let y = |k: usize| &self.y[k * m + columns.start..k * m + columns.end];
        for (x, out) in x.chunks_exact(d).zip(out.chunks_exact_mut(columns.len())) {
            out.fill(E::zero());
            let few = d - d % 4;
            for k in (0..few).step_by(4) {
                let y = [y(k), y(k + 1), y(k + 2), y(k + 3)];
                contracted!(add_4::<E, S>(&x[k..], y, out));
            }
            for (k, x) in x.iter().enumerate().skip(few) {
                contracted!(add_1::<E, S>(*x, y(k), out));
            }
        }
    }

    /// Scaled costs of row `i`.
    fn values(&self, i: usize, columns: Range<usize>, out: &mut [E]) {
        match &self.problem.ground {
            Ground::Clouds { x, y, d, value, .. } => {
                let x = &x[i * d..(i + 1) * d];
                let y = y[columns.start * d..columns.end * d].chunks_exact(*d);
                for (out, y) in out.iter_mut().zip(y) {
                    *out = value(x, y) * self.scale;
                }
            }
            Ground::Matrix(costs) => {
                let row = &costs[i * self.offsets[1].len()..][columns];
                for (out, c) in out.iter_mut().zip(row) {
                    *out = *c * self.scale;
                }
            }
        }
    }
}

pub(super) fn mean<E: Real>(cloud: &[E], d: usize) -> Vec<f64> {
    let mut sums = vec![0.0; d];
    for row in cloud.chunks_exact(d) {
        sums.iter_mut().zip(row).for_each(|(m, v)| *m += v.double());
    }
    let n = (cloud.len() / d) as f64;
    sums.iter().map(|sum| sum / n).collect()
}

/// (v − centre) · factor for every row v, divided by its norm (zero stays zero) if `unit`: `[n, d]`, or
/// `[d, n]` if `transposed`.
pub(super) fn scaled<E: Real>(
    cloud: &[E],
    centre: &[f64],
    factor: f64,
    unit: bool,
    transposed: bool,
) -> Vec<E> {
    let d = centre.len();
    let n = cloud.len() / d;
    let mut out = vec![E::zero(); cloud.len()];
    let of_row = |row: &[E]| {
        let norm =
            if unit { row.iter().map(|v| v.double().powi(2)).sum::<f64>().sqrt() } else { 1.0 };
        factor / if norm > 0.0 { norm } else { 1.0 }
    };
    if transposed {
        for (i, row) in cloud.chunks_exact(d).enumerate() {
            let times = of_row(row);
            for (k, (v, c)) in row.iter().zip(centre).enumerate() {
                out[k * n + i] = E::of((v.double() - c) * times);
            }
        }
    } else {
        let size = (PART / d + 1) * d;
        for_each_chunk(&mut out, size, |part, out| {
            let rows = cloud[part * size..].chunks_exact(d);
            for (row, out) in rows.zip(out.chunks_exact_mut(d)) {
                let times = of_row(row);
                for ((out, v), c) in out.iter_mut().zip(row).zip(centre) {
                    *out = E::of((v.double() - c) * times);
                }
            }
        });
    }
    out
}
