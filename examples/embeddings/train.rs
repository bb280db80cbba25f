//! The training of the maps for all weights and seeds.

use std::time::Instant;

use brenier::data::{write_npy, Array, Samples};
use brenier::prelude::*;

use crate::arms::{baselines, mean_square, scores, Scores};
use crate::data::{laws, Data};
use crate::report::{write, Retrieved};
use crate::{Arguments, Norm, Preset};

type Map<const N: usize, const H: usize, const K: usize> =
    OnSphere<Displacement<ResidualMlp<N, H, K, N, LeakyRelu>>>;
type Potential<const N: usize, const H: usize, const K: usize> =
    NegativeAbs<ResidualMlp<N, H, K, 1, LeakyRelu>>;

/// Rows with noise added.
struct Noised<const N: usize> {
    samples: Samples<N>,
    deviation: f32,
    radius: f32,
    /// Whether noised rows are put back on the sphere.
    on_sphere: bool,
}

impl<const N: usize> Sampler<N> for Noised<N> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        let [which, noise] = key.split();
        let x = self.samples.sample(which, n)?;
        if self.deviation == 0.0 {
            return Ok(x);
        }
        let scale = self.deviation * self.radius / (N as f32).sqrt();
        let mut values = rows(&x);
        values.iter_mut().zip(noise.normal(n * N)).for_each(|(v, z)| *v += scale * z);
        for row in values.chunks_exact_mut(N).filter(|_| self.on_sphere) {
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter_mut().for_each(|v| *v *= self.radius / norm);
        }
        points(values)
    }
}

/// Rows continued with zeros to width N, of the given norm.
fn widened<const N: usize>(rows: &[f32], width: usize, radius: f32) -> Vec<f32> {
    let one = |row: &[f32]| {
        let mut wide = vec![0.0; N];
        wide.iter_mut().zip(row).for_each(|(w, v)| *w = radius * v);
        wide
    };
    rows.chunks(width).flat_map(one).collect()
}

/// The images of unit vectors, as unit vectors of their width.
fn images<const N: usize>(
    map: &impl Module<Points<N>, Output = Points<N>>,
    x: &[f32],
    width: usize,
    radius: f32,
) -> Result<Vec<f32>> {
    let moved = rows(&map.forward(points(widened::<N>(x, width, radius))?));
    let cut = |row: &[f32]| {
        let row = &row[..width];
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        row.iter().map(|v| v / norm).collect::<Vec<f32>>()
    };
    Ok(moved.chunks(N).flat_map(cut).collect())
}

pub fn all<const N: usize, const H: usize, const KT: usize, const KF: usize>(
    a: &Arguments,
    data: &Data,
) -> anyhow::Result<()> {
    let mut table = baselines(data)?;
    table.iter().for_each(show);
    let mut retrieved = Vec::new();
    let start = Instant::now();
    for &seed in &a.seeds {
        one_seed::<N, H, KT, KF>(a, data, seed, &mut table, &mut retrieved)?;
    }
    write(&a.out, data, &table, &retrieved)?;
    println!("{:.0} s; results in {}", start.elapsed().as_secs_f64(), a.out.display());
    Ok(())
}

