//! A run in its folder: training with checkpoints, logs and scores on the way.

mod scores;

use std::path::PathBuf;

use anyhow::ensure;
use brenier::function::arrays;
use brenier::plot::Report;
use brenier::prelude::*;
use brenier::train::{CsvLog, Progress, Step};
use cpu_time::ProcessTime;
use dfdx::prelude::{BuildModule, Cpu};

use crate::options::{Common, Game};
pub use scores::Scores;

/// The state of every maximin game, with the average of its map.
pub type Trained<F, T> = Averaged<NotState<F, T>, T>;

/// What becomes of a run: `checkpoint.bin`, `log.csv` (readings of steps), `scores.csv`,
/// `map.safetensors` and `report.html` in its folder.
pub struct Session {
    pub folder: PathBuf,
    pub game: Game,
    /// All settings; a run goes on under the same ones only.
    pub settings: String,
    /// Number of scores on the way.
    pub looks: u64,
    pub resume: bool,
    pub init_from: Option<PathBuf>,
    pub seed: u64,
    /// What the scores and the rows of pictures are, for the reader of the report.
    pub about: &'static str,
}

impl Session {
    pub fn new(
        common: &Common,
        folder: PathBuf,
        game: Game,
        settings: String,
        about: &'static str,
    ) -> Self {
        Self {
            folder,
            game,
            settings,
            about,
            looks: 10,
            resume: common.resume,
            init_from: common.init_from.clone(),
            seed: common.seed,
        }
    }

    /// Trains to the last step and scores the averaged map by `look` on the way.
    pub fn train<const N: usize, F, T, P, Q, St>(
        &self,
        data: Sampled<N, P, Q>,
        start: impl FnOnce(F, T) -> Result<NotState<F, T>>,
        step: St,
        look: &mut dyn FnMut(&Trained<F, T>) -> Result<Scores>,
    ) -> anyhow::Result<Trained<F, T>>
    where
        F: BuildModule<Cpu, f32>,
        T: BuildModule<Cpu, f32> + Clone,
        P: Sampler<N>,
        Q: Sampler<N>,
        St: Step<NotState<F, T>, Batch<N>>,
        St::Metrics: Readings,
    {
        let clock = ProcessTime::now();
        let [init, draws, training] = Key::new(self.seed).split();
        let [of_potential, of_map] = init.split();
        let (mut f, mut t): (F, T) = (build(of_potential), build(of_map));
        let saved = self.folder.join("checkpoint.bin");
        let resumed = self.resume && saved.exists();
        if let (Some(from), false) = (&self.init_from, resumed) {
            let map = checkpoint::transfer::<String, _, _, _>(from, "average.", &mut t)?;
            println!("map from {}: {map}", from.display());
            let path = "potential.parameters.";
            let potential = checkpoint::transfer::<String, _, _, _>(from, path, &mut f)?;
            println!("potential from {}: {potential}", from.display());
        }
        let mut state = Averaged::new(start(f, t)?);
        if resumed {
            let of_then: String;
            (state, of_then, _) = checkpoint::load(&saved, state)?;
            let differ = "is of other settings; start anew without --resume";
            ensure!(of_then == self.settings, "{} {differ}:\n{of_then}", saved.display());
        }
        let (steps, from) = (self.game.steps, state.step());
        let left = steps.saturating_sub(from) as usize;
        let parts = self.game.turns().source_parts();
        let batches = data.with_source_parts(parts)?.batches(draws).starting_at(from).take(left);
        let step = with_ema(self.game.ema, guard_finite(step))?;
        let mut scores = CsvLog::<Scores>::resume(&self.folder.join("scores.csv"), from)?;
        let log = CsvLog::resume(&self.folder.join("log.csv"), from)?;
        let every_look = steps.div_ceil(self.looks).max(1);
        // The least gradient of the potential, if it has parameters: none that is not trained goes unseen.
        let trained = !arrays(state.state.potential.params()).is_empty();
        let mut least = f64::INFINITY;
        let mut watch = (
            every((steps / 200).max(1), log)?,
            Progress::new(steps),
            (
                |s: &Trained<F, T>, m: &St::Metrics| {
                    let norm = m.readings().into_iter().find(|r| r.0 == "potential_gradient_norm");
                    least = norm.map_or(least, |norm| least.min(norm.1));
                    if s.step().is_multiple_of(every_look) || s.step() == steps {
                        let seen = look(s)?;
                        println!("{} step {}:{seen}", self.folder.display(), s.step());
                        scores.observe(s, &seen)?;
                    }
                    Ok(())
                },
                every((steps / 100).max(1), |s: &Trained<F, T>, _: &St::Metrics| {
                    checkpoint::save(&saved, s, &self.settings, training)
                })?,
            ),
        );
        let state = run(&step, state, batches, training, &mut watch)?;
        drop(watch);
        ensure!(!trained || least > 0.0, "the potential got no gradient in some step");
        checkpoint::save(&saved, &state, &self.settings, training)?;
        weights::save(&self.folder.join("map.safetensors"), &state.average)?;
        Report::new(&self.folder.display().to_string())
            .markdown("What is shown", self.about)
            .csv("Scores of the averaged map", self.folder.join("scores.csv"))?
            .pictures(&self.folder)?
            .heading("Readings of steps")
            .log(self.folder.join("log.csv"))?
            .settings("Settings", &self.game)?
            .this_command()
            .write(self.folder.join("report.html"))?;
        let seconds = clock.elapsed().as_secs_f64();
        println!(
            "{} step {} ({left} steps, {seconds:.0} s CPU)",
            self.folder.display(),
            state.step()
        );
        Ok(state)
    }
}
