//! Every method on every split and seed, and its scores on cells that it has not seen.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use brenier::plot::{Curve, CurvePicture};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::score::{energy_distance, marker_scores, mmd, r2_of_means, Pairs, GAMMAS};
use brenier::solver::{sinkhorn_divergence, DivergenceConfig, Epsilon, SinkhornConfig};
use brenier::train::{write_atomically, MeanDeviation};
use clap::ValueEnum;
use serde::Serialize;

use crate::cells::{Cells, Part};
use crate::methods::{Method, Training};
use crate::types::Types;
use crate::{Arguments, Split};

/// Bins of a histogram.
const BINS: usize = 40;

#[derive(Clone, Debug, Serialize)]
struct Scores {
    method: String,
    split: String,
    seed: u64,
    /// Sinkhorn divergence of the squared distance with this ε.
    divergence: f64,
    epsilon: f64,
    mmd: f64,
    energy: f64,
    /// Mean over markers of 1 − W₂² / Var.
    r2: f64,
    r2_of_means: f64,
    /// mean |x − T(x)|.
    moved: f64,
    /// Shares of cells that keep their type: the depleted type, the others; NaN where there are no types.
    kept_depleted: f64,
    kept_others: f64,
    seconds: f64,
}

pub fn protocol<const N: usize>(a: &Arguments, set: &str) -> anyhow::Result<()> {
    let cells = Cells::<N>::read(&a.data, set)?;
    let out = a.out.join(if a.deplete { format!("{set}-depleted") } else { set.to_owned() });
    anyhow::ensure!(!a.deplete || !cells.of_type.is_empty(), "{set} has no markers of types");
    let methods = if a.methods.is_empty() { Method::value_variants() } else { &a.methods };
    let (mut all, mut markers) =
        (Vec::new(), String::from("method,split,seed,marker,bias,w1,r2\n"));
    for &seed in &a.seeds {
        let parts = match a.split {
            Split::Cells => vec![cells.split_cells(seed)],
            Split::Patients => cells.split_patients(),
        };
        for mut part in parts {
            let types =
                (!cells.of_type.is_empty()).then(|| Types::of(&part.source, N, &cells.of_type));
            if let (true, Some(types)) = (a.deplete, &types) {
                part.target = types.depleted(&part.target, N);
                part.test_target = types.depleted(&part.test_target, N);
            }
            let mut seen = Vec::new();
            for &method in methods {
                let start = Instant::now();
                let training = Training { steps: a.steps, quick: a.quick, seed };
                let moved = method.fit(&part, training)?(&part.test_source)?;
                let mut s = scores(&part, &moved, types.as_ref())?;
                (s.method, s.seed, s.seconds) =
                    (method.name(), seed, start.elapsed().as_secs_f64());
                println!(
                    "  {:<12} {:<10} seed {seed}   S {:.4}   MMD {:.5}   energy {:.4}   r² {:.3}   kept {:.3} {:.3}   {:.0} s",
                    s.method, s.split, s.divergence, s.mmd, s.energy, s.r2, s.kept_depleted, s.kept_others, s.seconds
                );
                for (m, name) in
                    marker_scores(&moved, &part.test_target, N)?.iter().zip(&cells.markers)
                {
                    let of = format_args!("{},{},{seed}", s.method, s.split);
                    writeln!(markers, "{of},{name},{},{},{}", m.bias, m.w1, m.r2)?;
                }
                all.push(s);
                seen.push((method.name(), moved));
                write(&out, &all, &markers)?;
            }
            histograms(&out, &cells, &part, &seen)?;
        }
    }
    println!("\n{}\nresults in {}", table(&all)?, out.display());
    Ok(())
}

/// ε is a tenth of the mean squared distance between held-out target cells, whatever the map.
fn scores<const N: usize>(part: &Part<N>, moved: &[f32], types: Option<&Types>) -> Result<Scores> {
    let target = &part.test_target;
    let n = (target.len() / N) as f64;
    let mean = |k: usize| target.iter().skip(k).step_by(N).map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = |k: usize| {
        let m = mean(k);
        target.iter().skip(k).step_by(N).map(|v| (f64::from(*v) - m).powi(2)).sum::<f64>() / n
    };
    let epsilon = 0.1 * 2.0 * (0..N).map(variance).sum::<f64>();
    let sinkhorn = SinkhornConfig { epsilon: Epsilon::Absolute(epsilon), ..Default::default() };
    let problem = Discrete::clouds(&SqEuclidean, moved, target, N)?;
    let config = DivergenceConfig { sinkhorn, target_term: true };
    let divergence = sinkhorn_divergence(&config, &problem, None)?.value;
    let r2 = marker_scores(moved, target, N)?.iter().map(|m| m.r2).sum::<f64>() / N as f64;
    let distance = |(x, y): (&[f32], &[f32])| {
        x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt()
    };
    let pairs = part.test_source.chunks(N).zip(moved.chunks(N));
    let total: f64 = pairs.map(distance).sum();
    let [kept_depleted, kept_others] =
        types.map_or([f64::NAN; 2], |t| t.kept(&part.test_source, moved, N));
    Ok(Scores {
        method: String::new(),
        split: part.name.clone(),
        seed: 0,
        divergence,
        epsilon,
        mmd: mmd(moved, target, N, &GAMMAS, Pairs::All)?,
        energy: energy_distance(moved, target, N, Pairs::All)?,
        r2,
        r2_of_means: r2_of_means(moved, target, N)?,
        moved: total / (moved.len() / N) as f64,
        kept_depleted,
        kept_others,
        seconds: 0.0,
    })
}

