//! Flow matching between stored latents; decoding is left to whoever encoded.
//!
//!     cargo run --release --example latent_flow -- --source a.npz --target b.safetensors --tau 0.95,0.95
//!
//! Source and target are files with one array `[n, N]` each (`--source-name`, `--target-name` choose one of
//! several; images and other shapes count as their first axis times the rest), N one of 16, 32, 64, 128,
//! 256, 512, 768, 1024. Latents are scaled by the deviation of all numbers of the target. Writes to
//! `target/latent_flow` (`--out`): `log.csv`, `checkpoint.bin` (the same command goes on from there),
//! `velocity.safetensors`, and `images.safetensors` with the array `images` `[n, N]`, where the flow takes
//! the source latents, in their units and order. `--steps 0` moves latents by a trained velocity.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context};
use brenier::data::read_npz;
use brenier::neural::{flow, Draws, FlowPath, Pairing};
use brenier::prelude::*;
use brenier::solver::{Epsilon, MinibatchCoupling, OdeConfig, SinkhornConfig, Stop};
use brenier::train::write_atomically;
use clap::Parser;

/// Flow matching between stored latents.
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Latents of the source, `.npz` or `.safetensors`.
    #[arg(long)]
    source: PathBuf,
    /// Latents of the target.
    #[arg(long)]
    target: PathBuf,
    /// The array of the source, if its file holds several.
    #[arg(long)]
    source_name: Option<String>,
    /// The array of the target.
    #[arg(long)]
    target_name: Option<String>,
    /// τ of source and target: 1,1 for OT-FM, less to relax.
    #[arg(long, value_delimiter = ',', default_value = "1,1")]
    tau: Vec<f64>,
    /// Noise of the path, in units of the deviation.
    #[arg(long, default_value_t = 0.01)]
    sigma: f64,
    /// Steps of training.
    #[arg(long, default_value_t = 10_000)]
    steps: u64,
    /// Pairs of a step.
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// Learning rate.
    #[arg(long, default_value_t = 5e-4)]
    rate: f64,
    /// Seed of initialisation and training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where results go.
    #[arg(long, default_value = "target/latent_flow")]
    out: PathBuf,
}

/// Points `[n, width]` of a file.
#[derive(Clone, Debug)]
struct Latents {
    values: Vec<f32>,
    width: usize,
}

impl<const N: usize> Sampler<N> for Latents {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        let rows = key.indices(n, self.values.len() / N).into_iter();
        points(rows.flat_map(|i| &self.values[i * N..(i + 1) * N]).copied().collect())
    }
}

impl Latents {
    fn read(path: &Path, name: Option<&str>) -> anyhow::Result<Self> {
        let arrays: Vec<(String, Vec<usize>, Vec<f32>)> = match path.extension() {
            Some(e) if e == "npz" => {
                let single = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
                read_npz(path)?.into_iter().map(|(k, a)| (k, a.shape, single(a.values))).collect()
            }
            _ => weights::read(path)?.into_iter().map(|a| (a.name, a.shape, a.values)).collect(),
        };
        let names: Vec<&str> = arrays.iter().map(|a| a.0.as_str()).collect();
        let chosen = match name {
            Some(name) => arrays.iter().find(|a| a.0 == name),
            None if arrays.len() == 1 => arrays.first(),
            None => None,
        };
        let of = || format!("{}: choose one of its arrays, {}", path.display(), names.join(", "));
        let (_, shape, values) = chosen.with_context(of)?;
        ensure!(shape.len() > 1 && shape[0] > 0, "{}: shape {shape:?}", path.display());
        let width = shape[1..].iter().product();
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            bail!("{}: number {i} is {}", path.display(), values[i]);
        }
        Ok(Self { values: values.clone(), width })
    }

    fn deviation(&self) -> f32 {
        let n = self.values.len() as f64;
        let mean = self.values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let squares: f64 = self.values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
        (squares / n).sqrt().max(f64::MIN_POSITIVE) as f32
    }

    fn scaled(mut self, by: f32) -> Self {
        self.values.iter_mut().for_each(|v| *v *= by);
        self
    }
}

