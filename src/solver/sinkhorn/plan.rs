//! The plan of given potentials, row block by row block.

use super::engine::Engine;
use super::kernels;
use super::products;
use super::solution::Potentials;
use super::tile::Tiles;
use crate::error::{Error, Result};
use crate::ops::parallel::map_each;
use crate::ops::Real;
use crate::problem::{Discrete, Ground};

/// A transport plan Pᵢⱼ = aᵢ bⱼ exp((fᵢ + gⱼ − Cᵢⱼ) / ε) that is never stored: each question computes it
/// anew, in O(n·m·d) time and O(n + m) memory.
pub struct Plan<'a, E: Real> {
    pub(super) problem: &'a Discrete<'a, E>,
    pub(super) potentials: Potentials,
    pub(super) epsilon: f64,
    pub(super) engine: Engine<'a, E>,
    /// Total mass of a ⊗ b.
    pub(super) mass: f64,
}

impl<'a, E: Real> Plan<'a, E> {
    pub(crate) fn new(
        problem: &'a Discrete<'a, E>,
        potentials: &Potentials,
        epsilon: f64,
    ) -> Result<Self> {
        potentials.check(problem)?;
        let tiles = Tiles::new(problem, epsilon);
        let mut engine = Engine::new(problem, tiles, false, [0.0; 2]);
        let scale = 1.0 / (epsilon * std::f64::consts::LN_2);
        let scaled = |v: &[f64]| v.iter().map(|v| v * scale).collect::<Vec<f64>>();
        engine.set_potentials(&[scaled(&potentials.f), scaled(&potentials.g)]);
        let [a, b] = problem.masses();
        Ok(Self { problem, potentials: potentials.clone(), epsilon, engine, mass: a * b })
    }

    /// Row sums and column sums.
    pub fn marginals(&self) -> (Vec<E>, Vec<E>) {
        let (n, m) = self.problem.sizes();
        (
            self.product(&vec![E::one(); m], 1, Side::Rows),
            self.product(&vec![E::one(); n], 1, Side::Columns),
        )
    }

    /// The plan as a matrix `[n, m]`, row by row.
    pub fn matrix(&self) -> Vec<E> {
        let (n, m) = self.problem.sizes();
        let [a, b] = &self.engine.sides;
        let mass = E::of(self.mass);
        let mut plan = Vec::with_capacity(n * m);
        self.engine.blocks(0, n, |from, kernel| {
            for (row, z) in kernel.chunks_exact(m).zip(&a.product[from..]) {
                // The kernel of a point without weight may be of any size.
                let one = |(k, w): (&E, &E)| if *w > E::zero() { *z * *k * *w * mass } else { *w };
                plan.extend(row.iter().zip(&b.product).map(one));
            }
        });
        plan
    }

    /// P v for `v` of shape `[m, columns]`, row by row: shape `[n, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `v` does not have m rows of at least one column.
    pub fn apply(&self, v: &[E]) -> Result<Vec<E>> {
        let columns = self.columns(v, self.problem.sizes().1)?;
        Ok(self.product(v, columns, Side::Rows))
    }

    /// Pᵀ v for `v` of shape `[n, columns]`, row by row: shape `[m, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `v` does not have n rows of at least one column.
    pub fn apply_transpose(&self, v: &[E]) -> Result<Vec<E>> {
        let columns = self.columns(v, self.problem.sizes().0)?;
        Ok(self.product(v, columns, Side::Columns))
    }

    /// Where the mass of each source goes on average, Σⱼ Pᵢⱼ yⱼ / Σⱼ Pᵢⱼ: shape `[n, d]`. The map of sources
    /// of weight zero is the limit of small weights.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the problem is a cost matrix, which has no points.
    pub fn barycentric(&self) -> Result<Vec<E>> {
        let Ground::Clouds { y, d, .. } = &self.problem.ground else {
            let rule = "needs points: apply the plan to the coordinates instead";
            return Err(Error::config("barycentric projection", "a cost matrix", rule));
        };
        let m = self.problem.sizes().1;
        let mut image = self.kernel_rows(y, *d);
        let sums = self.kernel_rows(&vec![E::one(); m], 1);
        for (row, sum) in image.chunks_exact_mut(*d).zip(sums) {
            row.iter_mut().for_each(|v| *v /= sum);
        }
        Ok(image)
    }

