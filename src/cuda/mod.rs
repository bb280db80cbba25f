//! Costs, Sinkhorn's algorithm and its plans on CUDA devices.
//!
//! | item | does |
//! |---|---|
//! | [`CudaDevice`] | opens a device, or says what is missing |
//! | [`Buffer`] | numbers that stay on the device between calls |
//! | [`sinkhorn()`], [`sinkhorn_batch`] | what the functions of [`solver`](crate::solver) do, on a device |
//! | [`CudaDevice`] as a [`SolverDevice`](crate::solver::SolverDevice) | the same by a trait, and couplings of minibatches: [`MinibatchCoupling::on`](crate::solver::MinibatchCoupling::on) |
//! | [`Resident`] | problems that stay on the device and are solved again |
//! | [`DevicePlan`] | products, barycentric maps, gradients in the points, samples |
//! | [`cost_matrix`], [`cost_gradients`] | pairwise costs |
//! | [`CudaDevice::profile`], [`CudaDevice::limits`] | times of kernels, and what they are to be compared with |
//!
//! Nothing of CUDA is needed to build or start a program with this feature: the driver is looked for when
//! a device is opened. Kernels are embedded as PTX that every driver from CUDA 12.1 compiles for GPUs from
//! compute capability 7.0 on. Where NVRTC is installed, the half step of Sinkhorn's algorithm is compiled
//! for the number of coordinates and the GPU at hand, and kept in a folder of the user's cache.
//!
//! Potentials are kept in units of ε ln 2 and in the number type of the problem. Results are the same in
//! every run on the same device: sums have a fixed order, and there are no atomic operations.
//!
//! ```no_run
//! use brenier::cuda::{sinkhorn, CudaDevice};
//! use brenier::geometry::SqEuclidean;
//! use brenier::problem::Discrete;
//! use brenier::solver::SinkhornConfig;
//! let device = CudaDevice::open(0)?;
//! let problem = Discrete::clouds(&SqEuclidean, &[0.0f32, 1.0], &[0.0, 1.0], 1)?;
//! let solution = sinkhorn(&device, &SinkhornConfig::default(), &problem, None)?;
//! assert!(solution.marginal_error < 1e-3);
//! # Ok::<(), brenier::Error>(())
//! ```

mod buffer;
mod control;
mod costs;
mod device;
mod embedded;
mod finish;
mod form;
mod half_step;
mod launch;
mod library;
mod module;
mod nvrtc;
mod plan;
mod profile;
mod resident;
mod sample;
mod schedule;
mod signature;
mod sinkhorn;
mod small;
mod solve;

pub use buffer::{Buffer, DeviceReal, Element};
pub use costs::{cost_gradients, cost_matrix};
pub use device::{CudaDevice, CudaOptions, Specialise};
pub use plan::DevicePlan;
pub use profile::{Launch, Limits};
pub use resident::Resident;
pub use sinkhorn::{sinkhorn, sinkhorn_batch};
