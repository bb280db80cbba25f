//! An estimator that is not in the library (`uotm.rs`), checked and measured as those in it are.
//!
//!     cargo run --release --example your_own_estimator
//!     cargo run --release --example your_own_estimator -- --data DIR
//!
//! Passes the conformance suite, then joins the table of the Wasserstein-2 benchmark beside `not_step`
//! with the same networks, batches and steps: on the pair of D = 2 in `DIR`, or on a random pair without
//! files. `docs/adding-an-estimator.md` explains it piece by piece.

mod uotm;

use std::path::PathBuf;

use brenier::data::w2_benchmark_pair;
use brenier::prelude::*;
use brenier::score::benchmark::{markdown_table, Contender, Trial};
use brenier::testing::check_estimator;
use clap::Parser;
use uotm::{uotm_init, uotm_step, UotmConfig, UotmState};

#[derive(Parser)]
struct Arguments {
    /// Folder of the benchmark's files; a random pair without.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Train for a few seconds only.
    #[arg(long)]
    quick: bool,
    /// Seed of pair, networks and training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

type Potential = Mlp<2, 128, 2, 1>;
type Map = Displacement<Mlp<2, 128, 2, 2>>;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let [pair, networks] = Key::new(arguments.seed).split();
    let pair = match &arguments.data {
        Some(folder) => w2_benchmark_pair::<2>(folder)?,
        None => KnownPair::<2>::random(pair)?,
    };
    let (steps, map_steps) = (if arguments.quick { 150 } else { 1500 }, 10);
    let adam = |updates| AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.01 },
        ..AdamConfig::with_rate(1e-3)
    };
    let fresh = |key: Key| -> (Potential, Map) {
        let [f, t] = key.split();
        (build(f), build(t))
    };

    let alpha = Ramp { from: 1.0, to: 100.0, steps: steps / 2 };
    let (map, potential) = (adam(10 * steps), adam(steps));
    let config: UotmConfig =
        UotmConfig { map_steps, alpha, map, potential, ..UotmConfig::default() };
    let init = |key| {
        let (f, t) = fresh(key);
        uotm_init(&config, f, t)
    };
    let step = |s, b: &Batch<2>, k| uotm_step(&config, s, b, k);

    // Does it belong? Purity, determinism on any number of threads, resumption, bad data.
    let batches = Sampled::new(pair.source().clone(), pair.target(), 64)?.batches(networks);
    match check_estimator(init, step, |i| batches.batch(i)) {
        Ok(()) => println!("uotm conforms"),
        Err(broken) => anyhow::bail!("uotm does not conform: {broken:#?}"),
    }

    // How good is it?
    let trial =
        |name| Trial { batch: 256, steps, evaluations: 10, ..Trial::new(name, arguments.seed) };
    let image = |s: &UotmState<Potential, Map>, x| s.map.params().forward(x);
    let mine = Contender { state: init(networks)?, step, image };
    let (mine, _) = trial("uotm").run(&pair, mine, None, |e| {
        println!("uotm, step {}: L2-UVP {:.3} %", e.step, e.l2_uvp);
    })?;

    let config = NotConfig::<HalfSqEuclidean> {
        map_steps,
        source: SourceUse::Whole,
        map: adam(10 * steps),
        potential: adam(steps),
        ..NotConfig::default()
    };
    let (f, t) = fresh(networks);
    let theirs = Contender {
        state: not_init(&config, f, t)?,
        step: |s, b: &Batch<2>, k| not_step(&config, s, b, k),
        image: |s: &NotState<Potential, Map>, x| s.map.params().forward(x),
    };
    let (theirs, _) = trial("not").run(&pair, theirs, None, |_| ())?;
    println!("\n{}", markdown_table(&[mine.row(), theirs.row()], &[2]));
    Ok(())
}