fn write(out: &Path, all: &[Scores], markers: &str) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    all.iter().try_for_each(|row| csv.serialize(row))?;
    write_atomically(&out.join("scores.csv"), &csv.into_inner()?)?;
    write_atomically(&out.join("table.md"), table(all)?.as_bytes())?;
    write_atomically(&out.join("markers.csv"), markers.as_bytes())?;
    Ok(())
}

/// Means and deviations over splits and seeds.
fn table(all: &[Scores]) -> anyhow::Result<String> {
    let mut text = String::from(
        "| method | divergence | MMD | energy | r² | r² of means | moved | kept, depleted | kept, others | s |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut names: Vec<&str> = all.iter().map(|s| s.method.as_str()).collect();
    let mut before: Vec<&str> = Vec::new();
    names.retain(|n| {
        !before.contains(n) && {
            before.push(n);
            true
        }
    });
    for name in names {
        let over = |pick: &dyn Fn(&Scores) -> f64| {
            let of = all.iter().filter(|s| s.method == name).map(pick);
            MeanDeviation::of(of)
                .map_or("–".into(), |m| format!("{:.4} ± {:.4}", m.mean, m.deviation))
        };
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            over(&|s| s.divergence),
            over(&|s| s.mmd),
            over(&|s| s.energy),
            over(&|s| s.r2),
            over(&|s| s.r2_of_means),
            over(&|s| s.moved),
            over(&|s| s.kept_depleted),
            over(&|s| s.kept_others),
            over(&|s| s.seconds),
        )?;
    }
    Ok(text)
}

/// Densities of the four markers that the perturbation moves most: control, observed and predicted.
fn histograms<const N: usize>(
    out: &Path,
    cells: &Cells<N>,
    part: &Part<N>,
    seen: &[(String, Vec<f32>)],
) -> anyhow::Result<()> {
    let column = |v: &[f32], k: usize| v.iter().skip(k).step_by(N).copied().collect::<Vec<f32>>();
    let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
    let shift = |k: &usize| {
        (mean(&column(&part.test_target, *k)) - mean(&column(&part.test_source, *k))).abs()
    };
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|a, b| shift(b).total_cmp(&shift(a)));
    for k in order.into_iter().take(4) {
        let all = [column(&part.test_target, k), column(&part.test_source, k)].concat();
        let from = all.iter().copied().fold(f32::INFINITY, f32::min);
        let step = (all.iter().copied().fold(f32::NEG_INFINITY, f32::max) - from) / BINS as f32;
        let density = |name: &str, v: Vec<f32>| {
            let mut counts = [0.0; BINS];
            let share = 1.0 / (v.len() as f64 * f64::from(step));
            for value in v {
                counts[(((value - from) / step).max(0.0) as usize).min(BINS - 1)] += share;
            }
            let at = |(i, c): (usize, f64)| (f64::from(from + step * (i as f32 + 0.5)), c);
            Curve { name: name.into(), points: counts.into_iter().enumerate().map(at).collect() }
        };
        let mut curves = vec![
            density("control", column(&part.test_source, k)),
            density("observed", column(&part.test_target, k)),
        ];
        let shown = ["mean-shift", "mlp", "mg-squared", "icnn"];
        let shown = seen.iter().filter(|(name, _)| shown.contains(&name.as_str()));
        curves.extend(shown.map(|(name, v)| density(name, column(v, k))));
        let marker = &cells.markers[k];
        CurvePicture {
            title: format!("{marker} of held-out cells"),
            x_label: marker.clone(),
            y_label: "density".into(),
            curves,
            ..Default::default()
        }
        .write_svg(out.join(format!("histogram-{}.svg", marker.replace('/', "-"))))?;
    }
    Ok(())
}
