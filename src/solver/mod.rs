//! Answers for given points: entropic and exact.
//!
//! | what | between | file |
//! |---|---|---|
//! | [`sinkhorn()`], [`sinkhorn_batch`] | discrete measures, entropic | `sinkhorn/` |
//! | [`exact_transport`], [`exact_between`] | any weights, any costs | `transport.rs` |
//! | [`assignment`] | as many sources as targets | `assignment.rs` |
//! | [`Univariate`] | points on the line, by sorting | `univariate.rs` |
//! | [`sliced_wasserstein`], [`max_sliced_wasserstein`] | clouds, on lines | `sliced.rs` |
//! | [`Gaussian`] | normal distributions: distance and map | `gaussian.rs` |
//! | [`bures_barycentre`] | several of them | `barycentre.rs` |

mod assignment;
mod barycentre;
mod gaussian;
mod initial_basis;
mod masses;
mod network_simplex;
mod scan;
mod sinkhorn;
mod sliced;
mod spanning_tree;
mod transport;
mod univariate;

pub use assignment::{assignment, Assignment};
pub use barycentre::{bures_barycentre, BarycentreConfig, BuresBarycentre};
pub use gaussian::{AffineMap, Gaussian};
pub use masses::Transfer;
#[cfg(feature = "cuda")]
pub(crate) use sinkhorn::{resolve_with, OverRelaxation, Statistics};
pub use sinkhorn::{
    sinkhorn, sinkhorn_batch, Acceleration, Annealing, Epsilon, Form, Plan, Potentials,
    SinkhornConfig, Solution, Status, Stop,
};
pub use sliced::{max_sliced_wasserstein, sliced_wasserstein, MaxSliced, Sliced, SlicedConfig};
pub use transport::{
    exact_between, exact_transport, ExactConfig, ExactForm, ExactStatus, ExactTransport,
};
pub use univariate::Univariate;
