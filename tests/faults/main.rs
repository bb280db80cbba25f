//! Faults: damaged files, hostile numbers, full and read-only disks, killed processes.
//!
//! `PROPTEST_CASES=5000 cargo test --release --test faults` tries that many cases of each property.
//! `docs/faults.md` lists what a user sees.

mod bytes;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod files;
mod hostile;
mod iterations;
mod killed;
mod run;
mod solvers;
mod weightless;
