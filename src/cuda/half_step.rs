//! Half steps on the device: one marginal after the other.

use super::buffer::{Buffer, DeviceReal};
use super::launch::{int, Grid};
use super::resident::{Resident, SIDE};
use crate::error::Result;

/// Threads of the kernels of `update.cu`.
pub(super) const THREADS: u32 = 256;
/// The half step on tensor cores.
const TENSOR: &str = "softmin_tensor";

/// ε / λ = (1 − τ) / τ is 0 for τ = 1.
pub(super) fn is_balanced<E: DeviceReal>(problem: &crate::problem::Discrete<'_, E>) -> bool {
    problem.relaxation.iter().all(|r| r.tau() == 1.0)
}

impl<E: DeviceReal> Resident<'_, E> {
    /// Sets ε and ω of each problem; ω = 0 keeps its potentials.
    pub(super) fn set_parameters(&mut self, epsilon: &[f64], omega: &[f64]) -> Result<()> {
        self.epsilon = epsilon.to_vec();
        for k in 0..2 {
            let mut numbers = Vec::with_capacity(self.problems.len() * SIDE);
            for ((problem, epsilon), omega) in self.problems.iter().zip(epsilon).zip(omega) {
                let unit = 1.0 / (epsilon * std::f64::consts::LN_2);
                let masses = problem.masses();
                // Balanced problems are solved between probabilities.
                let shift = if is_balanced(problem) { 0.0 } else { masses[1 - k].log2() };
                let tau = problem.relaxation[k].tau();
                numbers.extend([unit * self.cost.scale, tau, shift, *omega, masses[k].log2()]);
            }
            let round = |v: &[f64]| v.iter().map(|v| E::of(*v)).collect::<Vec<E>>();
            self.sides[k].parameters.fill(&round(&numbers))?;
            numbers.iter_mut().skip(3).step_by(SIDE).for_each(|omega| *omega = 0.0);
            self.sides[k].hold.fill(&round(&numbers))?;
        }
        Ok(())
    }

    /// Sets the potentials of marginal `k`, in units of ε ln 2.
    pub(super) fn set_potentials(&mut self, k: usize, potentials: &[f64]) -> Result<()> {
        let mut logs = Vec::with_capacity(potentials.len());
        for (problem, start) in self.problems.iter().zip(&self.sides[k].starts) {
            let own = if k == 0 { &problem.source } else { &problem.target };
            let mass = problem.masses()[k];
            let both = own.iter().zip(&potentials[*start..]);
            logs.extend(both.map(|(w, p)| E::of((w.double() / mass).log2() + p)));
        }
        let round: Vec<E> = potentials.iter().map(|p| E::of(*p)).collect();
        self.sides[k].potentials.fill(&round)?;
        self.sides[k].h.fill(&logs)
    }

    /// Updates marginal `k`; with `hold` its potentials stay and only errors and sums are computed.
    pub(super) fn half_step(&mut self, k: usize, hold: bool) -> Result<()> {
        let rows = int("points", self.points(k))?;
        let (d, stride) = self.strides(k)?;
        let modules = self.device.modules();
        let softmin = match self.centres {
            Some(_) => modules.kernel::<E>(TENSOR, Some(self.cost.form), TENSOR)?,
            None => modules.softmin::<E>(self.cost.form, self.d)?,
        };
        let merge = modules.kernel::<E>("update", None, "softmin_merge")?;
        let p = E::of(self.cost.p).scalar();
        let [a, b] = &mut self.sides;
        let (own, other) = if k == 0 { (a, b) } else { (b, a) };
        let (x, y) = match &self.matrix {
            Some(matrix) => (matrix.read(), matrix.read()),
            None => (own.points.read(), other.points.read()),
        };
        let parameters = if hold { &own.hold } else { &own.parameters };
        let half = &mut own.half;
        let mut args = vec![half.tasks.read(), x, y, d.into()];
        match &self.centres {
            Some(centres) => args.push(centres.read()),
            None => args.extend([stride.into(), p]),
        }
        args.extend([other.h.read(), parameters.read()]);
        args.extend([half.tops.write(), half.sums.write(), rows.into()]);
        softmin.launch(&self.device, Grid::line(half.blocks, 128), args)?;
        let args = vec![
            own.problem.read(),
            half.tops.read(),
            half.sums.read(),
            int("parts", half.splits)?.into(),
            rows.into(),
            parameters.read(),
            own.weights.read(),
            own.log_weights.read(),
            own.potentials.write(),
            own.h.write(),
            own.log_sums.write(),
            own.errors.write(),
            own.masses.write(),
        ];
        merge.launch(&self.device, Grid::cover(own.problem.len(), THREADS), args)
    }

    /// Sums the errors of marginal `k`, two numbers per problem from `totals[first]` on.
    pub(super) fn sum_errors(
        &self,
        k: usize,
        totals: &mut Buffer<f64>,
        first: usize,
    ) -> Result<()> {
        let kernel = self.device.modules().kernel::<E>("update", None, "marginal_errors")?;
        let side = &self.sides[k];
        let (errors, masses) = (side.errors.read(), side.masses.read());
        let first = int("errors", first)?.into();
        let args = vec![side.device_starts.read(), errors, masses, totals.write(), first];
        kernel.launch(&self.device, Grid::line(self.problems.len(), THREADS), args)
    }

    /// Moves the best constant between the potentials of relaxed problems.
    pub(super) fn translate(&mut self) -> Result<()> {
        if self.problems.iter().all(|p| is_balanced(p)) {
            return Ok(());
        }
        let kernel = self.device.modules().kernel::<E>("update", None, "translate")?;
        let [a, b] = &mut self.sides;
        let mut args = Vec::with_capacity(10);
        for side in [a, b] {
            args.extend([side.device_starts.read(), side.parameters.read()]);
            args.extend([side.log_weights.read(), side.potentials.write(), side.h.write()]);
        }
        kernel.launch(&self.device, Grid::line(self.problems.len(), THREADS), args)
    }

    /// Multiplies the potentials of each problem.
    pub(super) fn rescale(&mut self, ratios: &[f64]) -> Result<()> {
        let ratios: Vec<E> = ratios.iter().map(|r| E::of(*r)).collect();
        let ratios = Buffer::upload(&self.device, &ratios)?;
        let kernel = self.device.modules().kernel::<E>("update", None, "rescale")?;
        for k in 0..2 {
            let n = self.points(k);
            let side = &mut self.sides[k];
            let args = vec![
                side.problem.read(),
                ratios.read(),
                int("points", n)?.into(),
                side.log_weights.read(),
                side.potentials.write(),
                side.h.write(),
            ];
            kernel.launch(&self.device, Grid::cover(n, THREADS), args)?;
        }
        Ok(())
    }

    /// Marginal errors of the present potentials, of source and target of each problem, relative to
    /// what is prescribed; the sums of all rows are on the device then.
    pub(super) fn evaluate(&mut self) -> Result<Vec<[f64; 2]>> {
        let count = self.problems.len();
        let mut totals = Buffer::zeros(&self.device, 4 * count)?;
        for k in 0..2 {
            self.half_step(k, true)?;
            self.sum_errors(k, &mut totals, 2 * count * k)?;
        }
        let totals = totals.download()?;
        Ok((0..count).map(|p| [0, 1].map(|k| relative(&totals, count, k, p))).collect())
    }
}

/// The error of marginal `k` of problem `p`, from totals that start with those of `k` = 0.
fn relative(totals: &[f64], problems: usize, k: usize, p: usize) -> f64 {
    let at = 2 * (problems * k + p);
    totals[at] / totals[at + 1]
}
