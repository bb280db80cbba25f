//! Points of any dimension seen in a plane.

use dfdx::prelude::{Device, HasShape};
use nalgebra::{DMatrix, SymmetricEigen};

use crate::error::{Error, Result};
use crate::ops::Real;
use crate::random::Key;
use crate::tensor::{rows, Points};

/// Dimensions up to which the covariance is formed; above, the Gram matrix of this many points.
const DENSE: usize = 512;
/// Points from which a covariance is estimated, at most.
const ROWS: usize = 20_000;

/// A plane in `N` dimensions onto which points are projected for a picture.
///
/// ```
/// use brenier::plot::Plane;
/// use brenier::tensor::points;
/// // Points that vary most along the third axis, then along the first.
/// let x = points::<3>(vec![1.0, 0.0, 5.0, -1.0, 0.0, 5.0, 1.0, 0.0, -5.0, -1.0, 0.0, -5.0])?;
/// let plane = Plane::principal(&x)?;
/// assert_eq!(plane.project(&x)[0], [5.0, 1.0]);
/// assert!((plane.explained()[0] - 25.0 / 26.0).abs() < 1e-12);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plane<const N: usize> {
    centre: Vec<f64>,
    axes: [Vec<f64>; 2],
    explained: [f64; 2],
}

impl<const N: usize> Plane<N> {
    /// The plane of the first two coordinates, through the origin; a missing one (`N` < 2) counts as 0.
    pub fn coordinates() -> Self {
        let axis = |i| (0..N).map(|j| f64::from(u8::from(i == j))).collect();
        Self { centre: vec![0.0; N], axes: [axis(0), axis(1)], explained: [f64::NAN; 2] }
    }

    /// The plane through the mean of `points` along which their variance is largest: the first two
    /// eigenvectors of the covariance, each with its largest component positive. Directions in which
    /// nothing varies are completed to an orthonormal pair.
    ///
    /// Points with a coordinate that is not finite are ignored. More than 20000 points, or 512 in
    /// dimensions above 512, are represented by a fixed random choice of that many; time is
    /// O(n N min(n, N)) of the chosen ones.
    ///
    /// # Errors
    /// [`Error::Shape`] if no point is finite.
    pub fn principal<E: Real, D: Device<E>>(points: &Points<N, E, D>) -> Result<Self> {
        let all: Vec<f64> = rows(points).into_iter().map(Real::double).collect();
        let finite: Vec<&[f64]> = all
            .chunks(N.max(1))
            // Beyond, the sum of the points may overflow.
            .filter(|x| x.iter().all(|v| v.abs() < 1e280))
            .collect();
        if finite.is_empty() {
            let expected = "at least one point with finite coordinates";
            let found = format!("none among {}", points.shape().0);
            return Err(Error::shape("points for a principal plane", expected, found));
        }
        let chosen = subset(finite.len(), if N <= DENSE { ROWS } else { DENSE });
        let n = chosen.len();
        let mut centre = vec![0.0; N];
        for &i in &chosen {
            centre.iter_mut().zip(finite[i]).for_each(|(c, v)| *c += v / n as f64);
        }
        let mut x = DMatrix::from_fn(n, N, |i, j| finite[chosen[i]][j] - centre[j]);
        let largest = x.amax();
        if largest > 0.0 {
            x /= largest;
        }
        let dual = N > n;
        let gram = if dual { &x * x.transpose() } else { x.tr_mul(&x) };
        let total = gram.trace();
        let (values, vectors) = eigen(gram)?;
        let mut axes: [Vec<f64>; 2] = [vec![], vec![]];
        let mut explained = [0.0; 2];
        for k in 0..2 {
            // Below rounding, an eigenvector is noise.
            let significant = k < values.len() && values[k] > 1e-12 * total;
            let mut axis = match significant {
                true if dual => x.tr_mul(&vectors.column(k)).iter().copied().collect(),
                true => vectors.column(k).iter().copied().collect(),
                false => complement(&axes[..k], N),
            };
            normalise(&mut axis);
            axes[k] = axis;
            explained[k] = if significant { values[k] / total } else { 0.0 };
        }
        Ok(Self { centre, axes, explained })
    }

