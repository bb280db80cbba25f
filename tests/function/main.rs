//! Operations, networks and their parameters, beside PyTorch, naive loops and differences.

mod activations;
mod adam;
mod checkpoint;
#[path = "../common/mod.rs"]
mod common;
mod icnn;
mod image;
mod image_layout;
mod image_velocity;
mod lines;
mod mlp_gradient;
mod ops;
mod perception;
mod planes;
mod refusals;
mod state_dict;
