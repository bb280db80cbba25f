//! The loop: stages of ε, iterations, stopping.

use super::buffer::{Buffer, DeviceReal};
use super::costs::statistics;
use super::half_step::{is_balanced, relative};
use super::resident::Resident;
use crate::error::{Error, Result};
use crate::problem::Discrete;
use crate::solver::{
    resolve_with, Acceleration, Form, OverRelaxation, Potentials, SinkhornConfig, Solution, Status,
};

/// Iterations between two looks at the errors, which wait for the device.
const WINDOW: usize = 8;

/// How far a problem is.
pub(super) struct Progress {
    pub(super) iterations: usize,
    pub(super) status: Status,
    pub(super) active: bool,
    small: bool,
    relaxation: OverRelaxation,
    /// ω of the iteration before the last window.
    before: f64,
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
                active: true,
                small: config.form == Form::Auto && self.is_small(p),
                relaxation: OverRelaxation::new(),
                before: 1.0,
            })
            .collect();
        self.activate(|p| !progress[p].small)?;
        for (k, factor) in factors.iter().enumerate() {
            self.set_parameters(&scaled(*factor), &vec![1.0; epsilon.len()])?;
            if k > 0 {
                self.rescale(&vec![factors[k - 1] / factor; epsilon.len()])?;
            }
            let last = k + 1 == factors.len();
            let stage = config.annealing.filter(|_| !last).map(|a| a.iterations);
            self.iterate_small_ones(config, stage, &mut progress)?;
            self.iterate(config, stage, &mut progress)?;
        }
        self.finish(config, &progress)
    }

    /// Puts the potentials of a start on the device, or zeros.
    pub(super) fn start(&mut self, epsilon: &[f64], starts: &[Option<&Potentials>]) -> Result<()> {
        for k in 0..2 {
            let mut all = Vec::with_capacity(self.points(k));
            for ((problem, epsilon), start) in self.problems.iter().zip(epsilon).zip(starts) {
                let unit = epsilon * std::f64::consts::LN_2;
                let constant = constant(problem, *epsilon);
                let sizes = problem.sizes();
                match start.map(|p| if k == 0 { &p.f } else { &p.g }) {
                    Some(own) => all.extend(own.iter().map(|v| (v + constant) / unit)),
                    None => all.extend(vec![0.0; if k == 0 { sizes.0 } else { sizes.1 }]),
                }
            }
            self.set_potentials(k, &all)?;
        }
        Ok(())
    }

    fn iterate_small_ones(
        &mut self,
        config: &SinkhornConfig,
        stage: Option<usize>,
        progress: &mut [Progress],
    ) -> Result<()> {
        let here = |p: &usize| progress[*p].small && progress[*p].active;
        let which: Vec<usize> = (0..progress.len()).filter(here).collect();
        let Some(done) = which.first().map(|p| progress[*p].iterations) else { return Ok(()) };
        let left = config.limit() - done;
        let limit = stage.map_or(left, |k| k.min(left));
        if limit == 0 {
            return Ok(());
        }
        let tolerance = config.tolerance().filter(|_| stage.is_none());
        for (p, (iterations, met)) in
            which.iter().zip(self.iterate_small(&which, limit, tolerance)?)
        {
            progress[*p].iterations += iterations;
            if stage.is_none() && (met || tolerance.is_none()) {
                progress[*p].status = Status::Converged;
            }
        }
        Ok(())
    }

    /// Iterates the other problems at one ε.
    fn iterate(
        &mut self,
        config: &SinkhornConfig,
        stage: Option<usize>,
        progress: &mut [Progress],
    ) -> Result<()> {
        let own: Vec<usize> = (0..progress.len()).filter(|p| !progress[*p].small).collect();
        let Some(first) = own.first() else { return Ok(()) };
        let (mut done, limit) = (progress[*first].iterations, config.limit());
        let end = stage.map_or(limit, |k| (done + k).min(limit));
        let tolerance = config.tolerance().filter(|_| stage.is_none());
        let count = progress.len();
        let mut totals = Buffer::zeros(&self.device, 4 * count * WINDOW)?;
        while done < end && own.iter().any(|p| progress[*p].active) {
            let window = if tolerance.is_some() { WINDOW.min(end - done) } else { end - done };
            for slot in 0..window {
                for k in 0..2 {
                    self.half_step(k, false)?;
                    if tolerance.is_some() {
                        self.sum_errors(k, &mut totals, 2 * count * (2 * slot + k))?;
                    }
                }
                self.translate()?;
            }
            done += window;
            for state in progress.iter_mut().filter(|s| s.active && !s.small) {
                state.iterations = done;
            }
            let Some(tolerance) = tolerance else { continue };
            let totals = totals.download()?;
            let accelerated = config.acceleration == Acceleration::Automatic;
            self.judge(&totals[..4 * count * window], tolerance, accelerated, progress)?;
        }
        if tolerance.is_none() && stage.is_none() {
            own.iter().for_each(|p| progress[*p].status = Status::Converged);
        }
        Ok(())
    }

    /// Stops what has converged or diverged, and chooses ω for the next window.
    fn judge(
        &mut self,
        totals: &[f64],
        tolerance: f64,
        accelerated: bool,
        progress: &mut [Progress],
    ) -> Result<()> {
        let count = progress.len();
        let mut candidates = Vec::new();
        let before: Vec<f64> = progress.iter().map(|p| p.relaxation.omega).collect();
        let mut stopped = false;
        for (p, state) in progress.iter_mut().enumerate().filter(|(_, s)| s.active && !s.small) {
            let omega = if accelerated { state.relaxation.omega } else { 1.0 };
            for slot in totals.chunks_exact(4 * count) {
                // After a plain iteration the columns are met exactly.
                let exact = omega == 1.0 && state.before == 1.0;
                state.before = omega;
                let columns = if exact { 0.0 } else { relative(slot, count, 1, p) };
                let error = relative(slot, count, 0, p) + columns;
                if error.is_nan() {
                    (state.active, state.status) = (false, Status::Diverged);
                    stopped = true;
                    break;
                } else if error <= tolerance {
                    candidates.push(p);
                    break;
                } else if !error.is_finite() {
                    state.relaxation.restart();
                } else if accelerated {
                    state.relaxation.observe(error);
                    // The rest of the window was computed with the ω before.
                    if state.relaxation.omega != omega {
                        break;
                    }
                }
            }
        }
        if !candidates.is_empty() {
            let errors = self.evaluate()?;
            for p in candidates {
                let state = &mut progress[p];
                if errors[p][0] + errors[p][1] <= tolerance {
                    (state.active, state.status) = (false, Status::Converged);
                    stopped = true;
                } else {
                    state.relaxation.restart();
                }
            }
        }
        if stopped {
            self.activate(|p| progress[p].active && !progress[p].small)?;
        }
        let omega: Vec<f64> =
            progress.iter().map(|s| if s.active { s.relaxation.omega } else { 0.0 }).collect();
        if accelerated && (stopped || omega != before) {
            let epsilon = self.epsilon.clone();
            self.set_parameters(&epsilon, &omega)?;
        } else if stopped {
            let omega: Vec<f64> = progress.iter().map(|s| f64::from(u8::from(s.active))).collect();
            let epsilon = self.epsilon.clone();
            self.set_parameters(&epsilon, &omega)?;
        }
        Ok(())
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