    /// The coordinates of each point along the two axes. Points that are not finite give pairs that
    /// are not finite, which pictures leave out.
    pub fn project<E: Real, D: Device<E>>(&self, points: &Points<N, E, D>) -> Vec<[f32; 2]> {
        let rows: Vec<f64> = rows(points).into_iter().map(Real::double).collect();
        let along = |x: &[f64], axis: &[f64]| -> f64 {
            x.iter().zip(&self.centre).zip(axis).map(|((x, c), a)| (x - c) * a).sum()
        };
        let project = |x: &[f64]| [0, 1].map(|k| along(x, &self.axes[k]) as f32);
        rows.chunks(N.max(1)).map(project).collect()
    }

    /// Shares of the total variance along the two axes; NaN for [`Plane::coordinates`].
    pub fn explained(&self) -> [f64; 2] {
        self.explained
    }
}

/// Eigenvalues from the largest, with the eigenvectors in the columns of the same order.
fn eigen(matrix: DMatrix<f64>) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let rounds = 1000 * matrix.nrows().max(1);
    let Some(eigen) = SymmetricEigen::try_new(matrix, f64::EPSILON, rounds) else {
        return Err(Error::NonFinite {
            what: "the principal plane of the points".into(),
            value: f64::NAN,
            step: None,
            remedy: "the eigenvalues did not converge; use Plane::coordinates",
        });
    };
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let values = order.iter().map(|&i| eigen.eigenvalues[i]).collect();
    Ok((values, eigen.eigenvectors.select_columns(&order)))
}

/// A direction orthogonal to the given one: the coordinate axis nearest to that, made orthogonal.
fn complement(axes: &[Vec<f64>], n: usize) -> Vec<f64> {
    let along = |i: usize| axes.iter().map(|a| a[i] * a[i]).sum::<f64>();
    let mut axis = vec![0.0; n];
    let Some(i) = (0..n).min_by(|&i, &j| along(i).total_cmp(&along(j))) else { return axis };
    axis[i] = 1.0;
    for a in axes {
        let share = a[i];
        axis.iter_mut().zip(a).for_each(|(v, a)| *v -= share * a);
    }
    axis
}

/// Length one, largest component positive; zero (nothing left in one dimension) stays zero.
fn normalise(axis: &mut [f64]) {
    let length = axis.iter().map(|v| v * v).sum::<f64>().sqrt();
    let largest = axis.iter().copied().fold(0.0, |m: f64, v| if v.abs() > m.abs() { v } else { m });
    let factor = if length > 1e-12 { largest.signum() / length } else { 0.0 };
    axis.iter_mut().for_each(|v| *v *= factor);
}

