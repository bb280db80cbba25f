//! A device for tests: emulated, or the machine's own with `BRENIER_CUDA=real`, then with kernels that
//! NVRTC compiles if `BRENIER_NVRTC` is set.

use std::ops::Deref;

use brenier::cuda::{CudaDevice, CudaOptions, DeviceReal, Specialise};
use brenier::prelude::*;
use brenier_emulator::{exclusive, Order, Session, Settings};

/// A device, and the session that has the emulator for itself.
pub struct Device {
    device: CudaDevice,
    session: Option<Session>,
}

impl Deref for Device {
    type Target = CudaDevice;
    fn deref(&self) -> &CudaDevice {
        &self.device
    }
}

impl Drop for Device {
    /// What the checkers found fails the test.
    fn drop(&mut self) {
        let reports = self.session.as_ref().map(Session::take_reports).unwrap_or_default();
        if std::thread::panicking() {
            println!("{reports:#?}");
        } else {
            assert!(reports.is_empty(), "{reports:#?}");
        }
    }
}

pub fn is_real() -> bool {
    std::env::var_os("BRENIER_CUDA").is_some_and(|v| v == "real")
}

pub fn device_with(settings: Settings) -> Device {
    if is_real() {
        let compiled = std::env::var_os("BRENIER_NVRTC").is_some();
        let specialise = if compiled { Specialise::Auto } else { Specialise::Never };
        let options = CudaOptions { specialise, ..Default::default() };
        let device = CudaDevice::open_with(options).expect("BRENIER_CUDA=real needs a device");
        println!("{device:?}");
        return Device { device, session: None };
    }
    let session = exclusive(settings);
    // The emulator runs PTX, not machine code.
    let options = CudaOptions { specialise: Specialise::Never, cache: None, ..Default::default() };
    let device = CudaDevice::open_with(options).expect("the emulated device");
    println!("emulated CUDA device");
    Device { device, session: Some(session) }
}

pub fn device() -> Device {
    device_with(Settings::default())
}

impl Device {
    /// What the checkers found so far.
    pub fn reports(&self) -> Vec<brenier_emulator::Report> {
        self.session.as_ref().map(Session::take_reports).unwrap_or_default()
    }
}

/// The same results, bit for bit, in five orders of threads, warps and blocks.
pub fn in_every_order(results: impl Fn(&CudaDevice) -> Vec<u64>) {
    let orders =
        [Order::Ascending, Order::Descending, Order::Random(1), Order::Random(2), Order::Random(3)];
    let mut first: Option<Vec<u64>> = None;
    for order in orders {
        let device = device_with(Settings { order, ..Default::default() });
        let here = results(&device);
        assert!(!here.is_empty());
        match &first {
            None => first = Some(here),
            Some(first) => assert_eq!(*first, here, "{order:?}"),
        }
    }
}

pub fn bits<E: DeviceReal>(values: &[E]) -> impl Iterator<Item = u64> + '_ {
    values.iter().map(|v| v.double().to_bits())
}

/// Data that breaks careless kernels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Data {
    Normal,
    /// Points that differ in the last digits.
    NearlyEqual,
    /// Far from the origin.
    Far,
    /// With points at the origin, and points that coincide.
    Degenerate,
}

pub const EVERY_DATA: [Data; 4] = [Data::Normal, Data::NearlyEqual, Data::Far, Data::Degenerate];

/// Two clouds, rounded to f32.
pub fn clouds(data: Data, seed: u64, n: usize, m: usize, d: usize) -> [Vec<f64>; 2] {
    let keys: [Key; 2] = Key::new(seed).split();
    let number = |v: &f32| match data {
        Data::Normal | Data::Degenerate => *v,
        Data::NearlyEqual => 1.0 + 3e-6 * *v,
        Data::Far => 1e4 + *v,
    };
    let mut all = [(keys[0], n), (keys[1], m)]
        .map(|(k, n)| k.normal(n * d).iter().map(|v| f64::from(number(v))).collect::<Vec<f64>>());
    if data == Data::Degenerate {
        all[0][..d].fill(0.0);
        all[1][(m - 1) * d..].fill(0.0);
        let copied = all[0][(n - 1) * d..].to_vec();
        all[1][..d].copy_from_slice(&copied);
    }
    all
}

pub fn rounded<E: DeviceReal>(v: &[f64]) -> Vec<E> {
    v.iter().map(|v| E::of(*v)).collect()
}

pub fn doubles<E: DeviceReal>(v: &[E]) -> Vec<f64> {
    v.iter().map(|v| v.double()).collect()
}

/// The largest |a − b|, NaN if one is.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, worst)
}

pub fn worst(a: f64, b: f64) -> f64 {
    if b.is_nan() || b > a {
        b
    } else {
        a
    }
}

pub fn largest(a: &[f64]) -> f64 {
    a.iter().map(|v| v.abs()).fold(0.0, worst)
}

/// Half the distance of neighbouring numbers at 1.
pub fn unit<E: DeviceReal>() -> f64 {
    0.5 * E::epsilon().double()
}

/// Fails unless `found` is at most twice as far from the truth as the plain method in the same number
/// type; one rounding of the result is granted, since the plain method may be exact by chance.
pub fn twice_plain<E: DeviceReal>(what: &str, found: &[f64], plain: &[f64], truth: &[f64]) {
    let (error, bound) = (distance(found, truth), 2.0 * distance(plain, truth));
    let granted = 2.0 * unit::<E>() * largest(truth);
    assert!(error <= bound + granted, "{what}: {error:e} where {bound:e} + {granted:e} is allowed");
}

/// Cost by its formula, with the rounding of the number type in every step.
pub fn plain_cost<E: DeviceReal>(name: &str, x: &[E], y: &[E]) -> E {
    let sum =
        |term: &dyn Fn(E, E) -> E| x.iter().zip(y).fold(E::zero(), |s, (x, y)| s + term(*x, *y));
    let square = || sum(&|x, y| (x - y) * (x - y));
    let power = |p: f64| sum(&|x, y| (x - y).abs().powf(E::of(p))) / E::of(p);
    let dot = || sum(&|x, y| x * y);
    match name {
        "square" => square(),
        "half" => E::of(0.5) * square(),
        "distance" => square().sqrt(),
        "power 1" => power(1.0),
        "power 1.5" => power(1.5),
        "power 4" => power(4.0),
        "product" => -dot(),
        "cosine" => {
            let norm = |v: &[E]| v.iter().fold(E::zero(), |s, v| s + *v * *v).sqrt();
            let both = norm(x) * norm(y);
            if both > E::zero() {
                E::one() - dot() / both
            } else {
                E::one()
            }
        }
        other => panic!("{other}"),
    }
}
