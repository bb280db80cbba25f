//! A run: an estimator under guard, scored along the way and at its end.

use std::path::Path;

use brenier::function::Persist;
use brenier::neural::Slowed;
use brenier::prelude::*;
use brenier::score::benchmark::{Contender, Evaluation, Report, Trial};
use brenier::score::{baselines, pair_divergence, Baselines, DivergenceScore};
use brenier::train::{guard, GuardConfig, Guarded};

use crate::plan::{Job, Plan};

/// Points of a score, as in the paper.
const SCORED: usize = 1 << 14;
/// Points of a Sinkhorn divergence.
const TRANSPORTED: usize = 1 << 11;
/// Points from which moments are estimated.
pub const MOMENTS: usize = 1 << 16;

/// What a run leaves.
pub struct Finished {
    pub report: Report,
    pub baselines: Baselines,
    /// Of the map at the end, if there is one.
    pub divergence: Option<DivergenceScore>,
    /// Of the constant map.
    pub constant_divergence: DivergenceScore,
    /// How often the guard went back to an earlier state.
    pub rollbacks: u64,
}

/// A job with what it needs.
pub struct Run<'a, const N: usize> {
    pub plan: &'a Plan,
    pub job: &'a Job,
    pub folder: &'a Path,
    pub pair: KnownPair<N>,
}

impl<const N: usize> Run<'_, N> {
    /// Trains a state under guard, scores the running average of its map, and saves that. Returns the
    /// state at the end.
    pub fn contest<S, T, St>(
        &self,
        source_parts: usize,
        state: S,
        step: St,
        image: impl Fn(&T, Points<N>) -> Points<N>,
    ) -> anyhow::Result<(Finished, Option<S>)>
    where
        S: State + Mapped<Map = Learner<T>> + Slowed + Persist + Clone,
        T: TensorCollection<f32, Cpu> + Clone,
        St: Step<S, Batch<N>>,
        St::Metrics: Readings,
    {
        let averaged = with_ema(self.job.recipe.average, step)?;
        let contender = Contender {
            state: Guarded::new(Averaged::new(state)),
            // Without a proxy: losses and norms of gradients say enough.
            step: guard(GuardConfig::default(), |_: &_| Ok(0.0), averaged)?,
            image: |s: &Guarded<Averaged<S, T>>, x| image(&s.state.average, x),
        };
        let (mut finished, state) = self.trial(source_parts, contender)?;
        if let Some(state) = &state {
            finished.rollbacks = state.rollbacks();
            weights::save(&self.folder.join("map.safetensors"), &state.state.average)?;
        }
        Ok((finished, state.map(|s| s.state.state)))
    }

    fn trial<S, St, F>(
        &self,
        source_parts: usize,
        contender: Contender<S, St, F>,
    ) -> anyhow::Result<(Finished, Option<S>)>
    where
        S: State + Persist,
        St: Step<S, Batch<N>>,
        F: Fn(&S, Points<N>) -> Points<N>,
    {
        let (job, quick) = (self.job, self.plan.quick);
        let trial = Trial {
            settings: serde_json::to_string(&job.recipe)?,
            batch: job.recipe.batch,
            source_parts,
            steps: job.recipe.steps,
            evaluations: if quick { 4 } else { 40 },
            points: if quick { SCORED / 4 } else { SCORED },
            minutes: self.plan.minutes,
            ..Trial::new(job.solver.name(), job.seed)
        };
        println!("{}, D = {N}, seed {}: {}", trial.solver, trial.seed, trial.settings);
        let baselines = baselines(&self.pair, Key::new(trial.seed), trial.points)?;
        for (name, e) in [
            ("identity", baselines.identity),
            ("constant", baselines.constant),
            ("linear", baselines.linear),
        ] {
            println!("  {name:<10} L2-UVP {:9.4} %   cosine {:.4}", e.l2_uvp, e.cosine);
        }
        let saved = self.folder.join("checkpoint.bin");
        let Contender { state, step, image } = contender;
        let image = &image;
        let contender = Contender { state, step, image };
        let (report, state) = trial.run(&self.pair, contender, Some(&saved), show)?;
        let key = Key::new(trial.seed).fold_in(2);
        let measure = |map: &dyn Fn(Points<N>) -> Result<Points<N>>| {
            pair_divergence(&self.pair, map, key, if quick { TRANSPORTED / 8 } else { TRANSPORTED })
        };
        let divergence = state.as_ref().map(|s| measure(&|x| Ok(image(s, x)))).transpose()?;
        let mean = rows(&self.pair.target().sample(key, MOMENTS)?);
        let mean: Vec<f32> =
            (0..N).map(|j| mean.iter().skip(j).step_by(N).sum::<f32>() / MOMENTS as f32).collect();
        let constant_divergence = measure(&|x| points(mean.repeat(x.shape().0)))?;
        println!("  {:?}, {divergence:?}", report.outcome);
        Ok((Finished { report, baselines, divergence, constant_divergence, rollbacks: 0 }, state))
    }
}

fn show(e: &Evaluation) {
    println!(
        "  step {:>7} {:7.0} s, CPU {:7.0} s   L2-UVP {:9.4} %   cosine {:.4}",
        e.step, e.seconds, e.cpu_seconds, e.l2_uvp, e.cosine
    );
}
