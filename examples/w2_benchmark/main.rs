//! The Wasserstein-2 benchmark (arXiv:2106.01954) on its own pairs of measures.
//!
//!     cargo run --release --example w2_benchmark -- --data DIR --dim 8 --solver not
//!     cargo run --release --example w2_benchmark -- --plan PLAN.toml
//!
//! `DIR` holds `mix3to10_d{D}.safetensors` and `ref_d{D}.npz`. Trains every solver in every dimension
//! with every seed and writes to `target/w2_benchmark` (`--out`):
//!
//! - `runs/SOLVER-dD-sSEED/`: `checkpoint.bin`, weights, and `record.json` once the run is finished;
//! - `runs.csv`, `runs.jsonl`, `evaluations.csv`, `evaluations.jsonl`: a line a run, a line a score;
//! - `table.md`: beside the published table; `l2_uvp.svg`, `divergence.svg`, `curves-d{D}.svg`:
//!   pictures.
//!
//! The same command after a kill goes on where it stopped and skips what is finished. `--quick` takes
//! seconds and shows only that everything works. A plan may hold `data`, `dimensions`, `solvers`,
//! `seeds`, `minutes`, `out`, and settings: `[recipe.enot]`, and `[recipe.enot.64]` for one dimension.

mod contest;
mod defaults;
mod duals;
mod gap;
mod maximin;
mod plan;
mod recipe;
mod results;
mod solver;
mod solvers;
mod start;

use anyhow::ensure;
use brenier::plot::Report;
use clap::Parser;

use plan::{Arguments, Plan};
use results::Record;

fn main() -> anyhow::Result<()> {
    // The calling thread works too, instead of waiting for others at every operation.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global()?;
    carry_out(&Plan::of(Arguments::parse())?)
}

/// Makes the runs that are not finished and writes what all of them give.
fn carry_out(plan: &Plan) -> anyhow::Result<()> {
    let runs = plan.out.join("runs");
    for job in &plan.jobs {
        let (solver, quick) = (job.solver.name(), if plan.quick { "-quick" } else { "" });
        let folder = runs.join(format!("{solver}-d{}-s{}{quick}", job.dimension, job.seed));
        if let Some(record) = Record::read(&folder)? {
            let settings = serde_json::to_string(&job.recipe)?;
            ensure!(
                record.report.settings == settings,
                "{} holds a run with other settings: remove it, or give another --out",
                folder.display()
            );
            println!("{}: finished before", folder.display());
            continue;
        }
        Record::of(solvers::train(plan, job, &folder)?).write(&folder)?;
        results::write(&plan.out, &results::all(&runs)?)?;
    }
    let table = results::write(&plan.out, &results::all(&runs)?)?;
    println!("\n{table}");
    Report::new("The Wasserstein-2 benchmark")
        .markdown("L2-UVP, % (below the published ones)", &table)
        .pictures(&plan.out)?
        .csv("Runs", plan.out.join("runs.csv"))?
        .this_command()
        .write(plan.out.join("report.html"))?;
    println!("results in {}", plan.out.display());
    Ok(())
}
