//! Training steps for the comparison with PyTorch in `steps.py`.
//!
//! Reads lines `<case> <steps>` and answers each with the median milliseconds of a step. `THREADS` is
//! the number of threads; `CLOCK` is `cpu` (time of the process) or `wall`.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::{Duration, Instant};

use brenier::prelude::*;
use cpu_time::ProcessTime;

type Training = Box<dyn FnMut() -> Result<()>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::var("THREADS").map_or(Ok(1), |t| t.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let wall = std::env::var("CLOCK").is_ok_and(|c| c == "wall");
    let mut cases: HashMap<String, Training> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (case, steps) = line.split_once(' ').ok_or("a line is `<case> <steps>`")?;
        let step = match cases.entry(case.to_owned()) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(training(case)?),
        };
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..steps.parse()? {
            let (cpu_start, wall_start) = (ProcessTime::now(), Instant::now());
            step()?;
            times.push(if wall { wall_start.elapsed() } else { cpu_start.elapsed() });
        }
        times.sort();
        println!("{}", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    Ok(())
}

fn training(case: &str) -> Result<Training, Box<dyn std::error::Error>> {
    Ok(match case {
        "mlp" => regression::<64, 64, Mlp<64, 512, 2, 64>>(1024)?,
        "small" => regression::<2, 2, Mlp<2, 64, 2, 2>>(256)?,
        "icnn" => regression::<64, 64, GradientMap<DenseIcnn<64, 256, 0, 256>>>(1024)?,
        "not2" => transport::<2>()?,
        "not64" => transport::<64>()?,
        _ => return Err(format!("no case {case}").into()),
    })
}

/// Forward, backward and Adam on the mean squared error to a fixed target.
fn regression<const I: usize, const O: usize, M>(n: usize) -> Result<Training>
where
    M: BuildModule<Cpu, f32>
        + Module<Points<I, f32, Cpu, Taped>, Output = Points<O, f32, Cpu, Taped>>
        + 'static,
{
    let [net, x, y] = Key::new(0).split();
    let mut learner = Learner::<M>::new(build(net), AdamConfig::default())?;
    let (x, y) = (points::<I>(x.normal(n * I))?, points::<O>(y.normal(n * O))?);
    Ok(Box::new(move || {
        let loss = SqEuclidean.paired(&y, learner.traced(&x))?.mean() / O as f32;
        learner.descend(loss).map(drop)
    }))
}

/// One whole strong-NOT step: ten map steps, one potential step, batch 256, perceptrons 128×3.
fn transport<const N: usize>() -> Result<Training> {
    let adam = AdamConfig::with_rate(1e-4);
    let config =
        NotConfig::<SqEuclidean> { map: adam.clone(), potential: adam, ..NotConfig::default() };
    let [f, t, p, q] = Key::new(0).split();
    let (f, t): (Mlp<N, 128, 2, 1>, Mlp<N, 128, 2, N>) = (build(f), build(t));
    let n = 256;
    let source = points(p.normal(config.source_parts() * n * N))?;
    let batch = Batch::new(source, points(q.normal(n * N))?)?;
    let mut state = Some(not_init(&config, f, t)?);
    Ok(Box::new(move || {
        if let Some(s) = state.take() {
            state = Some(not_step(&config, s, &batch, Key::new(0))?.0);
        }
        Ok(())
    }))
}
