//! The expectile-regularised loss of a potential, on its values.

use crate::ops::Real;

/// The least slope of a value: far below what rounding leaves of the others, far above the least number
/// of `f32`.
const TINY: f64 = 1e-20;

/// The losses of a step, and the slopes of that of g in the values of g.
pub(super) struct ExpectileLoss<E> {
    /// mean[c(x, T(x)) − g(T(x))].
    pub(super) map_loss: f64,
    /// mean[g(y) + c(x, T(x)) − g(T(x))].
    pub(super) dual_value: f64,
    /// λ mean L_τ.
    pub(super) regulariser: f64,
    /// At T(x), then at y.
    pub(super) slopes: Vec<E>,
}

impl<E: Real> ExpectileLoss<E> {
    /// From λ and τ, g at T(x), then at y, and the costs c(x, T(x)) and c(x, y).
    ///
    /// With dᵢ = c(xᵢ, T(xᵢ)) − g(T(xᵢ)) + g(yᵢ) − c(xᵢ, yᵢ), the slope in g(yᵢ) is
    /// (2λ w(dᵢ) dᵢ − 1) / n and that in g(T(xᵢ)) its negative. No slope is zero: a tiny one serves as
    /// well, and the slopes of g at the images, which come multiplied by these, are not lost.
    pub(super) fn at(
        [regularisation, expectile]: [f64; 2],
        values: &[E],
        transport: &[E],
        paired: &[E],
    ) -> Self {
        let n = paired.len();
        let (images, target) = values.split_at(n);
        let slopes = vec![E::zero(); 2 * n];
        let mut loss = Self { map_loss: 0.0, dual_value: 0.0, regulariser: 0.0, slopes };
        for i in 0..n {
            let conjugate = transport[i].double() - images[i].double();
            let dual = conjugate + target[i].double();
            let d = dual - paired[i].double();
            let weight = if d >= 0.0 { expectile } else { 1.0 - expectile };
            let weighted = regularisation * weight * d;
            loss.map_loss += conjugate / n as f64;
            loss.dual_value += dual / n as f64;
            loss.regulariser += weighted * d / n as f64;
            let slope = (2.0 * weighted - 1.0) / n as f64;
            let slope = if slope.abs() < TINY { TINY } else { slope };
            loss.slopes[i] = E::of(-slope);
            loss.slopes[n + i] = E::of(slope);
        }
        loss
    }
}
