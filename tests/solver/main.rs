//! Solvers of discrete problems and of equations: linear programs, Sinkhorn iterations, conjugates, ODEs.

mod bad_input;
mod bures;
#[path = "../common/mod.rs"]
mod common;
mod conjugate;
mod costs;
mod entropic;
mod entropic_map;
mod exact;
mod grid;
mod implicit;
mod ode;
mod partial;
mod sampling;
mod sinkhorn;
mod sinkhorn_laws;
mod translation;
mod unbalanced;
