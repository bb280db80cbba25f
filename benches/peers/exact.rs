//! Exact plans for the comparison with POT and scipy in `exact.py`.
//!
//! Reads lines `<file> <n> <d> <repeats>`. The file holds n source and n target points of dimension d,
//! row by row, as little-endian f64, and then n weights of each. Answers with the median milliseconds
//! of CPU time for the matrix of squared distances and the plan, the cost, and the form.

use std::io::BufRead;

use brenier::prelude::{Cost, Cpu, SqEuclidean};
use brenier::solver::{exact_transport, ExactConfig};
use brenier::tensor::{points_on, rows};
use cpu_time::ProcessTime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let [file, n, d, repeats] = words[..] else {
            return Err("a line is `<file> <n> <d> <repeats>`".into());
        };
        let (n, d): (usize, usize) = (n.parse()?, d.parse()?);
        let bytes = std::fs::read(file)?;
        let number = |b: &[u8]| b.try_into().map(f64::from_le_bytes);
        let numbers = bytes.chunks(8).map(number).collect::<Result<Vec<f64>, _>>()?;
        if numbers.len() != 2 * n * (d + 1) {
            return Err(format!("{file} holds {} numbers", numbers.len()).into());
        }
        let (points, weights) = numbers.split_at(2 * n * d);
        let ((x, y), (a, b)) = (points.split_at(n * d), weights.split_at(n));
        let (mut times, mut answer) = (Vec::new(), None);
        for _ in 0..repeats.parse()? {
            let start = ProcessTime::now();
            let cost = match d {
                2 => distances::<2>(x, y)?,
                64 => distances::<64>(x, y)?,
                _ => return Err(format!("no case of dimension {d}").into()),
            };
            answer = Some(exact_transport(&cost, a, b, &ExactConfig::default())?.into_optimal()?);
            times.push(start.elapsed());
        }
        times.sort();
        let answer = answer.ok_or("at least one repeat")?;
        let ms = times[times.len() / 2].as_secs_f64() * 1e3;
        println!("{ms} {:e} {:?}", answer.cost, answer.form);
    }
    Ok(())
}

/// The library's matrix of squared distances.
fn distances<const N: usize>(x: &[f64], y: &[f64]) -> brenier::Result<Vec<f64>> {
    let points = |rows: &[f64]| points_on::<N, f64, Cpu>(&Cpu::default(), rows.to_vec());
    Ok(rows(&SqEuclidean.pairwise(&points(x)?, &points(y)?)))
}
