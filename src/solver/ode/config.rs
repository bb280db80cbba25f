//! What can be chosen.

use serde::{Deserialize, Serialize};

use super::tableau::Tableau;
use crate::error::{check_count, check_positive, Error, Result};

/// An explicit Runge–Kutta method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OdeMethod {
    /// Order 1, one evaluation a step.
    Euler,
    /// Order 2 (the trapezoidal rule with a predictor), two evaluations; its difference to Euler
    /// estimates the error.
    Heun,
    /// Order 4, four evaluations.
    RungeKutta4,
    /// Order 5 with an estimate of order 4, six evaluations: Dormand and Prince, J. Comp. Appl. Math. 6
    /// (1980). scipy's `RK45`, MATLAB's `ode45`.
    #[default]
    DormandPrince,
    /// Order 5 with an estimate of order 4, six evaluations: Tsitouras, Comput. Math. Appl. 62 (2011).
    Tsitouras,
}

/// How long a step is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Steps {
    /// So many equal steps from the first time to the last.
    Fixed(usize),
    /// As long as the estimated error allows, one length for the whole batch: the error is the root
    /// mean square over all points.
    Shared(StepControl),
    /// The same for every point of its own. Points that are easy finish early and cost nothing more.
    PerSample(StepControl),
}

/// The tolerance, and how the length of steps follows the estimated error.
///
/// A step with estimate e per coordinate is taken if E = RMS(e / (atol + rtol·max(|x|, |x'|))) < 1. The
/// next is longer by the factor 0.9 E⁻ᵝ¹ E₋₁ᵝ² E₋₂⁻ᵝ³, between 0.2 and 10, where E₋₁ and E₋₂ belong to the
/// steps before, β₁ = (P + I + D)/q, β₂ = (P + 2D)/q, β₃ = D/q, and q is one more than the order of the
/// estimate (Söderlind, ACM Trans. Math. Softw. 29, 2003). The defaults, P = D = 0 and I = 1, are
/// scipy's; for fields that are not smooth P = 0.4 and I = 0.3 refuse fewer steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepControl {
    /// Relative tolerance, positive.
    pub rtol: f64,
    /// Absolute tolerance, positive.
    pub atol: f64,
    /// P, I and D.
    pub pid: [f64; 3],
    /// Length of the first step; by default from the field at the start (Hairer, Nørsett and Wanner,
    /// Solving Ordinary Differential Equations I, II.4), for one more evaluation.
    pub first: Option<f64>,
    /// Steps, taken or refused, before a point is given up.
    pub limit: u64,
}

impl Default for StepControl {
    /// Both tolerances 1e-5, P = D = 0, I = 1, at most 4096 steps.
    fn default() -> Self {
        Self { rtol: 1e-5, atol: 1e-5, pid: [0.0, 1.0, 0.0], first: None, limit: 4096 }
    }
}

impl StepControl {
    /// The defaults with both tolerances at `tolerance`.
    pub fn with_tolerance(tolerance: f64) -> Self {
        Self { rtol: tolerance, atol: tolerance, ..Self::default() }
    }
}

/// Choices of [`integrate`](super::integrate). The default is Dormand and Prince's method with shared
/// steps to a tolerance of 1e-5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OdeConfig {
    /// The method.
    pub method: OdeMethod,
    /// The length of its steps.
    pub steps: Steps,
}

impl Default for OdeConfig {
    fn default() -> Self {
        Self { method: OdeMethod::default(), steps: Steps::Shared(StepControl::default()) }
    }
}

impl OdeConfig {
    /// `steps` steps of equal length.
    pub fn fixed(method: OdeMethod, steps: usize) -> Self {
        Self { method, steps: Steps::Fixed(steps) }
    }

    /// Shared steps to the same relative and absolute tolerance.
    pub fn adaptive(method: OdeMethod, tolerance: f64) -> Self {
        Self { method, steps: Steps::Shared(StepControl::with_tolerance(tolerance)) }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let control = match self.steps {
            Steps::Fixed(steps) => return check_count("steps", steps),
            Steps::Shared(control) | Steps::PerSample(control) => control,
        };
        if Tableau::of(self.method).error.is_empty() {
            let rule = "has no estimate of its error: give it fixed steps, or use DormandPrince";
            return Err(Error::config("method", format_args!("{:?}", self.method), rule));
        }
        check_positive("rtol", control.rtol)?;
        check_positive("atol", control.atol)?;
        check_count("limit of steps", control.limit as usize)?;
        if let Some(first) = control.first {
            check_positive("first step", first)?;
        }
        match control.pid.iter().find(|c| !(c.is_finite() && **c >= 0.0)) {
            Some(c) => Err(Error::config("pid", c, "must be finite and not negative")),
            None if control.pid[1] == 0.0 => {
                Err(Error::config("pid", 0, "needs an integral part, the second number"))
            }
            None => Ok(()),
        }
    }
}
