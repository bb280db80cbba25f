//! Entropic transport for the comparison with POT, ott-jax and geomloss in `sinkhorn.py`.
//!
//! Reads one JSON object a line (see [`Request`]) and answers with one: the median of the wall-clock
//! times in milliseconds, the form, the iterations and the marginal error that the solver states.

use std::io::BufRead;
use std::time::Instant;

use brenier::prelude::SqEuclidean;
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{sinkhorn, sinkhorn_batch, Epsilon, Form, SinkhornConfig, Solution, Stop};
use serde::Deserialize;

type Failure = Box<dyn std::error::Error>;

#[derive(Deserialize)]
struct Request {
    /// Source and then target points of every problem, little-endian f32, row by row.
    points: String,
    /// Where f and then g of every problem go, little-endian f64.
    potentials: String,
    n: usize,
    d: usize,
    /// Problems in the file.
    batch: usize,
    epsilon: f64,
    /// A number of iterations, or
    iterations: Option<usize>,
    /// a marginal error to reach.
    tolerance: Option<f64>,
    /// Relaxation of both marginals.
    tau: Option<f64>,
    /// Whether the kernel may be stored.
    stored: bool,
    /// Times that the solver is called.
    repeats: usize,
}

fn main() -> Result<(), Failure> {
    for line in std::io::stdin().lock().lines() {
        answer(&serde_json::from_str(&line?)?)?;
    }
    Ok(())
}

fn answer(request: &Request) -> Result<(), Failure> {
    let Request { n, d, .. } = *request;
    let bytes = std::fs::read(&request.points)?;
    let number = |b: &[u8]| b.try_into().map(f32::from_le_bytes);
    let numbers = bytes.chunks(4).map(number).collect::<Result<Vec<f32>, _>>()?;
    if numbers.len() != 2 * request.batch * n * d {
        return Err(format!("{} holds {} numbers", request.points, numbers.len()).into());
    }
    let stop = match (request.iterations, request.tolerance) {
        (Some(iterations), _) => Stop::Iterations(iterations),
        (None, Some(tolerance)) => Stop::Tolerance { tolerance, limit: 10_000 },
        (None, None) => return Err("iterations or a tolerance".into()),
    };
    let config = SinkhornConfig {
        epsilon: Epsilon::Absolute(request.epsilon),
        stop,
        form: if request.stored { Form::Auto } else { Form::Online },
        ..Default::default()
    };
    let (mut times, mut solutions) = (Vec::new(), Vec::new());
    for _ in 0..request.repeats.max(1) {
        let start = Instant::now();
        solutions = solve(&config, request, &numbers)?;
        times.push(start.elapsed());
    }
    times.sort();
    let mut file = Vec::new();
    for s in &solutions {
        let both = s.potentials.f.iter().chain(&s.potentials.g);
        both.for_each(|v| file.extend_from_slice(&v.to_le_bytes()));
    }
    std::fs::write(&request.potentials, file)?;
    let first = solutions.first().ok_or("at least one problem")?;
    let result = serde_json::json!({
        "ms": times[times.len() / 2].as_secs_f64() * 1e3,
        "form": format!("{:?}", first.form),
        "iterations": first.iterations,
        "error": first.marginal_error,
    });
    println!("{result}");
    Ok(())
}

fn solve(
    config: &SinkhornConfig,
    request: &Request,
    numbers: &[f32],
) -> Result<Vec<Solution>, Failure> {
    let size = request.n * request.d;
    let mut problems = Vec::with_capacity(request.batch);
    for points in numbers.chunks_exact(2 * size) {
        let (x, y) = points.split_at(size);
        let mut problem = Discrete::clouds(&SqEuclidean, x, y, request.d)?;
        if let Some(tau) = request.tau {
            let kl = Relaxation::Kl { tau };
            problem = problem.relaxed(kl, kl)?;
        }
        problems.push(problem);
    }
    match &problems[..] {
        [one] => Ok(vec![sinkhorn(config, one, None)?]),
        many => Ok(sinkhorn_batch(config, many)?),
    }
}
