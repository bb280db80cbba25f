//! ε in the units of the cost.

use super::config::Epsilon;
use super::tile::Tiles;
use crate::error::{Error, Result};
use crate::ops::parallel::map_each;
use crate::ops::{CostForm, Real, Scratch};
use crate::problem::{Discrete, Ground};

/// Mean, standard deviation and largest absolute value of all costs.
pub(crate) struct Statistics {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    pub(super) largest: f64,
}

/// The ε that the solver uses.
pub(super) fn resolve<E: Real>(epsilon: Epsilon, problem: &Discrete<'_, E>) -> Result<f64> {
    resolve_with(epsilon, problem, || statistics(problem))
}

/// The same with statistics from elsewhere.
pub(crate) fn resolve_with<E: Real>(
    epsilon: Epsilon,
    problem: &Discrete<'_, E>,
    statistics: impl FnOnce() -> Result<Statistics>,
) -> Result<f64> {
    if let Epsilon::RelativeToMean(factor) = epsilon {
        if let Some(mean) = mean_of_squares(problem).filter(|mean| *mean > 0.0) {
            return checked(factor * mean);
        }
    }
    relative(epsilon, statistics)
}

/// ε by the statistics of the costs. Where all costs are equal every ε gives the same plan: then a
/// scale of 1 stands for a mean or deviation of 0.
pub(super) fn relative(
    epsilon: Epsilon,
    statistics: impl FnOnce() -> Result<Statistics>,
) -> Result<f64> {
    checked(match epsilon {
        Epsilon::Absolute(value) => return Ok(value),
        Epsilon::RelativeToMean(factor) => {
            let Statistics { mean, deviation, largest } = statistics()?;
            if mean > 0.0 {
                factor * mean
            } else if deviation <= 1e-12 * largest {
                factor
            } else {
                let rule = "must be positive for an epsilon relative to it: use RelativeToStd";
                return Err(Error::config("mean cost", mean, rule));
            }
        }
        Epsilon::RelativeToStd(factor) => match statistics()? {
            Statistics { deviation, largest, .. } if deviation > 1e-12 * largest => {
                factor * deviation
            }
            Statistics { largest, .. } => factor * if largest > 0.0 { largest } else { 1.0 },
        },
        Epsilon::RelativeToMax(factor) => {
            let Statistics { largest, .. } = statistics()?;
            factor * if largest > 0.0 { largest } else { 1.0 }
        }
    })
}

fn checked(value: f64) -> Result<f64> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::NonFinite {
        what: "epsilon relative to the cost".into(),
        value,
        step: None,
        remedy: "scale the points or costs so that costs neither under- nor overflow",
    })
}

/// The mean of scale · |x − y|² from the moments of the clouds.
fn mean_of_squares<E: Real>(problem: &Discrete<'_, E>) -> Option<f64> {
    let Ground::Clouds { x, y, d, form: CostForm::SquaredDistance { scale }, .. } = &problem.ground
    else {
        return None;
    };
    // Means of the coordinates, and the mean square around them.
    let moments = |cloud: &[E]| {
        let n = (cloud.len() / d) as f64;
        let mut mean = vec![0.0; *d];
        for row in cloud.chunks_exact(*d) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += v.double() / n);
        }
        let square =
            |row: &[E]| row.iter().zip(&mean).map(|(v, m)| (v.double() - m).powi(2)).sum::<f64>();
        let spread = cloud.chunks_exact(*d).map(square).sum::<f64>() / n;
        (mean, spread)
    };
    let ((of_x, spread_x), (of_y, spread_y)) = (moments(x), moments(y));
    let apart: f64 = of_x.iter().zip(&of_y).map(|(a, b)| (a - b).powi(2)).sum();
    Some(scale * (spread_x + spread_y + apart))
}

fn statistics<E: Real>(problem: &Discrete<'_, E>) -> Result<Statistics> {
    let (n, m) = problem.sizes();
    // In units in which κ is the cost itself, up to the offsets.
    let tiles = Tiles::new(problem, std::f64::consts::LOG2_E);
    let (block, zero) = (tiles.block(), vec![E::zero(); m]);
    let parts = map_each(n.div_ceil(block), |k| {
        let (from, to) = (k * block, (k * block + block).min(n));
        let mut costs = Scratch::new((to - from) * m);
        tiles.exponents(from, &vec![E::zero(); to - from], &zero, &mut costs);
        let mut sums = [0.0; 4];
        for (row, rho) in costs.chunks_exact(m).zip(&tiles.offsets[0][from..to]) {
            for (kappa, sigma) in row.iter().zip(&tiles.offsets[1]) {
                let c = rho + sigma - kappa.double();
                let terms = rho.abs() + sigma.abs() + kappa.double().abs();
                let largest = [f64::max(sums[2], c.abs()), f64::max(sums[3], terms)];
                sums = [sums[0] + c, sums[1] + c * c, largest[0], largest[1]];
            }
        }
        sums
    });
    let [sum, squares, largest, terms] = parts.iter().fold([0.0; 4], |a, b| {
        [a[0] + b[0], a[1] + b[1], f64::max(a[2], b[2]), f64::max(a[3], b[3])]
    });
    if sum.is_finite() && largest <= E::epsilon().double() * terms {
        // Costs that are the rounding of what cancels in them, such as those of points that coincide.
        return Ok(Statistics { mean: 0.0, deviation: 0.0, largest: 0.0 });
    }
    Statistics::new([sum, squares, largest], n as f64 * m as f64)
}

impl Statistics {
    /// Of the sum, the sum of squares and the largest absolute value of `pairs` costs.
    pub(crate) fn new([sum, squares, largest]: [f64; 3], pairs: f64) -> Result<Self> {
        let mean = sum / pairs;
        if !(mean.is_finite() && squares.is_finite()) {
            return Err(Error::NonFinite {
                what: "the mean of the costs".into(),
                value: mean,
                step: None,
                remedy: "scale the points or clean what the cost function returns",
            });
        }
        let deviation = (squares / pairs - mean * mean).max(0.0).sqrt();
        Ok(Self { mean, deviation, largest })
    }
}
