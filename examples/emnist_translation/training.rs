//! Training of one run, with velocities stored on the way.

use std::path::{Path, PathBuf};
use std::time::Instant;

use brenier::prelude::*;
use brenier::train::write_atomically;
use dfdx::prelude::BuildModule;

use crate::settings::Settings;

/// The velocity that was stored at a step.
pub fn stored(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("velocity-{step}.safetensors"))
}

/// A velocity in training, with its average.
pub type Trained<V> = Averaged<FlowMatchingState<V>, V>;

/// Trains from `source` to `target` to the last step, from the checkpoint if there is one. `look` sees the
/// state whenever its average is stored.
pub fn train<const N: usize, V>(
    settings: &Settings,
    seed: u64,
    (source, target): (impl Sampler<N>, impl Sampler<N>),
    folder: &Path,
    look: &mut dyn FnMut(&Trained<V>) -> Result<()>,
) -> anyhow::Result<()>
where
    V: Velocity<N> + BuildModule<Cpu, f32> + Clone,
{
    let config = settings.flow_matching();
    let [init, draws, training] = Key::new(seed).split();
    let fresh = flow_matching_init(&config, build::<V, _, _>(init))?;
    let (mut state, saved) = (Averaged::new(fresh), folder.join("checkpoint.bin"));
    let (steps, every_n) = (settings.training.steps, settings.training.checkpoint_every);
    let text = serde_json::to_string_pretty(settings)?;
    if saved.exists() {
        let of_then: String;
        (state, of_then, _) = checkpoint::load(&saved, state)?;
        anyhow::ensure!(of_then == text, "{} is of other settings", saved.display());
    }
    write_atomically(&folder.join("settings.json"), text.as_bytes())?;
    let from = state.step();
    let batches = Sampled::new(source, target, settings.training.batch_size)?
        .batches(draws)
        .starting_at(from)
        .take(steps.saturating_sub(from) as usize);
    let step = with_ema(
        settings.training.ema,
        guard_finite(|s, b: &Batch<N>, k| flow_matching_step(&config, s, b, k)),
    )?;
    let log = CsvLog::resume(&folder.join("log.csv"), from)?;
    let mut watch = (
        every((steps / 250).max(1), log)?,
        Progress::new(steps),
        |s: &Trained<V>, _: &FlowMatchingMetrics| {
            if !s.step().is_multiple_of(every_n.max(1)) && s.step() != steps {
                return Ok(());
            }
            weights::save(&stored(folder, s.step()), &s.average)?;
            checkpoint::save(&saved, s, &text, training)?;
            look(s)
        },
    );
    let start = Instant::now();
    let state = run(&step, state, batches, training, &mut watch)?;
    let (seconds, end) = (start.elapsed().as_secs_f64(), state.step());
    println!("{}: step {end}, {} steps in {seconds:.0} s", folder.display(), end - from);
    Ok(())
}
