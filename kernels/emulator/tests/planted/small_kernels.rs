//! Planted bugs in small kernels: atomics, alignment, local memory, block-wide reductions.

use super::common::{noise, shape, Gpu, SMALL};
use brenier_emulator::{exclusive, Kind, Order, Report, Session, Settings};
use cudarc::driver::{DriverError, PushKernelArg};

const ORDERS: [Order; 3] = [Order::Ascending, Order::Descending, Order::Random(5)];

fn first(device: &Session) -> Report {
    let reports = device.take_reports();
    device.reset();
    reports.into_iter().next().expect("nothing reported")
}

fn histogram(gpu: &Gpu, kernel: &str) -> Result<Vec<i32>, DriverError> {
    let kernel = gpu.module.load_function(kernel)?;
    let bins: Vec<i32> = (0..1000).map(|i| i % 7).collect();
    let bins = gpu.stream.clone_htod(&bins)?;
    let mut count = gpu.stream.alloc_zeros::<i32>(8)?;
    let n = 1000;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&bins).arg(&mut count).arg(&n);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape([8, 1], 128, 0)) }?;
    let count = gpu.stream.clone_dtoh(&count)?;
    gpu.stream.synchronize()?;
    Ok(count)
}

#[test]
fn plain_adds_in_place_of_atomics_are_races() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    for order in ORDERS {
        device.configure(&Settings { order, ..Settings::default() });
        let right = histogram(&gpu, "histogram_right").unwrap();
        assert_eq!(right, [143, 143, 143, 143, 143, 143, 142, 0]);
        assert_eq!(device.take_reports(), []);
        histogram(&gpu, "histogram_plain_shared").unwrap_err();
        assert_eq!(first(&device).kind, Kind::Race);
        histogram(&gpu, "histogram_plain_global").unwrap_err();
        assert_eq!(first(&device).kind, Kind::BlockRace);
    }
}

/// A sum by floating-point atomics is no race, and yet depends on the order: five orders show it.
#[test]
fn the_order_of_atomics_shows_in_the_bits() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("sum_atomic").unwrap();
    let a = gpu.stream.clone_htod(&noise(1000, 7)).unwrap();
    let mut sums = Vec::new();
    for order in [Order::Ascending, Order::Descending, Order::Random(1), Order::Random(2)] {
        device.configure(&Settings { order, ..Settings::default() });
        let mut sum = gpu.stream.alloc_zeros::<f32>(1).unwrap();
        let n = 1000;
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&a).arg(&mut sum).arg(&n);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([8, 1], 128, 0)) }.unwrap();
        let found = gpu.stream.clone_dtoh(&sum).unwrap();
        gpu.stream.synchronize().unwrap();
        sums.push(found[0].to_bits());
    }
    assert_eq!(device.take_reports(), []);
    sums.dedup();
    assert!(sums.len() > 1);
}

#[test]
fn misaligned_vectors_are_named() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("copy_four").unwrap();
    let from = gpu.stream.clone_htod(&noise(133, 1)).unwrap();
    for (offset, wrong) in [(4, false), (1, true)] {
        let mut to = gpu.stream.alloc_zeros::<f32>(128).unwrap();
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&from).arg(&mut to).arg(&offset);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([1, 1], 32, 0)) }.unwrap();
        assert_eq!(gpu.stream.synchronize().is_err(), wrong);
        if wrong {
            assert_eq!(first(&device).kind, Kind::Misaligned);
        }
    }
}

#[test]
fn endless_kernels_and_overflowing_indices_are_named() {
    let device = exclusive(Settings { limit: 1_000_000, ..Settings::default() });
    let gpu = Gpu::new(SMALL).unwrap();
    let walk = gpu.module.load_function("walk").unwrap();
    let mut a = gpu.stream.alloc_zeros::<f32>(64).unwrap();
    for (step, wrong) in [(1, false), (0, true)] {
        let n = 64;
        let mut launch = gpu.stream.launch_builder(&walk);
        launch.arg(&mut a).arg(&n).arg(&step);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([1, 1], 1, 0)) }.unwrap();
        assert_eq!(gpu.stream.synchronize().is_err(), wrong);
    }
    assert_eq!(first(&device).kind, Kind::Endless);
    let square = gpu.module.load_function("square").unwrap();
    // 70000 * 40000 is above 2^31
    for (row, columns) in [(1, 32), (70_000, 40_000)] {
        let mut launch = gpu.stream.launch_builder(&square);
        launch.arg(&mut a).arg(&row).arg(&columns);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([1, 1], 32, 0)) }.unwrap();
        assert_eq!(gpu.stream.synchronize().is_err(), row != 1);
    }
    assert_eq!(first(&device).kind, Kind::OutOfBounds);
}

