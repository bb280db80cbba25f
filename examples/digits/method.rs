//! The estimators.

use clap::ValueEnum;

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Method {
    Strong,
    Weak,
    Kernel,
    Noised,
    /// Incomplete transport.
    It,
}