    fn columns(&self, v: &[E], rows: usize) -> Result<usize> {
        if v.is_empty() || !v.len().is_multiple_of(rows) {
            let expected = format!("a positive multiple of {rows} numbers");
            return Err(Error::shape("what a plan is applied to", expected, v.len()));
        }
        Ok(v.len() / rows)
    }

    /// K (w v) without the scalings of the rows.
    fn kernel_rows(&self, v: &[E], columns: usize) -> Vec<E> {
        let (n, m) = self.problem.sizes();
        let w = &self.engine.sides[1].product;
        // One row per column of v, times the scalings.
        let by_column: Vec<E> =
            (0..columns * m).map(|k| v[k % m * columns + k / m] * w[k % m]).collect();
        let rows = self.engine.rows_per_chunk;
        let parts = map_each(n.div_ceil(rows), |c| {
            let (from, to) = (c * rows, (c * rows + rows).min(n));
            let mut out = vec![E::zero(); (to - from) * columns];
            let mut sums = vec![E::zero(); self.engine.block];
            self.engine.blocks(from, to, |start, kernel| {
                let here = kernel.len() / m;
                for (k, w) in by_column.chunks_exact(m).enumerate() {
                    products::dots(kernel, w, &mut sums[..here]);
                    for (i, sum) in sums[..here].iter().enumerate() {
                        out[(start - from + i) * columns + k] = *sum;
                    }
                }
            });
            out
        });
        parts.concat()
    }

    fn product(&self, v: &[E], columns: usize, side: Side) -> Vec<E> {
        let (n, m) = self.problem.sizes();
        let [a, b] = &self.engine.sides;
        let mass = E::of(self.mass);
        if let Side::Rows = side {
            let mut out = self.kernel_rows(v, columns);
            for (row, z) in out.chunks_exact_mut(columns).zip(&a.product) {
                row.iter_mut().for_each(|o| *o = times(*o, *z) * mass);
            }
            return out;
        }
        let rows = self.engine.rows_per_chunk;
        let parts = map_each(n.div_ceil(rows), |c| {
            let (from, to) = (c * rows, (c * rows + rows).min(n));
            let mut out = vec![E::zero(); m * columns];
            let mut z = vec![E::zero(); self.engine.block];
            self.engine.blocks(from, to, |start, kernel| {
                let here = kernel.len() / m;
                for (k, out) in out.chunks_exact_mut(m).enumerate() {
                    for (i, z) in z[..here].iter_mut().enumerate() {
                        *z = a.product[start + i] * v[(start + i) * columns + k];
                    }
                    products::gather(kernel, &z[..here], out, &[]);
                }
            });
            out
        });
        let mut all = vec![E::zero(); m * columns];
        parts.iter().for_each(|part| kernels::add(part, &mut all));
        (0..m * columns)
            .map(|k| {
                let (j, column) = (k / columns, k % columns);
                times(all[column * m + j], b.product[j]) * mass
            })
            .collect()
    }
}

/// A sum times a scaling with its weight: 0 without weight, whatever the sum.
fn times<E: Real>(sum: E, z: E) -> E {
    if z > E::zero() {
        sum * z
    } else {
        z
    }
}

enum Side {
    Rows,
    Columns,
}

impl Potentials {
    pub(crate) fn check<E: Real>(&self, problem: &Discrete<'_, E>) -> Result<()> {
        self.check_sizes(problem.sizes())
    }

    pub(super) fn check_sizes(&self, (n, m): (usize, usize)) -> Result<()> {
        for (what, v, n) in [("potential f", &self.f, n), ("potential g", &self.g, m)] {
            if v.len() != n {
                return Err(Error::shape(what, n, v.len()));
            }
            if let Some(value) = v.iter().find(|v| !v.is_finite()) {
                return Err(Error::NonFinite {
                    what: what.into(),
                    value: *value,
                    step: None,
                    remedy: "start from finite potentials, or from none",
                });
            }
        }
        Ok(())
    }
}