/// A kernel that takes `exp2(log2 x)` for `x` passes with exact functions and fails with perturbed ones.
#[test]
fn trust_in_the_last_bit_shows_when_functions_are_perturbed() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("exact").unwrap();
    // a power of two has an exact logarithm and comes back; others do not have to
    let values: Vec<f32> =
        (0..32).map(|i| if i < 16 { (1 << i) as f32 } else { 3.7 * i as f32 }).collect();
    let a = gpu.stream.clone_htod(&values).unwrap();
    let mut counts = Vec::new();
    for perturb in [None, Some(1), Some(2)] {
        device.configure(&Settings { perturb, ..Settings::default() });
        let mut equal = gpu.stream.alloc_zeros::<i32>(32).unwrap();
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&a).arg(&mut equal);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([1, 1], 32, 0)) }.unwrap();
        let found = gpu.stream.clone_dtoh(&equal).unwrap();
        gpu.stream.synchronize().unwrap();
        counts.push(found.iter().filter(|e| **e == 2).count());
    }
    assert!(counts[0] >= 16 && counts[1] < 16 && counts[2] < 16, "{counts:?}");
    assert_eq!(device.take_reports(), []);
}

fn largest(gpu: &Gpu, kernel: &str, threads: u32, n: usize) -> Result<f32, DriverError> {
    let kernel = gpu.module.load_function(kernel)?;
    let a = gpu.stream.clone_htod(&noise(n, 11))?;
    let mut most = gpu.stream.alloc_zeros::<f32>(1)?;
    let count = n as i32;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&a).arg(&mut most).arg(&count);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape([1, 1], threads, 0)) }?;
    let most = gpu.stream.clone_dtoh(&most)?;
    gpu.stream.synchronize()?;
    Ok(most[0])
}

#[test]
fn block_wide_reductions() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    for order in ORDERS {
        device.configure(&Settings { order, ..Settings::default() });
        for (threads, n) in [(128, 100), (128, 128), (64, 1)] {
            let exact = noise(n, 11).into_iter().fold(f32::MIN, f32::max);
            assert_eq!(largest(&gpu, "largest_right", threads, n).unwrap(), exact);
        }
        assert_eq!(device.take_reports(), []);
        for (kernel, kinds) in [
            ("largest_one_more", &[Kind::Uninitialised][..]),
            ("largest_no_barrier", &[Kind::Uninitialised, Kind::Race]),
            ("largest_other_way", &[Kind::Shuffle]),
        ] {
            largest(&gpu, kernel, 128, 100).unwrap_err();
            let report = first(&device);
            assert!(kinds.contains(&report.kind), "{kernel}: {report}");
        }
    }
}

#[test]
fn blocks_that_wait_for_each_other_are_named_and_bytes_are_not() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("hand_over").unwrap();
    let mut a = gpu.stream.alloc_zeros::<f32>(64).unwrap();
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&mut a);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape([2, 1], 32, 0)) }.unwrap();
    gpu.stream.synchronize().unwrap_err();
    assert_eq!(first(&device).kind, Kind::BlockRace);
    let kernel = gpu.module.load_function("bytes").unwrap();
    let mut bytes = gpu.stream.alloc_zeros::<u8>(100).unwrap();
    let n = 100;
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&mut bytes).arg(&n);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape([4, 1], 30, 0)) }.unwrap();
    let found = gpu.stream.clone_dtoh(&bytes).unwrap();
    gpu.stream.synchronize().unwrap();
    assert!(found.iter().enumerate().all(|(i, b)| *b as usize == i));
    assert_eq!(device.take_reports(), []);
}

#[test]
fn local_arrays_and_traps() {
    let device = exclusive(Settings::default());
    let gpu = Gpu::new(SMALL).unwrap();
    let kernel = gpu.module.load_function("local_array").unwrap();
    for (top, bug, kind) in
        [(7, 0, None), (7, 1, Some(Kind::Uninitialised)), (5000, 0, Some(Kind::OutOfBounds))]
    {
        let mut index: Vec<i32> = (0..32).map(|i| i % 7).collect();
        index[31] = top;
        let index = gpu.stream.clone_htod(&index).unwrap();
        let mut out = gpu.stream.alloc_zeros::<i32>(32).unwrap();
        let mut launch = gpu.stream.launch_builder(&kernel);
        launch.arg(&index).arg(&mut out).arg(&bug);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([1, 1], 32, 0)) }.unwrap();
        let found = gpu.stream.clone_dtoh(&out).unwrap();
        assert_eq!(gpu.stream.synchronize().is_err(), kind.is_some());
        match kind {
            None => assert_eq!((found[6], found[31]), (36, 49)),
            Some(kind) => {
                let report = first(&device);
                assert_eq!((report.kind, report.thread), (kind, Some([31, 0, 0])), "{report}");
            }
        }
    }
    let kernel = gpu.module.load_function("assertion").unwrap();
    let a = gpu.stream.clone_htod(&[1, 2, -3, 4]).unwrap();
    let mut launch = gpu.stream.launch_builder(&kernel);
    launch.arg(&a);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(shape([1, 1], 4, 0)) }.unwrap();
    gpu.stream.synchronize().unwrap_err();
    assert_eq!(first(&device).kind, Kind::Trap);
}
