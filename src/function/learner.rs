//! Parameters together with the optimiser that moves them.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dfdx::nn::tensor_collection::*;
use dfdx::optim::UnusedTensors;
use dfdx::prelude::*;

use super::adam::{AdamConfig, Clip, Decay};
use super::parameters::check_finite;
use super::visitors::{walk, Norm, Running, Step};
use crate::error::{Error, Result};
use crate::ops::{AdamUpdate, Constants, Engine, Moments, Real, Tap};
use crate::tensor::{Points, Scalar, Taped};

/// Parameters `P` with Adam: the only mutable thing in an estimator.
///
/// A clone is independent of the original (its parameters are copied when either moves).
#[derive(Clone, Debug)]
pub struct Learner<P, E: Real = f32, D: Engine<E> = Cpu> {
    params: P,
    device: PhantomData<D>,
    adam: AdamConfig,
    updates: u64,
    moments: Vec<Moments<E>>,
    projection: Option<fn(&mut P)>,
    spare: Spare<E, D>,
}

/// Gradient buffers of the parameters, all zero, kept from one update for the next. No part of the
/// state: a clone starts without.
#[derive(Debug)]
struct Spare<E: Real, D: Engine<E>>(Mutex<Option<Gradients<E, D>>>);

impl<E: Real, D: Engine<E>> Spare<E, D> {
    fn none() -> Self {
        Self(Mutex::new(None))
    }
    fn slot(&self) -> MutexGuard<'_, Option<Gradients<E, D>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Real, D: Engine<E>> Clone for Spare<E, D> {
    fn clone(&self) -> Self {
        Self::none()
    }
}

/// What an update can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// The loss before the update.
    pub loss: f64,
    /// Euclidean norm of its gradient, before clipping.
    pub gradient_norm: f64,
}

impl<P: TensorCollection<E, D>, E: Real, D: Engine<E>> Learner<P, E, D> {
    /// Parameters with fresh moments.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if a field of `adam` is out of range, [`Error::NonFinite`] if a
    /// parameter is NaN or infinite.
    pub fn new(params: P, adam: AdamConfig) -> Result<Self> {
        adam.check()?;
        check_finite(&params)?;
        let (device, spare) = (PhantomData, Spare::none());
        let (moments, projection) = (Vec::new(), None);
        Ok(Self { params, device, adam, updates: 0, moments, projection, spare })
    }

    /// The same, with `projection` applied to the parameters now and after each update: it keeps a
    /// network convex, say ([`DenseIcnn::make_convex`](crate::function::DenseIcnn::make_convex)). It is
    /// code and not saved with the state. It changes numbers in place and replaces no tensor.
    ///
    /// ```
    /// use brenier::prelude::*;
    /// type Psi = DenseIcnn<2, 16, 0, 8>;
    /// let learner = Learner::<Psi>::new(build(Key::new(0)), AdamConfig::default())?;
    /// let learner = learner.projected(Psi::make_convex);
    /// assert!(rows(&learner.params().head).iter().all(|w| *w >= 0.0));
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn projected(mut self, projection: fn(&mut P)) -> Self {
        projection(&mut self.params);
        self.projection = Some(projection);
        self
    }

    /// The same with the learning rate multiplied by `factor`, from now on.
    pub fn scale_rate(&mut self, factor: f64) {
        self.adam.rate *= factor;
    }

    /// The parameters.
    pub fn params(&self) -> &P {
        &self.params
    }

    /// Updates made so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The optimiser's configuration.
    pub fn adam(&self) -> &AdamConfig {
        &self.adam
    }

    /// The moments, in the order of the trainable parameters; empty before the first update.
    pub fn moments(&self) -> &[Moments<E>] {
        &self.moments
    }

    /// Restores what [`updates`](Self::updates) and [`moments`](Self::moments) gave; `params` are
    /// replaced through [`params_mut`](Self::params_mut).
    pub(crate) fn restore(&mut self, updates: u64, moments: Vec<Moments<E>>) {
        (self.updates, self.moments) = (updates, moments);
    }

    /// The parameters, to project or replace them.
    pub fn params_mut(&mut self) -> &mut P {
        // Replaced tensors have new identities, under which the kept buffers would not be found.
        self.spare = Spare::none();
        &mut self.params
    }

    /// The module at data `x`, recorded for a gradient in its parameters; `x` is constant.
    pub fn traced<const N: usize, Y>(&self, x: &Points<N, E, D>) -> Y
    where
        P: Module<Points<N, E, D, Taped<E, D>>, Output = Y>,
    {
        self.traced_by(x, |params, x| params.forward(x))
    }

