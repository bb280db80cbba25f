//! Conditions and noise as further channels of an image.

use dfdx::prelude::*;

use super::joined::with_rows;
use super::wrapped::wrapped;
use crate::ops::{Engine, Real};
use crate::tensor::{rows, Points};

/// The module (x, c) ↦ F(x, c₁, …, c₁, …, c_Z, …, c_Z) of a module F with `M = N + Z P` inputs: a condition
/// becomes `Z` constant planes of `P` pixels behind those of an image x. Differentiable in x. It makes a
/// [`ConditionalPotential`](super::ConditionalPotential) of a network with `Z` more channels.
///
/// ```
/// use brenier::function::{build, image::{AsImage, ResNetD16}, ConditionalPotential, WithPlanes};
/// use brenier::prelude::*;
/// fn values(f: &impl ConditionalPotential<256, 1>, x: Points<256>, c: Points<1>) -> Vec<f32> {
///     rows(&Module::<(Points<256>, Points<1>)>::forward(f, (x, c)))
/// }
/// // A grey image and one plane.
/// let f: WithPlanes<1, 256, 512, AsImage<2, 16, 16, ResNetD16<2, 4, 4, 4, 4>>> = build(Key::new(0));
/// let x = points(vec![0.0; 512])?;
/// let of = values(&f, x, points(vec![0.5, -0.5])?);
/// assert!(of.len() == 2 && of[0] != of[1]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WithPlanes<const Z: usize, const P: usize, const M: usize, F>(pub F);

/// The first `N` of the `M` numbers that a module gives, such as the colours of an image whose network has a
/// channel of noise too: with [`Joined`](super::Joined) it makes a
/// [`StochasticMap`](super::StochasticMap) of a network from images to images.
///
/// ```
/// use brenier::function::{build, image::{AsImage, UNetOf3}, Joined, Leading, StochasticMap};
/// use brenier::prelude::*;
/// fn images(t: &impl StochasticMap<768, 256>, x: Points<768>, z: Points<256>) -> Vec<f32> {
///     rows(&Module::<(Points<768>, Points<256>)>::forward(t, (x, z)))
/// }
/// // Three channels of 16 × 16 and one of noise.
/// type Map = Joined<256, 1024, Leading<768, 1024, AsImage<4, 16, 16, UNetOf3<4, 4, 4, 4, 4>>>>;
/// let t: Map = build(Key::new(0));
/// let z = points(Key::new(1).normal(256))?;
/// assert_eq!(images(&t, points(vec![0.5; 768])?, z).len(), 768);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Leading<const N: usize, const M: usize, F>(pub F);

wrapped!(WithPlanes<Z, P, M>);
wrapped!(Leading<N, M>);

impl<const N: usize, const Z: usize, const P: usize, const M: usize, E, D, T, F>
    Module<(Points<N, E, D, T>, Points<Z, E, D>)> for WithPlanes<Z, P, M, F>
where
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
    F: Module<Points<M, E, D, T>>,
{
    type Output = F::Output;
    type Error = F::Error;
    fn try_forward(
        &self,
        (x, c): (Points<N, E, D, T>, Points<Z, E, D>),
    ) -> Result<Self::Output, Self::Error> {
        const { assert!(M == N + Z * P, "the inputs are those of the point and of Z planes") };
        let (x, tape) = x.contiguous().split_tape();
        let n = x.shape().0;
        assert_eq!(n, c.shape().0, "each point needs its condition");
        let mut both = Vec::with_capacity(n * M);
        for (x, c) in rows(&x).chunks_exact(N).zip(rows(&c).chunks_exact(Z)) {
            both.extend_from_slice(x);
            c.iter().for_each(|&c| both.extend(std::iter::repeat_n(c, P)));
        }
        with_rows(&self.0, x, tape, both)
    }
}

impl<const N: usize, const M: usize, const K: usize, E, D, T, F> Module<Points<K, E, D, T>>
    for Leading<N, M, F>
where
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
    F: Module<Points<K, E, D, T>, Output = Points<M, E, D, T>>,
{
    type Output = Points<N, E, D, T>;
    type Error = F::Error;
    fn try_forward(&self, x: Points<K, E, D, T>) -> Result<Self::Output, Self::Error> {
        const { assert!(N <= M, "no more numbers than the module gives") };
        let (y, tape) = self.0.try_forward(x)?.contiguous().split_tape();
        let first = rows(&y).chunks_exact(M).flat_map(|row| &row[..N]).copied().collect();
        let first = y.device().tensor_from_vec(first, (y.shape().0, Const::<N>));
        Ok(D::attach(first, vec![D::input(&y)], tape, |seed| {
            let mut slope = Vec::with_capacity(seed.len() / N * M);
            for row in seed.chunks_exact(N) {
                slope.extend_from_slice(row);
                slope.resize(slope.len() + M - N, E::zero());
            }
            vec![slope]
        }))
    }
}
