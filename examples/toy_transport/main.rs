//! Weak, kernel and incomplete transport in the plane, where the answers are known.
//!
//!     cargo run --release --example toy_transport -- --show extremal
//!
//! - `extremal`: a swiss roll into a ball of radius ½ with w = 1, 2, 4, 8, 32; the larger w, the nearer is
//!   the map to the projection onto the ball, and the less it costs;
//! - `diversity`: a Gaussian to eight, weak quadratic cost with γ = 0, ⅓, ⅔, 1; the larger γ, the more
//!   different are the images of a point;
//! - `drift`: N(0, ¼I) to N(0, I) with γ = 1, where the weak quadratic cost has many minimisers and that of
//!   the distance kernel one.
//!
//! Without `--show` all of them. Writes tables (`.csv`) and pictures to `target/toy_transport`
//! (`--out`). `--quick` takes seconds and shows only that everything works.

mod diversity;
mod drift;
mod extremal;

use std::path::PathBuf;

use brenier::plot::Report;
use clap::{Parser, ValueEnum};

/// Weak, kernel and incomplete transport in the plane.
#[derive(Parser)]
pub struct Arguments {
    /// What to show; everything by default.
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',')]
    show: Vec<Show>,
    /// Potential steps of each run, instead of those of the show.
    #[arg(long)]
    steps: Option<u64>,
    /// Train for seconds.
    #[arg(long)]
    quick: bool,
    /// Seed of networks, data and training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where results go.
    #[arg(long, default_value = "target/toy_transport")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Show {
    Extremal,
    Diversity,
    Drift,
}

impl Arguments {
    /// Steps of a run that takes `usual` ones.
    fn steps(&self, usual: u64) -> u64 {
        self.steps.unwrap_or(if self.quick { 20 } else { usual })
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let all = [Show::Extremal, Show::Diversity, Show::Drift];
    let shows = if arguments.show.is_empty() { &all[..] } else { &arguments.show };
    for show in shows {
        let start = std::time::Instant::now();
        match show {
            Show::Extremal => extremal::show(&arguments)?,
            Show::Diversity => diversity::show(&arguments)?,
            Show::Drift => drift::show(&arguments)?,
        }
        println!("{:.0} s\n", start.elapsed().as_secs_f64());
    }
    let out = &arguments.out;
    Report::new("Weak, kernel and incomplete transport in the plane")
        .pictures(out)?
        .this_command()
        .write(out.join("report.html"))?;
    println!("results in {}", out.display());
    Ok(())
}
