//! Exact transport on the line, by sorting.

use super::masses::{balance, not_finite, total, Transfer};
use crate::error::{Error, Result};
use crate::ops::Real;

/// A weighted sample on the line, sorted once and then compared with others in linear time.
///
/// For a cost h(x − y) with h convex the monotone coupling is optimal: the least cost is
/// ∫₀¹ h(F⁻¹(q) − G⁻¹(q)) dq with the quantile functions of both sides, times the total mass.
///
/// ```
/// use brenier::solver::Univariate;
/// let x = Univariate::new(&[3.0, 1.0, 2.0])?;
/// let y = Univariate::weighted(&[0.0, 10.0], &[2.0, 1.0])?;
/// assert_eq!(x.quantile(0.5)?, 2.0);
/// // Thirds at 1 and 2 go to 0, the third at 3 to 10.
/// let y = Univariate::weighted(&[0.0, 10.0], &[2.0 / 3.0, 1.0 / 3.0])?;
/// assert!((x.cost(&y, 2.0)? - (1.0 + 4.0 + 49.0) / 3.0).abs() < 1e-12);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Univariate {
    /// Points in ascending order.
    values: Vec<f64>,
    /// Their weights.
    weights: Vec<f64>,
    /// The place of each in the sample as it was given.
    order: Vec<usize>,
    /// Sums of the weights up to and including each point.
    cumulative: Vec<f64>,
}

impl Univariate {
    /// A sample of n points with weight 1/n each; O(n log n).
    ///
    /// # Errors
    /// [`Error::Shape`] for no points, [`Error::NonFinite`] for a NaN or an infinity.
    pub fn new<E: Real>(values: &[E]) -> Result<Self> {
        let n = values.len();
        Self::weighted(values, &vec![1.0 / n.max(1) as f64; n])
    }

    /// A sample with weights, which need not sum to 1; O(n log n).
    ///
    /// # Errors
    /// Those of [`new`](Self::new), [`Error::Shape`] if there are not as many weights as points,
    /// and [`Error::InvalidConfig`] for a negative weight or no mass.
    pub fn weighted<E: Real, W: Real>(values: &[E], weights: &[W]) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::shape("points on the line", "at least one", 0));
        }
        if weights.len() != values.len() {
            let expected = format!("one for each of {} points", values.len());
            return Err(Error::shape("weights", expected, weights.len()));
        }
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(not_finite(format!("point {i}"), values[i].double()));
        }
        total("weights", weights)?;
        let mut sorted: Vec<(f64, usize)> =
            values.iter().enumerate().map(|(i, v)| (v.double(), i)).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let order: Vec<usize> = sorted.iter().map(|s| s.1).collect();
        let weights: Vec<f64> = order.iter().map(|&i| weights[i].double()).collect();
        let mut sum = 0.0;
        let cumulative = weights.iter().map(|w| {
            sum += w;
            sum
        });
        let cumulative = cumulative.collect();
        Ok(Self { values: sorted.iter().map(|s| s.0).collect(), weights, order, cumulative })
    }

    /// F⁻¹(q), the least point x with F(x) ≥ q, for the share q of the mass; O(log n). For q = 0 the
    /// least point with mass.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless 0 ≤ q ≤ 1.
    pub fn quantile(&self, q: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::config("q", q, "a quantile is asked for a share from 0 to 1"));
        }
        let last = self.cumulative.len() - 1;
        let wanted = q * self.cumulative[last];
        let index = self.cumulative.partition_point(|&c| c <= 0.0 || c < wanted);
        Ok(self.values[index.min(last)])
    }

    /// The least cost for |x − y|ᵖ, p ≥ 1: the p-th power of the distance W_p for a mass of 1.
    /// O(n + m).
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless 1 ≤ p < ∞, and those of [`cost_by`](Self::cost_by).
    pub fn cost(&self, to: &Self, p: f64) -> Result<f64> {
        if !(p >= 1.0 && p.is_finite()) {
            return Err(Error::config("p", p, "must be finite and at least 1 for a convex cost"));
        }
        if p == 1.0 {
            self.cost_by(to, f64::abs)
        } else if p == 2.0 {
            self.cost_by(to, |z| z * z)
        } else {
            self.cost_by(to, |z| z.abs().powf(p))
        }
    }

    /// The cost of the monotone coupling for h(x − y), which is the least one if h is convex.
    /// O(n + m).
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the masses differ by more than rounding, [`Error::NonFinite`] if
    /// the cost overflows or h returns a NaN.
    pub fn cost_by(&self, to: &Self, h: impl Fn(f64) -> f64) -> Result<f64> {
        let mut sum = 0.0;
        self.walk(to, |i, j, mass| sum += mass * h(self.values[i] - to.values[j]))?;
        if sum.is_finite() {
            Ok(sum)
        } else {
            Err(Error::NonFinite {
                what: "the cost on the line".into(),
                value: sum,
                step: None,
                remedy: "divide the points by their scale, or check h",
            })
        }
    }

    /// The monotone coupling, in ascending order of the points: at most n + m − 1 transfers between
    /// points as they were given. O(n + m).
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the masses differ by more than rounding.
    pub fn coupling(&self, to: &Self) -> Result<Vec<Transfer>> {
        let mut plan = Vec::with_capacity(self.values.len() + to.values.len());
        self.walk(to, |i, j, mass| {
            plan.push(Transfer { source: self.order[i], target: to.order[j], mass });
        })?;
        Ok(plan)
    }

    /// `each(i, j, mass)` for the pieces of the monotone coupling of the sorted points.
    fn walk(&self, to: &Self, mut each: impl FnMut(usize, usize, f64)) -> Result<()> {
        let masses = balance(&self.weights, &to.weights)?;
        let (mut i, mut j) = (0, 0);
        let (mut a, mut b) = (masses.supply[0], masses.demand[0]);
        let (last_i, last_j) = (masses.supply.len() - 1, masses.demand.len() - 1);
        loop {
            // What rounding leaves on one side when the other is through is dropped.
            let mass = a.min(b);
            if mass > 0.0 {
                each(i, j, mass * masses.unit);
            }
            a -= mass;
            b -= mass;
            match (a <= 0.0 && i < last_i, b <= 0.0 && j < last_j) {
                (false, false) => return Ok(()),
                (next_i, next_j) => {
                    if next_i {
                        i += 1;
                        a = masses.supply[i];
                    }
                    if next_j {
                        j += 1;
                        b = masses.demand[j];
                    }
                }
            }
        }
    }
}