fn main() -> anyhow::Result<()> {
    carry_out(&Arguments::parse())
}

fn carry_out(a: &Arguments) -> anyhow::Result<()> {
    let source = Latents::read(&a.source, a.source_name.as_deref())?;
    let target = Latents::read(&a.target, a.target_name.as_deref())?;
    let (n, m) = (source.width, target.width);
    ensure!(n == m, "the source has latents of {n} numbers, the target of {m}");
    // N and the inputs of the network: the place, and nine numbers of the time.
    match n {
        16 => between::<16, 25>(a, source, target),
        32 => between::<32, 41>(a, source, target),
        64 => between::<64, 73>(a, source, target),
        128 => between::<128, 137>(a, source, target),
        256 => between::<256, 265>(a, source, target),
        512 => between::<512, 521>(a, source, target),
        768 => between::<768, 777>(a, source, target),
        1024 => between::<1024, 1033>(a, source, target),
        _ => bail!("latents of {n} numbers: add a line to `carry_out` for them"),
    }
}

fn between<const N: usize, const I: usize>(
    a: &Arguments,
    source: Latents,
    target: Latents,
) -> anyhow::Result<()> {
    let [tau, tau_target] = a.tau[..] else { bail!("--tau takes two numbers") };
    let scale = target.deviation();
    let (source, target) = (source.scaled(1.0 / scale), target.scaled(1.0 / scale));
    let sinkhorn = SinkhornConfig {
        epsilon: Epsilon::RelativeToMean(0.01),
        stop: Stop::Tolerance { tolerance: 1e-2, limit: 1000 },
        ..SinkhornConfig::default()
    };
    let coupling = MinibatchCoupling::Unbalanced { sinkhorn, tau: [tau, tau_target] };
    let config = FlowMatchingConfig {
        path: FlowPath::Straight { sigma: a.sigma },
        pairing: Pairing::Coupled { coupling, draws: Draws::Independent },
        velocity: AdamConfig { clip: Clip::Norm(1.0), ..AdamConfig::with_rate(a.rate) },
        ..FlowMatchingConfig::exact()
    };
    let [init, draws, training] = Key::new(a.seed).split();
    let v: VelocityMlp<I, 512, 2, N> = build(init);
    let (mut state, saved) =
        (Averaged::new(flow_matching_init(&config, v)?), a.out.join("checkpoint.bin"));
    if saved.exists() {
        let of_then: FlowMatchingConfig;
        (state, of_then, _) = checkpoint::load(&saved, state)?;
        ensure!(of_then == config, "{} is of other settings", saved.display());
    }
    let batches = Sampled::new(source.clone(), target, a.batch)?
        .batches(draws)
        .starting_at(state.step())
        .take(a.steps.saturating_sub(state.step()) as usize);
    let step =
        with_ema(0.999, guard_finite(|s, b: &Batch<N>, k| flow_matching_step(&config, s, b, k)))?;
    let mut watch = (
        every(50, CsvLog::resume(&a.out.join("log.csv"), state.step())?)?,
        Progress::new(a.steps),
        every(500, |s: &_, _: &FlowMatchingMetrics| {
            checkpoint::save(&saved, s, &config, training)
        })?,
    );
    let state = run(&step, state, batches, training, &mut watch)?;
    checkpoint::save(&saved, &state, &config, training)?;
    weights::save(&a.out.join("velocity.safetensors"), &state.average)?;

    let mut images = Vec::with_capacity(source.values.len());
    for part in source.values.chunks(4096 * N) {
        let x = points::<N>(part.to_vec())?;
        let path = flow(&state.average, &OdeConfig::default(), &x, &(), &[0.0, 1.0])?;
        images.extend(path.into_reached()?.end().iter().map(|v| v * scale));
    }
    let bytes: Vec<u8> = images.iter().flat_map(|v| v.to_le_bytes()).collect();
    let shape = vec![images.len() / N, N];
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes)?;
    let path = a.out.join("images.safetensors");
    write_atomically(&path, &safetensors::serialize([("images", view)], None)?)?;
    println!("{} latents moved, in {}", images.len() / N, path.display());
    Ok(())
}
