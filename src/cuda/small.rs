//! Small problems: one block of the device each, for all iterations.

use super::buffer::{Buffer, DeviceReal};
use super::form::STORED;
use super::launch::{int, Grid};
use super::resident::Resident;
use crate::error::Result;
use crate::problem::Discrete;

/// Bytes of shared memory that a block has without asking, less what the kernel declares itself.
const MEMORY: usize = (48 << 10) - 1024;
/// Iterations between two looks at the error, each of which costs one iteration.
const EVERY: i32 = 10;

/// Bytes that a problem takes in shared memory.
fn bytes<E: DeviceReal>(problem: &Discrete<'_, E>) -> usize {
    let (n, m) = problem.sizes();
    let numbers = n.saturating_mul(m | 1).saturating_add(2 * (n + m));
    numbers.saturating_mul(size_of::<E>())
}

impl<E: DeviceReal> Resident<'_, E> {
    /// Whether problem `p` fits.
    pub(super) fn is_small(&self, p: usize) -> bool {
        self.cost != STORED && bytes(self.problems[p]) <= MEMORY
    }

    /// Iterates these problems at the present ε, without over-relaxation; for each, how many iterations
    /// it took and whether the tolerance was met.
    pub(super) fn iterate_small(
        &mut self,
        which: &[usize],
        limit: usize,
        tolerance: Option<f64>,
    ) -> Result<Vec<(usize, bool)>> {
        let list = which.iter().map(|p| int("problems", *p)).collect::<Result<Vec<_>>>()?;
        let list = Buffer::upload(&self.device, &list)?;
        let mut outcome = Buffer::<i32>::zeros(&self.device, 2 * self.problems.len())?;
        let modules = self.device.modules();
        let name = "small_sinkhorn";
        let kernel = modules.kernel::<E>(name, Some(self.cost.form), name)?;
        let [a, b] = &mut self.sides;
        let args = vec![
            list.read(),
            a.device_starts.read(),
            b.device_starts.read(),
            a.points.read(),
            b.points.read(),
            int("dimension", self.d)?.into(),
            E::of(self.cost.p).scalar(),
            a.parameters.read(),
            b.parameters.read(),
            a.weights.read(),
            b.weights.read(),
            a.log_weights.read(),
            b.log_weights.read(),
            a.potentials.write(),
            b.potentials.write(),
            a.h.write(),
            b.h.write(),
            int("iterations", limit)?.into(),
            EVERY.into(),
            tolerance.unwrap_or(-1.0).scalar(),
            outcome.write(),
        ];
        let shared = which.iter().map(|p| bytes(self.problems[*p])).max().unwrap_or(0);
        let grid = Grid { shared, ..Grid::line(which.len(), 256) };
        kernel.launch(&self.device, grid, args)?;
        let outcome = outcome.download()?;
        let one = |p: &usize| (outcome[2 * p].unsigned_abs() as usize, outcome[2 * p + 1] != 0);
        Ok(which.iter().map(one).collect())
    }
}
