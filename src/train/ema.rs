//! A running average of the map.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::function::Learner;
use crate::ops::{Engine, Real};
use crate::random::Key;

use super::run::Step;
use crate::function::{Persist, Record};
use crate::neural::{Mapped, Slowed, State};

/// A state together with the exponential moving average of its map's parameters.
#[derive(Clone, Debug)]
pub struct Averaged<S, T> {
    /// The state that is trained.
    pub state: S,
    /// The averaged map.
    pub average: T,
}

impl<S, T: Clone> Averaged<S, T> {
    /// The average before the first step: the map itself.
    pub fn new<E: Real, D: Engine<E>>(state: S) -> Self
    where
        S: Mapped<Map = Learner<T, E, D>>,
        T: TensorCollection<E, D>,
    {
        let average = state.map().params().clone();
        Self { state, average }
    }
}

/// A step that also averages: ā ← d ā + (1 − d) θ with d = min(`decay`, (1 + k) / (10 + k)) at step k,
/// so that the start is forgotten. `decay` is in [0, 1). Running statistics of batch norms, which are averages
/// already, are those of the map.
///
/// # Errors
/// [`Error::InvalidConfig`] if `decay` is outside its range.
pub fn with_ema<S, T, E, D, B, St>(
    decay: f64,
    step: St,
) -> Result<impl Step<Averaged<S, T>, B, Metrics = St::Metrics>>
where
    S: State + Mapped<Map = Learner<T, E, D>>,
    T: TensorCollection<E, D>,
    E: Real,
    D: Engine<E>,
    St: Step<S, B>,
{
    if !(0.0..1.0).contains(&decay) {
        return Err(Error::config("decay of the average", decay, "must be in [0, 1)"));
    }
    Ok(move |averaged: Averaged<S, T>, batch: &B, key: Key| {
        let Averaged { state, mut average } = averaged;
        let k = state.step() as f64;
        let (state, metrics) = step.step(state, batch, key)?;
        let mut averaging = Averaging { decay: decay.min((1.0 + k) / (10.0 + k)) };
        let both = (&mut average, state.map().params());
        let walked = T::iter_tensors(&mut RecursiveWalker { m: both, f: &mut averaging });
        walked.expect("memory for the parameters");
        Ok((Averaged { state, average }, metrics))
    })
}

struct Averaging {
    decay: f64,
}

impl<E: Real, D: Engine<E>> TensorVisitor<E, D> for Averaging {
    type Viewer = (ViewTensorMut, ViewTensorRef);
    type Err = <D as HasErr>::Err;
    type E2 = E;
    type D2 = D;
    fn visit<Sh: Shape>(
        &mut self,
        options: TensorOptions<Sh, E, D>,
        (average, now): (&mut Tensor<Sh, E, D>, &Tensor<Sh, E, D>),
    ) -> std::result::Result<Option<Tensor<Sh, E, D>>, Self::Err> {
        if options.do_gradient_update {
            average.try_axpy(self.decay, now, 1.0 - self.decay)?;
        } else {
            average.clone_from(now);
        }
        Ok(None)
    }
}

impl<S: State, T> State for Averaged<S, T> {
    fn step(&self) -> u64 {
        self.state.step()
    }
}

impl<S: Slowed, T> Slowed for Averaged<S, T> {
    fn slow_down(&mut self, factor: f64) {
        self.state.slow_down(factor);
    }
}

impl<S, T, E: Real, D: Engine<E>> Persist for Averaged<S, T>
where
    S: Persist + Mapped<Map = Learner<T, E, D>>,
    T: TensorCollection<E, D>,
{
    fn save(&self, record: &mut Record, path: &str) {
        self.state.save(record, path);
        record.put_module(&format!("{path}average."), &self.average);
    }
    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        self.state.load(record, path, problems);
        record.take_module(&format!("{path}average."), &mut self.average, problems);
    }
}
