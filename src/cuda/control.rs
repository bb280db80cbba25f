//! The state of each problem that the kernels keep while they iterate (`kernels/control.cuh`).

use super::buffer::{Buffer, DeviceReal};
use super::half_step::THREADS;
use super::launch::{int, Grid};
use super::resident::Resident;
use super::CudaDevice;
use crate::error::Result;
use crate::solver::{OverRelaxation, Status};

/// Numbers of a state: phase, iterations, patience, ω of the next round and of the last, and those of
/// over-relaxation.
const NUMBERS: usize = 26;
/// Phases from this one on are final: met, diverged, ended.
const MET: f64 = 2.0;
const DIVERGED: f64 = 3.0;

/// When the iterations at one ε end by themselves.
#[derive(Clone, Copy)]
pub(super) struct Ending {
    /// Largest accepted error; `None` never ends them.
    pub(super) tolerance: Option<f64>,
    /// Most iterations in all.
    pub(super) limit: usize,
    /// Whether updates are over-relaxed.
    pub(super) accelerated: bool,
}

/// The states of problems that have done so many iterations, on the device.
pub(super) fn begin(device: &CudaDevice, problems: usize, done: usize) -> Result<Buffer<f64>> {
    let OverRelaxation { omega, plain, pause, caps, .. } = OverRelaxation::new();
    let mut state = vec![0.0, done as f64, 0.0, omega, 1.0, plain, pause as f64];
    state.extend(caps);
    state.resize(NUMBERS, 0.0);
    Buffer::upload(device, &state.repeat(problems))
}

/// What became of each problem: iterations in all, and how they ended; `None` while they go on.
pub(super) fn read(states: &Buffer<f64>) -> Result<Vec<(usize, Option<Status>)>> {
    let one = |state: &[f64]| {
        let status = match state[0] {
            phase if phase < MET => None,
            MET => Some(Status::Converged),
            DIVERGED => Some(Status::Diverged),
            _ => Some(Status::IterationLimit),
        };
        (state[1] as usize, status)
    };
    Ok(states.download()?.chunks_exact(NUMBERS).map(one).collect())
}

impl<E: DeviceReal> Resident<'_, E> {
    /// After both half steps: stops each problem, or chooses ω of its next iteration.
    pub(super) fn control(
        &mut self,
        ending: Ending,
        tolerance: f64,
        states: &mut Buffer<f64>,
    ) -> Result<()> {
        let kernel = self.device.modules().kernel::<E>("update", None, "control_rounds")?;
        let [a, b] = &mut self.sides;
        let mut args = Vec::with_capacity(12);
        for side in [a, b] {
            args.extend([side.device_starts.read(), side.errors.read(), side.masses.read()]);
            args.push(side.parameters.write());
        }
        args.extend([tolerance.scalar(), int("iterations", ending.limit)?.into()]);
        args.extend([i32::from(ending.accelerated).into(), states.write()]);
        kernel.launch(&self.device, Grid::line(self.problems.len(), THREADS), args)
    }
}
