//! The vocabulary: what a sample, a value and a scalar are as tensors.

use dfdx::prelude::*;

use crate::error::{Error, Result};
use crate::ops::Real;

/// The tape that records a computation for its backward pass.
pub type Taped<E = f32, D = Cpu> = OwnedTape<E, D>;

/// `n` points of dimension `N`: shape `[n, N]`, one point a row. Whatever the data is (embedding,
/// cell, image, voxels), an estimator sees this.
pub type Points<const N: usize, E = f32, D = Cpu, T = NoneTape> =
    Tensor<(usize, Const<N>), E, D, T>;

/// One number for each of `n` points: shape `[n]`.
pub type Values<E = f32, D = Cpu, T = NoneTape> = Tensor<(usize,), E, D, T>;

/// A single number.
pub type Scalar<E = f32, D = Cpu, T = NoneTape> = Tensor<Rank0, E, D, T>;

/// Points from their coordinates, row by row.
///
/// # Errors
/// [`Error::Shape`] if `rows` is empty or its length is no multiple of `N`; [`Error::NonFinite`] if
/// a coordinate is NaN or infinite (the message names the row).
///
/// ```
/// use brenier::tensor::{points, rows};
/// let x = points::<2>(vec![0.0, 1.0, 2.0, 3.0])?;
/// assert_eq!(x.shape().0, 2);
/// assert_eq!(rows(&x), [0.0, 1.0, 2.0, 3.0]);
/// assert!(points::<2>(vec![f32::NAN, 0.0]).is_err());
/// # use dfdx::prelude::HasShape;
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn points<const N: usize>(rows: Vec<f32>) -> Result<Points<N>> {
    points_on(&Cpu::default(), rows)
}

/// [`points`] of any number type on any device.
///
/// # Errors
/// As [`points`].
pub fn points_on<const N: usize, E: Real, D: Device<E>>(
    device: &D,
    rows: Vec<E>,
) -> Result<Points<N, E, D>> {
    if N == 0 || rows.is_empty() || !rows.len().is_multiple_of(N) {
        let expected = format!("a positive multiple of {N} numbers (one row per point)");
        return Err(Error::shape("points", expected, format!("{} numbers", rows.len())));
    }
    if let Some(i) = rows.iter().position(|v| !v.is_finite()) {
        return Err(Error::NonFinite {
            what: format!("coordinate {} of point {}", i % N, i / N),
            value: rows[i].double(),
            step: None,
            remedy: "clean the data before making points of it",
        });
    }
    let n = rows.len() / N;
    Ok(device.tensor_from_vec(rows, (n, Const)))
}

/// One number for each point.
///
/// # Errors
/// [`Error::Shape`] if there is none, [`Error::NonFinite`] if one is NaN or infinite.
pub fn values(numbers: Vec<f32>) -> Result<Values> {
    if numbers.is_empty() {
        return Err(Error::shape("values", "at least one number", 0));
    }
    if let Some(i) = numbers.iter().position(|v| !v.is_finite()) {
        return Err(Error::NonFinite {
            what: format!("number {i} of the values"),
            value: numbers[i].into(),
            step: None,
            remedy: "clean the data before making values of it",
        });
    }
    let n = numbers.len();
    Ok(Cpu::default().tensor_from_vec(numbers, (n,)))
}

/// The numbers of a tensor in row-major order.
pub fn rows<S: Shape, E: Dtype, D: Device<E>>(x: &Tensor<S, E, D>) -> Vec<E> {
    let x = x.clone().contiguous();
    let mut out = vec![E::default(); x.shape().num_elements()];
    x.copy_into(&mut out);
    out
}