/// `most` of the numbers below `n`, the same ones each time, in increasing order; all if they are few.
pub(super) fn subset(n: usize, most: usize) -> Vec<usize> {
    if n <= most {
        return (0..n).collect();
    }
    let mut chosen = rand::seq::index::sample(&mut Key::new(0).rng(), n, most).into_vec();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::points;

    /// Component `j` of the planted axis `k`: two orthonormal directions in the first four dimensions.
    fn axis(k: usize, j: usize) -> f32 {
        let first_four = [[0.6, 0.0], [0.0, 0.8], [0.8, 0.0], [0.0, -0.6]];
        first_four.get(j).map_or(0.0, |axes| axes[k])
    }

    /// Points `centre + 5 a·u + 2 b·v + noise` of the planted axes, and the (5 a, 2 b).
    fn planted<const N: usize>(n: usize, noise: f32) -> (Points<N>, Vec<[f32; 2]>) {
        let [ka, kn] = Key::new(3).split();
        let ab = ka.normal(2 * n);
        let ab: Vec<[f32; 2]> = ab.chunks(2).map(|c| [5.0 * c[0], 2.0 * c[1]]).collect();
        let mut rows: Vec<f32> = kn.normal(n * N).iter().map(|z| noise * z).collect();
        for (i, v) in rows.iter_mut().enumerate() {
            let (a, j) = (ab[i / N], i % N);
            *v += 7.0 - j as f32 / 100.0 + a[0] * axis(0, j) + a[1] * axis(1, j);
        }
        (points(rows).unwrap(), ab)
    }

    /// From the covariance, from the Gram matrix and from a choice of the rows.
    #[test]
    fn a_planted_plane_is_found() {
        fn check<const N: usize>(n: usize, noise: f32) {
            let plane = Plane::principal(&planted::<N>(n, noise).0).unwrap();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let [first, second] = &plane.axes;
            assert!((dot(first, first) - 1.0).abs() < 1e-12, "{N}");
            assert!((dot(second, second) - 1.0).abs() < 1e-12, "{N}");
            assert!(dot(first, second).abs() < 1e-9, "{N}");
            for k in 0..2 {
                let u: Vec<f64> = (0..N).map(|j| axis(k, j).into()).collect();
                let inside = dot(&u, first).powi(2) + dot(&u, second).powi(2);
                assert!(inside > 1.0 - 1e-4, "{N}: {inside}");
                // The axes of a sample differ from those of its distribution by a small rotation.
                assert!(dot(&u, &plane.axes[k]).abs() > 0.99, "{N}");
            }
            let [a, b] = plane.explained();
            assert!(a + b > 0.999 && (a - 25.0 / 29.0).abs() < 0.05, "{a} {b}");
        }
        check::<4>(4000, 0.0);
        check::<30>(4000, 0.01);
        check::<600>(200, 0.003);
        check::<600>(2000, 0.003);
    }

    /// Distances within the plane are kept exactly, whatever the rotation.
    #[test]
    fn projection_of_a_plane_is_an_isometry() {
        let (x, ab) = planted::<8>(300, 0.0);
        let seen = Plane::principal(&x).unwrap().project(&x);
        for (i, j) in (0..300).map(|i| (i, (i * 7 + 1) % 300)) {
            let length = |p: &[[f32; 2]]| (p[i][0] - p[j][0]).hypot(p[i][1] - p[j][1]);
            assert!((length(&seen) - length(&ab)).abs() < 1e-4);
        }
    }

    #[test]
    fn degenerate_points_get_an_orthonormal_plane() {
        let line = points::<3>(vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap();
        let plane = Plane::principal(&line).unwrap();
        assert!((plane.explained()[0] - 1.0).abs() < 1e-12 && plane.explained()[1] == 0.0);
        let seen = plane.project(&line);
        assert!((seen[1][0] - seen[0][0] - 3f32.sqrt()).abs() < 1e-6 && seen[1][1].abs() < 1e-6);
        let length: f64 = plane.axes[1].iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-12);

        let same = points::<2>(vec![3.0, 4.0, 3.0, 4.0]).unwrap();
        let plane = Plane::principal(&same).unwrap();
        assert_eq!(plane.project(&same), [[0.0, 0.0]; 2]);
        assert_eq!(plane.axes, [[1.0, 0.0], [0.0, 1.0]]);

        let one = points::<1>(vec![-1.0, 1.0]).unwrap();
        assert_eq!(Plane::principal(&one).unwrap().project(&one), [[-1.0, 0.0], [1.0, 0.0]]);
        assert_eq!(Plane::<1>::coordinates().project(&one), [[-1.0, 0.0], [1.0, 0.0]]);
    }

    #[test]
    fn points_that_are_not_finite_are_ignored() {
        use dfdx::prelude::{Const, Cpu, TensorFromVec};
        let tensor = |v: Vec<f32>| -> Points<2> {
            let n = v.len() / 2;
            Cpu::default().tensor_from_vec(v, (n, Const))
        };
        let x = tensor(vec![0.0, 1.0, 0.0, -1.0, f32::NAN, 0.0, f32::INFINITY, 0.0]);
        let plane = Plane::principal(&x).unwrap();
        let seen = plane.project(&x);
        assert_eq!(seen[..2], [[1.0, 0.0], [-1.0, 0.0]]);
        assert!(seen[2..].iter().all(|p| p.iter().any(|v| !v.is_finite())));
        let none = tensor(vec![f32::NAN, 0.0]);
        assert!(matches!(Plane::principal(&none), Err(Error::Shape { .. })));
    }

    #[test]
    fn subsets_are_fixed_and_distinct() {
        assert_eq!(subset(3, 5), [0, 1, 2]);
        let chosen = subset(1000, 40);
        assert_eq!((chosen.len(), &chosen), (40, &subset(1000, 40)));
        assert!(chosen.windows(2).all(|w| w[0] < w[1]) && chosen[39] < 1000);
    }
}
