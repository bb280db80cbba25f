//! Gradients in the points of a cost that a plan, or a matrix made of it, weighs.
//!
//! For M of the shape of the plan, Σⱼ Mᵢⱼ ∂₁c(xᵢ, yⱼ) and Σᵢ Mᵢⱼ ∂₂c(xᵢ, yⱼ). M is made row block by row block
//! from the plan and never stored. For |x − y|² in more than a few dimensions and for products of points
//! the sums are M Y and Mᵀ X; otherwise they are taken over the differences, which cancel nothing.

use super::engine::Engine;
use super::kernels;
use super::plan::Plan;
use super::products;
use super::pull_loops::{fuse, scale};
use super::tile::{mean, scaled, FEW};
use crate::error::{Error, Result};
use crate::ops::gemm::{multiply_here, Into, Matrix};
use crate::ops::parallel::{map_each, on_pool};
use crate::ops::{CostForm, Real, Scratch};
use crate::problem::{Discrete, End, Ground, SlopeFn};

/// Turns rows of the plan, the first of which is given by its number, into rows of M.
pub(crate) type Reweigh<'r, E> = &'r (dyn Fn(usize, &mut [E]) + Sync);

/// Pairs of a chunk of rows, and the most chunks: each has sums of its own over the targets.
const CHUNK: usize = 1 << 16;
const CHUNKS: usize = 8;

/// What is summed, and for which points.
pub(super) struct Pull<'p, 'r, E: Real> {
    pub(super) problem: &'p Discrete<'p, E>,
    pub(super) engine: &'p Engine<'p, E>,
    /// Total mass of a ⊗ b.
    pub(super) mass: f64,
    pub(super) reweigh: Option<Reweigh<'r, E>>,
    /// Gradients in the sources, in the targets.
    pub(super) wanted: [bool; 2],
}

impl<E: Real> Plan<'_, E> {
    /// Σⱼ Mᵢⱼ ∂₁c(xᵢ, yⱼ), shape `[n, d]`, and Σᵢ Mᵢⱼ ∂₂c(xᵢ, yⱼ), shape `[m, d]`, each empty unless wanted.
    /// M is the plan, or what `reweigh` makes of it.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the problem is a cost matrix, or if the gradient in the sources of a
    /// cost that is not symmetric is wanted and not defined.
    pub(crate) fn pull(
        &self,
        reweigh: Option<Reweigh<'_, E>>,
        wanted: [bool; 2],
    ) -> Result<[Vec<E>; 2]> {
        on_pool(|| self.with(reweigh, wanted).points())
    }

    pub(super) fn with<'r>(
        &self,
        reweigh: Option<Reweigh<'r, E>>,
        wanted: [bool; 2],
    ) -> Pull<'_, 'r, E> {
        let Self { problem, engine, mass, .. } = self;
        Pull { problem, engine, mass: *mass, reweigh, wanted }
    }
}

impl<E: Real> Pull<'_, '_, E> {
    /// The gradients of [`Plan::pull`].
    pub(super) fn points(&self) -> Result<[Vec<E>; 2]> {
        let Ground::Clouds { x, y, d, form, slope, .. } = &self.problem.ground else {
            let rule = "has no points to differentiate in: give point clouds";
            return Err(Error::config("ground", "a cost matrix", rule));
        };
        self.by_form(x, y, *d, *form, slope)
    }

    fn by_form(
        &self,
        x: &[E],
        y: &[E],
        d: usize,
        form: CostForm,
        slope: &SlopeFn<'_, E>,
    ) -> Result<[Vec<E>; 2]> {
        Ok(match form {
            CostForm::SquaredDistance { scale } if d <= FEW => {
                let mut both = self.differences(x, y, d, false);
                let twice = E::of(2.0 * scale);
                both.iter_mut().flatten().for_each(|v| *v *= twice);
                both
            }
            CostForm::Distance => self.differences(x, y, d, true),
            CostForm::SquaredDistance { scale } => self.squares(x, y, d, 2.0 * scale),
            CostForm::NegativeProduct => {
                let mut both = self.products(x, y, d, false);
                both.iter_mut().flatten().for_each(|v| *v = -*v);
                both
            }
            CostForm::Cosine => self.cosines(x, y, d),
            CostForm::PowerSum { .. } | CostForm::Other => self.calls(x, y, d, slope)?,
        })
    }

