//! Opening devices, buffers, streams.

use crate::emulated;
use brenier::cuda::{cost_matrix, sinkhorn, Buffer, CudaDevice, CudaOptions, Specialise};
use brenier::prelude::*;
use brenier::problem::Discrete;
use brenier::solver::SinkhornConfig;

use crate::emulated::{device, is_real};

#[test]
fn a_device_that_is_not_there_is_an_error_that_names_what_was_looked_for() {
    let _device = device();
    let specialise = Specialise::Never;
    let options = CudaOptions { ordinal: 99, specialise, cache: None, ..Default::default() };
    match CudaDevice::open_with(options) {
        Err(Error::NoDevice { looked_for, problem }) => {
            assert!(looked_for.contains("cuda"), "{looked_for}");
            assert!(problem.contains("99"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_driver_opening_is_an_error() {
    // In a process of its own, since the emulated driver stays in this one.
    if std::env::var_os("BRENIER_NO_DRIVER").is_some() {
        match CudaDevice::open(0) {
            Err(error @ Error::NoDevice { .. }) => {
                assert!(error.to_string().contains("libcuda.so"), "{error}");
            }
            Err(other) => panic!("{other}"),
            Ok(device) => println!("skipped: this machine has {device:?}"),
        }
        return;
    }
    if is_real() {
        return;
    }
    let test = std::env::current_exe().expect("this program");
    let run = std::process::Command::new(test)
        .args(["--exact", "device::without_a_driver_opening_is_an_error"])
        .env("BRENIER_NO_DRIVER", "1")
        .output()
        .expect("a process");
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn buffers_keep_their_numbers() {
    let device = device();
    let values: Vec<f64> = (0..1000).map(f64::from).collect();
    let mut buffer = Buffer::upload(&device, &values).unwrap();
    assert_eq!(buffer.download().unwrap(), values);
    buffer.fill(&[7.0, 8.0]).unwrap();
    assert_eq!(buffer.download().unwrap()[..3], [7.0, 8.0, 2.0]);
    assert!(matches!(buffer.fill(&vec![0.0; 1001]), Err(Error::Shape { .. })));
    assert_eq!(Buffer::<f32>::zeros(&device, 3).unwrap().download().unwrap(), [0.0; 3]);
}

#[test]
fn streams_do_the_same() {
    let device = device();
    let other = device.with_stream().unwrap();
    let (x, y) = ([0.0f32, 1.0, 4.0], [2.0f32, 3.0]);
    for device in [&*device, &other] {
        let buffers = [&x[..], &y[..]].map(|v| Buffer::upload(device, v).unwrap());
        let costs = cost_matrix(&SqEuclidean, &buffers[0], &buffers[1], 1).unwrap();
        assert_eq!(costs.download().unwrap(), [4.0, 9.0, 1.0, 4.0, 4.0, 1.0]);
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let device = device();
    let x = Buffer::upload(&device, &[0.0f32; 7]).unwrap();
    let y = Buffer::upload(&device, &[0.0f32; 6]).unwrap();
    assert!(matches!(cost_matrix(&SqEuclidean, &x, &y, 2), Err(Error::Shape { .. })));
    assert!(matches!(cost_matrix(&SqEuclidean, &x, &y, 0), Err(Error::InvalidConfig { .. })));
    let function = FnCost(|_: &[f32], _: &[f32], _: &mut [f32]| 0.0f32);
    assert!(matches!(cost_matrix(&function, &y, &y, 2), Err(Error::InvalidConfig { .. })));
}

#[test]
fn a_profile_names_every_kernel_of_the_work() {
    let device = device();
    let x = Buffer::upload(&device, &[0.0f32, 1.0, 4.0]).unwrap();
    let (costs, launches) = device.profile(|| cost_matrix(&Cosine, &x, &x, 1)).unwrap();
    assert_eq!(costs.download().unwrap()[..3], [1.0; 3]);
    let names: Vec<&str> = launches.iter().map(|l| &l.kernel[..]).collect();
    let directions = "normalise of points-f32";
    assert_eq!(names, [directions, directions, "cost_matrix of cost_matrix-cosine-f32"]);
    assert!(launches.iter().all(|l| l.seconds >= 0.0));
    assert!(device.profile(|| Buffer::upload(&device, &[1.0f32])).unwrap().1.is_empty());
}

#[test]
fn without_compiled_kernels_the_embedded_ones_are_taken() {
    // The emulated device refuses machine code, as a GPU refuses that of another one.
    let reference = device();
    let cache = tempfile::tempdir().unwrap();
    let options = CudaOptions { cache: Some(cache.path().into()), ..Default::default() };
    let device = CudaDevice::open_with(options).unwrap();
    let [x, y] = emulated::clouds(emulated::Data::Normal, 1, 150, 140, 5);
    let (x, y) = (emulated::rounded::<f32>(&x), emulated::rounded::<f32>(&y));
    let problem = Discrete::clouds(&SqEuclidean, &x, &y, 5).unwrap();
    let solve = |device| sinkhorn(device, &SinkhornConfig::default(), &problem, None).unwrap();
    let (a, b) = (solve(&reference), solve(&device));
    assert!((a.dual_cost - b.dual_cost).abs() < 1e-5 * a.dual_cost.abs());
    assert!(reference.reports().iter().all(|r| r.message.contains("machine code")));
}
