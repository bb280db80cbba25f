//! Costs and marginals of finished potentials.

use super::buffer::{Buffer, DeviceReal};
use super::form::STORED;
use super::half_step::is_balanced;
use super::launch::{int, tile_rows, Grid};
use super::resident::Resident;
use super::solve::{constant, Progress};
use crate::error::Result;
use crate::problem::Discrete;
use crate::solver::{Form, Potentials, SinkhornConfig, Solution, Status};

/// What the device says of one marginal of one problem.
struct Side {
    /// In units of ε ln 2.
    potentials: Vec<f64>,
    marginal: Vec<f64>,
}

impl<E: DeviceReal> Resident<'_, E> {
    pub(super) fn finish(
        &mut self,
        config: &SinkhornConfig,
        progress: &[Progress],
    ) -> Result<Vec<Solution>> {
        self.activate(|_| true)?;
        let errors = self.evaluate()?;
        let mean_costs = self.row_costs()?;
        let mut sides: [Vec<Side>; 2] = [self.sides_of(0)?, self.sides_of(1)?];
        let mut solutions = Vec::with_capacity(self.problems.len());
        for (p, problem) in self.problems.iter().enumerate() {
            let [rows, columns] = &mut sides;
            let from = self.sides[0].starts[p];
            let both = [&mut rows[p], &mut columns[p]];
            if is_balanced(problem) {
                centre(problem, &mut both.map(|side| &mut side.potentials));
            }
            let both = [&rows[p], &columns[p]];
            let costs = both[0].marginal.iter().zip(&mean_costs[from..]);
            let transport: f64 = costs.map(|(p, c)| if *p > 0.0 { p * c } else { 0.0 }).sum();
            let outcome = (errors[p][0] + errors[p][1], transport);
            let solution = solution(problem, self.epsilon[p], both, outcome);
            let form = if self.cost == STORED { Form::Stored } else { Form::Online };
            let Progress { iterations, status, .. } = progress[p];
            let solution = Solution { status, form, iterations, ..solution };
            let solution = solution.judged::<E>(config.tolerance());
            solutions.push(if solution.is_coarse::<E>() {
                solution.in_digits(problem, config.tolerance())?
            } else {
                solution
            });
        }
        Ok(solutions)
    }

    /// Mean cost of each row under its conditional plan, from the sums of the last evaluation.
    fn row_costs(&self) -> Result<Vec<f64>> {
        let rows = self.points(0);
        let schedule = self.schedule(0, tile_rows(E::BITS), None, |_| true);
        let tasks = Buffer::upload(&self.device, &schedule.tasks)?;
        let parts = rows * schedule.splits;
        let (mut partial, mut weights) =
            (Buffer::zeros(&self.device, parts)?, Buffer::zeros(&self.device, parts)?);
        let mut out = Buffer::zeros(&self.device, rows)?;
        let modules = self.device.modules();
        let kernel = modules.kernel::<E>("transport", Some(self.cost.form), "transport_cost")?;
        let (d, stride) = self.strides(0)?;
        let [a, b] = &self.sides;
        let (x, y) = match &self.matrix {
            Some(matrix) => (matrix.read(), matrix.read()),
            None => (a.points.read(), b.points.read()),
        };
        let args = vec![
            tasks.read(),
            x,
            y,
            d.into(),
            stride.into(),
            E::of(self.cost.p).scalar(),
            b.h.read(),
            a.parameters.read(),
            a.log_sums.read(),
            int("points", rows)?.into(),
            partial.write(),
            weights.write(),
        ];
        kernel.launch(&self.device, Grid::line(schedule.blocks(), 128), args)?;
        let none = Buffer::zeros(&self.device, 1)?;
        let sums = (&partial, &weights);
        merge(&self.device, sums, (schedule.splits, rows, 1), &none, true, &mut out)?;
        let mean = |form: &E| self.cost.scale * form.double();
        Ok(out.download()?.iter().map(mean).collect())
    }

    /// Potentials and marginals of side `k` of each problem, from the sums of the last evaluation.
    fn sides_of(&self, k: usize) -> Result<Vec<Side>> {
        let side = &self.sides[k];
        let (potentials, log_sums) = (side.potentials.download()?, side.log_sums.download()?);
        let one = |(problem, start): (&&Discrete<'_, E>, &usize)| {
            let weights = if k == 0 { &problem.source } else { &problem.target };
            let here = *start..*start + weights.len();
            let potentials: Vec<f64> =
                potentials[here.clone()].iter().map(|p| p.double()).collect();
            let sums = log_sums[here].iter().zip(&potentials);
            let marginal = weights.iter().zip(sums).map(|(w, (l, p))| match w.double() {
                w if w > 0.0 => w * (l.double() + p).exp2(),
                w => w,
            });
            Side { marginal: marginal.collect(), potentials }
        };
        Ok(self.problems.iter().zip(&side.starts).map(one).collect())
    }
}

