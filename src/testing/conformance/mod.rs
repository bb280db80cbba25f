//! The laws of the sockets, checked for any implementation, here or elsewhere.
//!
//! | check | of | laws |
//! |---|---|---|
//! | [`check_estimator`] | an `init` and a `step` | purity, determinism on any number of threads, resumption bit for bit, typed errors for bad data, finite metrics with stable names |
//! | [`check_cost`] | [`Cost`](crate::geometry::Cost) | `paired` is the diagonal of `pairwise`; the gradient is that of differences |
//! | [`check_twist`] | [`TwistCost`](crate::geometry::TwistCost) | the twist inverts ∇ₓc; its reverse is that of differences |
//! | [`check_potential`] | [`Potential`](crate::function::Potential) | order of the batch; recorded values are the values |
//! | [`check_input_gradient_of`] | [`InputGradient`](crate::function::InputGradient) | ∇f and `slopes` against the tape |
//! | [`check_map`] | [`TransportMap`](crate::function::TransportMap) | images do not depend on other points |
//! | [`check_velocity`] | [`Velocity`](crate::function::Velocity) | velocities do not depend on other points |
//! | [`check_sampler`] | [`Sampler`](crate::problem::Sampler) | pure in the key; as many points as asked for |
//!
//! Each returns `Ok(())` or a sentence for every law that is broken.

mod cost;
mod estimator;
mod function;
mod sampler;
mod velocity;

pub use cost::{check_cost, check_twist};
pub use estimator::check_estimator;
pub use function::{check_input_gradient_of, check_map, check_potential};
pub use sampler::check_sampler;
pub use velocity::check_velocity;

/// Broken laws, a sentence each.
pub type Broken = Vec<String>;

/// Collects sentences.
#[derive(Default)]
struct Laws(Broken);

impl Laws {
    fn holds(&mut self, law: bool, broken: impl FnOnce() -> String) {
        if !law {
            self.0.push(broken());
        }
    }

    fn end(self) -> Result<(), Broken> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(self.0)
        }
    }
}

/// The largest |a − b| over the largest |b|; infinite where one is NaN or the lengths differ.
fn relative(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let scale = b.iter().fold(f64::MIN_POSITIVE, |m, v| v.abs().max(m));
    let error = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let error = error.fold(0.0, |m, d: f64| if d.is_nan() { f64::INFINITY } else { d.max(m) });
    error / scale
}
