//! Networks from which a dual estimator reads its map.

use dfdx::prelude::*;

use super::potential::{InputGradient, TransportMap};
use super::wrapped::wrapped;
use crate::ops::{Engine, Real, TwistCost};
use crate::tensor::{Points, Taped};

/// A network that, with a cost c, is a transport map: directly ([`FreeMap`]), or through the gradient
/// of the potential that it is ([`PotentialMap`]).
pub trait MapNetwork<const N: usize, C, E: Real = f32, D: Engine<E> = Cpu>:
    TensorCollection<E, D>
{
    /// T(x): `[n, N] -> [n, N]`.
    fn images(&self, cost: &C, x: Points<N, E, D>) -> Points<N, E, D>;

    /// The same, recorded for a gradient in the parameters; x is data.
    fn traced(&self, cost: &C, x: Points<N, E, D, Taped<E, D>>) -> Points<N, E, D, Taped<E, D>>;

    /// The map as a module.
    fn map_for<'a>(&'a self, cost: &'a C) -> MapFor<'a, Self, C>
    where
        Self: Sized,
    {
        MapFor { network: self, cost }
    }
}

/// The map T(x) = M(x) of a module M: `[n, N] -> [n, N]`, for any cost.
#[derive(Clone, Debug)]
pub struct FreeMap<M>(pub M);

/// A source potential f and the map that it makes with a cost: T(x) is the y with ∇ₓc(x, y) = ∇f(x).
///
/// For c(x, y) = h(x − y) with strictly convex h that is T = Id − ∇h* ∘ ∇f: x − ∇f(x) for ½|x − y|²,
/// x − ½∇f(x) for |x − y|². For −⟨x, y⟩ it is −∇f.
///
/// ```
/// use brenier::function::{build, MapNetwork, PotentialMap};
/// use brenier::prelude::*;
/// let f: PotentialMap<Mlp<2, 16, 0, 1, Celu>> = PotentialMap(build(Key::new(0)));
/// let x = points(vec![0.5, -1.0])?;
/// let slope = rows(&f.0.input_gradient(x.clone()));
/// let moved = rows(&f.map_for(&HalfSqEuclidean).forward(x));
/// assert_eq!(moved, [0.5 - slope[0], -1.0 - slope[1]]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PotentialMap<F>(pub F);

wrapped!(FreeMap);
wrapped!(PotentialMap);

/// A [`MapNetwork`] with its cost: a module `[n, N] -> [n, N]`.
#[derive(Clone, Copy, Debug)]
pub struct MapFor<'a, F, C> {
    network: &'a F,
    cost: &'a C,
}

impl<const N: usize, E, D, F, C> Module<Points<N, E, D>> for MapFor<'_, F, C>
where
    E: Real,
    D: Engine<E>,
    F: MapNetwork<N, C, E, D>,
{
    type Output = Points<N, E, D>;
    type Error = <D as HasErr>::Err;
    fn try_forward(&self, x: Points<N, E, D>) -> Result<Self::Output, Self::Error> {
        Ok(self.network.images(self.cost, x))
    }
}

impl<const N: usize, C, E, D, M> MapNetwork<N, C, E, D> for FreeMap<M>
where
    E: Real,
    D: Engine<E>,
    M: TransportMap<N, E, D>,
{
    fn images(&self, _: &C, x: Points<N, E, D>) -> Points<N, E, D> {
        self.0.forward(x)
    }
    fn traced(&self, _: &C, x: Points<N, E, D, Taped<E, D>>) -> Points<N, E, D, Taped<E, D>> {
        self.0.forward(x)
    }
}

impl<const N: usize, C, E, D, F> MapNetwork<N, C, E, D> for PotentialMap<F>
where
    E: Real,
    D: Engine<E>,
    C: TwistCost<E>,
    F: InputGradient<N, E, D>,
{
    fn images(&self, cost: &C, x: Points<N, E, D>) -> Points<N, E, D> {
        let slope = self.0.input_gradient(x.clone());
        D::twist(cost, &x, slope)
    }
    fn traced(&self, cost: &C, x: Points<N, E, D, Taped<E, D>>) -> Points<N, E, D, Taped<E, D>> {
        let data = x.retaped::<NoneTape>();
        let slope = self.0.input_gradient(x);
        D::twist(cost, &data, slope)
    }
}

impl<X, F: Module<X>> Module<X> for PotentialMap<F> {
    type Output = F::Output;
    type Error = F::Error;
    fn try_forward(&self, x: X) -> Result<Self::Output, Self::Error> {
        self.0.try_forward(x)
    }
}
