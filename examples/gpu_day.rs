//! Times every kernel on a CUDA device and prints a table: median, GB/s, instructions, ratio to the floor.
//!
//! `kernels/gpu_day.sh` runs this and keeps what it prints. The second-level cache is overwritten before
//! every sample. The floor of a kernel is the largest of: the bytes it must move over the bandwidth, its
//! FP32 instructions over their peak rate, its exponentials over theirs; peaks are the clocks that the
//! driver states times the widths of the chip.
//!
//! With `BRENIER_CUDA=emulated` it runs on the emulated device and small sizes, to try the program itself:
//! the times mean nothing then.

use std::collections::BTreeMap;

use anyhow::Result;
use brenier::cuda::{
    cost_gradients, cost_matrix, sinkhorn, Buffer, CudaDevice, DevicePlan, Launch, Limits, Resident,
};
use brenier::prelude::{Error, Key, SqEuclidean};
use brenier::problem::{Discrete, Relaxation};
use brenier::solver::{Form, SinkhornConfig, Stop};
use brenier_emulator::{exclusive, Settings};

/// What is run.
struct Day {
    /// Samples of each kernel.
    samples: usize,
    /// Bytes that no cache keeps.
    cache: usize,
    /// Numbers of points and coordinates.
    shapes: &'static [(usize, usize)],
}

const REAL: Day = Day {
    samples: 21,
    cache: 256 << 20,
    shapes: &[(100, 2), (1024, 2), (4096, 2), (4096, 16), (4096, 64), (16384, 64), (65536, 2)],
};
const EMULATED: Day =
    Day { samples: 2, cache: 1 << 20, shapes: &[(30, 2), (200, 2), (150, 16), (150, 64)] };

/// What a kernel must do for `n` × `n` pairs of `d` coordinates.
struct Work {
    bytes: f64,
    instructions: f64,
    special: f64,
}

/// The least work of a kernel, from what it computes.
fn work(kernel: &str, n: usize, d: usize) -> Option<Work> {
    let (n, d) = (n as f64, d as f64);
    let (pairs, points) = (n * n, 4.0 * 2.0 * n * d);
    let of = |bytes, instructions, special| Some(Work { bytes, instructions, special });
    let entry = kernel.split(' ').next().unwrap_or_default();
    let stored = kernel.contains("stored");
    match entry {
        "cost_matrix" => of(points + 4.0 * pairs, 2.0 * d * pairs, 0.0),
        "cost_gradient" => of(points + 4.0 * pairs, 2.0 * d * pairs, 0.0),
        "cost_statistics" => of(points, (2.0 * d + 2.0) * pairs, 0.0),
        "softmin" if stored => of(4.0 * pairs, 3.0 * pairs, 1.125 * pairs),
        "softmin" => of(points, (2.0 * d + 3.0) * pairs, 1.125 * pairs),
        "transport_cost" => of(points, (2.0 * d + 4.0) * pairs, pairs),
        "transport_apply" => of(points, (3.0 * d + 2.0) * pairs, pairs),
        "transport_gradient" => of(points, (4.0 * d + 2.0) * pairs, pairs),
        "softmin_merge" => of(4.0 * 10.0 * n, 0.0, 0.0),
        "marginal_errors" => of(4.0 * 2.0 * n, 0.0, 0.0),
        "control_rounds" => of(4.0 * 4.0 * n, 0.0, 0.0),
        "translate" | "rescale" => of(4.0 * 6.0 * n, 0.0, 0.0),
        "contract_merge" => of(4.0 * 2.0 * n * d, 0.0, 0.0),
        "small_sinkhorn" => of(points, 0.0, 2.0 * 10.0 * pairs),
        _ => None,
    }
}

fn clouds(n: usize, d: usize, sample: usize) -> (Vec<f32>, Vec<f32>) {
    let [x, y] = Key::new(sample as u64).split();
    (x.normal(n * d), y.normal(n * d).iter().map(|v| 0.8 * v + 0.5).collect())
}

