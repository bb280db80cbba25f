//! A velocity field that is a perceptron.

use dfdx::prelude::*;

use super::mlp::Mlp;
use super::module::module;
use crate::ops::{Activation, Constants, Engine, Real, Silu};
use crate::tensor::{rows, Points, Values};

module! {
    /// A perceptron as a velocity field: its `I` inputs are the place, numbers made of the time, and the
    /// condition, if there is one: `([n, N], [n], ()) -> [n, N]` or `([n, N], [n], [n, C]) -> [n, N]`.
    ///
    /// The I − N (or I − N − C) numbers of the time, of which there must be at least one, are t, cos πt,
    /// sin πt, cos 2πt, sin 2πt, cos 4πt, … Whether they are enough is known when the program is
    /// compiled.
    ///
    /// ```
    /// use brenier::prelude::*;
    /// // 2 coordinates and the time, as in arXiv:2302.00482.
    /// let v: VelocityMlp<3, 64, 2, 2> = build(Key::new(0));
    /// let (x, t) = (points(vec![0.5, -1.0])?, values(vec![0.25])?);
    /// assert_eq!(v.forward((x, t, ())).shape().0, 1);
    /// // And a condition of three classes, with two more numbers of the time.
    /// let v: VelocityMlp<8, 64, 2, 2> = build(Key::new(0));
    /// let (x, t) = (points::<2>(vec![0.5, -1.0])?, values(vec![0.25])?);
    /// assert_eq!(v.forward((x, t, points::<3>(vec![0.0, 1.0, 0.0])?)).shape().0, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub struct VelocityMlp<const I, const H, const K, const N; A = Silu> {
        /// The perceptron.
        module inner: Mlp<I, H, K, N, A, E, D>,
    }
}

impl<const I: usize, const H: usize, const K: usize, const N: usize, A, E, D, T>
    Module<(Points<N, E, D, T>, Values<E, D>, ())> for VelocityMlp<I, H, K, N, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(
        &self,
        (x, times, ()): (Points<N, E, D, T>, Values<E, D>, ()),
    ) -> Result<Self::Output, Self::Error> {
        const { assert!(I > N, "a velocity needs an input for the time") };
        Ok(self.at(x, &times, &[], 0))
    }
}

impl<
        const I: usize,
        const H: usize,
        const K: usize,
        const N: usize,
        const C: usize,
        A,
        E,
        D,
        T,
    > Module<(Points<N, E, D, T>, Values<E, D>, Points<C, E, D>)>
    for VelocityMlp<I, H, K, N, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(
        &self,
        (x, times, condition): (Points<N, E, D, T>, Values<E, D>, Points<C, E, D>),
    ) -> Result<Self::Output, Self::Error> {
        const { assert!(I > N + C, "a velocity needs an input for the time") };
        Ok(self.at(x, &times, &rows(&condition), C))
    }
}

impl<const I: usize, const H: usize, const K: usize, const N: usize, A, E, D>
    VelocityMlp<I, H, K, N, A, E, D>
where
    A: Activation,
    E: Real,
    D: Engine<E>,
{
    /// The perceptron at places, numbers of the times, and conditions of width `c`.
    fn at<T: Tape<E, D>>(
        &self,
        x: Points<N, E, D, T>,
        times: &Values<E, D>,
        conditions: &[E],
        c: usize,
    ) -> Points<N, E, D, T> {
        let (x, tape) = x.contiguous().split_tape();
        let (n, places, times) = (x.shape().0, rows(&x), rows(times));
        assert_eq!((times.len(), conditions.len()), (n, n * c), "a time and a condition a point");
        let mut joined = Vec::with_capacity(n * I);
        for (i, (place, time)) in places.chunks_exact(N).zip(times).enumerate() {
            joined.extend_from_slice(place);
            joined.extend(numbers_of(time).take(I - N - c));
            joined.extend_from_slice(&conditions[i * c..(i + 1) * c]);
        }
        let joined: Points<I, E, D> = x.device().tensor_from_vec(joined, (n, Const));
        let input = D::input(&x);
        if !input.wanted() {
            let constants = Constants::default().tensor(&joined);
            return constants.scope(|| self.inner.forward(joined.put_tape(tape)));
        }
        let of_places =
            |seed: &[E]| vec![seed.chunks_exact(I).flat_map(|row| &row[..N]).copied().collect()];
        self.inner.forward(D::attach(joined, vec![input], tape, of_places))
    }
}

/// t, cos πt, sin πt, cos 2πt, sin 2πt, cos 4πt, …
fn numbers_of<E: Real>(time: E) -> impl Iterator<Item = E> {
    let t = time.double();
    let waves = (0..).flat_map(move |j| {
        let (sin, cos) = (t * std::f64::consts::PI * 2f64.powi(j)).sin_cos();
        [E::of(cos), E::of(sin)]
    });
    std::iter::once(time).chain(waves)
}
