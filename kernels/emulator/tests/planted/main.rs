//! Planted bugs: every one of them is reported by name, or shows in a value; the right kernels pass.
//!
//! The kernels are in `tests/cuda`, their PTX in `tests/ptx`; `tests/make_ptx.py` makes the one of the other.

mod block_sum;
mod common;
mod half_step;
mod host_code;
mod small_kernels;
