//! Steps of every estimator on `dfdx`'s `Cuda`. Compiled in CI, which has no device; on a machine with
//! one, the steps must agree with those on the CPU.
//!
//! With `BRENIER_CUDA=emulated` the device is the emulated one, whose shared library must then be found as
//! `libcuda.so`, beside one that stands in for cuBLAS.

use brenier::prelude::*;
use brenier_emulator::{exclusive, Session, Settings};
use dfdx::tensor::Cuda;

/// The emulated device for one test, if it is wanted.
struct Emulated(Option<Session>);

impl Emulated {
    /// The sums of `dfdx` leave before a barrier.
    fn new() -> Self {
        let wanted = std::env::var_os("BRENIER_CUDA").is_some_and(|v| v == "emulated");
        Self(wanted.then(|| exclusive(Settings { early_exit: true, ..Settings::default() })))
    }
}

impl Drop for Emulated {
    /// What the checkers found fails the test.
    fn drop(&mut self) {
        let reports = self.0.as_ref().map(Session::take_reports).unwrap_or_default();
        if std::thread::panicking() {
            println!("{reports:#?}");
        } else {
            assert!(reports.is_empty(), "{reports:#?}");
        }
    }
}

type OnCuda<const N: usize> = Batch<N, f32, Cuda>;

fn batch(parts: usize) -> Batch<2> {
    let (x, y) = (GaussianMixture::<2>::standard(), GaussianMixture::<2>::eight_gaussians());
    let sampled = Sampled::new(x, y, 64).unwrap().with_source_parts(parts).unwrap();
    sampled.batches(Key::new(5)).batch(0).unwrap()
}

/// Sums have another order on the device, in single precision.
fn near(what: &str, a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-3 * b.abs().max(1e-2), "{what}: {a} on the device, {b} on the CPU");
}

fn same_readings(a: &impl Readings, b: &impl Readings) {
    for ((name, a), (_, b)) in a.readings().iter().zip(b.readings()) {
        near(name, *a, b);
    }
}

macro_rules! compare {
    ($name:ident, $parts:expr, |$batch:ident, $d:ident| $step:expr) => {
        #[test]
        fn $name() {
            let _device = Emulated::new();
            let host = batch($parts);
            let cuda: OnCuda<2> = host.on(&Cuda::default());
            let on_host = {
                type $d = Cpu;
                let $batch = &host;
                $step
            };
            let on_device = {
                type $d = Cuda;
                let $batch = &cuda;
                $step
            };
            same_readings(&on_device, &on_host);
        }
    };
}

compare!(strong_neural_optimal_transport, 3, |batch, D| {
    let config: NotConfig = NotConfig { map_steps: 2, ..NotConfig::default() };
    let f: Mlp<2, 32, 1, 1, Relu, f32, D> = build(Key::new(1));
    let t: Displacement<Mlp<2, 32, 1, 2, Silu, f32, D>> = build(Key::new(2));
    not_step(&config, not_init(&config, f, t).unwrap(), batch, Key::new(0)).unwrap().1
});

compare!(monge_gap, 1, |batch, D| {
    let config: MongeGapConfig = MongeGapConfig::default();
    let t: Displacement<Mlp<2, 32, 1, 2, Gelu, f32, D>> = build(Key::new(2));
    monge_gap_step(&config, monge_gap_init(&config, t).unwrap(), batch, Key::new(0)).unwrap().1
});

compare!(dual_of_the_squared_distance, 1, |batch, D| {
    let config = W2DualConfig::default();
    let f: DenseIcnn<2, 16, 1, 4, Celu, f32, D> = build(Key::new(1));
    let g: Displacement<Mlp<2, 32, 1, 2, Relu, f32, D>> = build(Key::new(2));
    w2_dual_step(&config, w2_dual_init(&config, f, g).unwrap(), batch, Key::new(0)).unwrap().1
});

compare!(regularised_dual, 1, |batch, D| {
    let config: RegularisedDualConfig = RegularisedDualConfig::default();
    let f: Mlp<2, 32, 1, 1, Relu, f32, D> = build(Key::new(1));
    let g: Mlp<2, 32, 1, 1, Relu, f32, D> = build(Key::new(2));
    let state = regularised_dual_init(&config, f, g).unwrap();
    regularised_dual_step(&config, state, batch, Key::new(0)).unwrap().1
});

compare!(regressed_dual, 1, |batch, D| {
    let config = RegressedDualConfig::default();
    let psi: PlusHalfSquare<Mlp<2, 32, 1, 1, Softplus, f32, D>> = build(Key::new(1));
    let state = regressed_dual_init(&config, psi).unwrap();
    regressed_dual_step(&config, state, batch, Key::new(0)).unwrap().1
});

compare!(batch_dual, 1, |batch, D| {
    let config: BatchDualConfig = BatchDualConfig::default();
    let f: Mlp<2, 32, 1, 1, Softplus, f32, D> = build(Key::new(1));
    batch_dual_step(&config, batch_dual_init(&config, f).unwrap(), batch, Key::new(0)).unwrap().1
});
