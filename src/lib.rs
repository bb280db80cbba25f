//! Neural optimal transport.

pub mod prelude;

mod files;

pub mod error;
pub mod ops;
pub mod random;
pub mod tensor;

pub mod geometry;
pub mod problem;
pub mod solver;

pub mod function;

pub mod neural;
pub mod train;

pub mod data;
pub mod score;

pub mod testing;

pub use error::{Error, Result};
