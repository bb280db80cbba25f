//! Maps into a sphere.

use dfdx::prelude::*;

use super::wrapped::wrapped;
use crate::ops::{Engine, Real};
use crate::tensor::{rows, Points};

/// T(x) = r M(x) / |M(x)| of a module M: `[n, N] -> [n, N]`; 0 with gradient 0 where M(x) = 0.
///
/// For embeddings that are compared by their angle; r = 1 or √N.
///
/// ```
/// use brenier::function::{build, OnSphere};
/// use brenier::prelude::*;
/// let map = OnSphere { inner: build::<Mlp<2, 16, 0, 2>, f32, Cpu>(Key::new(0)), radius: 3.0 };
/// let y = rows(&map.forward(points::<2>(vec![0.3, -1.0])?));
/// assert!((y[0].hypot(y[1]) - 3.0).abs() < 1e-5);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OnSphere<M> {
    /// M.
    pub inner: M,
    /// r > 0; not learned.
    pub radius: f64,
}

wrapped!(OnSphere { inner, radius: 1.0 });

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>, M> Module<Points<N, E, D, T>>
    for OnSphere<M>
where
    M: Module<Points<N, E, D, T>, Output = Points<N, E, D, T>>,
{
    type Output = Points<N, E, D, T>;
    type Error = M::Error;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        let (y, tape) = self.inner.try_forward(x)?.contiguous().split_tape();
        let radius = E::of(self.radius);
        // r / |M|, then the unit vectors in place.
        let mut unit = rows(&y);
        let mut scales = Vec::with_capacity(y.shape().0);
        for row in unit.chunks_exact_mut(N) {
            let norm = dot(row, row).sqrt();
            let inverse = if norm > E::zero() { norm.recip() } else { E::zero() };
            row.iter_mut().for_each(|v| *v *= inverse);
            scales.push(radius * inverse);
        }
        let image = unit.iter().map(|v| radius * *v).collect();
        let image = y.device().tensor_from_vec(image, *y.shape());
        Ok(D::attach(image, vec![D::input(&y)], tape, move |seed| {
            let mut slope = Vec::with_capacity(seed.len());
            let points = seed.chunks_exact(N).zip(unit.chunks_exact(N)).zip(&scales);
            for ((seed, unit), scale) in points {
                // The part across the image: (r / |M|) (I − u uᵀ) seed.
                let along = dot(seed, unit);
                slope.extend(seed.iter().zip(unit).map(|(s, u)| *scale * (*s - along * *u)));
            }
            vec![slope]
        }))
    }
}

fn dot<E: Real>(a: &[E], b: &[E]) -> E {
    let double: f64 = a.iter().zip(b).map(|(a, b)| a.double() * b.double()).sum();
    E::of(double)
}
