//! A small run whose files the faults are done to.

use brenier::prelude::*;

pub type Trained<const H: usize> = NotState<Mlp<2, H, 1, 1>, Mlp<2, H, 1, 2>>;

pub fn config() -> NotConfig {
    NotConfig { map_steps: 1, ..NotConfig::default() }
}

/// A state that no step has been done from.
pub fn fresh<const H: usize>(seed: u64) -> Trained<H> {
    let [f, t] = Key::new(seed).split();
    not_init(&config(), build(f), build(t)).expect("the default configuration")
}

/// Trains to step `to` and shows each step to `observer`.
pub fn train(
    state: Trained<8>,
    to: u64,
    observer: &mut impl Observe<Trained<8>, NotMetrics>,
) -> brenier::Result<Trained<8>> {
    let pair = KnownPair::<2>::random(Key::new(1))?;
    let batches = Sampled::new(pair.source().clone(), pair.target(), 8)?.with_source_parts(2)?;
    let from = state.step();
    let batches = batches.batches(Key::new(2)).starting_at(from).take((to - from) as usize);
    run(&|s, b: &Batch<2>, k| not_step(&config(), s, b, k), state, batches, Key::new(3), observer)
}

/// The state as the bytes of its checkpoint, to compare.
pub fn bytes_of<const H: usize>(state: &Trained<H>) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    checkpoint::save(&path, state, &config(), Key::new(0)).expect("a checkpoint");
    std::fs::read(path).expect("the checkpoint")
}
