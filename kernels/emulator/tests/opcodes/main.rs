//! Every class of instructions against plain Rust arithmetic, on values at the edges and drawn at random.

mod bench;
mod conversions;
mod floats;
mod integers;
mod lanes;
mod matrices;
