//! Velocity fields of images: networks that are told the time, and maybe a class.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use super::stage::Channels;
use super::wrap::Sides;
use crate::ops::{Engine, Extent, Program, Real, Value};
use crate::tensor::{rows, Points, Values};

/// A network of images of `C` channels, a time, and a condition of `Q` numbers (0 for none), that gives an
/// image of the same size.
pub trait VelocityNetwork<const C: usize, const Q: usize, E: Real, D: Engine<E>> {
    /// The sides of the images that fit.
    const SIDES: Sides;
    /// Their number of positions; 0 for any.
    const POSITIONS: usize = 0;
    /// Writes the network into a program. The time is one number a sample; there is a condition for
    /// `Q > 0`.
    fn record(
        &self,
        program: &mut Program<E, D>,
        x: Channels<C>,
        time: Channels<1>,
        condition: Option<Channels<Q>>,
    ) -> Value;
}

/// A network as a velocity field of images of `C` channels, `H` rows and `W` columns:
/// `([n, C H W], [n], ()) -> [n, C H W]`, or with conditions `[n, Q]`, such as classes in one-hot form, in
/// place of `()`. It is a [`Velocity`](crate::function::Velocity). Differentiable in places and
/// parameters. Sizes are checked when the code is compiled.
///
/// ```
/// use brenier::function::image::{AsVelocity, FlowUNetOf2};
/// use brenier::prelude::*;
/// // Images of side 8, three classes.
/// type Field = AsVelocity<1, 8, 8, FlowUNetOf2<1, 3, 8, 8, 8, 16>>;
/// let v: Field = build(Key::new(0));
/// let (x, t) = (points::<64>(vec![0.5; 64])?, values(vec![0.25])?);
/// let class = points::<3>(vec![0.0, 1.0, 0.0])?;
/// assert_eq!(v.forward((x, t, class)).shape().0, 1);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AsVelocity<const C: usize, const H: usize, const W: usize, Net>(pub Net);

impl<const C: usize, const H: usize, const W: usize, Net> NonMutableModule
    for AsVelocity<C, H, W, Net>
{
}

impl<const C: usize, const H: usize, const W: usize, Net, E: Dtype, D: Device<E>>
    TensorCollection<E, D> for AsVelocity<C, H, W, Net>
where
    Net: TensorCollection<E, D>,
{
    type To<E2: Dtype, D2: Device<E2>> = AsVelocity<C, H, W, Net::To<E2, D2>>;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(Self::module("", |s| &s.0, |s| &mut s.0), AsVelocity)
    }
}

impl<const N: usize, const C: usize, const H: usize, const W: usize, Net, E, D, T>
    Module<(Points<N, E, D, T>, Values<E, D>, ())> for AsVelocity<C, H, W, Net>
where
    Net: VelocityNetwork<C, 0, E, D>,
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
        Ok(self.at::<N, 0, E, D, T>(x, rows(&times), None))
    }
}

impl<
        const N: usize,
        const C: usize,
        const H: usize,
        const W: usize,
        const Q: usize,
        Net,
        E,
        D,
        T,
    > Module<(Points<N, E, D, T>, Values<E, D>, Points<Q, E, D>)> for AsVelocity<C, H, W, Net>
where
    Net: VelocityNetwork<C, Q, E, D>,
    E: Real,
    D: Engine<E>,
    T: Tape<E, D>,
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(
        &self,
        (x, times, conditions): (Points<N, E, D, T>, Values<E, D>, Points<Q, E, D>),
    ) -> Result<Self::Output, Self::Error> {
        const { assert!(Q > 0, "a network without a condition takes ()") };
        Ok(self.at::<N, Q, E, D, T>(x, rows(&times), Some(rows(&conditions))))
    }
}

impl<const C: usize, const H: usize, const W: usize, Net> AsVelocity<C, H, W, Net> {
    fn at<const N: usize, const Q: usize, E: Real, D: Engine<E>, T: Tape<E, D>>(
        &self,
        x: Points<N, E, D, T>,
        times: Vec<E>,
        conditions: Option<Vec<E>>,
    ) -> Points<N, E, D, T>
    where
        Net: VelocityNetwork<C, Q, E, D>,
    {
        const { assert!(N == C * H * W, "the numbers of a point are C · H · W, those of an image") };
        const { assert!(Net::SIDES.admit(H) && Net::SIDES.admit(W), "a side the network takes") };
        const {
            let any = Net::POSITIONS == 0;
            assert!(any || Net::POSITIONS == H * W, "as many positions as the network takes");
        }
        let (n, conditioned) = (x.shape().0, conditions.as_ref().map_or(0, Vec::len));
        assert_eq!((times.len(), conditioned), (n, n * Q), "a time and a condition a point");
        let (mut program, inputs) = Program::new(&[Extent::image(C, H, W)]);
        let time = Channels(program.given(times, 1));
        let condition = conditions.map(|q| Channels(program.given(q, Q)));
        self.0.record(&mut program, Channels(inputs[0]), time, condition);
        D::run(x, program)
    }
}
