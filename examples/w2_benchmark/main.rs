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
mod plan;
mod recipe;
mod results;
mod solvers;

use anyhow::ensure;
use clap::Parser;

use plan::{Arguments, Plan};
use results::Record;

fn main() -> anyhow::Result<()> {
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
    println!("\n{}", results::write(&plan.out, &results::all(&runs)?)?);
    println!("results in {}", plan.out.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan that is run again skips what is finished, and one of other settings is refused.
    #[test]
    fn a_plan_goes_on_where_it_stopped() {
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned();
        let data = std::env::var("BRENIER_DATA").unwrap_or(beside) + "/w2bench";
        if !std::path::Path::new(&data).is_dir() {
            println!("skipped: no folder {data} (set BRENIER_DATA)");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let run = |solvers: &str, steps: &str| {
            let flags =
                ["w2", "--data", &data, "--solver", solvers, "--steps", steps, "--out", out];
            carry_out(&Plan::of(Arguments::parse_from(flags.into_iter().chain(["--quick"])))?)
        };
        run("enot,w2-dual,monge-gap", "8").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let (evaluations, runs) = (read("evaluations.csv"), read("runs.jsonl"));
        assert_eq!((evaluations.lines().count(), runs.lines().count()), (1 + 3 * 4, 3));
        assert!(runs.contains("\"outcome\":\"Finished\"") && runs.contains("\"epsilon\":"));
        assert!(read("divergence.svg").contains("ε = "));

        // A fourth run joins; the others are as they were, with their times.
        run("enot,w2-dual,monge-gap,not", "8").unwrap();
        assert_eq!(read("runs.jsonl").lines().count(), 4);
        let kept = read("evaluations.csv");
        assert!(evaluations.lines().all(|line| kept.lines().any(|l| l == line)));
        assert!(read("table.md").contains("| **w2-dual** |"));

        let refused = run("enot", "9").unwrap_err().to_string();
        assert!(refused.contains("other settings"), "{refused}");
    }
}