    /// Sums over rows `[n, width]` and columns `[m, width]` that `each(first row, rows of M, sums of the
    /// rows, sums of the columns)` adds to.
    pub(super) fn sums(
        &self,
        width: usize,
        each: impl Fn(usize, &mut [E], &mut [E], &mut [E]) + Sync + Send,
    ) -> [Vec<E>; 2] {
        let (n, m) = self.problem.sizes();
        let engine = self.engine;
        let [a, b] = &engine.sides;
        let mass = E::of(self.mass);
        let chunks = (n.saturating_mul(m) / CHUNK).clamp(1, CHUNKS);
        let rows = n.div_ceil(chunks);
        let parts = map_each(n.div_ceil(rows), |c| {
            let (from, to) = (c * rows, (c * rows + rows).min(n));
            let mut of_rows = vec![E::zero(); if self.wanted[0] { (to - from) * width } else { 0 }];
            let mut of_columns = vec![E::zero(); if self.wanted[1] { m * width } else { 0 }];
            let mut weights = Scratch::new(engine.block * m);
            engine.blocks(from, to, |start, kernel| {
                let here = kernel.len() / m;
                let weights = &mut weights[..kernel.len()];
                let rows = weights.chunks_exact_mut(m).zip(kernel.chunks_exact(m));
                for ((out, k), z) in rows.zip(&a.product[start..]) {
                    scale::<E>(k, &b.product, *z * mass, out);
                }
                if let Some(reweigh) = self.reweigh {
                    reweigh(start, weights);
                }
                let of_rows = if self.wanted[0] {
                    &mut of_rows[(start - from) * width..][..here * width]
                } else {
                    &mut []
                };
                each(start, weights, of_rows, &mut of_columns);
            });
            (of_rows, of_columns)
        });
        let mut of_columns = vec![E::zero(); if self.wanted[1] { m * width } else { 0 }];
        let mut of_rows = Vec::with_capacity(n * width);
        for (rows, columns) in parts {
            of_rows.extend_from_slice(&rows);
            kernels::add(&columns, &mut of_columns);
        }
        [of_rows, of_columns]
    }

    /// Σ Mᵢⱼ (xᵢ − yⱼ) over j, and its negative over i; divided by |xᵢ − yⱼ| if `distance`.
    fn differences(&self, x: &[E], y: &[E], d: usize, distance: bool) -> [Vec<E>; 2] {
        let m = y.len() / d;
        let by_coordinate: Vec<E> = (0..d * m).map(|k| y[k % m * d + k / m]).collect();
        let [of_rows, of_columns] = self.sums(d, |start, weights, of_rows, of_columns| {
            let mut squares = Scratch::new(if distance { m } else { 0 });
            for (i, weights) in weights.chunks_exact_mut(m).enumerate() {
                let x = &x[(start + i) * d..][..d];
                if distance {
                    fuse!(per_distance(x, &by_coordinate, &mut squares, weights));
                }
                let out: &mut [E] =
                    if of_rows.is_empty() { &mut [] } else { &mut of_rows[i * d..][..d] };
                fuse!(pull_row(x, &by_coordinate, weights, out, of_columns));
            }
        });
        // The sums of the columns are by coordinate.
        let of_columns = (0..of_columns.len()).map(|k| of_columns[k % d * m + k / d]).collect();
        [of_rows, of_columns]
    }

    /// M Y and Mᵀ X; if `sums`, with the sums of M as another column.
    fn products(&self, x: &[E], y: &[E], d: usize, sums: bool) -> [Vec<E>; 2] {
        let m = y.len() / d;
        let y = Matrix::new(y, m, d);
        let ones = vec![E::one(); if sums { m } else { 0 }];
        let pitch = if sums { d + 1 } else { d };
        self.sums(pitch, |start, weights, of_rows, of_columns| {
            let here = weights.len() / m;
            let matrix = Matrix::new(weights, here, m);
            if !of_rows.is_empty() {
                multiply_here(matrix, y, of_rows, pitch, Into::Overwrite);
                if sums {
                    let mut totals = vec![E::zero(); here];
                    products::dots(weights, &ones, &mut totals);
                    let last = of_rows.iter_mut().skip(d).step_by(pitch);
                    last.zip(totals).for_each(|(last, total)| *last = total);
                }
            }
            if !of_columns.is_empty() {
                let x = Matrix::new(&x[start * d..][..here * d], here, d);
                multiply_here(matrix.transposed(), x, of_columns, pitch, Into::Add);
                if sums {
                    let mut totals = vec![E::zero(); m];
                    weights.chunks_exact(m).for_each(|row| kernels::add(row, &mut totals));
                    let last = of_columns.iter_mut().skip(d).step_by(pitch);
                    last.zip(totals).for_each(|(last, total)| *last += total);
                }
            }
        })
    }

