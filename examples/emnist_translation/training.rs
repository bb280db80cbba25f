//! Training of one run, with velocities stored on the way.

use std::path::{Path, PathBuf};
use std::time::Instant;

use brenier::prelude::*;
use brenier::train::write_atomically;

use crate::data::{Emnist, PIXELS};
use crate::settings::Settings;

/// Three hidden layers of 256; nine numbers of the time.
pub type Velocity16 = VelocityMlp<265, 256, 2, PIXELS, Silu>;

/// The velocity that was stored at a step.
pub fn stored(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("velocity-{step}.safetensors"))
}

/// Trains to the last step, from the checkpoint if there is one.
pub fn train(settings: &Settings, seed: u64, data: &Emnist, folder: &Path) -> anyhow::Result<()> {
    let config = settings.flow_matching();
    let [init, draws, training] = Key::new(seed).split();
    let fresh = flow_matching_init(&config, build::<Velocity16, _, _>(init))?;
    let (mut state, saved) = (Averaged::new(fresh), folder.join("checkpoint.bin"));
    let (steps, every_n) = (settings.training.steps, settings.training.checkpoint_every);
    let text = serde_json::to_string_pretty(settings)?;
    if saved.exists() {
        let of_then: String;
        (state, of_then, _) = checkpoint::load(&saved, state)?;
        anyhow::ensure!(of_then == text, "{} is of other settings", saved.display());
    }
    write_atomically(&folder.join("settings.json"), text.as_bytes())?;
    let left = steps.saturating_sub(state.step()) as usize;
    let (digits, letters) = (&data.train_digits, &data.train_letters);
    let batches = Sampled::new(digits, letters, settings.training.batch_size)?
        .batches(draws)
        .starting_at(state.step())
        .take(left);
    let step = with_ema(
        settings.training.ema,
        guard_finite(|s, b: &Batch<PIXELS>, k| flow_matching_step(&config, s, b, k)),
    )?;
    let log = CsvLog::resume(&folder.join("log.csv"), state.step())?;
    let mut watch = (
        every((steps / 250).max(1), log)?,
        Progress::new(steps),
        every(every_n, |s: &Averaged<_, Velocity16>, _: &FlowMatchingMetrics| {
            weights::save(&stored(folder, s.step()), &s.average)?;
            checkpoint::save(&saved, s, &text, training)
        })?,
    );
    let start = Instant::now();
    let state = run(&step, state, batches, training, &mut watch)?;
    weights::save(&stored(folder, state.step()), &state.average)?;
    checkpoint::save(&saved, &state, &text, training)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{}: step {} after {seconds:.0} s", folder.display(), state.step());
    Ok(())
}
