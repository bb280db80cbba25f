//! Flow matching on the plane, after the protocol of arXiv:2302.00482.
//!
//!     cargo run --release --example flow_2d -- --source normal --target eight-gaussians
//!
//! Trains a velocity for every coupling and seed and writes to `target/flow_2d` (`--out`):
//!
//! - `runs/…/`: `checkpoint.bin`, `velocity.safetensors`, `log.csv`, `paths.svg`, and `record.json` once
//!   the run is finished;
//! - `runs.csv`: a line a run; the table of means over seeds is printed.
//!
//! Scores, at `--points` fresh points of each measure: the normalised path energy |E ∫|v|² dt − W₂²| / W₂²
//! with W₂ between fresh points of source and target; W₂² between images and fresh points of the target,
//! for Dormand–Prince steps to a tolerance of 1e-5 and for 20 Euler steps; and between two draws of the
//! target, which is what sampling alone gives. The same command after a kill goes on where it stopped
//! and skips what is finished. `--quick` takes seconds and shows only that everything works.

mod results;
mod training;

use std::path::PathBuf;

use anyhow::bail;
use brenier::data::PlaneMeasure;
use brenier::plot::Report;
use clap::{Parser, ValueEnum};

use results::Record;
use training::Job;

/// Flow matching on the plane.
#[derive(Clone, Debug, Parser)]
pub struct Arguments {
    /// normal, eight-gaussians, moons, swiss-roll or checkerboard.
    #[arg(long, default_value = "normal", value_parser = measure)]
    source: PlaneMeasure,
    /// The same.
    #[arg(long, default_value = "eight-gaussians", value_parser = measure)]
    target: PlaneMeasure,
    /// Couplings of the minibatches.
    #[arg(
        long = "coupling",
        value_enum,
        value_delimiter = ',',
        default_value = "exact,independent"
    )]
    couplings: Vec<Coupling>,
    /// Seeds of initialisation, training and scores.
    #[arg(long = "seed", value_delimiter = ',', default_value = "0")]
    seeds: Vec<u64>,
    /// Steps of training.
    #[arg(long, default_value_t = 20_000)]
    steps: u64,
    /// Pairs of a step.
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// Points of each measure for the scores.
    #[arg(long, default_value_t = 4096)]
    points: usize,
    /// Train for a few seconds.
    #[arg(long)]
    quick: bool,
    /// Where results go.
    #[arg(long, default_value = "target/flow_2d")]
    out: PathBuf,
}

/// How the points of a minibatch are paired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Coupling {
    /// As drawn: I-CFM.
    Independent,
    /// By the assignment: OT-CFM.
    Exact,
    /// From the entropic plan with ε = 0.01 of the mean cost: OT-FM.
    Entropic,
    /// The same with τ = 0.95 of both measures: UOT-FM.
    Unbalanced,
}

fn measure(name: &str) -> Result<PlaneMeasure, String> {
    let known = PlaneMeasure::ALL.into_iter().find(|m| m.name() == name);
    known.ok_or_else(|| format!("one of {}", PlaneMeasure::ALL.map(PlaneMeasure::name).join(", ")))
}

fn main() -> anyhow::Result<()> {
    carry_out(&Arguments::parse())
}

fn carry_out(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.source == arguments.target {
        bail!("source and target are the same measure");
    }
    let runs = arguments.out.join("runs");
    for &coupling in &arguments.couplings {
        for &seed in &arguments.seeds {
            let job = Job::of(arguments, coupling, seed);
            let folder = runs.join(job.name());
            if let Some(record) = Record::read(&folder)? {
                if record.settings != job.settings() {
                    bail!("{} holds a run with other settings", folder.display());
                }
                println!("{}: finished before", folder.display());
                continue;
            }
            let record = training::train(&job, &folder)?;
            record.write(&folder)?;
            println!("{record}");
        }
    }
    let (out, table) = (&arguments.out, results::write(&arguments.out)?);
    println!("\n{table}");
    Report::new("Flow matching in the plane")
        .markdown("Means over seeds", &table)
        .pictures(out)?
        .csv("Runs", out.join("runs.csv"))?
        .this_command()
        .write(out.join("report.html"))?;
    println!("results in {}", arguments.out.display());
    Ok(())
}
