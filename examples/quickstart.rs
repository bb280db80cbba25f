//! The main job: learn an optimal map whose truth is known.
//!
//!     cargo run --release --example quickstart
//!
//! A mixture of Gaussians P is pushed through the gradient of a random convex function to Q. From
//! samples of both, strong neural optimal transport learns the map between them. Prints its error
//! beside the baselines, and writes to `target/quickstart/`: `report.html` with all that follows,
//! `map.svg`, `loss.svg`, `log.csv`, `checkpoint.bin`, `map.safetensors`, `potential.safetensors` and `images.npz`,
//! points with their images; built with feature `tensorboard` also `events/`. `--resume` goes on from the
//! checkpoint, bit for bit as if the run had not stopped; `--quick` trains for a few seconds.

use std::path::{Path, PathBuf};
use std::time::Instant;

use brenier::data::{write_npz, Array};
use brenier::plot;
use brenier::prelude::*;
use brenier::train::read_log;
use clap::Parser;

#[derive(Parser)]
struct Arguments {
    /// Train for a few seconds only.
    #[arg(long)]
    quick: bool,
    /// Go on from the checkpoint.
    #[arg(long)]
    resume: bool,
    /// Total number of potential steps, ten map steps each.
    #[arg(long)]
    steps: Option<u64>,
    /// Seed of the pair and of the training.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where results go.
    #[arg(long, default_value = "target/quickstart")]
    out: PathBuf,
}

type Potential = Mlp<2, 128, 2, 1>;
type Map = Displacement<Mlp<2, 128, 2, 2>>;

/// Steps that a point of the curves is the mean of.
const SMOOTHED: usize = 20;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let steps = arguments.steps.unwrap_or(if arguments.quick { 150 } else { 1500 });
    let out = &arguments.out;
    let [pair, init, data, training, score] = Key::new(arguments.seed).split();
    let pair = KnownPair::<2>::random(pair)?;

    // What is chosen: the paper's estimator, with rates that fall along half a cosine.
    let adam = |updates| AdamConfig {
        schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.01 },
        ..AdamConfig::with_rate(1e-3)
    };
    let config = NotConfig::<HalfSqEuclidean> {
        map: adam(10 * steps),
        potential: adam(steps),
        ..NotConfig::default()
    };

    // What has become: two networks with their optimisers, and the running average of the map.
    let [f, t] = init.split();
    let (f, t): (Potential, Map) = (build(f), build(t));
    let mut state = Averaged::new(not_init(&config, f, t)?);
    let saved = out.join("checkpoint.bin");
    if arguments.resume {
        let (of_then, key): (NotConfig, Key);
        (state, of_then, key) = checkpoint::load(&saved, state)?;
        anyhow::ensure!(key == training, "the checkpoint is of a run with another seed");
        if of_then != config {
            println!(
                "the settings differ from those of the checkpoint; going on with the new ones"
            );
        }
        println!("resumed at step {} of {steps}", state.step());
    }

    // What is seen: fresh points of both measures at every step.
    let batches = Sampled::new(pair.source().clone(), pair.target(), 256)?
        .with_source_parts(config.source_parts())?
        .batches(data)
        .starting_at(state.step())
        .take(steps.saturating_sub(state.step()) as usize);

    // What is done, and what watches it.
    let step = with_ema(0.99, guard_finite(|s, b: &Batch<2>, k| not_step(&config, s, b, k)))?;
    let log = out.join("log.csv");
    let watch = (
        CsvLog::resume(&log, state.step())?,
        Progress::new(steps),
        every(100, |s: &_, _: &NotMetrics| checkpoint::save(&saved, s, &config, training))?,
    );
    #[cfg(feature = "tensorboard")]
    let watch = (watch, brenier::train::TensorBoard::resume(&out.join("events"), state.step())?);
    let mut watch = watch;
    let start = Instant::now();
    let state = run(&step, state, batches, training, &mut watch)?;
    let seconds = start.elapsed().as_secs_f64();
    checkpoint::save(&saved, &state, &config, training)?;
    weights::save(&out.join("map.safetensors"), &state.average)?;
    weights::save(&out.join("potential.safetensors"), state.state.potential.params())?;
    save_images(&pair, &state.average, &out.join("images.npz"))?;

    println!(
        "error against the true map at 16384 fresh points (0 % is exact, 100 % a constant map):"
    );
    let b = baselines(&pair, score, 1 << 14)?;
    let learned = map_error(&pair, &state.average, score, 1 << 14)?;
    let mut table = Vec::new();
    for (name, e) in [
        ("identity", b.identity),
        ("constant", b.constant),
        ("linear", b.linear),
        ("learned", learned),
    ] {
        println!("  {name:<9} L2-UVP {:8.3} %   cosine {:.4}", e.l2_uvp, e.cosine);
        table.push(vec![name.into(), format!("{:.3}", e.l2_uvp), format!("{:.4}", e.cosine)]);
    }
    draw(&pair, &state.average, &log, out)?;
    plot::Report::new("Strong neural optimal transport of a known pair")
        .table("Error against the true map", &["map", "L2-UVP, %", "cosine"], &table)
        .picture("Source and target, learned map, true map", out.join("map.svg"))?
        .heading("Readings of every step")
        .log(&log)?
        .settings("Settings", &config)?
        .this_command()
        .write(out.join("report.html"))?;
    println!("trained to step {} in {seconds:.1} s; results in {}", state.step(), out.display());
    Ok(())
}

/// Points of the source as `x` and their images as `image`, both `[500, 2]`, for Python.
fn save_images(pair: &KnownPair<2>, map: &Map, path: &Path) -> Result<()> {
    let x = pair.source().sample(Key::new(1), 500)?;
    let array = |points: &Points<2>| Array::new(vec![500, 2], rows(points));
    write_npz(path, &[("x", &array(&x)?), ("image", &array(&map.forward(x.clone()))?)])
}

/// Source, target, learned and true map beside each other; the readings along the run.
fn draw(pair: &KnownPair<2>, map: &Map, log: &Path, out: &Path) -> Result<()> {
    let plane = plot::Plane::coordinates();
    let [source, target] = Key::new(0).split();
    let x = pair.source().sample(source, 500)?;
    let y = plane.project(&pair.target().sample(target, 500)?);
    let (truth, learned) = (pair.transport(&x)?, map.forward(x.clone()));
    plot::MapPicture {
        title: "Strong neural optimal transport".into(),
        source: &plane.project(&x),
        target: &y,
        learned: &plane.project(&learned),
        truth: Some(&plane.project(&truth)),
        ..Default::default()
    }
    .write_svg(out.join("map.svg"))?;

    let shown = ["transport_cost", "saddle_value", "potential_loss"];
    let curves = read_log(log)?.into_iter().filter(|c| shown.contains(&&c.name[..]));
    let smooth = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
        let mean = |w: &[(f64, f64)]| w.iter().map(|p| p.1).sum::<f64>() / w.len() as f64;
        points.chunks(SMOOTHED).map(|w| (w[w.len() - 1].0, mean(w))).collect()
    };
    plot::CurvePicture {
        title: format!("Readings of the run, means of {SMOOTHED} steps"),
        x_label: "step".into(),
        curves: curves.map(|c| plot::Curve { name: c.name, points: smooth(c.points) }).collect(),
        ..Default::default()
    }
    .write_svg(out.join("loss.svg"))
}
