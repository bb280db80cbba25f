//! Rotationally symmetric laws on the sphere.

use rayon::prelude::*;

use crate::error::{check_count, Error, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::{points, rows, Points};

/// Points of the table of the distribution function.
const GRID: usize = 1 << 14;
/// Points that one thread makes at once.
const CHUNK: usize = 256;

/// The von Mises–Fisher law on the unit sphere of ℝᴺ, with density ∝ exp(κ⟨ν, y⟩) on the cap ⟨ν, y⟩ ≥ s.
///
/// y = t ν + √(1 − t²) u with t = ⟨ν, y⟩ of density ∝ exp(κt) (1 − t²)^((N − 3)/2) on [s, 1], which is
/// drawn by inversion of a table, and u uniform on the unit sphere across ν. Between two such laws around
/// the same ν, maps that move t along a monotone function and keep u are optimal for the cost −⟨x, y⟩.
///
/// ```
/// use brenier::data::VonMisesFisher;
/// use brenier::prelude::*;
/// let law = VonMisesFisher::<3>::new([0.0, 0.0, 2.0], 4.0, -1.0)?;
/// let x = rows(&law.sample(Key::new(0), 10_000)?);
/// let mean = x.iter().skip(2).step_by(3).sum::<f32>() / 10_000.0;
/// // coth κ − 1/κ, to four standard errors.
/// assert!((mean - (1.0 / 4f32.tanh() - 0.25)).abs() < 0.01);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct VonMisesFisher<const N: usize> {
    axis: Vec<f32>,
    /// t on a uniform grid.
    cosines: [f64; 2],
    /// The distribution function at the points of the grid, from 0 to 1.
    cumulative: Vec<f64>,
}

impl<const N: usize> VonMisesFisher<N> {
    /// The law around the direction of `axis` with concentration κ ≥ 0, on the cap ⟨ν, y⟩ ≥ `least`.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless N ≥ 3, the axis is finite and not 0, κ is finite and not negative,
    /// and `least` is in [−1, 1).
    pub fn new(axis: [f32; N], concentration: f64, least: f64) -> Result<Self> {
        let norm = axis.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        if N < 3 || !(norm > 0.0 && norm.is_finite()) {
            let rule = "must be a finite vector other than 0 in at least three dimensions";
            return Err(Error::config("axis", norm, rule));
        }
        if !(concentration >= 0.0 && concentration.is_finite()) {
            let rule = "must be finite and not negative";
            return Err(Error::config("concentration", concentration, rule));
        }
        if !(-1.0..1.0).contains(&least) {
            return Err(Error::config("least cosine", least, "must be in [-1, 1)"));
        }
        let power = 0.5 * (N as f64 - 3.0);
        let at = |i: usize| least + (1.0 - least) * (i as f64 + 0.5) / GRID as f64;
        let log = |t: f64| concentration * t + power * (1.0 - t * t).ln();
        let top = (0..GRID).map(|i| log(at(i))).fold(f64::NEG_INFINITY, f64::max);
        let mut cumulative = vec![0.0];
        let mut sum = 0.0;
        cumulative.extend((0..GRID).map(|i| {
            sum += (log(at(i)) - top).exp();
            sum
        }));
        cumulative.iter_mut().for_each(|c| *c /= sum);
        let axis = axis.iter().map(|v| (f64::from(*v) / norm) as f32).collect();
        Ok(Self { axis, cosines: [least, 1.0], cumulative })
    }

    /// ν.
    pub fn axis(&self) -> &[f32] {
        &self.axis
    }

    /// The probability that ⟨ν, y⟩ ≤ t.
    pub fn distribution(&self, t: f64) -> f64 {
        let [from, to] = self.cosines;
        let place = ((t - from) / (to - from)).clamp(0.0, 1.0) * GRID as f64;
        let cell = (place as usize).min(GRID - 1);
        let [low, high] = [self.cumulative[cell], self.cumulative[cell + 1]];
        low + (high - low) * (place - cell as f64)
    }

    /// The t with that probability.
    pub fn quantile(&self, probability: f64) -> f64 {
        let p = probability.clamp(0.0, 1.0);
        let cell = self.cumulative.partition_point(|c| *c <= p).clamp(1, GRID) - 1;
        let [low, high] = [self.cumulative[cell], self.cumulative[cell + 1]];
        let inside = if high > low { (p - low) / (high - low) } else { 0.0 };
        let [from, to] = self.cosines;
        from + (to - from) * (cell as f64 + inside.min(1.0)) / GRID as f64
    }

