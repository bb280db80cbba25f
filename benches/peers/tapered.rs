//! The perceptron of ott-jax's figures for the Monge gap: hidden layers of 128, 64 and 64, GELU.

use brenier::ops::{linear, Engine, Real};
use brenier::prelude::*;
use dfdx::nn::modules::Linear;
use dfdx::nn::{ModuleVisitor, NonMutableModule, TensorCollection};
use dfdx::prelude::{Device, Dtype, HasErr, Tape};

/// `N -> 128 -> 64 -> 64 -> N`.
#[derive(Clone, Debug)]
pub struct Tapered<const N: usize, E: Dtype = f32, D: Device<E> = Cpu> {
    first: Linear<N, 128, E, D>,
    second: Linear<128, 64, E, D>,
    third: Linear<64, 64, E, D>,
    last: Linear<64, N, E, D>,
}

impl<const N: usize, E: Dtype, D: Device<E>> NonMutableModule for Tapered<N, E, D> {}

impl<const N: usize, E: Real, D: Device<E>> TensorCollection<E, D> for Tapered<N, E, D> {
    type To<E2: Dtype, D2: Device<E2>> = Tapered<N, E2, D2>;
    fn iter_tensors<V: ModuleVisitor<Self, E, D>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            (
                Self::module("first", |s| &s.first, |s| &mut s.first),
                Self::module("second", |s| &s.second, |s| &mut s.second),
                Self::module("third", |s| &s.third, |s| &mut s.third),
                Self::module("last", |s| &s.last, |s| &mut s.last),
            ),
            |(first, second, third, last)| Tapered { first, second, third, last },
        )
    }
}

impl<const N: usize, E: Real, D: Engine<E>, T: Tape<E, D>> Module<Points<N, E, D, T>>
    for Tapered<N, E, D>
{
    type Output = Points<N, E, D, T>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D, T>) -> Result<Self::Output, Self::Error> {
        let h = linear::<N, 128, E, D, Gelu, T>(x, &self.first);
        let h = linear::<128, 64, E, D, Gelu, T>(h, &self.second);
        let h = linear::<64, 64, E, D, Gelu, T>(h, &self.third);
        Ok(linear::<64, N, E, D, Identity, T>(h, &self.last))
    }
}
