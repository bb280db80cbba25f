//! What is found wrong: reports, which bytes were written, which threads touched a word.

mod bits;
mod report;
mod shadow;

pub(crate) use bits::Bits;
pub use report::{Kind, Report};
pub(crate) use shadow::{Conflict, Moment, Other, Shadow};
