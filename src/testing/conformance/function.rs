//! The laws of potentials and maps.

use dfdx::prelude::*;

use super::{relative, Broken, Laws};
use crate::function::{InputGradient, Potential, TransportMap};
use crate::random::Key;
use crate::tensor::{rows, Points};
use crate::testing::check_input_gradient;

/// Points of a check: more than a chunk of the networks here.
const COUNT: usize = 300;

/// Rounding of a few thousand operations in double precision.
const ROUNDING: f64 = 1e-12;

fn cloud<const N: usize>() -> Points<N, f64> {
    let values = Key::new(31).normal(COUNT * N).into_iter().map(f64::from).collect();
    Cpu::default().tensor_from_vec(values, (COUNT, Const))
}

/// The rows from the last to the first, each of `width` numbers.
fn backwards(values: &[f64], width: usize) -> Vec<f64> {
    values.chunks(width).rev().flatten().copied().collect()
}

fn double(values: Vec<f64>, width: usize) -> Vec<Vec<f64>> {
    values.chunks(width).map(<[f64]>::to_vec).collect()
}

/// The laws of a potential, in double precision: the order of a batch does not matter, a point alone
/// has the value that it has in a batch, recorded values are the values, and their gradient in the
/// points is that of differences.
///
/// # Errors
/// A sentence for every law that is broken.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::testing::check_potential;
/// let f: Mlp<3, 8, 1, 1, Softplus, f64> = build(Key::new(0));
/// assert_eq!(check_potential::<3, _>(&f), Ok(()));
/// ```
pub fn check_potential<const N: usize, F: Potential<N, f64>>(f: &F) -> Result<(), Broken> {
    let mut laws = Laws::default();
    let x = cloud::<N>();
    let values = rows(&f.forward(x.clone()));
    laws.holds(values.len() == COUNT, || format!("{} values of {COUNT} points", values.len()));
    same_alone::<N>(&mut laws, &x, &values, 1, |x| rows(&f.forward(x)));
    let recorded = f.forward(x.leaky_trace()).as_vec();
    laws.holds(recorded == values, || "recorded values are not the values".into());
    let few: Points<N, f64> = x.device().tensor_from_vec(rows(&x)[..5 * N].to_vec(), (5, Const));
    let error = check_input_gradient(&few, |x| f.forward(x).sum());
    laws.holds(error.relative < 1e-7, || {
        format!("the gradient in the points is not that of differences: {error:?}")
    });
    laws.end()
}

/// The laws of an input gradient, in double precision: ∇f is what the tape of f gives, recorded or
/// not; `slopes` gives the same values and gradients; and the gradient of a loss on ∇f in the points
/// is that of differences.
///
/// # Errors
/// A sentence for every law that is broken.
pub fn check_input_gradient_of<const N: usize, F>(f: &F) -> Result<(), Broken>
where
    F: InputGradient<N, f64>,
{
    let mut laws = Laws::default();
    let x = cloud::<N>();
    let gradient = rows(&f.input_gradient(x.clone()));
    let tape = f.forward(x.leaky_trace()).sum().backward().get(&x).as_vec();
    let error = relative(&gradient, &tape);
    laws.holds(error < ROUNDING, || format!("∇f is off that of the tape by {error:e}"));
    let recorded = f.input_gradient(x.leaky_trace()).as_vec();
    laws.holds(recorded == gradient, || "recorded gradients are not the gradients".into());
    let (values, slopes) = f.slopes()(&rows(&x));
    let error = relative(&values, &rows(&f.forward(x.clone())));
    laws.holds(error < ROUNDING, || format!("values of `slopes` are off by {error:e}"));
    let error = relative(&slopes, &gradient);
    laws.holds(error < ROUNDING, || format!("gradients of `slopes` are off by {error:e}"));
    let few: Points<N, f64> = x.device().tensor_from_vec(rows(&x)[..5 * N].to_vec(), (5, Const));
    let error = check_input_gradient(&few, |x| f.input_gradient(x).square().sum());
    laws.holds(error.relative < 1e-7, || {
        format!("the gradient of a loss on ∇f is not that of differences: {error:?}")
    });
    laws.end()
}

/// The laws of a map, in double precision: the image of a point does not depend on the other points or
/// on their order, recorded images are the images, and there is one for each point.
///
/// # Errors
/// A sentence for every law that is broken.
pub fn check_map<const N: usize, T: TransportMap<N, f64>>(map: &T) -> Result<(), Broken> {
    let mut laws = Laws::default();
    let x = cloud::<N>();
    let images = rows(&map.forward(x.clone()));
    laws.holds(images.len() == COUNT * N, || format!("{} coordinates of images", images.len()));
    same_alone::<N>(&mut laws, &x, &images, N, |x| rows(&map.forward(x)));
    let recorded = map.forward(x.leaky_trace()).as_vec();
    laws.holds(recorded == images, || "recorded images are not the images".into());
    laws.end()
}

/// What a point gives, `width` numbers, does not depend on the other points of a batch.
fn same_alone<const N: usize>(
    laws: &mut Laws,
    x: &Points<N, f64>,
    all: &[f64],
    width: usize,
    of: impl Fn(Points<N, f64>) -> Vec<f64>,
) {
    let device = x.device();
    let turned = of(device.tensor_from_vec(backwards(&rows(x), N), (COUNT, Const)));
    let error = relative(&backwards(&turned, width), all);
    laws.holds(error < ROUNDING, || format!("the order of a batch matters by {error:e}"));
    for (i, point) in double(rows(x), N).into_iter().enumerate().step_by(97) {
        let alone = of(device.tensor_from_vec(point, (1, Const)));
        let here = all.get(i * width..(i + 1) * width).unwrap_or(&[]);
        let error = relative(&alone, here);
        laws.holds(error < ROUNDING, || format!("point {i} alone is off by {error:e}"));
    }
}
