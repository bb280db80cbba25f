//! Gradients of the tape against central finite differences, in double precision.

use dfdx::nn::tensor_collection::*;
use dfdx::prelude::*;

use crate::function::{arrays, replace, NamedArray};
use crate::tensor::{Scalar, Taped};

/// The step h of the differences (L(θ + h) − L(θ − h)) / 2h.
///
/// The difference is off by h²/6 · L''' ≈ 2e-11 · L''' through truncation and by about
/// 2⁻⁵³ |L| / h ≈ 1e-11 · |L| through rounding. If L, L''' and the gradient are of the order of one
/// to ten, a right gradient shows a relative error of 1e-11 to 1e-9, and a wrong one shows its own.
/// Within h of a kink (of a ReLU, say) a difference averages the slopes of the two sides.
pub const STEP: f64 = 1e-5;

/// Share of the largest entry of the whole gradient that counts as the scale of an array with
/// smaller entries: the rounding error of a difference does not shrink with the entry.
const FLOOR: f64 = 1e-3;

/// How far a gradient of the tape is from differences of the loss, where it is farthest.
#[derive(Clone, Debug, PartialEq)]
pub struct GradientError {
    /// |tape − difference|, divided by the largest entry of the same array (at least a thousandth of
    /// the largest entry of all); infinite if one of them is NaN.
    pub relative: f64,
    /// The entry, such as `hidden.0.weight[3]`.
    pub entry: String,
    /// The gradient of the tape at this entry.
    pub tape: f64,
    /// The difference at this entry.
    pub difference: f64,
}

/// The gradient of `loss` in `x` against differences.
///
/// `loss` is recorded twice for each number of `x`; it must be a function of `x` alone.
///
/// ```
/// use brenier::testing::check_input_gradient;
/// use dfdx::prelude::*;
/// let x = Cpu::default().tensor([0.5, -1.0, 2.0]);
/// assert!(check_input_gradient(&x, |x| x.sin().sum()).relative < 1e-9);
/// // Σx² with a factor x that the tape does not see, which is half of the gradient.
/// let halved = check_input_gradient(&x, |x| {
///     let unseen = x.retaped::<NoneTape>() + 0.0;
///     (x * unseen).sum()
/// });
/// assert!((halved.relative - 0.5).abs() < 1e-9);
/// ```
pub fn check_input_gradient<S: Shape>(
    x: &Tensor<S, f64, Cpu>,
    loss: impl Fn(Tensor<S, f64, Cpu, Taped<f64>>) -> Scalar<f64, Cpu, Taped<f64>>,
) -> GradientError {
    let x = x.clone().contiguous();
    let mut gradients = Gradients::leaky();
    gradients.try_alloc_for(&x).expect("memory for a gradient");
    let tape = loss(x.trace(gradients)).backward().get(&x).as_vec();
    let mut values = x.as_vec();
    let difference = differences(values.len(), |i, by| {
        let former = values[i];
        values[i] += by;
        let mut moved = x.clone();
        moved.copy_from(&values);
        values[i] = former;
        loss(moved.leaky_traced()).array()
    });
    worst(&[Compared { name: "x".into(), tape, difference }])
}

/// The gradient of `loss` in all trainable parameters of `module` against differences.
///
/// `loss` is recorded twice for each parameter, from the gradients it is given.
///
/// ```
/// use brenier::{function::{build, Mlp}, ops::Silu, random::Key, testing::check_parameter_gradient};
/// use dfdx::prelude::*;
/// let net: Mlp<2, 3, 1, 1, Silu, f64> = build(Key::new(0));
/// let x = Cpu::default().tensor([[0.5, -1.0], [2.0, 0.0]]).realize::<(usize, Const<2>)>();
/// let error = check_parameter_gradient(&net, |net, gradients| {
///     net.forward(x.trace(gradients)).square().mean()
/// });
/// assert!(error.relative < 1e-8, "{error:?}");
/// ```
pub fn check_parameter_gradient<P: TensorCollection<f64, Cpu> + Clone>(
    module: &P,
    loss: impl Fn(&P, Gradients<f64, Cpu>) -> Scalar<f64, Cpu, Taped<f64>>,
) -> GradientError {
    let gradients = loss(module, module.alloc_grads()).backward();
    let mut trainable = Vec::new();
    P::iter_tensors(&mut RecursiveWalker {
        m: (module, String::new()),
        f: &mut Collect { gradients: &gradients, into: &mut trainable },
    })
    .expect("memory for the gradients");

    let mut moved = module.clone();
    let mut values = arrays(module);
    let compared = trainable.into_iter().map(|gradient| {
        let at = values.iter().position(|a| a.name == gradient.name).expect("names are unique");
        let difference = differences(gradient.values.len(), |i, by| {
            let former = values[at].values[i];
            values[at].values[i] += by;
            replace(&mut moved, &values).expect("the arrays are those of the module");
            values[at].values[i] = former;
            loss(&moved, moved.alloc_grads()).array()
        });
        Compared { name: gradient.name, tape: gradient.values, difference }
    });
    worst(&compared.collect::<Vec<_>>())
}

