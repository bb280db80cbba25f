//! Training a contender against the clock, scored along the way.

use std::path::Path;
use std::time::Instant;

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};

use super::report::{Evaluation, Outcome, Report};
use crate::data::KnownPair;
use crate::error::{check_count, check_positive, Error, Result};
use crate::function::Persist;
use crate::neural::State;
use crate::problem::{Batch, Sampled};
use crate::random::Key;
use crate::score::map_error::error_of;
use crate::tensor::{rows, Points};
use crate::train::{checkpoint, run, Step};

/// An estimator in the benchmark.
#[derive(Clone, Debug)]
pub struct Contender<S, St, F> {
    /// Where it starts, a function of the seed.
    pub state: S,
    /// What it does with a batch; any [`Step`].
    pub step: St,
    /// The map that a state holds: `Fn(&S, Points<N>) -> Points<N>`.
    pub image: F,
}

/// How a contender is trained and scored. Plain data; two trials that are equal give equal scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Name of the contender.
    pub solver: String,
    /// Seed of batches, training and scores.
    pub seed: u64,
    /// Settings of the contender in words, to be kept with the scores.
    pub settings: String,
    /// Points of a batch.
    pub batch: usize,
    /// Times as many source points ([`Sampled::with_source_parts`]).
    pub source_parts: usize,
    /// Steps of training.
    pub steps: u64,
    /// How often the map is scored, evenly over the steps.
    pub evaluations: u64,
    /// Points at which it is scored; the paper takes 2¹⁴.
    pub points: usize,
    /// Minutes of CPU time of the process after which training ends with what it has.
    pub minutes: Option<f64>,
}

/// What is saved beside the state.
#[derive(Serialize, Deserialize)]
struct Progress {
    trial: Trial,
    evaluations: Vec<Evaluation>,
}

impl Trial {
    /// A trial of 10 000 steps with batches of 512, scored 20 times at 2¹⁴ points, without limit of time.
    pub fn new(solver: impl Into<String>, seed: u64) -> Self {
        Self {
            solver: solver.into(),
            seed,
            settings: String::new(),
            batch: 512,
            source_parts: 1,
            steps: 10_000,
            evaluations: 20,
            points: 1 << 14,
            minutes: None,
        }
    }

    /// Trains a contender on samples of the pair and scores its map; `watch` sees every score.
    ///
    /// With `saved`, the state and the scores so far are kept in that file, which is replaced after each
    /// score; a trial that finds it goes on from there, and ends with the scores of one that was never
    /// interrupted (times apart). Returns the scores and the state at the end; a step that fails ends the
    /// trial with [`Outcome::Failed`] and without a state.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] for a field out of range; those of the samplers; [`Error::Io`] and
    /// [`Error::Checkpoint`] of the file, [`Error::InvalidConfig`] if it is of another trial.
    pub fn run<const N: usize, S, St, F>(
        &self,
        pair: &KnownPair<N>,
        contender: Contender<S, St, F>,
        saved: Option<&Path>,
        mut watch: impl FnMut(&Evaluation),
    ) -> Result<(Report, Option<S>)>
    where
        S: State + Persist,
        St: Step<S, Batch<N>>,
        F: Fn(&S, Points<N>) -> Points<N>,
    {
        self.check()?;
        let [score, data, training] = Key::new(self.seed).split();
        let Contender { mut state, step, image } = contender;
        let mut report = self.report(N);
        if let Some(path) = saved.filter(|path| path.exists()) {
            (state, report.evaluations) = self.resumed(path, state, training)?;
        }
        let batches = Sampled::new(pair.source().clone(), pair.target(), self.batch)?
            .with_source_parts(self.source_parts)?
            .batches(data);
        let spent = report.last().map_or((0.0, 0.0), |e| (e.seconds, e.cpu_seconds));
        let mut clock = Clock { spent, running: None };
        while let Some(until) = self.next_score(state.step()) {
            if self.minutes.is_some_and(|m| clock.spent.1 > 60.0 * m) {
                report.outcome = Outcome::OutOfTime;
                break;
            }
            clock.start();
            let part = batches.clone().starting_at(state.step());
            let part = part.take((until - state.step()) as usize);
            match run(&step, state, part, training, &mut |_: &S, _: &St::Metrics| Ok(())) {
                Ok(trained) => state = trained,
                Err(e @ (Error::NonFinite { .. } | Error::Diverged { .. })) => {
                    report.outcome = Outcome::Failed(e.to_string());
                    return Ok((report, None));
                }
                Err(e) => return Err(e),
            }
            let (seconds, cpu_seconds) = clock.stop();
            let error = error_of(pair, score, self.points, |x| rows(&image(&state, x)))?;
            let (l2_uvp, cosine) = (error.l2_uvp, error.cosine);
            let evaluation =
                Evaluation { step: state.step(), seconds, cpu_seconds, l2_uvp, cosine };
            watch(&evaluation);
            report.evaluations.push(evaluation);
            if let Some(path) = saved {
                let evaluations = report.evaluations.clone();
                let progress = Progress { trial: self.clone(), evaluations };
                checkpoint::save(path, &state, &progress, training)?;
            }
        }
        Ok((report, Some(state)))
    }

    /// The step at which the map is scored next; none at the end.
    fn next_score(&self, step: u64) -> Option<u64> {
        let at =
            |i: u64| (u128::from(self.steps) * u128::from(i) / u128::from(self.evaluations)) as u64;
        (1..=self.evaluations).map(at).find(|&s| s > step)
    }

    fn check(&self) -> Result<()> {
        check_count("steps of a trial", self.steps as usize)?;
        check_count("evaluations of a trial", self.evaluations as usize)?;
        check_count("points of a score", self.points)?;
        self.minutes.map_or(Ok(()), |m| check_positive("minutes of a trial", m))
    }

    fn report(&self, dimension: usize) -> Report {
        Report {
            solver: self.solver.clone(),
            dimension,
            seed: self.seed,
            settings: self.settings.clone(),
            outcome: Outcome::Finished,
            evaluations: Vec::new(),
        }
    }

    fn resumed<S: Persist>(
        &self,
        path: &Path,
        template: S,
        training: Key,
    ) -> Result<(S, Vec<Evaluation>)> {
        let (state, progress, key): (S, Progress, Key) = checkpoint::load(path, template)?;
        // Another budget of time is no other trial.
        let then = Self { minutes: self.minutes, ..progress.trial };
        if then != *self || key != training {
            let rule = "is of a trial with other settings: remove it, or write elsewhere";
            return Err(Error::config("checkpoint to resume", path.display(), rule));
        }
        Ok((state, progress.evaluations))
    }
}

/// Wall and CPU time of the process while it runs.
struct Clock {
    spent: (f64, f64),
    running: Option<(Instant, ProcessTime)>,
}

impl Clock {
    fn start(&mut self) {
        self.running = Some((Instant::now(), ProcessTime::now()));
    }

    fn stop(&mut self) -> (f64, f64) {
        if let Some((wall, cpu)) = self.running.take() {
            self.spent.0 += wall.elapsed().as_secs_f64();
            self.spent.1 += cpu.elapsed().as_secs_f64();
        }
        self.spent
    }
}
