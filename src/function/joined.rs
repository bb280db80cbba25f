//! Modules that see a point and something else: noise, or a condition.

use dfdx::prelude::*;

use super::wrapped::wrapped;
use crate::ops::{Constants, Engine, Real};
use crate::tensor::{rows, Points, Taped};

/// A stochastic map T(x, z): any module `([n, N], [n, Z]) -> [n, N]`, on plain and on taped points,
/// whose image of a pair does not depend on the other pairs. With z drawn at random, x goes to a random
/// point; no gradient in z is wanted.
///
/// ```
/// use brenier::function::{build, Joined, StochasticMap};
/// use brenier::prelude::*;
/// fn images<const Z: usize>(t: &impl StochasticMap<2, Z>, x: Points<2>, z: Points<Z>) -> usize {
///     Module::<(Points<2>, Points<Z>)>::forward(t, (x, z)).shape().0
/// }
/// // 2 coordinates and 1 of noise through a perceptron with 3 inputs, added to the point.
/// let t: Displacement<Joined<1, 3, Mlp<3, 16, 0, 2>>> = build(Key::new(0));
/// assert_eq!(images(&t, points(vec![0.0; 10])?, points(vec![0.0; 5])?), 5);
/// # Ok::<(), brenier::Error>(())
/// ```
pub trait StochasticMap<const N: usize, const Z: usize, E: Real = f32, D: Engine<E> = Cpu>:
    TensorCollection<E, D>
    + Module<(Points<N, E, D>, Points<Z, E, D>), Output = Points<N, E, D>>
    + Module<(Points<N, E, D, Taped<E, D>>, Points<Z, E, D>), Output = Points<N, E, D, Taped<E, D>>>
{
}
impl<const N: usize, const Z: usize, E: Real, D: Engine<E>, F> StochasticMap<N, Z, E, D> for F where
    F: TensorCollection<E, D>
        + Module<(Points<N, E, D>, Points<Z, E, D>), Output = Points<N, E, D>>
        + Module<
            (Points<N, E, D, Taped<E, D>>, Points<Z, E, D>),
            Output = Points<N, E, D, Taped<E, D>>,
        >
{
}

/// A potential f(x, c) under a condition: any module `([n, N], [n, C]) -> [n, 1]`, on plain and on taped
/// points; no gradient in the condition is wanted.
pub trait ConditionalPotential<const N: usize, const C: usize, E: Real = f32, D: Engine<E> = Cpu>:
    TensorCollection<E, D>
    + Module<(Points<N, E, D>, Points<C, E, D>), Output = Points<1, E, D>>
    + Module<(Points<N, E, D, Taped<E, D>>, Points<C, E, D>), Output = Points<1, E, D, Taped<E, D>>>
{
}
impl<const N: usize, const C: usize, E: Real, D: Engine<E>, F> ConditionalPotential<N, C, E, D>
    for F
where
    F: TensorCollection<E, D>
        + Module<(Points<N, E, D>, Points<C, E, D>), Output = Points<1, E, D>>
        + Module<
            (Points<N, E, D, Taped<E, D>>, Points<C, E, D>),
            Output = Points<1, E, D, Taped<E, D>>,
        >,
{
}

/// The module (x, z) ↦ F(x₁, …, x_N, z₁, …, z_Z) of a module F with `M = N + Z` inputs, which is checked
/// at compile time. Differentiable in x.
#[derive(Clone, Debug)]
pub struct Joined<const Z: usize, const M: usize, F>(pub F);

wrapped!(Joined<Z, M>);

impl<const N: usize, const Z: usize, const M: usize, E, D, T, F>
    Module<(Points<N, E, D, T>, Points<Z, E, D>)> for Joined<Z, M, F>
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
        (x, z): (Points<N, E, D, T>, Points<Z, E, D>),
    ) -> Result<Self::Output, Self::Error> {
        const { assert!(M == N + Z, "the module must have as many inputs as point and noise") };
        let (x, tape) = x.contiguous().split_tape();
        let n = x.shape().0;
        assert_eq!(n, z.shape().0, "each point needs its noise");
        let mut both = Vec::with_capacity(n * M);
        for (x, z) in rows(&x).chunks_exact(N).zip(rows(&z).chunks_exact(Z)) {
            both.extend_from_slice(x);
            both.extend_from_slice(z);
        }
        with_rows(&self.0, x, tape, both)
    }
}

/// The module at `[n, M]` numbers whose rows begin with the points x and go on with constants.
pub(super) fn with_rows<const N: usize, const M: usize, E, D, T, F>(
    module: &F,
    x: Points<N, E, D>,
    tape: T,
    rows: Vec<E>,
) -> Result<F::Output, F::Error>
where
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
    F: Module<Points<M, E, D, T>>,
{
    let both: Points<M, E, D> = x.device().tensor_from_vec(rows, (x.shape().0, Const));
    let input = D::input(&x);
    if !input.wanted() {
        let fixed = Constants::default().tensor(&both);
        return fixed.scope(|| module.try_forward(both.put_tape(tape)));
    }
    let both = D::attach(both, vec![input], tape, |seed| {
        vec![seed.chunks_exact(M).flat_map(|row| &row[..N]).copied().collect()]
    });
    module.try_forward(both)
}
