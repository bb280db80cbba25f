//! The loop: stages of ε, iterations, stopping.

use super::buffer::DeviceReal;
use super::control::{self, Ending};
use super::costs::statistics;
use super::half_step::is_balanced;
use super::resident::Resident;
use crate::error::{Error, Result};
use crate::problem::Discrete;
use crate::solver::{
    resolve_with, Acceleration, Annealing, Form, Potentials, SinkhornConfig, Solution, Status,
};

/// Rounds between two looks at the states, which wait for the device.
const ROUNDS: usize = 8;

/// How far a problem is.
pub(super) struct Progress {
    pub(super) iterations: usize,
    pub(super) status: Status,
    small: bool,
}

impl<E: DeviceReal> Resident<'_, E> {
    /// Solves all problems; `starts` has potentials, or none, for each.
    ///
    /// # Errors
    /// Those of [`sinkhorn`](super::sinkhorn()).
    pub fn solve(
        &mut self,
        config: &SinkhornConfig,
        starts: &[Option<&Potentials>],
    ) -> Result<Vec<Solution>> {
        config.check()?;
        if config.form == Form::Separable {
            let rule = "is for grids (sinkhorn_grid), on the host: choose Auto, Stored or Online";
            return Err(Error::config("form", "Separable", rule));
        }
        if starts.len() != self.problems.len() {
            return Err(Error::shape("starting potentials", self.problems.len(), starts.len()));
        }
        for (problem, start) in self.problems.iter().zip(starts) {
            start.map_or(Ok(()), |p| p.check(problem))?;
        }
        let resolve =
            |p: &&Discrete<'_, E>| resolve_with(config.epsilon, p, || statistics(&self.device, p));
        let epsilon = self.problems.iter().map(resolve).collect::<Result<Vec<f64>>>()?;
        let factors = factors(config);
        let scaled = |factor: f64| epsilon.iter().map(|e| e * factor).collect::<Vec<f64>>();
        self.start(&scaled(factors[0]), starts)?;
        let mut progress: Vec<Progress> = (0..self.problems.len())
            .map(|p| Progress {
                iterations: 0,
                status: Status::IterationLimit,
                small: config.form == Form::Auto && self.is_small(p),
            })
            .collect();
        // The kernel of small problems has an ω of its own; the other kernels leave them alone.
        let omega: Vec<f64> = progress.iter().map(|p| f64::from(u8::from(!p.small))).collect();
        self.activate(|p| !progress[p].small)?;
        for (k, factor) in factors.iter().enumerate() {
            self.set_parameters(&scaled(*factor), &omega)?;
            if k > 0 {
                self.rescale(&vec![factors[k - 1] / factor; epsilon.len()])?;
            }
            let last = k + 1 == factors.len();
            self.iterate(config, config.annealing.filter(|_| !last), &mut progress)?;
        }
        self.finish(config, &progress)
    }

    /// Puts the potentials of a start on the device. Without one g is zero, and f is not set: the kernels
    /// then take the one that makes the largest term of each row's sum 1, as the CPU does.
    pub(super) fn start(&mut self, epsilon: &[f64], starts: &[Option<&Potentials>]) -> Result<()> {
        for k in 0..2 {
            let mut all = Vec::with_capacity(self.points(k));
            for ((problem, epsilon), start) in self.problems.iter().zip(epsilon).zip(starts) {
                let unit = epsilon * std::f64::consts::LN_2;
                let constant = constant(problem, *epsilon);
                let sizes = problem.sizes();
                match start.map(|p| if k == 0 { &p.f } else { &p.g }) {
                    Some(own) => all.extend(own.iter().map(|v| (v + constant) / unit)),
                    None if k == 0 => all.extend(vec![f64::NAN; sizes.0]),
                    None => all.extend(vec![0.0; sizes.1]),
                }
            }
            self.set_potentials(k, &all)?;
        }
        Ok(())
    }

    /// Iterates all problems at one ε, as often as a stage of annealing has it, or until they end.
    fn iterate(
        &mut self,
        config: &SinkhornConfig,
        stage: Option<Annealing>,
        progress: &mut [Progress],
    ) -> Result<()> {
        let done = progress.first().map_or(0, |p| p.iterations);
        let limit = stage.map_or(config.limit(), |s| (done + s.iterations).min(config.limit()));
        if done >= limit {
            return Ok(());
        }
        let tolerance = config.tolerance().filter(|_| stage.is_none());
        let accelerated = config.acceleration == Acceleration::Automatic;
        let ending = Ending { tolerance, limit, accelerated };
        let small: Vec<usize> = (0..progress.len()).filter(|p| progress[*p].small).collect();
        let mut states = control::begin(&self.device, progress.len(), done)?;
        if !small.is_empty() {
            self.iterate_small(&small, ending, limit - done, &mut states)?;
        }
        let Some(tolerance) = tolerance else {
            let rounds = if small.len() < progress.len() { limit - done } else { 0 };
            for _ in 0..rounds {
                self.round()?;
            }
            for problem in progress {
                problem.iterations = limit;
                if stage.is_none() {
                    problem.status = Status::Converged;
                }
            }
            return Ok(());
        };
        let mut running = progress.len() - small.len();
        while running > 0 {
            for _ in 0..ROUNDS {
                self.round()?;
                self.control(ending, tolerance, &mut states)?;
            }
            let states = control::read(&states)?;
            let runs = |p: usize| !progress[p].small && states[p].1.is_none();
            let still = (0..progress.len()).filter(|p| runs(*p)).count();
            if still < running {
                self.activate(runs)?;
            }
            running = still;
        }
        for (problem, (iterations, status)) in progress.iter_mut().zip(control::read(&states)?) {
            problem.iterations = iterations;
            problem.status = status.unwrap_or(Status::IterationLimit);
        }
        Ok(())
    }

    /// Both half steps, and the translation of relaxed problems.
    fn round(&mut self) -> Result<()> {
        self.half_step(0, false)?;
        self.half_step(1, false)?;
        self.translate()
    }
}

/// What potentials in the units of the cost lack to those on the device, which are of probabilities.
pub(super) fn constant<E: DeviceReal>(problem: &Discrete<'_, E>, epsilon: f64) -> f64 {
    if is_balanced(problem) {
        0.5 * epsilon * problem.masses()[1].ln()
    } else {
        0.0
    }
}

/// The ε of each stage, as a multiple of the last.
fn factors(config: &SinkhornConfig) -> Vec<f64> {
    let mut factors = Vec::new();
    if let Some(annealing) = config.annealing {
        let mut times = annealing.start;
        while times > 1.0 + 1e-9 {
            factors.push(times);
            times *= annealing.factor;
        }
    }
    factors.push(1.0);
    factors
}
