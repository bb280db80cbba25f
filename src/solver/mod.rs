//! Answers for given points: entropic and exact.
//!
//! | what | between | file |
//! |---|---|---|
//! | [`sinkhorn()`], [`sinkhorn_batch`] | discrete measures, entropic | `sinkhorn/` |
//! | [`sinkhorn_grid`], [`sinkhorn_grid_batch`] | densities on grids, entropic | `sinkhorn/grid/` |
//! | [`EntropicMap`] | new points, by a solution | `sinkhorn/entropic_map.rs` |
//! | [`Coupling`], [`MinibatchCoupling`] | pairs of a minibatch, drawn | `coupling.rs` |
//! | [`ByClass`] | the same within classes | `class_coupling.rs` |
//! | [`SolverDevice`], [`Host`] | the device that solves and draws | `device.rs` |
//! | [`sinkhorn_divergence`], [`EntropicLoss`], [`DivergenceLoss`], [`EnergyLoss`] | their divergences, and losses on the tape | `entropic/` |
//! | [`plan_gradient`], [`BarycentricProjection`] | derivatives of the plan | `entropic/` |
//! | [`exact_transport`], [`exact_between`] | any weights, any costs | `transport.rs` |
//! | [`assignment`] | as many sources as targets | `assignment.rs` |
//! | [`Univariate`] | points on the line, by sorting | `univariate.rs` |
//! | [`sliced_wasserstein`], [`max_sliced_wasserstein`] | clouds, on lines | `sliced.rs` |
//! | [`conjugates`] | convex conjugates of a batch of points | `conjugate/` |
//! | [`Gaussian`] | normal distributions: distance and map | `gaussian.rs` |
//! | [`bures_barycentre`] | several of them | `barycentre.rs` |
//! | [`integrate`] | the end of a flow, by Runge–Kutta methods | `ode/` |

mod assignment;
mod barycentre;
mod class_coupling;
mod conjugate;
mod coupling;
mod device;
mod draw;
mod entropic;
mod gaussian;
mod initial_basis;
mod masses;
mod network_simplex;
mod ode;
mod scan;
mod sinkhorn;
mod sliced;
mod spanning_tree;
mod transport;
mod univariate;

pub use assignment::{assignment, Assignment};
pub use barycentre::{bures_barycentre, BarycentreConfig, BuresBarycentre};
pub use class_coupling::ByClass;
pub use conjugate::{conjugates, ConjugateConfig, ConjugateMethod, ConjugateStatus, Conjugates};
pub use coupling::{Coupling, CouplingOn, Draw, MinibatchCoupling};
pub use device::{Host, SolverDevice};
pub use entropic::{
    plan_gradient, sinkhorn_divergence, sinkhorn_divergence_gradient, BackwardReport,
    BarycentricProjection, CostGradient, Divergence, DivergenceConfig, DivergenceLoss, EnergyLoss,
    EntropicLoss, Entropy, LinearReport, LinearSolve, Projected, Weights,
};
pub use gaussian::{AffineMap, Gaussian};
pub use masses::Transfer;
pub(crate) use ode::integrate_points;
pub use ode::{integrate, OdeConfig, OdeMethod, OdePath, OdeReport, OdeStatus, StepControl, Steps};
pub use sinkhorn::{
    sinkhorn, sinkhorn_batch, sinkhorn_grid, sinkhorn_grid_batch, Acceleration, Annealing,
    EntropicMap, Epsilon, Form, GridPlan, Plan, Potentials, SelfTransport, SinkhornConfig,
    Solution, Status, Stop,
};
pub use sliced::{max_sliced_wasserstein, sliced_wasserstein, MaxSliced, Sliced, SlicedConfig};
pub use transport::{
    exact_between, exact_transport, ExactConfig, ExactForm, ExactStatus, ExactTransport,
};
pub use univariate::Univariate;
#[cfg(feature = "cuda")]
pub(crate) use {
    coupling::drawn,
    draw::RowLaw,
    sinkhorn::{prescribed_rows, resolve_with, OverRelaxation, Statistics},
};
