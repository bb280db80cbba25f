//! The Wasserstein-2 benchmark (arXiv:2106.01954) on its own pairs of measures.
//!
//!     cargo run --release --example w2_benchmark -- --data DIR --dim 8 --solver not
//!
//! `DIR` holds `mix3to10_d{D}.safetensors` and `ref_d{D}.npz`. Prints the three baselines, trains, and
//! prints the error of the learned map beside them; log, scores, checkpoint and weights go to
//! `target/w2_benchmark/d{D}/`. `--quick` trains for about half a minute; `--resume` goes on from the
//! checkpoint.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use brenier::data::w2_benchmark_pair;
use brenier::prelude::*;
use clap::{Parser, ValueEnum};

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

/// Potential and map: perceptrons with three hidden layers of width `W`, the map as a displacement.
type Trained<const N: usize, const W: usize> = Averaged<
    NotState<Mlp<N, W, 2, 1>, Displacement<Mlp<N, W, 2, N>>>,
    Displacement<Mlp<N, W, 2, N>>,
>;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.dim {
        2 => benchmark::<2, 128>(&arguments, 3000),
        4 => benchmark::<4, 128>(&arguments, 5000),
        8 => benchmark::<8, 128>(&arguments, 8000),
        16 => benchmark::<16, 256>(&arguments, 8000),
        32 => benchmark::<32, 256>(&arguments, 8000),
        64 => benchmark::<64, 256>(&arguments, 8000),
        128 => benchmark::<128, 256>(&arguments, 8000),
        256 => benchmark::<256, 512>(&arguments, 4000),
        other => anyhow::bail!("no pair of dimension {other}; try 2, 4, 8, 16, 32, 64, 128 or 256"),
    }
}

fn benchmark<const N: usize, const W: usize>(a: &Arguments, steps: u64) -> anyhow::Result<()> {
    let Solver::Not = a.solver;
    let pair = w2_benchmark_pair::<N>(&a.data)?;
    let steps =
        a.steps.unwrap_or(if a.quick { 600_000 / (W * (N + W)) as u64 * 30 } else { steps });
    let [score, data, training, init] = Key::new(a.seed).split();

    println!("Wasserstein-2 benchmark, D = {N}: error against the true map at {SCORED} points");
    let b = baselines(&pair, score, SCORED)?;
    for (name, e) in [("identity", b.identity), ("constant", b.constant), ("linear", b.linear)] {
        println!("  {name:<10} L2-UVP {:7.2} %   cosine {:.4}", e.l2_uvp, e.cosine);
    }

    // Rates of 1e-3 that fall to 1e-5 over the run, for the map counted in its own updates.
    let adam = |updates| AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.01 },
        ..AdamConfig::with_rate(1e-3)
    };
    let config = NotConfig::<HalfSqEuclidean> {
        map: adam(steps * 10),
        potential: adam(steps),
        ..NotConfig::default()
    };
    let [f, t] = init.split();
    let (f, t): (Mlp<N, W, 2, 1>, Displacement<Mlp<N, W, 2, N>>) = (build(f), build(t));
    let mut state: Trained<N, W> = Averaged::new(not_init(&config, f, t)?);
    let step = with_ema(0.999, guard_finite(|s, b: &Batch<N>, k| not_step(&config, s, b, k)))?;

    let out = a.out.join(format!("d{N}"));
    std::fs::create_dir_all(&out)?;
    let saved = out.join("checkpoint.bin");
    if a.resume {
        let key: Key;
        (state, _, key) = checkpoint::load::<_, NotConfig>(&saved, state)?;
        anyhow::ensure!(key == training, "the checkpoint is of a run with another seed");
        println!("resumed at step {}", state.step());
    }

    let parts = config.source_parts();
    let batches = Sampled::new(pair.source().clone(), pair.target(), a.batch)?
        .with_source_parts(parts)?
        .batches(data)
        .starting_at(state.step())
        .take(steps.saturating_sub(state.step()) as usize);
    let start = Instant::now();
    let mut scores = scores_file(&out.join("scores.csv"), state.step())?;
    let mut watch = (
        every(10, CsvLog::resume(&out.join("log.csv"), state.step())?)?,
        Progress::new(steps),
        every((steps / 20).max(1), |state: &Trained<N, W>, _: &NotMetrics| {
            let last = map_error(&pair, state.state.map().params(), score, SCORED)?;
            let mean = map_error(&pair, &state.average, score, SCORED)?;
            let (at, seconds) = (state.step(), start.elapsed().as_secs_f64());
            let row = format!("{at},{seconds:.1},{},{},{}", last.l2_uvp, mean.l2_uvp, mean.cosine);
            println!(
                "  step {at:>6}  {seconds:6.0} s   L2-UVP {:7.3} %, of the average {:7.3} %",
                last.l2_uvp, mean.l2_uvp
            );
            // A score that cannot be written is still on the screen.
            let _ = writeln!(scores, "{row}");
            checkpoint::save(&saved, state, &config, training)
        })?,
    );
    let state = run(&step, state, batches, training, &mut watch)?;

    let e = map_error(&pair, &state.average, score, SCORED)?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "  {:<10} L2-UVP {:7.3} %   cosine {:.4}   ({steps} steps, {seconds:.0} s)",
        "not", e.l2_uvp, e.cosine
    );
    weights::save(&out.join("map.safetensors"), &state.average)?;
    weights::save(&out.join("potential.safetensors"), state.state.potential.params())?;
    println!("results in {}", out.display());
    Ok(())
}

fn scores_file(path: &Path, from: u64) -> std::io::Result<File> {
    let mut file =
        File::options().create(true).append(from > 0).write(true).truncate(from == 0).open(path)?;
    if from == 0 {
        writeln!(file, "step,seconds,l2_uvp_last,l2_uvp_average,cosine_average")?;
    }
    Ok(file)
}
