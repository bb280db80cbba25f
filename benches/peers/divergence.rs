//! Sinkhorn divergences with gradients and steps of the Monge gap, for the comparison with ott-jax in
//! `divergence.py`.
//!
//! Reads lines `<what> <file> <n> <d> <repeats>`. The file holds batches of n source and n target points
//! of dimension d, row by row, as little-endian f32. `divergence` takes the first batch and answers with
//! the median milliseconds of a value with both gradients, the value, and the norm of the gradient in the
//! source; `step` makes that many steps of the Monge gap on the batches in turn and answers with the
//! median milliseconds, the loss and the iterations of the gap. `THREADS` is the number of threads.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::{Duration, Instant};

use brenier::neural::monge_gap_plain_step;
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{
    sinkhorn_divergence_gradient, DivergenceConfig, DivergenceLoss, Epsilon, SinkhornConfig,
};

#[path = "tapered.rs"]
mod tapered;
use tapered::Tapered;

type Failure = Box<dyn std::error::Error>;
/// Milliseconds and two numbers to compare.
type Answer = (Vec<Duration>, f64, f64);
type Training = Box<dyn FnMut(usize) -> Result<Answer, Failure>>;

fn main() -> Result<(), Failure> {
    let threads = std::env::var("THREADS").map_or(Ok(1), |t| t.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut trainings: HashMap<String, Training> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let [what, file, n, d, repeats] = words[..] else {
            return Err("a line is `<what> <file> <n> <d> <repeats>`".into());
        };
        let (n, d, repeats): (usize, usize, usize) = (n.parse()?, d.parse()?, repeats.parse()?);
        let number = |b: &[u8]| b.try_into().map(f32::from_le_bytes);
        let bytes = std::fs::read(file)?;
        let numbers = bytes.chunks(4).map(number).collect::<Result<Vec<f32>, _>>()?;
        let (mut times, value, other) = match (what, d) {
            ("divergence", _) => divergence(&numbers, n, d, repeats)?,
            ("step", 2 | 64) => {
                let training = match trainings.entry(file.to_string()) {
                    std::collections::hash_map::Entry::Occupied(found) => found.into_mut(),
                    std::collections::hash_map::Entry::Vacant(free) => free.insert(match d {
                        2 => training::<2>(&numbers, n)?,
                        _ => training::<64>(&numbers, n)?,
                    }),
                };
                training(repeats)?
            }
            _ => return Err(format!("no case {what} of dimension {d}").into()),
        };
        times.sort();
        let ms = times[times.len() / 2].as_secs_f64() * 1e3;
        println!("{ms} {value:e} {other:e}");
    }
    Ok(())
}

/// ε = 0.05 of the mean cost, to a marginal error of 1e-3.
fn divergence(numbers: &[f32], n: usize, d: usize, repeats: usize) -> Result<Answer, Failure> {
    let (x, y) = numbers[..2 * n * d].split_at(n * d);
    let config = DivergenceConfig::default();
    let (mut times, mut seen) = (Vec::new(), (f64::NAN, f64::NAN));
    for _ in 0..repeats {
        let start = Instant::now();
        let problem = Discrete::clouds(&SqEuclidean, x, y, d)?;
        let (found, gradient) = sinkhorn_divergence_gradient(&config, &problem, None, [true; 2])?;
        times.push(start.elapsed());
        let norm = gradient.source.iter().map(|g| f64::from(g * g)).sum::<f64>().sqrt();
        seen = (found.value, norm);
    }
    Ok((times, seen.0, seen.1))
}

/// The choices of ott-jax: both ε are 0.05 of the standard deviation of their costs, all three terms of
/// the divergence.
fn training<const N: usize>(numbers: &[f32], n: usize) -> Result<Training, Failure> {
    let epsilon = Epsilon::RelativeToStd(0.05);
    let sinkhorn = SinkhornConfig { epsilon, ..Default::default() };
    let config: MongeGapConfig = MongeGapConfig {
        fitting: Fitting::Divergence(DivergenceLoss {
            sinkhorn,
            ..DivergenceLoss::with_cost(SqEuclidean)
        }),
        gap: MongeGap { cost: SqEuclidean, sinkhorn },
        conservative_weight: 0.0,
        ..Default::default()
    };
    let batch = |both: &[f32]| {
        let (x, y) = both.split_at(n * N);
        Batch::<N>::new(points(x.to_vec())?, points(y.to_vec())?)
    };
    let batches = numbers.chunks_exact(2 * n * N).map(batch).collect::<Result<Vec<_>, _>>()?;
    let map: Tapered<N> = build(Key::new(0));
    let mut state = Some(monge_gap_init(&config, map)?);
    Ok(Box::new(move |steps| {
        let (mut times, mut seen) = (Vec::new(), (f64::NAN, f64::NAN));
        for _ in 0..steps {
            let before = state.take().ok_or("a failed step")?;
            let batch = &batches[before.step as usize % batches.len()];
            let start = Instant::now();
            let (next, metrics) = monge_gap_plain_step(&config, before, batch, Key::new(0))?;
            times.push(start.elapsed());
            seen = (metrics.loss, metrics.gap_iterations as f64);
            state = Some(next);
        }
        Ok((times, seen.0, seen.1))
    }))
}
