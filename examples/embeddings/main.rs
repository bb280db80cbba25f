//! Extremal transport between text and image embeddings, unpaired (arXiv:2301.12874 with the networks of
//! arXiv:2106.03812).
//!
//!     cargo run --release --example embeddings -- --pairs PAIRS.npz --captions CAPTIONS.json
//!     cargo run --release --example embeddings -- --source TEXT.npy --target IMAGE.safetensors:image
//!     cargo run --release --example embeddings -- --synthetic 64
//!
//! `PAIRS.npz` holds `text` and `image` `[n, d]`, row i of both belonging together, and the row numbers
//! `split_trainA_text`, `split_trainB_image`, `split_test`. Files of a source and a target are `.npy`,
//! `.npz:NAME` or `.safetensors:NAME` of any width up to 1024; a fifth of the rows of both is held out. Trains
//! T for w = 1, 2, 4, 8, one after the other, with cost minus the cosine, and writes to
//! `target/embeddings` (`--out`), for each seed: `w{W}.bin` (checkpoints, which are not trained again),
//! `mapped-w{W}.npy` (images of the held-out texts, for a decoder of yours), `log-w{W}.csv`; and
//! `table.csv`, `table.md`, and `report.html` with the table, the command, and the descriptions that are nearest
//! to the images of texts.

mod arms;
mod data;
mod report;
mod train;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Parser, ValueEnum};

use data::Data;

/// Extremal transport between text and image embeddings.
#[derive(Clone, Parser)]
pub struct Arguments {
    /// Archive of pairs with splits.
    #[arg(long)]
    pairs: Option<PathBuf>,
    /// JSON with a list of descriptions, one a row, under `description`.
    #[arg(long)]
    captions: Option<PathBuf>,
    /// Source embeddings: FILE.npy, FILE.npz:NAME or FILE.safetensors:NAME.
    #[arg(long, requires = "target")]
    source: Option<String>,
    /// Target embeddings, in the same way; rows need not belong to those of the source.
    #[arg(long)]
    target: Option<String>,
    /// von Mises–Fisher laws of this width, whose map is known.
    #[arg(long)]
    synthetic: Option<usize>,
    /// Rows of each synthetic law.
    #[arg(long, default_value_t = 20_000)]
    rows: usize,
    /// Sizes of the networks and the length of the run.
    #[arg(long, value_enum, default_value_t = Preset::Small)]
    preset: Preset,
    /// Weights w, rising.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [1.0, 2.0, 4.0, 8.0])]
    weights: Vec<f64>,
    /// Potential steps for each weight, instead of the preset's.
    #[arg(long)]
    steps: Option<u64>,
    /// Points of a batch, instead of the preset's.
    #[arg(long)]
    batch: Option<usize>,
    /// Steps of T for one of f.
    #[arg(long, default_value_t = 10)]
    map_steps: usize,
    /// Learning rate of both networks, instead of the preset's.
    #[arg(long)]
    rate: Option<f64>,
    /// Weight decay, instead of the published 0.0602.
    #[arg(long)]
    decay: Option<f64>,
    /// Factor on the cost.
    #[arg(long, default_value_t = 10.0)]
    coefficient: f64,
    /// Deviation of the noise that is added to source points in training, relative to their norm.
    #[arg(long, default_value_t = 0.0)]
    noise: f32,
    /// The same of target points, which stay on the sphere.
    #[arg(long, default_value_t = 0.0)]
    target_noise: f32,
    /// Leave noised source points where they fall, instead of putting them back on the sphere.
    #[arg(long)]
    free_noise: bool,
    /// The norm of embeddings in the networks.
    #[arg(long, value_enum, default_value_t = Norm::Root)]
    norm: Norm,
    /// Seeds.
    #[arg(long, num_args = 1.., value_delimiter = ',', default_values_t = [0])]
    seeds: Vec<u64>,
    /// Train for seconds.
    #[arg(long)]
    quick: bool,
    /// Where results go.
    #[arg(long, default_value = "target/embeddings")]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Preset {
    /// Width 256, two blocks each, batches of 128, 3000 steps.
    Small,
    /// The published sizes: width 1024, five blocks in T, three in f, batches of 225, 100 000 steps.
    Paper,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Norm {
    /// 1.
    Unit,
    /// √d.
    Root,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let data = Data::read(&arguments)?;
    println!(
        "{} source and {} target rows of width {}, {} held out",
        data.source.len() / data.width,
        data.target.len() / data.width,
        data.width,
        data.test_source.len() / data.width
    );
    // The networks have their widths in their types; a narrower embedding is continued with zeros, which
    // changes no cosine.
    match (data.width, arguments.preset) {
        (..=64, Preset::Small) => train::all::<64, 256, 2, 2>(&arguments, &data),
        (..=512, Preset::Small) => train::all::<512, 256, 2, 2>(&arguments, &data),
        (..=768, Preset::Small) => train::all::<768, 256, 2, 2>(&arguments, &data),
        (..=1024, Preset::Small) => train::all::<1024, 256, 2, 2>(&arguments, &data),
        (..=768, Preset::Paper) => train::all::<768, 1024, 5, 3>(&arguments, &data),
        (..=1024, Preset::Paper) => train::all::<1024, 1024, 5, 3>(&arguments, &data),
        (width, _) => bail!("embeddings of width {width}: up to 1024 are compiled in (main.rs)"),
    }
}
