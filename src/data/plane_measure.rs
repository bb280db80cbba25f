//! Measures on the plane that flows are tried on.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use serde::{Deserialize, Serialize};

use crate::error::{check_count, Result};
use crate::problem::Sampler;
use crate::random::Key;
use crate::tensor::{points, Points};

/// A measure on the plane. The first three have the sizes of the experiments of arXiv:2302.00482.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaneMeasure {
    /// N(0, I).
    Normal,
    /// Eight Gaussians at distance 5 from the origin, of variance √0.1 on each axis.
    EightGaussians,
    /// Two interleaved half circles of radius 3, smeared along the diagonal by up to 0.6.
    Moons,
    /// A spiral of one and a half turns out to radius 2.8, with normal noise of deviation 0.05.
    SwissRoll,
    /// Every other square of the 4 × 4 squares of [−4, 4]².
    Checkerboard,
}

impl PlaneMeasure {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Normal, Self::EightGaussians, Self::Moons, Self::SwissRoll, Self::Checkerboard];

    /// The name, as in configuration files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::EightGaussians => "eight-gaussians",
            Self::Moons => "moons",
            Self::SwissRoll => "swiss-roll",
            Self::Checkerboard => "checkerboard",
        }
    }

    /// The point made of two uniform numbers and two normal ones.
    fn place(self, u: [f32; 2], z: [f32; 2]) -> [f32; 2] {
        match self {
            Self::Normal => z,
            Self::EightGaussians => {
                // In the order of the reference code; 0.1^(1/4) is the deviation.
                const RING: [[f32; 2]; 8] = [
                    [1.0, 0.0],
                    [-1.0, 0.0],
                    [0.0, 1.0],
                    [0.0, -1.0],
                    [FRAC_1_SQRT_2, FRAC_1_SQRT_2],
                    [FRAC_1_SQRT_2, -FRAC_1_SQRT_2],
                    [-FRAC_1_SQRT_2, FRAC_1_SQRT_2],
                    [-FRAC_1_SQRT_2, -FRAC_1_SQRT_2],
                ];
                let centre = RING[((u[0] * 8.0) as usize).min(7)];
                [0, 1].map(|i| 5.0 * centre[i] + 0.562_341_3 * z[i])
            }
            Self::Moons => {
                let half = (2.0 * u[0]).fract() * PI;
                let on_circle = if u[0] < 0.5 {
                    [half.cos(), half.sin()]
                } else {
                    [1.0 - half.cos(), 0.5 - half.sin()]
                };
                on_circle.map(|v| 3.0 * (v + 0.2 * u[1]) - 1.0)
            }
            Self::SwissRoll => {
                let angle = 1.5 * PI * (1.0 + 2.0 * u[0]);
                [0, 1].map(|i| 0.2 * angle * [angle.cos(), angle.sin()][i] + 0.05 * z[i])
            }
            Self::Checkerboard => {
                // One of eight squares, and a place in it.
                let square = ((u[0] * 8.0) as usize).min(7);
                let (column, pair) = (square % 4, square / 4);
                let row = 2 * pair + column % 2;
                let inside = [(u[0] * 8.0).fract(), u[1]];
                [0, 1].map(|i| 2.0 * ([column, row][i] as f32 + inside[i]) - 4.0)
            }
        }
    }
}

impl Sampler<2> for PlaneMeasure {
    fn sample(&self, key: Key, n: usize) -> Result<Points<2>> {
        check_count("sample size", n)?;
        let [uniform, normal] = key.split();
        let (u, z) = (uniform.uniform(2 * n), normal.normal(2 * n));
        let of = |(u, z): (&[f32], &[f32])| self.place([u[0], u[1]], [z[0], z[1]]);
        points(u.chunks_exact(2).zip(z.chunks_exact(2)).flat_map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::rows;

    fn mean(measure: PlaneMeasure, of: impl Fn(&[f32]) -> f64) -> f64 {
        let points = rows(&measure.sample(Key::new(1), 40_000).unwrap());
        points.chunks(2).map(of).sum::<f64>() / 40_000.0
    }

    /// Means of 40 000 draws, with five standard errors.
    #[test]
    fn measures_have_their_moments() {
        let square = |p: &[f32]| f64::from(p[0]).powi(2) + f64::from(p[1]).powi(2);
        // 25 + 2 √0.1; the variance of the squared radius is about 4·25·√0.1.
        let ring = mean(PlaneMeasure::EightGaussians, square);
        assert!((ring - 25.0 - 0.2f64.sqrt() * 2f64.sqrt()).abs() < 5.0 * 5.7 / 200.0, "{ring}");
        // Moons: E x = 3 · (½ + 0.1) − 1 and E y = 3 · (½ · 2/π + ½ (½ − 2/π) + 0.1) − 1.
        let x = mean(PlaneMeasure::Moons, |p| p[0].into());
        let y = mean(PlaneMeasure::Moons, |p| p[1].into());
        assert!((x - 0.8).abs() < 5.0 * 2.7 / 200.0, "{x}");
        assert!((y - 0.05).abs() < 5.0 * 1.8 / 200.0, "{y}");
        // Checkerboard: uniform on each axis, never two neighbours of the same row.
        let board = mean(PlaneMeasure::Checkerboard, square);
        assert!((board - 2.0 * 16.0 / 3.0).abs() < 5.0 * 6.8 / 200.0, "{board}");
        let dark = mean(PlaneMeasure::Checkerboard, |p| {
            let [i, j] = [0, 1].map(|k| ((p[k] + 4.0) / 2.0).floor() as i32);
            f64::from((i + j) % 2)
        });
        assert_eq!(dark, 0.0);
        // Swiss roll: the radius is 0.2 times an angle uniform on [1.5π, 4.5π].
        let radius = mean(PlaneMeasure::SwissRoll, |p| f64::from(p[0].hypot(p[1])));
        assert!((radius - 0.6 * std::f64::consts::PI).abs() < 5.0 * 0.55 / 200.0 + 0.002);
        assert_eq!(PlaneMeasure::ALL.map(PlaneMeasure::name)[3], "swiss-roll");
    }
}
