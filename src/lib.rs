//! Neural optimal transport.
pub mod error;
#[cfg_attr(not(feature = "plot"), allow(dead_code))]
pub(crate) mod files;
pub mod ops;
pub mod random;
pub mod tensor;
pub use error::{Error, Result};
pub mod function;
#[cfg(feature = "plot")]
pub mod plot;