    /// The points with their t = ⟨ν, x⟩ replaced by `to(t)`, on the same meridian: the optimal maps between
    /// such laws.
    ///
    /// # Errors
    /// [`Error::NonFinite`] if an image is not finite.
    pub fn along_meridians(&self, x: &Points<N>, to: impl Fn(f64) -> f64) -> Result<Points<N>> {
        let mut values = rows(x);
        for x in values.chunks_exact_mut(N) {
            let t = dot(x, &self.axis).clamp(-1.0, 1.0);
            let goal = to(t);
            let across = ((1.0 - goal * goal) / (1.0 - t * t).max(f64::MIN_POSITIVE)).sqrt();
            for (x, axis) in x.iter_mut().zip(&self.axis) {
                let axis = f64::from(*axis);
                *x = (goal * axis + across * (f64::from(*x) - t * axis)) as f32;
            }
        }
        points(values)
    }

    /// A point from a uniform number and N normal ones, in place.
    fn place(&self, uniform: f32, z: &mut [f32]) {
        let t = self.quantile(uniform.into());
        let along = dot(z, &self.axis);
        z.iter_mut().zip(&self.axis).for_each(|(z, a)| *z -= (along * f64::from(*a)) as f32);
        let scale = ((1.0 - t * t) / dot(z, z).max(f64::MIN_POSITIVE)).sqrt();
        for (z, a) in z.iter_mut().zip(&self.axis) {
            *z = (scale * f64::from(*z) + t * f64::from(*a)) as f32;
        }
    }
}

impl<const N: usize> Sampler<N> for VonMisesFisher<N> {
    fn sample(&self, key: Key, n: usize) -> Result<Points<N>> {
        check_count("sample size", n)?;
        let [of_cosine, of_direction] = key.split();
        let mut values = of_direction.normal(n * N);
        let uniform = of_cosine.uniform(n);
        values.par_chunks_mut(CHUNK * N).zip(uniform.par_chunks(CHUNK)).for_each(|(z, u)| {
            z.chunks_exact_mut(N).zip(u).for_each(|(z, u)| self.place(*u, z));
        });
        points(values)
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the sphere of ℝ³ the density of t is ∝ e^(κt): its distribution function is known.
    #[test]
    fn the_cosine_has_its_law() {
        let (kappa, least) = (3.0f64, -0.2f64);
        let law = VonMisesFisher::<3>::new([1.0, 2.0, 2.0], kappa, least).unwrap();
        for t in [-0.2, 0.1, 0.5, 0.9, 1.0] {
            let wanted =
                ((kappa * t).exp() - (kappa * least).exp()) / (kappa.exp() - (kappa * least).exp());
            // The rule of midpoints on 2¹⁴ cells.
            assert!((law.distribution(t) - wanted).abs() < 1e-6);
            assert!((law.quantile(wanted) - t).abs() < 1e-4);
        }
    }

    #[test]
    fn meridian_maps_push_one_law_to_the_other() {
        let axis = std::array::from_fn(|i| i as f32 - 3.0);
        let (p, q) = (
            VonMisesFisher::<8>::new(axis, 0.0, -1.0).unwrap(),
            VonMisesFisher::<8>::new(axis, 20.0, 0.5).unwrap(),
        );
        let x = p.sample(Key::new(1), 4000).unwrap();
        let moved = rows(&p.along_meridians(&x, |t| q.quantile(p.distribution(t))).unwrap());
        let mut cosines: Vec<f64> = moved.chunks(8).map(|y| dot(y, p.axis())).collect();
        cosines.sort_by(f64::total_cmp);
        for (i, t) in cosines.iter().enumerate().step_by(400) {
            // The distance of Kolmogorov and Smirnov of 4000 draws is below 0.03.
            assert!((q.distribution(*t) - i as f64 / 4000.0).abs() < 0.03);
        }
        assert!(moved.chunks(8).all(|y| (dot(y, y) - 1.0).abs() < 1e-5));
    }

    #[test]
    fn bad_laws_are_refused() {
        let law = |kappa, least| VonMisesFisher::<3>::new([0.0, 0.0, 1.0], kappa, least);
        assert!(law(-1.0, 0.0).is_err() && law(1.0, 1.0).is_err() && law(f64::NAN, 0.0).is_err());
        assert!(VonMisesFisher::<3>::new([0.0; 3], 1.0, 0.0).is_err());
        assert!(law(1.0, 0.0).unwrap().sample(Key::new(0), 0).is_err());
    }
}
