//! The parameters of a module by name: read, replace, count.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::ops::{Engine, Real};
use crate::random::Key;

/// One named array.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedArray<E> {
    /// Path of the parameter in its module, such as `hidden.0.weight`.
    pub name: String,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order.
    pub values: Vec<E>,
}

/// A module with freshly initialised parameters; equal keys give equal parameters.
///
/// ```
/// use brenier::{function::{build, Mlp}, random::Key};
/// let potential: Mlp<2, 64, 2, 1> = build(Key::new(0));
/// ```
pub fn build<P, E: Real, D: Engine<E>>(key: Key) -> P
where
    P: BuildModule<D, E>,
{
    P::build(&D::seeded(key.seed()))
}

/// All arrays of a module, trainable or not, in visiting order.
pub fn arrays<P: TensorCollection<E, D>, E: Real, D: Device<E>>(p: &P) -> Vec<NamedArray<E>> {
    let mut out = Vec::new();
    let walked =
        P::iter_tensors(&mut RecursiveWalker { m: (p, String::new()), f: &mut Collect(&mut out) });
    walked.expect("memory for a copy of the parameters");
    out
}

/// Replaces all arrays of a module by those of the same names.
///
/// # Errors
/// A sentence for each array that is missing or of another shape; then nothing was replaced.
pub fn replace<P: TensorCollection<E, D>, E: Real, D: Device<E>>(
    p: &mut P,
    with: &[NamedArray<E>],
) -> std::result::Result<(), Vec<String>> {
    let wanted = arrays(p);
    let mut problems = Vec::new();
    for w in &wanted {
        match with.iter().find(|a| a.name == w.name) {
            None => problems.push(format!("{} is missing", w.name)),
            Some(a) if a.shape != w.shape || a.values.len() != w.values.len() => problems.push(
                format!("{} has shape {:?}, the module wants {:?}", a.name, a.shape, w.shape),
            ),
            Some(_) => {}
        }
    }
    for a in with.iter().filter(|a| wanted.iter().all(|w| w.name != a.name)) {
        problems.push(format!("{} is unknown to the module", a.name));
    }
    if problems.is_empty() {
        let walked =
            P::iter_tensors(&mut RecursiveWalker { m: (p, String::new()), f: &mut Replace(with) });
        walked.expect("memory for the parameters");
        Ok(())
    } else {
        Err(problems)
    }
}

/// Refuses a module with a NaN or an infinite parameter, by name.
pub(crate) fn check_finite<P: TensorCollection<E, D>, E: Real, D: Device<E>>(p: &P) -> Result<()> {
    for array in arrays(p) {
        if let Some(v) = array.values.iter().find(|v| !v.is_finite()) {
            return Err(Error::NonFinite {
                what: format!("parameter {}", array.name),
                value: v.double(),
                step: None,
                remedy: "build the network anew or load a checkpoint from before it diverged",
            });
        }
    }
    Ok(())
}

struct Collect<'a, E>(&'a mut Vec<NamedArray<E>>);
impl<E: Real, D: Device<E>> TensorVisitor<E, D> for Collect<'_, E> {
    type Viewer = (ViewTensorRef, ViewTensorName);
    type Err = D::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, D>,
        (t, name): (&Tensor<S, E, D>, String),
    ) -> std::result::Result<Option<Tensor<S, E, D>>, D::Err> {
        let shape = t.shape().concrete().into_iter().collect();
        self.0.push(NamedArray { name, shape, values: t.as_vec() });
        Ok(None)
    }
}

struct Replace<'a, E>(&'a [NamedArray<E>]);
impl<E: Real, D: Device<E>> TensorVisitor<E, D> for Replace<'_, E> {
    type Viewer = (ViewTensorMut, ViewTensorName);
    type Err = D::Err;
    type E2 = E;
    type D2 = D;
    fn visit<S: Shape>(
        &mut self,
        _: TensorOptions<S, E, D>,
        (t, name): (&mut Tensor<S, E, D>, String),
    ) -> std::result::Result<Option<Tensor<S, E, D>>, D::Err> {
        if let Some(array) = self.0.iter().find(|a| a.name == name) {
            t.copy_from(&array.values);
        }
        Ok(None)
    }
}
