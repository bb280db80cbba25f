//! The seam: what the operations need of a device, and everything that touches `dfdx` storage.
//!
//! `dfdx` 0.13 hides the buffers of its tensors. From outside, a buffer can be moved into a tensor and
//! copied out of it, and the buffer of a *gradient* can be borrowed and moved. The operations of this
//! crate are therefore large (a whole network is one of them), so that the copies at their borders do
//! not matter.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use dfdx::nn::tensor_collection::*;
use dfdx::optim::UnusedTensors;
use dfdx::prelude::*;
use dfdx::tensor::UniqueId;

use super::{
    AdamOp, AttachOp, IcnnOp, JacobianOp, LayerOp, LinearOp, MlpOp, Real, RowCostOp, Scratch,
};

/// A device on which every operation of this crate runs: `Cpu`, and `dfdx`'s `Cuda` with the feature
/// `dfdx-cuda`.
pub trait Engine<E: Real>:
    Device<E>
    + AdamOp<E>
    + AttachOp<E>
    + IcnnOp<E>
    + JacobianOp<E>
    + LayerOp<E>
    + LinearOp<E>
    + MlpOp<E>
    + RowCostOp<E>
{
    /// A device whose generator, which initialises parameters, starts from `seed`.
    fn seeded(seed: u64) -> Self;

    /// The same tensor, and a place where the backward pass leaves its gradient.
    fn tapped<S: Shape>(t: Recorded<S, E, Self>) -> (Recorded<S, E, Self>, Tap<E>);
}

/// A tensor with its history.
pub(super) type Recorded<S, E, D> = Tensor<S, E, D, OwnedTape<E, D>>;

/// Where the backward pass leaves the gradient of a tensor that is no parameter.
#[derive(Clone, Debug, Default)]
pub struct Tap<E>(Arc<Mutex<Vec<E>>>);

impl<E> Tap<E> {
    /// The gradient in row-major order; empty before the backward pass.
    pub fn take(&self) -> Vec<E> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn put(&self, gradient: Vec<E>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = gradient;
    }
}

impl<E: Real> Engine<E> for Cpu
where
    Cpu: Device<E>,
{
    fn seeded(seed: u64) -> Self {
        Cpu::seed_from_u64(seed)
    }

    fn tapped<S: Shape>(t: Recorded<S, E, Self>) -> (Recorded<S, E, Self>, Tap<E>) {
        let tap = Tap::default();
        let (t, mut tape) = t.split_tape();
        let (of, to) = (t.clone(), tap.clone());
        // Recorded before every use of the tensor, hence run after the gradients of all of them.
        tape.add_backward_op(move |gradients| {
            to.put(take_gradient(gradients, &of)?);
            Ok(())
        });
        (t.put_tape(tape), tap)
    }
}

/// Copies the numbers of a tensor, in row-major order.
pub(crate) fn read<S: Shape, E: Real>(t: &Tensor<S, E, Cpu>) -> Scratch<E>
where
    Cpu: Device<E>,
{
    let t = t.clone().contiguous();
    let mut buffer = Scratch::new(t.shape().num_elements());
    t.copy_into(&mut buffer);
    buffer
}

/// Overwrites the numbers of a contiguous tensor, keeping its identity.
pub(crate) fn write<S: Shape, E: Real>(t: &mut Tensor<S, E, Cpu>, values: &[E])
where
    Cpu: Device<E>,
{
    t.copy_from(values);
}

/// Access to gradient buffers on the CPU, whose type `dfdx` does not name: for each number type.
pub trait CpuGradient: Dtype {
    /// Moves a gradient out of the store, leaving it empty. An operation does so with the gradient of
    /// its output, which is complete when its backward pass runs, and of no further use.
    #[doc(hidden)]
    fn take<S: Shape>(
        gradients: &mut Gradients<Self, Cpu>,
        t: &Tensor<S, Self, Cpu>,
    ) -> Result<Vec<Self>, CpuError>;

