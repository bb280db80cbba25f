//! The Wasserstein-2 benchmark (arXiv:2106.01954) on its own pairs of measures.
//!
//!     cargo run --release --example w2_benchmark -- --data DIR --dim 8 --solver not
//!
//! `DIR` holds `mix3to10_d{D}.safetensors` and `ref_d{D}.npz`. Prints the three baselines, trains, and
//! prints the error of the learned map beside them; log, checkpoint and weights go to
//! `target/w2_benchmark/d{D}/`. `--quick` trains for about half a minute; `--resume` goes on from the
//! checkpoint.

use std::path::PathBuf;
use std::time::Instant;

use brenier::data::w2_benchmark_pair;
use brenier::prelude::*;
use clap::{Parser, ValueEnum};
use serde::de::DeserializeOwned;
use serde::Serialize;

#[derive(Parser)]
struct Arguments {
    /// Folder with the benchmark's networks and constants.
    #[arg(long)]
    data: PathBuf,
    /// Dimension: 2, 4, 8, 16, 32, 64, 128 or 256, whichever the folder holds.
    #[arg(long)]
    dim: usize,
    /// Estimator of the map.
    #[arg(long, value_enum, default_value_t = Solver::Not)]
    solver: Solver,
    /// Points of a batch.
    #[arg(long, default_value_t = 512)]
    batch: usize,
    /// Potential steps; the default depends on the dimension.
    #[arg(long)]
    steps: Option<u64>,
    /// Train for about half a minute.
    #[arg(long)]
    quick: bool,
    /// Seed of initialisation and training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on from the checkpoint of an interrupted run.
    #[arg(long)]
    resume: bool,
    /// Where results go.
    #[arg(long, default_value = "target/w2_benchmark")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Solver {
    /// Strong neural optimal transport, the estimator `not_step`.
    Not,
}

/// Points at which maps are scored, as in the paper.
const SCORED: usize = 1 << 14;

/// How long to train, and how fast the potential moves (the map has rate 1e-3).
struct Recipe {
    steps: u64,
    quick_steps: u64,
    potential_rate: f64,
}

fn main() -> anyhow::Result<()> {
    let a = Arguments::parse();
    match a.dim {
        2 => perceptrons::<2>(&a, 3000, 1400),
        4 => perceptrons::<4>(&a, 5000, 1400),
        8 => perceptrons::<8>(&a, 8000, 1300),
        16 => convex::<16, 64, 32>(&a, 12_000, 1600),
        32 => convex::<32, 64, 32>(&a, 16_000, 1500),
        64 => convex::<64, 128, 64>(&a, 12_000, 550),
        128 => convex::<128, 256, 128>(&a, 8000, 120),
        256 => convex::<256, 512, 256>(&a, 3000, 25),
        other => anyhow::bail!("no pair of dimension {other}; try 2, 4, 8, 16, 32, 64, 128 or 256"),
    }
}

/// Perceptrons of three hidden layers, the map as a displacement; the cost is ½|x − y|².
fn perceptrons<const N: usize>(a: &Arguments, steps: u64, quick_steps: u64) -> anyhow::Result<()> {
    let recipe = Recipe { steps, quick_steps, potential_rate: 1e-3 };
    benchmark::<N, HalfSqEuclidean, Mlp<N, 128, 2, 1>, Displacement<Mlp<N, 128, 2, N>>>(
        a,
        &recipe,
        |[f, t]| Ok((build(f), build(t))),
    )
}

/// The form MM of the benchmark: the cost −⟨x, y⟩, minus a DenseICNN as potential, the gradient of
/// another as map, both starting near the identity; neither is kept convex.
fn convex<const N: usize, const H: usize, const L: usize>(
    a: &Arguments,
    steps: u64,
    quick_steps: u64,
) -> anyhow::Result<()> {
    let recipe = Recipe { steps, quick_steps, potential_rate: 3e-4 };
    let pretrained = |key: Key| -> Result<DenseIcnn<N, H, 1, L>> {
        let [init, fit] = key.split();
        pretrain_identity(build(init), fit, if a.quick { 200 } else { 2000 })
    };
    benchmark::<N, NegDot, Negated<DenseIcnn<N, H, 1, L>>, GradientMap<DenseIcnn<N, H, 1, L>>>(
        a,
        &recipe,
        |[f, t]| Ok((Negated(pretrained(f)?), GradientMap(pretrained(t)?))),
    )
}

