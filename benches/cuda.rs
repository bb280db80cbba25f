//! Kernels on a CUDA device: costs, half steps online and stored, small problems, plans.
//!
//! Names are `cuda/<what>/<shape>`. Each sample ends with a synchronise, so that what is timed is work and
//! not queueing. Where there is no device, this says so and ends. With `BRENIER_CUDA=emulated` it runs on the
//! emulated device and fewer points, to try the program itself: the times mean nothing then.

use std::hint::black_box;
use std::time::Duration;

use brenier::cuda::{cost_gradients, cost_matrix, Buffer, CudaDevice, DevicePlan, Resident};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::{Form, SinkhornConfig, Stop};
use brenier_emulator::{exclusive, Settings};
use criterion::{Criterion, Throughput};

fn emulated() -> bool {
    std::env::var_os("BRENIER_CUDA").is_some_and(|v| v == "emulated")
}

/// Points, of which the emulated device gets fewer.
fn scaled(n: usize) -> usize {
    if emulated() {
        2 * n.isqrt()
    } else {
        n
    }
}

fn clouds(n: usize, d: usize) -> (Vec<f32>, Vec<f32>) {
    let [x, y] = Key::new(0).split();
    let shift = 1.0 / (d as f32).sqrt();
    (x.normal(n * d), y.normal(n * d).iter().map(|v| 0.8 * v + shift).collect())
}

fn fixed(form: Form, iterations: usize) -> SinkhornConfig {
    SinkhornConfig { stop: Stop::Iterations(iterations), form, ..Default::default() }
}

fn costs(c: &mut Criterion, device: &CudaDevice) -> Result<(), Error> {
    let mut group = c.benchmark_group("cuda/costs");
    for (n, d) in [(1024, 2), (4096, 2), (4096, 64)] {
        let n = scaled(n);
        let (x, y) = clouds(n, d);
        let (x, y) = (Buffer::upload(device, &x)?, Buffer::upload(device, &y)?);
        let upstream = cost_matrix(&SqEuclidean, &x, &y, d)?;
        // Bytes written: the floor of a matrix.
        group.throughput(Throughput::Bytes((4 * n * n) as u64));
        group.bench_function(format!("matrix/d={d},n={n}"), |b| {
            b.iter(|| cost_matrix(&SqEuclidean, &x, &y, d).and_then(|_| device.synchronise()));
        });
        group.bench_function(format!("gradients/d={d},n={n}"), |b| {
            b.iter(|| {
                let both = cost_gradients(&SqEuclidean, &x, &y, d, &upstream);
                both.and_then(|_| device.synchronise())
            });
        });
    }
    group.finish();
    Ok(())
}

fn iterations(c: &mut Criterion, device: &CudaDevice) -> Result<(), Error> {
    let mut group = c.benchmark_group("cuda/sinkhorn");
    for (form, name, shapes) in [
        (Form::Auto, "auto", &[(64, 2), (100, 2)][..]),
        (Form::Stored, "stored", &[(1024, 2), (4096, 2), (4096, 64), (16384, 64)][..]),
        (Form::Online, "online", &[(1024, 2), (4096, 2), (4096, 64), (16384, 64), (65536, 2)][..]),
    ] {
        for &(n, d) in shapes {
            let n = scaled(n);
            let (x, y) = clouds(n, d);
            let problem = Discrete::clouds(&SqEuclidean, &x, &y, d)?;
            let resident = Resident::new(device, &[&problem])?;
            let mut resident = if form == Form::Stored { resident.store()? } else { resident };
            let config = fixed(form, 10);
            // Pairs per second: twenty half steps, and three more for the costs of the end.
            group.throughput(Throughput::Elements((23 * n * n) as u64));
            group.bench_function(format!("{name}/d={d},n={n},its=10"), |b| {
                b.iter(|| resident.solve(&config, &[None]));
            });
        }
    }
    let (count, n) = (scaled(256), scaled(64));
    let data: Vec<_> = (0..count).map(|_| clouds(n, 2)).collect();
    let problems = data
        .iter()
        .map(|(x, y)| Discrete::clouds(&SqEuclidean, x, y, 2))
        .collect::<Result<Vec<_>, Error>>()?;
    let together: Vec<&Discrete<'_, f32>> = problems.iter().collect();
    let mut resident = Resident::new(device, &together)?;
    let starts = vec![None; together.len()];
    group.throughput(Throughput::Elements((count * n * n * 200) as u64));
    group.bench_function(format!("batch/problems={count},d=2,n={n},its=100"), |b| {
        b.iter(|| resident.solve(&fixed(Form::Auto, 100), black_box(&starts)));
    });
    group.finish();
    Ok(())
}

fn plans(c: &mut Criterion, device: &CudaDevice) -> Result<(), Error> {
    let mut group = c.benchmark_group("cuda/plan");
    for (n, d) in [(4096, 2), (4096, 64)] {
        let n = scaled(n);
        let (x, y) = clouds(n, d);
        let problem = Discrete::clouds(&SqEuclidean, &x, &y, d)?;
        let solution = brenier::cuda::sinkhorn(device, &fixed(Form::Online, 10), &problem, None)?;
        let plan = DevicePlan::new(device, &problem, &solution.potentials, solution.epsilon)?;
        group.throughput(Throughput::Elements((n * n) as u64));
        group.bench_function(format!("barycentric/d={d},n={n}"), |b| {
            b.iter(|| plan.barycentric().and_then(|_| device.synchronise()));
        });
        group.bench_function(format!("gradients/d={d},n={n}"), |b| {
            b.iter(|| plan.gradients().and_then(|_| device.synchronise()));
        });
        group.bench_function(format!("sample/d={d},n={n},pairs=1024"), |b| {
            b.iter(|| plan.sample(Key::new(1), 1024));
        });
    }
    group.finish();
    Ok(())
}

fn main() -> Result<(), Error> {
    let _session = emulated().then(|| exclusive(Settings::default()));
    let device = match CudaDevice::open(0) {
        Ok(device) => device,
        Err(error) => {
            println!("skipped: {error}");
            return Ok(());
        }
    };
    println!("{device:?}");
    let (warm, measured) = (Duration::from_millis(300), Duration::from_secs(1));
    let criterion = Criterion::default().sample_size(10).warm_up_time(warm);
    let mut criterion = criterion.measurement_time(measured).configure_from_args();
    costs(&mut criterion, &device)?;
    iterations(&mut criterion, &device)?;
    plans(&mut criterion, &device)?;
    criterion.final_summary();
    Ok(())
}
