//! Ordinary differential equations dx/dt = v(t, x), for batches of points.
//!
//! | file | holds |
//! |---|---|
//! | `config.rs` | [`OdeConfig`]: the method, fixed steps or a tolerance, shared or own steps |
//! | `tableau.rs` | the coefficients of the Runge–Kutta methods |
//! | `control.rs` | the size of the next step |
//! | `batch.rs` | the steps of a batch |
//! | `integrate.rs` | [`integrate`] |
//! | `path.rs` | [`OdePath`]: states at the times asked for, and how the integration went |

mod batch;
mod config;
mod control;
mod integrate;
mod path;
mod stages;
mod tableau;

pub use config::{OdeConfig, OdeMethod, StepControl, Steps};
pub use integrate::integrate;
pub(crate) use integrate::integrate_points;
pub use path::{OdePath, OdeReport, OdeStatus};
