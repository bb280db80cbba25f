//! The tensors of a module as the numbers of a network, and back as their gradients.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use super::super::dense::add;
use super::super::device::{gradient_mut, is_constant, read};
use super::super::{Real, Scratch};
use super::net::Icnn;
use super::IcnnParameters;

/// The numbers of a module, and which of its tensors want a gradient (are not constant).
pub(super) fn network<const N: usize, E: Real, P: IcnnParameters<E, Cpu>>(
    parameters: &P,
    strong_convexity: f64,
) -> (Icnn<E>, Vec<bool>)
where
    Cpu: Device<E>,
{
    let mut arrays = Arrays { read: Vec::new(), wanted: Vec::new() };
    walk(parameters, &mut arrays);
    let net = Icnn::from_arrays(N, &arrays.read, strong_convexity)
        .expect("the module lists its tensors in the order of `IcnnParameters`");
    (net, arrays.wanted)
}

/// Reads all tensors of a module in order, and whether each wants a gradient (is not constant).
struct Arrays<E: Real> {
    read: Vec<Scratch<E>>,
    wanted: Vec<bool>,
}

/// Adds arrays to the gradients of a module's tensors, in order, where they are wanted.
pub(super) struct Accumulate<'a, E: Real, I>
where
    Cpu: Device<E>,
{
    pub(super) gradients: &'a mut Gradients<E, Cpu>,
    pub(super) arrays: I,
}

pub(super) fn walk<E: Real, P: TensorCollection<E, Cpu>, F>(parameters: &P, visitor: &mut F)
where
    Cpu: Device<E>,
    F: TensorVisitor<E, Cpu, Viewer = ViewTensorRef, Err = CpuError>,
{
    P::iter_tensors(&mut RecursiveWalker { m: parameters, f: visitor })
        .expect("memory for the parameters");
}

impl<E: Real> TensorVisitor<E, Cpu> for Arrays<E>
where
    Cpu: Device<E>,
{
    type Viewer = ViewTensorRef;
    type Err = CpuError;
    type E2 = E;
    type D2 = Cpu;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, Cpu>,
        t: &Tensor<S, E, Cpu>,
    ) -> Result<Option<Tensor<S, E, Cpu>>, CpuError> {
        self.wanted.push(!is_constant(t));
        self.read.push(read(t));
        Ok(None)
    }
}

impl<E: Real, I: Iterator<Item = (Scratch<E>, bool)>> TensorVisitor<E, Cpu> for Accumulate<'_, E, I>
where
    Cpu: Device<E>,
{
    type Viewer = ViewTensorRef;
    type Err = CpuError;
    type E2 = E;
    type D2 = Cpu;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, Cpu>,
        t: &Tensor<S, E, Cpu>,
    ) -> Result<Option<Tensor<S, E, Cpu>>, CpuError> {
        if let Some((array, true)) = self.arrays.next() {
            add::<E>(gradient_mut(self.gradients, t)?, &array);
        }
        Ok(None)
    }
}
