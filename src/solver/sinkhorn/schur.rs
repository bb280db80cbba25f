//! What implicit differentiation asks of a plan, one pass over its kernel each.

use super::kernels;
use super::plan::Plan;
use super::products;
use super::pull::Reweigh;
use crate::ops::parallel::map_each;
use crate::ops::Real;

impl<E: Real> Plan<'_, E> {
    /// Row sums and column sums of what `reweigh` makes of the plan.
    pub(crate) fn sums(&self, reweigh: Option<Reweigh<'_, E>>) -> [Vec<E>; 2] {
        let m = self.problem.sizes().1;
        let ones = vec![E::one(); m];
        self.with(reweigh, [true; 2]).sums(1, |_, weights, of_rows, of_columns| {
            products::dots(weights, &ones, of_rows);
            weights.chunks_exact(m).for_each(|row| kernels::add(row, of_columns));
        })
    }

    /// Pᵀ (ρ ∘ P v): the rows of the kernel are used for both products while they are in cache.
    pub(crate) fn there_and_back(&self, v: &[f64], rho: &[f64]) -> Vec<f64> {
        let (n, m) = self.problem.sizes();
        let [a, b] = &self.engine.sides;
        let w: Vec<E> = v.iter().zip(&b.product).map(|(v, w)| E::of(v * w.double())).collect();
        let factor: Vec<E> =
            (0..n).map(|i| E::of(rho[i] * (self.mass * a.product[i].double()).powi(2))).collect();
        let rows = self.engine.rows_per_chunk;
        let parts = map_each(n.div_ceil(rows), |c| {
            let (from, to) = (c * rows, (c * rows + rows).min(n));
            let mut out = vec![E::zero(); m];
            let mut z = vec![E::zero(); self.engine.block];
            self.engine.blocks(from, to, |start, kernel| {
                let z = &mut z[..kernel.len() / m];
                products::dots(kernel, &w, z);
                z.iter_mut().zip(&factor[start..]).for_each(|(z, f)| *z *= *f);
                products::gather(kernel, z, &mut out, &[]);
            });
            out
        });
        let mut all = vec![E::zero(); m];
        parts.iter().for_each(|part| kernels::add(part, &mut all));
        all.iter().zip(&b.product).map(|(s, w)| s.double() * w.double()).collect()
    }
}