    /// Borrows a gradient, zero if it was not there, to add to it.
    #[doc(hidden)]
    fn borrow<'a, S: Shape>(
        gradients: &'a mut Gradients<Self, Cpu>,
        t: &Tensor<S, Self, Cpu>,
    ) -> Result<&'a mut [Self], CpuError>;
}

macro_rules! cpu_gradient {
    ($($number:ty),*) => {$(
        impl CpuGradient for $number {
            fn take<S: Shape>(
                gradients: &mut Gradients<Self, Cpu>,
                t: &Tensor<S, Self, Cpu>,
            ) -> Result<Vec<Self>, CpuError> {
                Ok(std::mem::take(&mut **gradients.get_or_alloc_mut(t)?))
            }
            fn borrow<'a, S: Shape>(
                gradients: &'a mut Gradients<Self, Cpu>,
                t: &Tensor<S, Self, Cpu>,
            ) -> Result<&'a mut [Self], CpuError> {
                Ok(gradients.get_or_alloc_mut(t)?)
            }
        }
    )*};
}
cpu_gradient!(f32, f64);

/// [`CpuGradient::take`].
pub(crate) fn take_gradient<S: Shape, E: Real>(
    gradients: &mut Gradients<E, Cpu>,
    t: &Tensor<S, E, Cpu>,
) -> Result<Vec<E>, CpuError> {
    E::take(gradients, t)
}

/// [`CpuGradient::borrow`].
pub(crate) fn gradient_mut<'a, S: Shape, E: Real>(
    gradients: &'a mut Gradients<E, Cpu>,
    t: &Tensor<S, E, Cpu>,
) -> Result<&'a mut [E], CpuError> {
    E::borrow(gradients, t)
}

thread_local! {
    static CONSTANTS: RefCell<Vec<UniqueId>> = const { RefCell::new(Vec::new()) };
}

/// Tensors that need no gradient: operations of this crate recorded inside [`Constants::scope`] skip
/// the work for them. (`dfdx` would compute the gradient of every input and parameter; its own
/// operations still do.)
#[derive(Default)]
pub struct Constants(UnusedTensors);

impl Constants {
    /// Adds one tensor.
    #[must_use]
    pub fn tensor<S: Shape, E: Dtype, D: Device<E>, T>(mut self, t: &Tensor<S, E, D, T>) -> Self {
        self.0.add(t);
        self
    }

    /// Adds all parameters of a module.
    #[must_use]
    pub fn parameters<E: Dtype, D: Device<E>, P: TensorCollection<E, D>>(mut self, p: &P) -> Self {
        let walked = P::iter_tensors(&mut RecursiveWalker { m: p, f: &mut self });
        debug_assert!(walked.is_ok(), "collecting names cannot fail");
        self
    }

    /// Runs `record` with these tensors held constant, in addition to those of enclosing scopes.
    pub fn scope<R>(self, record: impl FnOnce() -> R) -> R {
        struct Restore(usize);
        impl Drop for Restore {
            fn drop(&mut self) {
                CONSTANTS.with_borrow_mut(|all| all.truncate(self.0));
            }
        }
        let _restore = CONSTANTS.with_borrow_mut(|all| {
            let former = all.len();
            all.extend(self.0.ids);
            Restore(former)
        });
        record()
    }
}

impl<E: Dtype, D: Device<E>> TensorVisitor<E, D> for Constants {
    type Viewer = ViewTensorRef;
    type Err = D::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, D>,
        t: &Tensor<S, E, D>,
    ) -> Result<Option<Tensor<S, E, D>>, D::Err> {
        self.0.add(t);
        Ok(None)
    }
}

/// Whether a tensor was declared constant by an enclosing [`Constants::scope`].
pub(crate) fn is_constant<S: Shape, E: Dtype, D: Device<E>, T>(t: &Tensor<S, E, D, T>) -> bool {
    CONSTANTS.with_borrow(|all| {
        !all.is_empty() && {
            let mut one = UnusedTensors::default();
            one.add(t);
            all.contains(&one.ids[0])
        }
    })
}