fn one_seed<const N: usize, const H: usize, const KT: usize, const KF: usize>(
    a: &Arguments,
    data: &Data,
    seed: u64,
    table: &mut Vec<Scores>,
    retrieved: &mut Vec<Retrieved>,
) -> anyhow::Result<()> {
    let width = data.width;
    let radius = if a.norm == Norm::Unit { 1.0 } else { (width as f32).sqrt() };
    let small = a.preset == Preset::Small;
    let usual = if small { 3000 } else { 100_000 };
    let steps = a.steps.unwrap_or(if a.quick { 10 } else { usual });
    let batch = a.batch.unwrap_or(if small { 128 } else { 225 });
    let rate = a.rate.unwrap_or(if small { 3e-4 } else { 1e-4 });
    let sampler = |rows: &[f32], deviation, on_sphere| -> Result<Noised<N>> {
        let samples = Samples::new(widened::<N>(rows, width, radius))?;
        Ok(Noised { samples, deviation, radius, on_sphere })
    };
    let [init, of_data, training] = Key::new(seed).split();
    let [f, t] = init.split();
    let inner = Displacement(build(t));
    let mut map: Map<N, H, KT> = OnSphere { inner, radius: radius.into() };
    let mut potential: Potential<N, H, KF> = build(f);
    let folder = a.out.join(format!("seed{seed}"));
    let mut before = 1.0;
    for (i, &weight) in a.weights.iter().enumerate() {
        // The published optimiser; the rate falls to a hundredth at the end of each weight.
        let adam = |updates| AdamConfig {
            decay: Decay::Decoupled(a.decay.unwrap_or(6.02e-2)),
            clip: Clip::Norm(0.5),
            epsilon: 1e-6,
            schedule: Schedule::Cosine { warm_up: 0, total: updates, floor: 0.01 },
            ..AdamConfig::with_rate(rate)
        };
        let config = ItConfig {
            cost: Scaled::new(Cosine, a.coefficient)?,
            weight: Ramp { from: before, to: weight, steps: steps / 4 },
            turns: Turns {
                map_steps: a.map_steps,
                source: SourceUse::Fresh,
                map: adam(a.map_steps as u64 * steps),
                potential: adam(steps),
            },
        };
        before = weight;
        let key = training.fold_in(i as u64);
        let mut state = Averaged::new(it_init(&config, potential, map)?);
        let saved = folder.join(format!("w{weight}.bin"));
        if saved.exists() {
            let (found, then, _): (_, ItConfig<Scaled<Cosine>>, Key) =
                checkpoint::load(&saved, state)?;
            anyhow::ensure!(then == config, "{} is of other settings", saved.display());
            state = found;
        } else {
            let batches = Sampled::new(
                sampler(&data.source, a.noise, !a.free_noise)?,
                sampler(&data.target, a.target_noise, true)?,
                batch,
            )?
            .with_source_parts(config.turns.source_parts())?
            .batches(of_data.fold_in(i as u64))
            .take(steps as usize);
            let step = with_ema(0.999, |s, b: &Batch<N>, k| it_step(&config, s, b, k))?;
            let log = CsvLog::create(&folder.join(format!("log-w{weight}.csv")))?;
            let look = every((steps / 5).max(1), |s: &Averaged<_, Map<N, H, KT>>, _: &_| {
                let moved = images(&s.average, &data.test_source, width, radius)?;
                show(&scores(data, format!("w = {weight}, step {}", s.step()), seed, &moved));
                Ok(())
            })?;
            state = run(&step, state, batches, key, &mut (log, look, Progress::new(steps)))?;
            checkpoint::save(&saved, &state, &config, key)?;
        }
        let moved = images(&state.average, &data.test_source, width, radius)?;
        let shape = vec![moved.len() / width, width];
        write_npy(
            &folder.join(format!("mapped-w{weight}.npy")),
            &Array::new(shape, moved.clone())?,
        )?;
        let mut row = scores(data, format!("w = {weight}"), seed, &moved);
        if N == width && data.synthetic {
            row.to_exact = mean_square(&moved, &exact::<N>(data, weight)?, N);
        }
        show(&row);
        table.push(row);
        retrieved.push(Retrieved { weight, seed, moved });
        // The next weight starts from these networks.
        map = state.average;
        potential = state.state.potential.params().clone();
    }
    Ok(())
}

/// The images of the held-out source under the exact map of this weight: t ↦ the quantile F(t) / w of the
/// target, since all of the source lies below the target.
fn exact<const N: usize>(data: &Data, weight: f64) -> Result<Vec<f32>> {
    let [p, q] = laws::<N>()?;
    let x = points::<N>(data.test_source.clone())?;
    Ok(rows(&p.along_meridians(&x, |t| q.quantile(p.distribution(t) / weight))?))
}

fn show(s: &Scores) {
    print!("  {:<22} seed {}   −cos(x, T) {:8.4}   ", s.name, s.seed, s.cost);
    print!("to image {:7.4}   to other text {:7.4}   ", s.to_image, s.to_other_text);
    if s.to_extremal.is_nan() {
        let [a, b, c] = [s.top1, s.top5, s.top10].map(|share| 100.0 * share);
        println!("top 1, 5, 10: {a:5.1} {b:5.1} {c:5.1} %");
    } else {
        println!("squares to exact map {:.4}, to extremal map {:.4}", s.to_exact, s.to_extremal);
    }
}
