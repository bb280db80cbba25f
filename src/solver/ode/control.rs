//! The length of the next step from the estimated errors of the last.

use super::config::StepControl;
use crate::ops::Real;

const SAFETY: f64 = 0.9;
const SHRINK: f64 = 0.2;
const GROW: f64 = 10.0;

/// The controller of one point, or of a batch with shared steps.
#[derive(Clone, Debug)]
pub(super) struct Controller {
    betas: [f64; 3],
    before: [f64; 2],
    refused: bool,
}

impl Controller {
    /// For an estimate of this order.
    pub(super) fn new(control: &StepControl, order: u32) -> Self {
        let [p, i, d] = control.pid;
        let q = f64::from(order) + 1.0;
        let betas = [(p + i + d) / q, (p + 2.0 * d) / q, d / q];
        Self { betas, before: [1.0, 1.0], refused: false }
    }

    /// Whether a step with this error is taken, and the factor from its length to that of the next.
    pub(super) fn judge(&mut self, error: f64) -> (bool, f64) {
        let [b1, b2, b3] = self.betas;
        // NaN is an error beyond all bounds.
        if error.is_nan() || error >= 1.0 {
            self.refused = true;
            let factor = if error.is_finite() { SAFETY * error.powf(-b1) } else { SHRINK };
            return (false, factor.clamp(SHRINK, 1.0));
        }
        let error = error.max(1e-10);
        let history = self.before[0].powf(b2) * self.before[1].powf(-b3);
        let most = if self.refused { 1.0 } else { GROW };
        let factor = (SAFETY * error.powf(-b1) * history).clamp(SHRINK, most);
        (self.before, self.refused) = ([error, self.before[0]], false);
        (true, factor)
    }
}

/// The root mean square of vᵢ / (atol + rtol·max(|xᵢ|, |yᵢ|)).
pub(super) fn scaled_norm<E: Real>(control: &StepControl, v: &[E], x: &[E], y: &[E]) -> f64 {
    let square = |(v, (x, y)): (&E, (&E, &E))| {
        let size = x.double().abs().max(y.double().abs());
        (v.double() / (control.atol + control.rtol * size)).powi(2)
    };
    let sum: f64 = v.iter().zip(x.iter().zip(y)).map(square).sum();
    (sum / v.len() as f64).sqrt()
}

/// A trial length from the start and the field there (x and v), at most `span`.
pub(super) fn trial<E: Real>(control: &StepControl, x: &[E], v: &[E], span: f64) -> f64 {
    let (d0, d1) = (scaled_norm(control, x, x, x), scaled_norm(control, v, x, x));
    let length = if d0 < 1e-5 || d1 < 1e-5 { 1e-6 } else { 0.01 * d0 / d1 };
    length.min(span)
}

/// The first length, from the trial and the change of the field over it.
pub(super) fn first<E: Real>(
    control: &StepControl,
    x: &[E],
    v: &[E],
    change: &[E],
    (trial, span, order): (f64, f64, u32),
) -> f64 {
    let d1 = scaled_norm(control, v, x, x);
    let d2 = scaled_norm(control, change, x, x) / trial;
    let length = if d1.max(d2) <= 1e-15 {
        (trial * 1e-3).max(1e-6)
    } else {
        (0.01 / d1.max(d2)).powf(1.0 / (f64::from(order) + 1.0))
    };
    length.min(100.0 * trial).min(span)
}
