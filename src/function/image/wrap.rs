//! Networks of images as modules on points.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use super::stage::Channels;
use crate::ops::{Engine, Extent, Program, Real, Value};
use crate::tensor::Points;

/// What the output of a network is, seen from outside.
pub trait Ends {
    /// The points that come out where points of dimension `N` go in.
    type Output<const N: usize, E: Real, D: Engine<E>, T>;
    /// Runs a program whose output is of this kind.
    fn run<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>>(
        x: Points<N, E, D, T>,
        program: Program<E, D>,
    ) -> Self::Output<N, E, D, T>;
}

/// An image as large as the input: a map.
#[derive(Clone, Copy, Debug)]
pub struct SameSize;

/// One number: a potential.
#[derive(Clone, Copy, Debug)]
pub struct Number;

impl Ends for SameSize {
    type Output<const N: usize, E: Real, D: Engine<E>, T> = Points<N, E, D, T>;
    fn run<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>>(
        x: Points<N, E, D, T>,
        program: Program<E, D>,
    ) -> Points<N, E, D, T> {
        D::run(x, program)
    }
}

impl Ends for Number {
    type Output<const N: usize, E: Real, D: Engine<E>, T> = Points<1, E, D, T>;
    fn run<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>>(
        x: Points<N, E, D, T>,
        program: Program<E, D>,
    ) -> Points<1, E, D, T> {
        D::run(x, program)
    }
}

/// The sides that a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Multiples of a number.
    MultiplesOf(usize),
    /// One side only.
    Exactly(usize),
}

impl Sides {
    /// Whether `side` is one of them.
    pub const fn admit(self, side: usize) -> bool {
        match self {
            Self::MultiplesOf(n) => side > 0 && side.is_multiple_of(n),
            Self::Exactly(n) => side == n,
        }
    }
}

/// A network of images or volumes of `C` channels.
pub trait ImageNetwork<const C: usize, E: Real, D: Engine<E>> {
    /// What comes out.
    type Ends: Ends;
    /// The sides of the images that fit.
    const SIDES: Sides;
    /// Writes the network into a program.
    fn record(&self, program: &mut Program<E, D>, x: Channels<C>) -> Value;
}

macro_rules! wrapper {
    ($(#[$meta:meta])* $name:ident<$($side:ident),*>, $numbers:literal, $extent:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name<const C: usize, $(const $side: usize,)* Net>(pub Net);

        impl<const C: usize, $(const $side: usize,)* Net> NonMutableModule
            for $name<C, $($side,)* Net> {}

        impl<const C: usize, $(const $side: usize,)* Net, E: Dtype, D: Device<E>>
            TensorCollection<E, D> for $name<C, $($side,)* Net>
        where
            Net: TensorCollection<E, D>,
        {
            type To<E2: Dtype, D2: Device<E2>> = $name<C, $($side,)* Net::To<E2, D2>>;
            fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                visitor.visit_fields(
                    Self::module("", |s| &s.0, |s| &mut s.0),
                    |inner| $name(inner),
                )
            }
        }

        impl<
                const N: usize,
                const C: usize,
                $(const $side: usize,)*
                Net: ImageNetwork<C, E, D>,
                E: Real,
                D: Engine<E>,
                T: Tape<E, D>,
            > Module<Points<N, E, D, T>> for $name<C, $($side,)* Net>
        {
            type Output = <Net::Ends as Ends>::Output<N, E, D, T>;
            type Error = <D as HasErr>::Err;
            fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
                const { assert!(N == C $(* $side)*, $numbers) };
                const { assert!($(Net::SIDES.admit($side))&&*, "a side that the network takes") };
                let (mut program, inputs) = Program::new(&[$extent(C, $($side),*)]);
                self.0.record(&mut program, Channels(inputs[0]));
                Ok(<Net::Ends as Ends>::run(x, program))
            }
        }
    };
}

wrapper! {
    /// A network on images: points are `C` channels of `H` rows of `W` numbers.
    ///
    /// Whether a point has as many numbers, and whether the network takes the sides, is checked when the
    /// code is compiled.
    AsImage<H, W>, "the numbers of a point are C · H · W, those of an image", Extent::image
}

wrapper! {
    /// A network on volumes: points are `C` channels of `Z` layers of `H` rows of `W` numbers. Sizes are
    /// checked when the code is compiled.
    AsVolume<Z, H, W>, "the numbers of a point are C · Z · H · W, those of a volume",
    |channels, z, h, w| Extent::volume(channels, [z, h, w])
}
