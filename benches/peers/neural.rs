//! Training steps for the comparison with ott-jax in `neural.py`.
//!
//! Reads lines `<case> <steps>` and answers each with the median milliseconds of a step. `THREADS` is
//! the number of threads; `CLOCK` is `cpu` (time of the process) or `wall`. The line `residual <case>`
//! is answered with the largest |∇f(x) − y| of the conjugates of the case's networks and batch.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::{Duration, Instant};

use brenier::prelude::*;
use brenier::solver::{conjugates, ConjugateConfig};
use cpu_time::ProcessTime;

type Answer<T> = Result<T, Box<dyn std::error::Error>>;

/// A step, and the residuals of its conjugates if it solves for them.
struct Case {
    step: Box<dyn FnMut() -> Result<()>>,
    residual: Option<f64>,
}

fn main() -> Answer<()> {
    let threads = std::env::var("THREADS").map_or(Ok(1), |t| t.parse())?;
    // The calling thread works too, instead of waiting for others at every operation.
    rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build_global()?;
    let wall = std::env::var("CLOCK").is_ok_and(|c| c == "wall");
    let mut cases: HashMap<String, Case> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (first, second) = line.split_once(' ').ok_or("a line is `<case> <steps>`")?;
        let name = if first == "residual" { second } else { first };
        let case = match cases.entry(name.to_owned()) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(case(name)?),
        };
        if first == "residual" {
            println!("{}", case.residual.unwrap_or(0.0));
            continue;
        }
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..second.parse()? {
            let (cpu_start, wall_start) = (ProcessTime::now(), Instant::now());
            (case.step)()?;
            times.push(if wall { wall_start.elapsed() } else { cpu_start.elapsed() });
        }
        times.sort();
        println!("{}", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    Ok(())
}

fn case(name: &str) -> Answer<Case> {
    Ok(match name {
        "enot-256-2" => enot::<2>(256)?,
        "enot-256-64" => enot::<64>(256)?,
        "enot-1024-64" => enot::<64>(1024)?,
        "dual-256-2" => dual::<2>(256)?,
        "dual-256-64" => dual::<64>(256)?,
        "dual-1024-64" => dual::<64>(1024)?,
        "icnn-256-2" => icnn(256)?,
        _ => return Err(format!("no case {name}").into()),
    })
}

/// x ~ N(0, I) and y ~ N(1/√d, 0.64 I), as on the other side.
fn batches<const N: usize>(n: usize) -> Result<Vec<Batch<N>>> {
    let shift = 1.0 / (N as f32).sqrt();
    let one = |i: u64| {
        let [p, q] = Key::new(i).split();
        let target = q.normal(n * N).iter().map(|v| shift + 0.8 * v).collect();
        Batch::new(points(p.normal(n * N))?, points(target)?)
    };
    (0..8).map(one).collect()
}

/// A step that goes round the batches.
fn turning<const N: usize, S: State + 'static, M>(
    state: S,
    batches: Vec<Batch<N>>,
    step: impl Fn(S, &Batch<N>, Key) -> Result<(S, M)> + 'static,
) -> Box<dyn FnMut() -> Result<()>> {
    let mut state = Some(state);
    let mut turn = 0;
    Box::new(move || {
        if let Some(s) = state.take() {
            state = Some(step(s, &batches[turn % batches.len()], Key::new(0))?.0);
            turn += 1;
        }
        Ok(())
    })
}

/// Perceptrons 128×4 with ELU as potentials, cost |x − y|², τ = 0.99, λ = 1.
fn enot<const N: usize>(n: usize) -> Result<Case> {
    type Net<const N: usize> = PotentialMap<Mlp<N, 128, 3, 1, Celu>>;
    let config =
        EnotConfig::<SqEuclidean> { expectile: 0.99, regularisation: 1.0, ..EnotConfig::default() };
    let [f, g] = Key::new(9).split();
    let (f, g): (Net<N>, Net<N>) = (build(f), build(g));
    let state = enot_init(&config, f, g)?;
    let step = turning(state, batches::<N>(n)?, move |s, b, k| enot_step(&config, s, b, k));
    Ok(Case { step, residual: None })
}

/// The solver of ott-jax's default: L-BFGS to a gradient of norm 1e-5 in at most 20 iterations of at
/// most 20 trials.
fn solver() -> ConjugateConfig {
    ConjugateConfig { tolerance: 1e-5, limit: 20, ..ConjugateConfig::default() }
}

fn dual_config() -> W2DualConfig {
    let adam = AdamConfig { betas: (0.5, 0.9), ..AdamConfig::with_rate(1e-4) };
    W2DualConfig {
        conjugation: Conjugation::FineTuned {
            solver: solver(),
            amortisation: Amortisation::Regression,
        },
        potential: adam.clone(),
        conjugate: adam,
    }
}

/// Perceptrons 64×4 with leaky ReLU plus ½|x|².
fn dual<const N: usize>(n: usize) -> Result<Case> {
    type Net<const N: usize> = PlusHalfSquare<Mlp<N, 64, 3, 1, LeakyRelu<10>>>;
    let [f, g] = Key::new(9).split();
    let (f, g): (Net<N>, Net<N>) = (build(f), build(g));
    dual_of::<N, _>(n, f, g)
}

/// Input-convex networks of four layers of 64.
fn icnn(n: usize) -> Result<Case> {
    type Net = DenseIcnn<2, 64, 2, 64>;
    let [f, g, fit] = Key::new(9).split();
    let f: Net = pretrain_identity(build(f), fit, 300)?;
    let g: Net = pretrain_identity(build(g), fit, 300)?;
    dual_of::<2, _>(n, f, g)
}

fn dual_of<const N: usize, F>(n: usize, f: F, g: F) -> Result<Case>
where
    F: InputGradient<N> + Clone + 'static,
    GradientMap<F>: TransportMap<N>,
{
    let config = dual_config();
    let all = batches::<N>(n)?;
    let y = rows(&all[0].target);
    let start = rows(&g.input_gradient(all[0].target.clone()));
    let found = conjugates(f.slopes(), &y, &start, N, &solver())?;
    let residual = found.residuals.iter().copied().fold(0.0, f64::max);
    let state = w2_dual_init(&config, f, GradientMap(g))?;
    let step = turning(state, all, move |s, b, k| w2_dual_step(&config, s, b, k));
    Ok(Case { step, residual: Some(residual) })
}
