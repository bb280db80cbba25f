//! Neural optimal transport: estimators of transport maps as pure step functions on typed networks.
//!
//! From samples of a source P and a target Q, learn a map T that pushes P to Q at the least cost. An
//! estimator is a step, a pure function of what is chosen, what has become, what is seen, and what is
//! random; a trainer folds it over batches. Networks are modules of [`dfdx`] with their sizes in their
//! types, so a batch of the wrong dimension does not compile.
//!
//! ```
//! use brenier::prelude::*;
//!
//! // A problem whose answer is known: Q is P pushed through the gradient of a convex function.
//! let [pair, init, data, training, score] = Key::new(0).split();
//! let pair = KnownPair::<2>::random(pair)?;
//!
//! // Strong neural optimal transport (arXiv:2201.12220) between perceptrons of width 64.
//! let adam = AdamConfig::with_rate(1e-3);
//! let config: NotConfig = NotConfig { map: adam.clone(), potential: adam, ..Default::default() };
//! let [f, t] = init.split();
//! let (f, t): (Mlp<2, 64, 1, 1>, Displacement<Mlp<2, 64, 1, 2>>) = (build(f), build(t));
//! let state = not_init(&config, f, t)?;
//! let batches = Sampled::new(pair.source().clone(), pair.target(), 128)?
//!     .with_source_parts(config.source_parts())?
//!     .batches(data)
//!     .take(200);
//! let step = |s, b: &Batch<2>, k| not_step(&config, s, b, k);
//! let state = run(&step, state, batches, training, &mut |_: &_, _: &_| Ok(()))?;
//!
//! // The learned map against the true one, and against the best affine map.
//! let learned = map_error(&pair, state.map.params(), score, 4096)?;
//! let linear = baselines(&pair, score, 4096)?.linear;
//! assert!(learned.l2_uvp < linear.l2_uvp);
//! # Ok::<(), Error>(())
//! ```
//!
//! # The rooms
//!
//! In the order in which data passes; a room uses those before it.
//!
//! | room | holds |
//! |---|---|
//! | [`error`], [`random`], [`tensor`] | errors, keys, the names of tensors |
//! | [`ops`] | differentiable operations with kernels of their own |
//! | [`geometry`] | ground costs |
//! | [`problem`] | samplers and batches; discrete problems |
//! | [`solver`] | Sinkhorn, exact plans, transport on lines, Gaussian measures |
//! | `cuda` | costs, Sinkhorn and plans on CUDA devices (feature `cuda`) |
//! | [`function`] | potentials, maps, networks, learners |
//! | [`neural`] | the estimators |
//! | [`train`] | the loop, observers, checkpoints |
//! | [`data`] | mixtures, pairs with known maps, readers |
//! | [`score`] | errors against the truth |
//! | `plot` | pictures (feature `plot`, on by default) |
//! | [`testing`] | gradients by finite differences, for tests here and elsewhere |
//!
//! # Conventions
//!
//! Potentials satisfy g(x) + f(y) ≤ c(x, y). A factor ½ is in the name of the cost
//! ([`HalfSqEuclidean`](geometry::HalfSqEuclidean)). Every result is a function of its arguments and the
//! [`Key`](random::Key): equal arguments give equal bytes, on any number of threads of the same
//! processor. Training is in `f32`; operations, networks and costs are generic over the number type,
//! and are checked in `f64`.
//!
//! # Errors and panics
//!
//! What the caller, a file or a number can get wrong is an [`Error`] that says what, where and what to
//! do. A failure of the device itself (out of memory) panics, as in `dfdx`.

pub mod prelude;

mod files;

pub mod error;
pub mod ops;
pub mod random;
pub mod tensor;

pub mod geometry;
pub mod problem;
pub mod solver;

#[cfg(feature = "cuda")]
pub mod cuda;

pub mod function;

pub mod neural;
pub mod train;

pub mod data;
pub mod score;

#[cfg(feature = "plot")]
pub mod plot;
pub mod testing;

pub use error::{Error, Result};

/// The code of the README, compiled and run.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
pub struct Readme;

/// The code of `docs/adding-an-estimator.md`, compiled and run.
#[doc = include_str!("../docs/adding-an-estimator.md")]
#[cfg(doctest)]
pub struct AddingAnEstimator;

/// The code of `docs/python.md`, compiled and run.
#[doc = include_str!("../docs/python.md")]
#[cfg(doctest)]
pub struct Python;