/// (L(θᵢ + h) − L(θᵢ − h)) / 2h for i = 0 … n − 1, where `moved(i, s)` is L(θᵢ + s).
fn differences(n: usize, mut moved: impl FnMut(usize, f64) -> f64) -> Vec<f64> {
    (0..n).map(|i| (moved(i, STEP) - moved(i, -STEP)) / (2.0 * STEP)).collect()
}

struct Compared {
    name: String,
    tape: Vec<f64>,
    difference: Vec<f64>,
}

impl Compared {
    fn largest(&self) -> f64 {
        self.tape.iter().chain(&self.difference).fold(0.0, |m, v| v.abs().max(m))
    }
}

fn worst(all: &[Compared]) -> GradientError {
    let floor = FLOOR * all.iter().map(Compared::largest).fold(0.0, f64::max);
    let mut worst =
        GradientError { relative: 0.0, entry: String::new(), tape: 0.0, difference: 0.0 };
    for array in all {
        let scale = array.largest().max(floor);
        for (i, (&tape, &difference)) in array.tape.iter().zip(&array.difference).enumerate() {
            let relative = match (tape - difference).abs() {
                0.0 => 0.0,
                error if error.is_nan() => f64::INFINITY,
                error => error / scale,
            };
            if worst.entry.is_empty() || relative > worst.relative {
                let entry = format!("{}[{i}]", array.name);
                worst = GradientError { relative, entry, tape, difference };
            }
        }
    }
    worst
}

struct Collect<'a> {
    gradients: &'a Gradients<f64, Cpu>,
    into: &'a mut Vec<NamedArray<f64>>,
}

impl TensorVisitor<f64, Cpu> for Collect<'_> {
    type Viewer = (ViewTensorRef, ViewTensorName);
    type Err = CpuError;
    type E2 = f64;
    type D2 = Cpu;
    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, f64, Cpu>,
        (t, name): (&Tensor<S, f64, Cpu>, String),
    ) -> Result<Option<Tensor<S, f64, Cpu>>, CpuError> {
        if options.do_gradient_update {
            let shape = t.shape().concrete().into_iter().collect();
            self.into.push(NamedArray { name, shape, values: self.gradients.get(t).as_vec() });
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::build;
    use crate::random::Key;
    use dfdx::nn::modules::Linear;

    #[test]
    fn a_wrong_parameter_gradient_is_named() {
        let net: Linear<2, 2, f64, Cpu> = build(Key::new(0));
        let x = Cpu::default().tensor([[1.0, -2.0]]);
        let right = check_parameter_gradient(&net, |net, g| net.forward(x.trace(g)).exp().sum());
        assert!(right.relative < 1e-8, "{right:?}");
        // The bias enters once more, past the tape.
        let wrong = check_parameter_gradient(&net, |net, g| {
            let b = Cpu::default().tensor([net.bias.as_vec()[0], 0.0]);
            (net.forward(x.trace(g)).exp() + b.broadcast()).sum()
        });
        assert_eq!(wrong.entry, "bias[0]");
        assert!((wrong.difference - wrong.tape - 1.0).abs() < 1e-8, "{wrong:?}");
    }

    #[test]
    fn nan_is_never_close() {
        let x = Cpu::default().tensor([0.0]);
        // The slope of the root at 0 is infinite, times 0.
        let error = check_input_gradient(&x, |x| (x * 0.0).sqrt().sum());
        assert_eq!(error.relative, f64::INFINITY);
    }
}