    /// A function of the parameters at data `x`, such as an input gradient, recorded for a gradient in
    /// the parameters; `x` is constant.
    pub fn traced_by<const N: usize, Y>(
        &self,
        x: &Points<N, E, D>,
        record: impl FnOnce(&P, Points<N, E, D, Taped<E, D>>) -> Y,
    ) -> Y {
        let x = x.clone();
        let gradients = self.gradients();
        Constants::default().tensor(&x).scope(|| record(&self.params, x.traced(gradients)))
    }

    /// Gradients of the parameters, all zero.
    fn gradients(&self) -> Gradients<E, D> {
        let kept = self.spare.slot().take();
        kept.unwrap_or_else(|| {
            let mut gradients = self.params.alloc_grads();
            // What a network leaves for its running statistics outlives the backward pass too.
            let mut running = Running(UnusedTensors::default());
            walk(P::iter_tensors(&mut RecursiveWalker { m: &self.params, f: &mut running }));
            gradients.retain_leafs(&running.0.ids);
            gradients
        })
    }

    /// The module at data `x`, recorded for a gradient in its parameters, and a place where the
    /// backward pass leaves the gradient in `x`.
    pub fn traced_and_tapped<const N: usize, Y>(&self, x: &Points<N, E, D>) -> (Y, Tap<E>)
    where
        P: Module<Points<N, E, D, Taped<E, D>>, Output = Y>,
    {
        let (x, tap) = D::tapped(x.clone().traced(self.gradients()));
        (self.params.forward(x), tap)
    }

    /// The module at `y`, recorded for a gradient in `y`; the parameters are constant.
    pub fn frozen<const N: usize, Y>(&self, y: Points<N, E, D, Taped<E, D>>) -> Y
    where
        P: Module<Points<N, E, D, Taped<E, D>>, Output = Y>,
    {
        self.frozen_by(y, |params, y| params.forward(y))
    }

    /// A function of the parameters at `y`, recorded for a gradient in `y`; the parameters are constant.
    pub fn frozen_by<const N: usize, Y>(
        &self,
        y: Points<N, E, D, Taped<E, D>>,
        record: impl FnOnce(&P, Points<N, E, D, Taped<E, D>>) -> Y,
    ) -> Y {
        Constants::default().parameters(&self.params).scope(|| record(&self.params, y))
    }

    /// One update down the gradient of `loss`, which must come from [`traced`](Self::traced).
    ///
    /// # Errors
    /// [`Error::NonFinite`] if the loss or its gradient is; then nothing was changed.
    pub fn descend(&mut self, loss: Scalar<E, D, Taped<E, D>>) -> Result<Descent> {
        let value = loss.as_vec()[0].double();
        finite("loss", value)?;
        let mut gradients = loss.backward();
        let mut norm = Norm { gradients: &mut gradients, sum: 0.0 };
        walk(P::iter_tensors(&mut RecursiveWalker { m: &self.params, f: &mut norm }));
        let gradient_norm = norm.sum.sqrt();
        finite("gradient norm", gradient_norm)?;

        let scale = match self.adam.clip {
            Clip::None => 1.0,
            // PyTorch's guard against a zero norm.
            Clip::Norm(largest) => (largest / (gradient_norm + 1e-6)).min(1.0),
        };
        let (coupled_decay, decoupled_decay) = match self.adam.decay {
            Decay::None => (0.0, 0.0),
            Decay::Coupled(l) => (l, 0.0),
            Decay::Decoupled(l) => (0.0, l),
        };
        let update = AdamUpdate {
            rate: self.adam.rate * self.adam.schedule.factor(self.updates),
            beta1: self.adam.betas.0,
            beta2: self.adam.betas.1,
            epsilon: self.adam.epsilon,
            count: self.updates + 1,
            coupled_decay,
            decoupled_decay,
            scale,
        };
        let moments = &mut self.moments;
        let mut step = Step { gradients: &mut gradients, moments, index: 0, update };
        walk(P::iter_tensors(&mut RecursiveWalker { m: &mut self.params, f: &mut step }));
        *self.spare.slot() = Some(gradients);
        if let Some(project) = self.projection {
            project(&mut self.params);
        }
        self.updates += 1;
        Ok(Descent { loss: value, gradient_norm })
    }
}

fn finite(what: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::NonFinite {
        what: what.into(),
        value,
        step: None,
        remedy: "lower the learning rate, clip the gradient, or look for outliers in the batch",
    })
}
