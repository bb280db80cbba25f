//! Every method on every split and seed, and its scores on cells that it has not seen.

use std::fmt::Write;
use std::time::Instant;

use brenier::plot::Report;
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::score::{energy_distance, marker_scores, mmd, r2_of_means, Pairs, GAMMAS};
use brenier::solver::{sinkhorn_divergence, DivergenceConfig, Epsilon, SinkhornConfig};
use clap::ValueEnum;
use serde::Serialize;

use crate::cells::{Cells, Part};
use crate::methods::Method;
use crate::pictures::{histograms, scatter};
use crate::results::{table, write};
use crate::training::Training;
use crate::types::Types;
use crate::{Arguments, Split};

/// ε of the two divergences, in mean squared distances between held-out target cells, whatever the map.
const EPSILONS: [f64; 2] = [0.1, 1.0];

#[derive(Clone, Debug, Serialize)]
pub struct Scores {
    pub method: String,
    pub split: String,
    pub seed: u64,
    /// Sinkhorn divergences of the squared distance, and their ε.
    pub divergence: f64,
    pub epsilon: f64,
    pub wide_divergence: f64,
    pub wide_epsilon: f64,
    pub mmd: f64,
    /// Without bias, so that it may be negative.
    pub energy: f64,
    /// Mean over markers of 1 − W₂² / Var.
    pub r2: f64,
    pub r2_of_means: f64,
    /// mean |x − T(x)|.
    pub moved: f64,
    /// Shares of cells that keep their type: the depleted type, the others; NaN where there are no types.
    pub kept_depleted: f64,
    pub kept_others: f64,
    pub seconds: f64,
}

/// What is written as it comes.
#[derive(Default)]
pub struct Results {
    pub scores: Vec<Scores>,
    pub markers: String,
    pub types: String,
}

pub fn protocol<const N: usize, const I: usize>(a: &Arguments, set: &str) -> anyhow::Result<()> {
    let cells = Cells::<N>::read(&a.data, set)?;
    let out = a.out.join(if a.deplete { format!("{set}-depleted") } else { set.to_owned() });
    anyhow::ensure!(!a.deplete || !cells.of_type.is_empty(), "{set} has no markers of types");
    anyhow::ensure!(
        a.split == Split::Cells || cells.patient.iter().any(|p| *p != cells.patient[0]),
        "{set} does not say whose the cells are"
    );
    let methods = if a.methods.is_empty() { Method::value_variants() } else { &a.methods };
    let mut results = Results {
        markers: "method,split,seed,marker,bias,w1,r2\n".into(),
        types: "method,split,seed,type,depleted,cells,kept\n".into(),
        ..Results::default()
    };
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
                let training = Training { seed, ..a.training.clone() };
                let learned = method.fit::<N, I>(&part, &training)?;
                let moved = learned.moved(&part.test_source)?;
                let mut s = scores(&part, &moved)?;
                (s.method, s.seed, s.seconds) =
                    (method.name(), seed, start.elapsed().as_secs_f64());
                if let Some(types) = &types {
                    of_types(&mut results.types, &mut s, types, &part, &moved)?;
                }
                show(&s);
                let found = marker_scores(&moved, &part.test_target, N)?;
                for (m, name) in found.iter().zip(&cells.markers) {
                    let of = format_args!("{},{},{seed}", s.method, s.split);
                    writeln!(results.markers, "{of},{name},{},{},{}", m.bias, m.w1, m.r2)?;
                }
                results.scores.push(s);
                seen.push((method.name(), moved));
                write(&out, &results)?;
            }
            histograms(&out, &cells, &part, &seen)?;
        }
    }
    scatter(&out, set, &results.scores)?;
    let table = table(&results.scores)?;
    println!("\n{table}\nresults in {}", out.display());
    Report::new("Responses of single cells")
        .markdown("Means over splits and seeds", &table)
        .pictures(&out)?
        .csv("Runs", out.join("scores.csv"))?
        .this_command()
        .write(out.join("report.html"))?;
    Ok(())
}

fn show(s: &Scores) {
    println!(
        "  {:<12} {:<10} seed {}   S {:.4} {:.4}   MMD {:.5}   energy {:.4}   r² {:.3}   kept {:.3} {:.3}   {:.1} s",
        s.method, s.split, s.seed, s.divergence, s.wide_divergence, s.mmd, s.energy, s.r2, s.kept_depleted, s.kept_others, s.seconds
    );
}

fn scores<const N: usize>(part: &Part<N>, moved: &[f32]) -> Result<Scores> {
    let target = &part.test_target;
    let n = (target.len() / N) as f64;
    let mean = |k: usize| target.iter().skip(k).step_by(N).map(|v| f64::from(*v)).sum::<f64>() / n;
    let variance = |k: usize| {
        let m = mean(k);
        target.iter().skip(k).step_by(N).map(|v| (f64::from(*v) - m).powi(2)).sum::<f64>() / n
    };
    let apart = 2.0 * (0..N).map(variance).sum::<f64>();
    let problem = Discrete::clouds(&SqEuclidean, moved, target, N)?;
    let divergence = |share: f64| {
        let epsilon = Epsilon::Absolute(share * apart);
        let sinkhorn = SinkhornConfig { epsilon, ..Default::default() };
        let config = DivergenceConfig { sinkhorn, target_term: true };
        Ok::<_, Error>(sinkhorn_divergence(&config, &problem, None)?.value)
    };
    let r2 = marker_scores(moved, target, N)?.iter().map(|m| m.r2).sum::<f64>() / N as f64;
    let distance = |(x, y): (&[f32], &[f32])| {
        x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt()
    };
    let pairs = part.test_source.chunks(N).zip(moved.chunks(N));
    let total: f64 = pairs.map(distance).sum();
    let [narrow, wide] = EPSILONS;
    Ok(Scores {
        method: String::new(),
        split: part.name.clone(),
        seed: 0,
        divergence: divergence(narrow)?,
        epsilon: narrow * apart,
        wide_divergence: divergence(wide)?,
        wide_epsilon: wide * apart,
        mmd: mmd(moved, target, N, &GAMMAS, Pairs::All)?,
        energy: energy_distance(moved, target, N, Pairs::Distinct)?,
        r2,
        r2_of_means: r2_of_means(moved, target, N)?,
        moved: total / (moved.len() / N) as f64,
        kept_depleted: f64::NAN,
        kept_others: f64::NAN,
        seconds: 0.0,
    })
}

/// How many cells of each type keep it: a line a type, and two shares for the scores.
fn of_types<const N: usize>(
    lines: &mut String,
    s: &mut Scores,
    types: &Types,
    part: &Part<N>,
    moved: &[f32],
) -> anyhow::Result<()> {
    let [all, kept] = types.kept(&part.test_source, moved, N);
    let (mut others, mut kept_others) = (0.0, 0.0);
    for (k, (n, m)) in all.iter().zip(&kept).enumerate() {
        let depleted = k == types.frequent;
        writeln!(lines, "{},{},{},{k},{depleted},{n},{m}", s.method, s.split, s.seed)?;
        if depleted {
            s.kept_depleted = m / n;
        } else {
            (others, kept_others) = (others + n, kept_others + m);
        }
    }
    s.kept_others = kept_others / others;
    Ok(())
}
