//! Neural optimal transport.
pub mod error;
pub mod ops;
pub mod random;
pub mod tensor;
pub use error::{Error, Result};
pub mod function;