/// Medians of the kernels of some work over samples, each with data of its own.
fn medians(
    day: &Day,
    device: &CudaDevice,
    work: impl Fn(usize) -> Result<Vec<Launch>, Error>,
) -> Result<BTreeMap<String, f64>> {
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    work(0)?;
    for sample in 0..day.samples {
        Buffer::<f32>::zeros(device, day.cache / 4)?;
        device.synchronise()?;
        for launch in work(sample)? {
            times.entry(launch.kernel).or_default().push(launch.seconds);
        }
    }
    let median = |mut v: Vec<f64>| {
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    Ok(times.into_iter().map(|(kernel, v)| (kernel, median(v))).collect())
}

fn print(limits: &Limits, shape: &str, n: usize, d: usize, medians: BTreeMap<String, f64>) {
    for (kernel, seconds) in medians {
        let line = format!("{kernel:48} {shape:16} {:10.2} µs", seconds * 1e6);
        let Some(Work { bytes, instructions, special }) = work(&kernel, n, d) else {
            println!("{line}");
            continue;
        };
        let floor = (bytes / limits.bandwidth)
            .max(instructions / limits.instructions)
            .max(special / limits.special);
        let (rate, arithmetic) = (bytes / seconds * 1e-9, 2.0 * instructions / seconds * 1e-9);
        println!(
            "{line} {rate:9.1} GB/s {arithmetic:9.0} GFLOP/s  {:6.2} × floor",
            seconds / floor
        );
    }
}

fn main() -> Result<()> {
    let emulated = std::env::var_os("BRENIER_CUDA").is_some_and(|v| v == "emulated");
    let _session = emulated.then(|| exclusive(Settings::default()));
    let day = if emulated { EMULATED } else { REAL };
    let device = match CudaDevice::open(0) {
        Ok(device) => device,
        Err(error) => {
            println!("skipped: {error}");
            return Ok(());
        }
    };
    let limits = device.limits()?;
    println!("{device:?}\n{limits:?}\nmedians of {} samples, cold cache\n", day.samples);
    let plain = Stop::Iterations(10);
    // Never met, but controlled.
    let controlled = Stop::Tolerance { tolerance: 1e-30, limit: 10 };
    for &(n, d) in day.shapes {
        let shape = format!("n={n},d={d}");
        let solve = |form, stop, relaxation: Relaxation| {
            let device = &device;
            move |sample| {
                let (x, y) = clouds(n, d, sample);
                let problem = Discrete::clouds(&SqEuclidean, &x, &y, d)?;
                let problem = problem.relaxed(relaxation, relaxation)?;
                let resident = Resident::new(device, &[&problem])?;
                let mut resident = if form == Form::Stored { resident.store()? } else { resident };
                let config = SinkhornConfig { stop, form, ..Default::default() };
                Ok(device.profile(|| resident.solve(&config, &[None]))?.1)
            }
        };
        print(
            &limits,
            &shape,
            n,
            d,
            medians(&day, &device, solve(Form::Auto, plain, Relaxation::Balanced))?,
        );
        if n > 16384 {
            continue;
        }
        print(
            &limits,
            &shape,
            n,
            d,
            medians(&day, &device, solve(Form::Stored, plain, Relaxation::Balanced))?,
        );
        let relaxed = solve(Form::Online, controlled, Relaxation::Kl { tau: 0.9 });
        print(&limits, &shape, n, d, medians(&day, &device, relaxed)?);
        let others = |sample| {
            let (x, y) = clouds(n, d, sample);
            let problem = Discrete::clouds(&SqEuclidean, &x, &y, d)?;
            let config = SinkhornConfig { stop: plain, form: Form::Online, ..Default::default() };
            let solution = sinkhorn(&device, &config, &problem, None)?;
            let on = (Buffer::upload(&device, &x)?, Buffer::upload(&device, &y)?);
            let (_, launches) = device.profile(|| {
                let costs = cost_matrix(&SqEuclidean, &on.0, &on.1, d)?;
                cost_gradients(&SqEuclidean, &on.0, &on.1, d, &costs)?;
                let plan =
                    DevicePlan::new(&device, &problem, &solution.potentials, solution.epsilon)?;
                plan.barycentric()?;
                plan.gradients()?;
                plan.sample_distinct(Key::new(1), 1024.min(n * n / 2))
            })?;
            Ok(launches)
        };
        print(&limits, &shape, n, d, medians(&day, &device, others)?);
    }
    Ok(())
}
