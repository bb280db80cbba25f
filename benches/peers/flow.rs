//! Flow matching for the comparison with torchcfm in `flow.py`.
//!
//! Reads lines `<case> <repeats>` and answers each with the median milliseconds of CPU time of a
//! repeat. One thread.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::Duration;

use brenier::neural::pairing_time;
use brenier::prelude::*;
use cpu_time::ProcessTime;

type Work = Box<dyn FnMut() -> Result<()>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let mut cases: HashMap<String, Work> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (case, repeats) = line.split_once(' ').ok_or("a line is `<case> <repeats>`")?;
        let work = match cases.entry(case.to_owned()) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => new.insert(work(case)?),
        };
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..repeats.parse()? {
            let start = ProcessTime::now();
            work()?;
            times.push(start.elapsed());
        }
        times.sort();
        println!("{}", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    Ok(())
}

fn work(case: &str) -> Result<Work, Box<dyn std::error::Error>> {
    let (independent, exact) = (FlowMatchingConfig::independent(), FlowMatchingConfig::exact());
    Ok(match case {
        "independent2" => step::<2, VelocityMlp<3, 64, 2, 2, Celu>>(independent)?,
        "exact2" => step::<2, VelocityMlp<3, 64, 2, 2, Celu>>(exact)?,
        "independent64" => step::<64, VelocityMlp<65, 256, 2, 64, Celu>>(independent)?,
        "exact64" => step::<64, VelocityMlp<65, 256, 2, 64, Celu>>(exact)?,
        "pairs2" => pairs::<2>(exact, 256)?,
        "pairs64" => pairs::<64>(exact, 256)?,
        "pairs2,1024" => pairs::<2>(exact, 1024)?,
        _ => return Err(format!("no case {case}").into()),
    })
}

fn batch<const N: usize>(i: u64, n: usize) -> Result<Batch<N>> {
    let [p, q] = Key::new(1).fold_in(i).split();
    Batch::new(points(p.normal(n * N))?, points(q.normal(n * N))?)
}

/// Whole steps on batches of 256 in turn.
fn step<const N: usize, V>(config: FlowMatchingConfig) -> Result<Work>
where
    V: BuildModule<Cpu, f32> + Velocity<N> + 'static,
{
    let batches: Vec<Batch<N>> = (0..16).map(|i| batch(i, 256)).collect::<Result<_>>()?;
    let mut state = Some(flow_matching_init(&config, build::<V, _, _>(Key::new(0)))?);
    Ok(Box::new(move || {
        if let Some(s) = state.take() {
            let batch = &batches[s.step as usize % batches.len()];
            let key = Key::new(2).fold_in(s.step);
            state = Some(flow_matching_step(&config, s, batch, key)?.0);
        }
        Ok(())
    }))
}

/// The pairs of batches in turn: costs, plan and gathered points.
fn pairs<const N: usize>(config: FlowMatchingConfig, n: usize) -> Result<Work> {
    let batches: Vec<Batch<N>> = (0..4).map(|i| batch(i, n)).collect::<Result<_>>()?;
    let mut next = 0;
    Ok(Box::new(move || {
        next += 1;
        pairing_time(&config, &batches[next % batches.len()], Key::new(3), 1).map(drop)
    }))
}
