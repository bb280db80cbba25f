//! Pairs drawn from a plan on the device, and the couplings that do so.

use super::buffer::{Buffer, DeviceReal};
use super::device::CudaDevice;
use super::launch::{int, Arg, Grid};
use super::plan::DevicePlan;
use super::resident::Resident;
use super::sinkhorn::{sinkhorn, sinkhorn_batch};
use crate::error::{Error, Result};
use crate::problem::Discrete;
use crate::random::Key;
use crate::solver::{
    drawn, Draw, Form, Potentials, RowLaw, SinkhornConfig, Solution, SolverDevice,
};

/// Threads of the kernels of `sample.cu`.
const THREADS: u32 = 128;

impl<E: DeviceReal> DevicePlan<'_, E> {
    /// `k` independent pairs (i, j) of source and target, by the law of
    /// [`Plan::sample`](crate::solver::Plan::sample): the same key gives the same pairs as on the host, but
    /// for those that rounding moves.
    ///
    /// The host draws the sources, the device the targets, each by a pass over its row: O(k·m·d) time, and
    /// 16 bytes per pair between them.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn sample(&self, key: Key, k: usize) -> Result<Vec<(usize, usize)>> {
        drawn(self, Draw::WithReplacement(k), key)
    }

    /// `k` different pairs: each by the law of [`sample`](Self::sample), restricted to the pairs that were
    /// not drawn before. If repetitions are many, the rest is drawn by the host from rows that the device
    /// computes: one pass over all n·m pairs.
    ///
    /// # Errors
    /// As [`sample`](Self::sample), and [`Error::InvalidConfig`] if there are fewer than `k` pairs of points
    /// that have mass.
    pub fn sample_distinct(&self, key: Key, k: usize) -> Result<Vec<(usize, usize)>> {
        drawn(self, Draw::WithoutReplacement(k), key)
    }

    /// Runs a kernel of `sample.cu` on these rows; `rest` are its last arguments.
    fn on_rows(
        &self,
        entry: &'static str,
        threads: usize,
        rows: &Buffer<i32>,
        rest: Vec<Arg<'_>>,
    ) -> Result<()> {
        let Resident { device, sides: [a, b], cost, .. } = &self.resident;
        let kernel = device.modules().kernel::<E>("sample", Some(cost.form), entry)?;
        let m = int("target points", self.resident.problems[0].sizes().1)?;
        let (d, stride) = self.resident.strides(0)?;
        let (x, y) = self.ground(0);
        let mut args = vec![x.read(), y.read(), m.into(), d.into(), stride.into()];
        args.extend([E::of(cost.p).scalar(), b.h.read(), a.parameters.read()]);
        args.extend([a.log_sums.read(), rows.read()]);
        args.extend(rest);
        kernel.launch(device, Grid::cover(threads, THREADS), args)
    }

    fn rows(&self, rows: impl Iterator<Item = usize>) -> Result<Buffer<i32>> {
        let rows = rows.map(|i| int("source points", i)).collect::<Result<Vec<i32>>>()?;
        Buffer::upload(&self.resident.device, &rows)
    }
}

impl<E: DeviceReal> RowLaw<E> for DevicePlan<'_, E> {
    fn masses(&self) -> &[f64] {
        &self.prescribed
    }

    fn support(&self) -> usize {
        self.resident.problems[0].target.iter().filter(|w| **w > E::zero()).count()
    }

    fn map_rows<V: Send>(
        &self,
        rows: &[usize],
        each: impl Fn(usize, &[E]) -> V + Sync + Send,
    ) -> Result<Vec<V>> {
        let (device, m) = (&self.resident.device, self.resident.problems[0].sizes().1);
        let numbers = rows.len() * m;
        let mut out = Buffer::<E>::zeros(device, numbers)?;
        let list = self.rows(rows.iter().copied())?;
        let rest = vec![int("rows", rows.len())?.into(), out.write()];
        self.on_rows("plan_rows", numbers, &list, rest)?;
        let out = out.download()?;
        Ok(out.chunks_exact(m).take(rows.len()).enumerate().map(|(k, row)| each(k, row)).collect())
    }

    fn columns(&self, draws: &[(usize, f64)]) -> Result<Vec<usize>> {
        let device = &self.resident.device;
        let list = self.rows(draws.iter().map(|draw| draw.0))?;
        let numbers: Vec<f64> = draws.iter().map(|draw| draw.1).collect();
        let numbers = Buffer::upload(device, &numbers)?;
        let mut out = Buffer::<i32>::zeros(device, draws.len())?;
        let rest = vec![numbers.read(), int("draws", draws.len())?.into(), out.write()];
        self.on_rows("sample_columns", 32 * draws.len(), &list, rest)?;
        let columns = out.download()?.into_iter().take(draws.len());
        Ok(columns.map(|j| j.unsigned_abs() as usize).collect())
    }
}

impl<E: DeviceReal> SolverDevice<E> for CudaDevice {
    fn sinkhorn(
        &self,
        config: &SinkhornConfig,
        problem: &Discrete<'_, E>,
        start: Option<&Potentials>,
    ) -> Result<Solution> {
        sinkhorn(self, config, problem, start)
    }

    fn sinkhorn_batch(
        &self,
        config: &SinkhornConfig,
        problems: &[Discrete<'_, E>],
    ) -> Result<Vec<Solution>> {
        sinkhorn_batch(self, config, problems)
    }

    /// Points are copied to the device once, for the solver and the draw.
    fn entropic_pairs(
        &self,
        config: &SinkhornConfig,
        problem: &Discrete<'_, E>,
        draw: Draw,
        key: Key,
    ) -> Result<Vec<(usize, usize)>> {
        let resident = Resident::new(self, &[problem])?;
        let mut resident = if config.form == Form::Stored { resident.store()? } else { resident };
        let solution = resident.solve(config, &[None])?.pop();
        let Solution { potentials, epsilon, .. } =
            solution.ok_or_else(|| Error::shape("solutions", 1, 0))?;
        potentials.check(problem)?;
        drawn(&DevicePlan::of(resident, &potentials, epsilon)?, draw, key)
    }
}
