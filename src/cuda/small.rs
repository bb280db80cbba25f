//! Small problems: one block of the device each, for all iterations.

use super::buffer::{Buffer, DeviceReal};
use super::control::Ending;
use super::form::STORED;
use super::launch::{int, Grid};
use super::resident::Resident;
use crate::error::Result;
use crate::problem::Discrete;

/// Bytes of shared memory that a block has without asking, less what the kernel declares itself.
const MEMORY: usize = (48 << 10) - 1024;

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

    /// Iterates these problems at the present ε until they end; without a tolerance so many times.
    pub(super) fn iterate_small(
        &mut self,
        which: &[usize],
        ending: Ending,
        iterations: usize,
        states: &mut Buffer<f64>,
    ) -> Result<()> {
        let limit = if ending.tolerance.is_some() { ending.limit } else { iterations };
        let list = which.iter().map(|p| int("problems", *p)).collect::<Result<Vec<_>>>()?;
        let list = Buffer::upload(&self.device, &list)?;
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
            ending.tolerance.unwrap_or(-1.0).scalar(),
            int("iterations", limit)?.into(),
            i32::from(ending.accelerated).into(),
            states.write(),
        ];
        let shared = which.iter().map(|p| bytes(self.problems[*p])).max().unwrap_or(0);
        let grid = Grid { shared, ..Grid::line(which.len(), 256) };
        kernel.launch(&self.device, grid, args)
    }
}
