//! Responses of single cells to a perturbation, from unpaired cells before and after.
//!
//!     cargo run --release --example single_cell -- --data DIR --set cytof --seeds 0,1,2
//!     cargo run --release --example single_cell -- --data DIR --set hsmm
//!
//! `DIR` holds `cytof_bcrxl.npz` (24 markers), `kang_ifnb_pbmc.npz` (50 principal components) and
//! `hsmm_timecourse.npz` (principal components at four times).
//!
//! `cytof` and `kang`: every method is trained on four fifths of the cells and scored on the rest (`--split
//! cells`), or trained on all patients but one and scored on that one (`--split patients`, cytof). With
//! `--deplete` 70 % of the most frequent type of cell is taken out of the target, and the score is how many
//! cells keep their type, type by type. `hsmm`: each inner time is left out and interpolated from its
//! neighbours.
//!
//! Writes to `target/single_cell/SET` (`--out`): `scores.csv` (a line a method, split and seed), `table.md`
//! (means over them), `markers.csv`, `types.csv`, and pictures: densities of markers, and the divergences of
//! methods against those of the Monge gap.

mod cells;
mod methods;
mod pictures;
mod results;
mod scores;
mod training;
mod trajectories;
mod types;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Responses of single cells to a perturbation.
#[derive(Parser)]
pub struct Arguments {
    /// Folder with the data.
    #[arg(long)]
    data: PathBuf,
    /// Which data.
    #[arg(long, value_enum, default_value_t = Set::Cytof)]
    set: Set,
    /// What is held out.
    #[arg(long, value_enum, default_value_t = Split::Cells)]
    split: Split,
    /// Take 70 % of one type of cell out of the target (cytof).
    #[arg(long)]
    deplete: bool,
    /// Methods; all by default.
    #[arg(long, value_enum, num_args = 1.., value_delimiter = ',')]
    methods: Vec<methods::Method>,
    /// Seeds of splits, networks and training.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [0])]
    seeds: Vec<u64>,
    #[command(flatten)]
    training: training::Training,
    /// Where results go.
    #[arg(long, default_value = "target/single_cell")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Set {
    Cytof,
    Kang,
    Hsmm,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Split {
    Cells,
    Patients,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match arguments.set {
        Set::Cytof => scores::protocol::<24, 32>(&arguments, "cytof"),
        Set::Kang => scores::protocol::<50, 58>(&arguments, "kang"),
        Set::Hsmm => trajectories::protocol(&arguments),
    }
}