fn benchmark<const N: usize, C, F, T>(
    a: &Arguments,
    recipe: &Recipe,
    networks: impl FnOnce([Key; 2]) -> Result<(F, T)>,
) -> anyhow::Result<()>
where
    C: Cost<N> + Default + PartialEq + Serialize + DeserializeOwned,
    F: Potential<N> + Clone,
    T: TransportMap<N> + Clone,
{
    let Solver::Not = a.solver;
    let pair = w2_benchmark_pair::<N>(&a.data)?;
    let steps = a.steps.unwrap_or(if a.quick { recipe.quick_steps } else { recipe.steps });
    let [score, data, training, init] = Key::new(a.seed).split();

    println!("Wasserstein-2 benchmark, D = {N}: error against the true map at {SCORED} points");
    let b = baselines(&pair, score, SCORED)?;
    show("identity", b.identity);
    show("constant", b.constant);
    show("linear", b.linear);

    // Rates fall to a hundredth along half a cosine; the map makes ten updates a step.
    let start = Instant::now();
    let adam = |rate, updates| AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.01 },
        ..AdamConfig::with_rate(rate)
    };
    let config = NotConfig::<C> {
        map: adam(1e-3, steps * 10),
        potential: adam(recipe.potential_rate, steps),
        ..NotConfig::default()
    };
    let (f, t) = networks(init.split())?;
    let mut state = Averaged::new(not_init(&config, f, t)?);
    let reports = if a.quick { 4 } else { 20 };
    let step = with_ema(0.999, guard_finite(|s, b: &Batch<N>, k| not_step(&config, s, b, k)))?;

    let out = a.out.join(format!("d{N}"));
    let saved = out.join("checkpoint.bin");
    if a.resume {
        let (of_then, key): (NotConfig<C>, Key);
        (state, of_then, key) = checkpoint::load(&saved, state)?;
        anyhow::ensure!(key == training, "the checkpoint is of a run with another seed");
        if of_then != config {
            println!(
                "the settings differ from those of the checkpoint; going on with the new ones"
            );
        }
        println!("resumed at step {}", state.step());
    }
    let batches = Sampled::new(pair.source().clone(), pair.target(), a.batch)?
        .with_source_parts(config.source_parts())?
        .batches(data)
        .starting_at(state.step())
        .take(steps.saturating_sub(state.step()) as usize);
    let mut watch = (
        CsvLog::resume(&out.join("log.csv"), state.step())?,
        Progress::new(steps),
        every((steps / reports).max(1), |state: &Averaged<NotState<F, T>, T>, _: &NotMetrics| {
            let last = map_error(&pair, state.state.map.params(), score, SCORED)?;
            let mean = map_error(&pair, &state.average, score, SCORED)?;
            println!(
                "  step {:>6} {:6.0} s   L2-UVP {:7.3} %, of the average {:7.3} %",
                state.step(),
                start.elapsed().as_secs_f64(),
                last.l2_uvp,
                mean.l2_uvp
            );
            checkpoint::save(&saved, state, &config, training)
        })?,
    );
    let state = run(&step, state, batches, training, &mut watch)?;

    show("not", map_error(&pair, &state.average, score, SCORED)?);
    weights::save(&out.join("map.safetensors"), &state.average)?;
    weights::save(&out.join("potential.safetensors"), state.state.potential.params())?;
    let seconds = start.elapsed().as_secs_f64();
    println!("trained to step {} in {seconds:.0} s; results in {}", state.step(), out.display());
    Ok(())
}

fn show(name: &str, error: MapError) {
    println!("  {name:<10} L2-UVP {:8.3} %   cosine {:.4}", error.l2_uvp, error.cosine);
}
