//! A CUDA driver for tests.
//!
//! This crate is two things at once. As a shared library it is `libcuda.so`: the functions of the CUDA
//! driver that `cudarc` calls, with a device behind them that interprets PTX on the CPU and checks every
//! access. As a Rust library it is the handle that a test has on that device:
//!
//! ```no_run
//! use brenier_emulator::{exclusive, Order, Settings};
//!
//! let device = exclusive(Settings { order: Order::Random(3), ..Settings::default() });
//! // … cudarc::driver::CudaContext::new(0) and launches …
//! assert!(device.take_reports().is_empty());
//! ```
//!
//! See the README of this folder for what it shows and what it cannot.

pub mod check;
pub mod driver;
mod host;
pub mod machine;
pub mod ptx;
mod settings;

pub use check::{Kind, Report};
pub use host::{exclusive, install, linked, Session};
pub use machine::unsupported;
pub use settings::{Order, Settings, Stats};
