//! The examples as a user runs them, and those of their parts whose results no run shows.
//!
//! The programs are those that `cargo test` builds before it runs tests: nothing is compiled twice.

#[path = "../common/mod.rs"]
mod common;
mod emnist_translation;
mod flow_2d;
mod image_translation;
mod images_flow;
mod latent_flow;
mod program;
mod w2_benchmark;

#[path = "../../examples/images_flow/cifar.rs"]
mod cifar;
#[path = "../../examples/image_translation/pairs.rs"]
#[allow(dead_code, reason = "the other parts are for the program")]
mod pairs;
#[path = "../../examples/emnist_translation/settings.rs"]
#[allow(dead_code, reason = "the other parts are for the program")]
mod settings;

// The plan of the benchmark, whose tests are in its file, with what it refers to.
#[path = "../../examples/w2_benchmark/defaults.rs"]
mod defaults;
#[path = "../../examples/w2_benchmark/plan.rs"]
#[allow(dead_code, reason = "the other parts are for the program")]
mod plan;
#[path = "../../examples/w2_benchmark/recipe.rs"]
#[allow(dead_code, reason = "the other parts are for the program")]
mod recipe;
#[path = "../../examples/w2_benchmark/solver.rs"]
mod solver;