/// `contract_merge` of sums in parts: (parts, rows, outputs).
pub(super) fn merge<E: DeviceReal>(
    device: &super::CudaDevice,
    (partial, weights): (&Buffer<E>, &Buffer<E>),
    (splits, rows, outputs): (usize, usize, usize),
    factors: &Buffer<E>,
    normalised: bool,
    out: &mut Buffer<E>,
) -> Result<()> {
    let kernel = device.modules().kernel::<E>("contract", None, "contract_merge")?;
    let args = vec![
        partial.read(),
        weights.read(),
        int("parts", splits)?.into(),
        int("points", rows)?.into(),
        int("columns", outputs)?.into(),
        factors.read(),
        i32::from(normalised).into(),
        out.write(),
    ];
    kernel.launch(device, Grid::cover(rows * outputs, 256), args)
}

/// Moves the constant that balanced potentials share, so that ⟨a, f⟩ = ⟨b, g⟩.
fn centre<E: DeviceReal>(problem: &Discrete<'_, E>, potentials: &mut [&mut Vec<f64>; 2]) {
    let masses = problem.masses();
    let mean = |k: usize, potentials: &[f64]| {
        let weights = if k == 0 { &problem.source } else { &problem.target };
        weights.iter().zip(potentials).map(|(w, p)| w.double() * p).sum::<f64>() / masses[k]
    };
    let half = 0.5 * (mean(1, potentials[1]) - mean(0, potentials[0]));
    potentials[0].iter_mut().for_each(|p| *p += half);
    potentials[1].iter_mut().for_each(|p| *p -= half);
}

/// The costs of [`Solution`] from marginals and potentials; `outcome` is marginal error and ⟨P, C⟩.
fn solution<E: DeviceReal>(
    problem: &Discrete<'_, E>,
    epsilon: f64,
    sides: [&Side; 2],
    outcome: (f64, f64),
) -> Solution {
    let unit = epsilon * std::f64::consts::LN_2;
    let constant = constant(problem, epsilon);
    let [a, b] = problem.masses();
    let mass: f64 = sides[0].marginal.iter().sum();
    let entropy = epsilon * (mass - a * b);
    let (mut primal, mut dual) = (-entropy, -entropy);
    let mut all = [Vec::new(), Vec::new()];
    for k in 0..2 {
        let weights = if k == 0 { &problem.source } else { &problem.target };
        for ((w, p), phi) in weights.iter().zip(&sides[k].marginal).zip(&sides[k].potentials) {
            let f = phi * unit - constant;
            all[k].push(f);
            let [of_primal, of_dual] = problem.relaxation[k].objectives(epsilon, w.double(), *p, f);
            primal += of_primal;
            dual += of_dual;
        }
    }
    let [f, g] = all;
    Solution {
        potentials: Potentials { f, g },
        epsilon,
        iterations: 0,
        marginal_error: outcome.0,
        status: Status::IterationLimit,
        form: Form::Online,
        mass,
        transport_cost: outcome.1,
        primal_cost: primal,
        dual_cost: dual,
    }
}