    /// `factor` Σ Mᵢⱼ (xᵢ − yⱼ) and its negative, from products with the clouds, centred, and the sums of M.
    fn squares(&self, x: &[E], y: &[E], d: usize, factor: f64) -> [Vec<E>; 2] {
        let centre = mean(x, d);
        let centred = |cloud: &[E]| scaled(cloud, &centre, 1.0, false, false);
        let (x, y) = (centred(x), centred(y));
        let factor = E::of(factor);
        let finish = |cloud: &[E], products: Vec<E>| {
            let mut out = Vec::with_capacity(products.len());
            for (p, x) in products.chunks_exact(d + 1).zip(cloud.chunks_exact(d)) {
                let sum = p[d];
                out.extend(x.iter().zip(p).map(|(x, p)| factor * (sum * *x - *p)));
            }
            out
        };
        let [of_rows, of_columns] = self.products(&x, &y, d, true);
        [finish(&x, of_rows), finish(&y, of_columns)]
    }

    /// With u = x / |x| and q = Σⱼ Mᵢⱼ yⱼ / |yⱼ|: −(q − u ⟨u, q⟩) / |x|, and the same for the targets.
    fn cosines(&self, x: &[E], y: &[E], d: usize) -> [Vec<E>; 2] {
        let unit = |cloud: &[E]| scaled(cloud, &vec![0.0; d], 1.0, true, false);
        let finish = |cloud: &[E], unit: &[E], mut products: Vec<E>| {
            let rows = products.chunks_exact_mut(d).zip(cloud.chunks_exact(d));
            for ((q, x), u) in rows.zip(unit.chunks_exact(d)) {
                let dot = |a: &[E], b: &[E]| {
                    a.iter().zip(b).map(|(a, b)| a.double() * b.double()).sum::<f64>()
                };
                let (norm, along) = (dot(x, x).sqrt(), E::of(dot(u, q)));
                let scale = if norm > 0.0 { E::of(-1.0 / norm) } else { E::zero() };
                q.iter_mut().zip(u).for_each(|(q, u)| *q = scale * (*q - *u * along));
            }
            products
        };
        let (u, v) = (unit(x), unit(y));
        let [of_rows, of_columns] = self.products(&u, &v, d, false);
        [finish(x, &u, of_rows), finish(y, &v, of_columns)]
    }

    /// One call per pair and side.
    fn calls(&self, x: &[E], y: &[E], d: usize, slope: &SlopeFn<'_, E>) -> Result<[Vec<E>; 2]> {
        let m = y.len() / d;
        if self.wanted[0] {
            check_source_gradient(x, y, d, &self.problem.ground)?;
        }
        Ok(self.sums(d, |start, weights, of_rows, of_columns| {
            let mut out = vec![E::zero(); d];
            for (i, weights) in weights.chunks_exact(m).enumerate() {
                let x = &x[(start + i) * d..][..d];
                for (j, (w, y)) in weights.iter().zip(y.chunks_exact(d)).enumerate() {
                    let sides = [(End::Source, i, &mut *of_rows), (End::Target, j, of_columns)];
                    for (end, at, sums) in sides {
                        if !sums.is_empty() {
                            slope(end, x, y, &mut out);
                            let sums = sums[at * d..][..d].iter_mut();
                            sums.zip(&out).for_each(|(s, o)| *s += *w * *o);
                        }
                    }
                }
            }
        }))
    }
}

/// Refuses a cost that is not symmetric and has no gradient in its first argument, as seen at a few
/// pairs.
fn check_source_gradient<E: Real>(
    x: &[E],
    y: &[E],
    d: usize,
    ground: &Ground<'_, E>,
) -> Result<()> {
    let Ground::Clouds { value, slope, .. } = ground else { return Ok(()) };
    let mut out = vec![E::zero(); d];
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact(d)).take(16) {
        let (c, seen) = (value(x, y).double(), slope(End::Source, x, y, &mut out).double());
        if (c - seen).abs() > 1e-3 * c.abs().max(seen.abs()) {
            let rule = "differ: a cost that is not symmetric needs value_and_source_gradient";
            return Err(Error::config("c(x, y) and c(y, x)", format_args!("{c} and {seen}"), rule));
        }
    }
    Ok(())
}
