//! A module is loaded through `cudarc` and gives the right sums.

use brenier_emulator::{exclusive, Kind, Order, Settings};
use cudarc::driver::{CudaContext, DriverError, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;

const PTX: &str = include_str!("../ptx/block_sum.ptx");

fn sums(n: usize, short: usize) -> Result<(Vec<f32>, Vec<f32>), DriverError> {
    let context = CudaContext::new(0)?;
    let stream = context.default_stream();
    let kernel = context.load_module(Ptx::from_src(PTX))?.load_function("block_sum")?;
    let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let b: Vec<f32> = (0..n - short).map(|i| 2.0 * i as f32).collect();
    let (a, b) = (stream.clone_htod(&a)?, stream.clone_htod(&b)?);
    let blocks = n.div_ceil(256);
    let mut c = stream.alloc_zeros::<f32>(n)?;
    let mut sums = stream.alloc_zeros::<f32>(blocks)?;
    let count = n as i32;
    let config = LaunchConfig {
        grid_dim: (blocks as u32, 1, 1),
        block_dim: (256, 1, 1),
        shared_mem_bytes: 0,
    };
    let mut launch = stream.launch_builder(&kernel);
    launch.arg(&a).arg(&b).arg(&mut c).arg(&mut sums).arg(&count);
    // SAFETY: the arguments are those of the kernel.
    unsafe { launch.launch(config) }?;
    let (c, sums) = (stream.clone_dtoh(&c)?, stream.clone_dtoh(&sums)?);
    stream.synchronize()?;
    Ok((c, sums))
}

#[test]
fn sums_are_right_in_every_order() {
    let device = exclusive(Settings::default());
    for order in [Order::Ascending, Order::Descending, Order::Random(1), Order::Random(2)] {
        device.configure(&Settings { order, ..Settings::default() });
        let n = 1000;
        let (c, found) = sums(n, 0).unwrap();
        assert_eq!(c[999], 2997.0);
        let expected: Vec<f32> = (0..n.div_ceil(256))
            .map(|b| (256 * b..n.min(256 * b + 256)).map(|i| 3.0 * i as f32).sum())
            .collect();
        assert_eq!(found, expected);
        assert_eq!(device.take_reports(), []);
    }
}

#[test]
fn a_short_buffer_is_named() {
    let device = exclusive(Settings::default());
    assert!(sums(1000, 1).is_err());
    let reports = device.take_reports();
    assert_eq!(reports[0].kind, Kind::OutOfBounds);
    assert_eq!((reports[0].block, reports[0].thread), ([3, 0, 0], Some([231, 0, 0])));
    assert_eq!(reports[0].source, Some(("block_sum.cu".into(), 8)));
    device.reset();
    assert!(sums(1000, 0).is_ok());
}
