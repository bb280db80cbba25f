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

/// A step of a run with nothing behind it.
pub struct At(pub u64);
impl State for At {
    fn step(&self) -> u64 {
        self.0
    }
}

/// Its readings.
pub struct Loss(pub f64);
impl Readings for Loss {
    fn readings(&self) -> Vec<(&'static str, f64)> {
        vec![("loss", self.0), ("gap", -self.0)]
    }
}

/// A folder in memory, where there is one: properties write many files, each of which waits for its disk.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// The state as the bytes of its checkpoint, to compare.
pub fn bytes_of<const H: usize>(state: &Trained<H>) -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("state");
    checkpoint::save(&path, state, &config(), Key::new(0)).expect("a checkpoint");
    std::fs::read(path).expect("the checkpoint")
}
