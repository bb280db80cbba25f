//! Arrays of numbers on the host.

use super::number::Number;
use crate::error::{Error, Result};
use crate::tensor::{points, Points};

/// An array of numbers as a file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<E = f64> {
    /// Sizes of its axes; empty for a scalar.
    pub shape: Vec<usize>,
    /// Its numbers in row-major order.
    pub values: Vec<E>,
}

impl<E: Number> Array<E> {
    /// An array of a shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape has another number of elements.
    pub fn new(shape: Vec<usize>, values: Vec<E>) -> Result<Self> {
        if shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s)) != Some(values.len()) {
            let expected = format!("as many numbers as shape {shape:?} has");
            return Err(Error::shape("an array", expected, values.len()));
        }
        Ok(Self { shape, values })
    }

    /// Length of the first axis and the number of elements that belong to each of its entries; `(1, 1)`
    /// for a scalar.
    pub fn rows(&self) -> (usize, usize) {
        let n = self.shape.first().copied().unwrap_or(1);
        let d = self.shape.iter().skip(1).try_fold(1usize, |d, &s| d.checked_mul(s));
        // Only an array without numbers can have a shape that overflows.
        (n, d.unwrap_or(0))
    }

    /// Entry `i` of the first axis.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is none.
    pub fn row(&self, i: usize) -> Result<&[E]> {
        let (n, d) = self.rows();
        let missing = || Error::shape("row of an array", format!("an index below {n}"), i);
        if i >= n {
            return Err(missing());
        }
        self.values.get(i * d..(i + 1) * d).ok_or_else(missing)
    }

    /// The entries of the first axis with the given indices, in this order, repetitions allowed.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is missing.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let mut shape = self.shape.clone();
        match shape.first_mut() {
            Some(first) => *first = indices.len(),
            None => return Err(Error::shape("array to select from", "at least one axis", "none")),
        }
        let mut values = Vec::with_capacity(indices.len() * self.rows().1);
        for &i in indices {
            values.extend_from_slice(self.row(i)?);
        }
        Ok(Self { shape, values })
    }
}

impl Array<f32> {
    /// The entries of the first axis as points: `[n, …]` with `N` numbers each becomes `[n, N]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if they have another number of elements, [`Error::NonFinite`] if one of these is
    /// NaN or infinite.
    ///
    /// ```
    /// use brenier::data::Array;
    /// let x = Array::new(vec![2, 3], vec![0f32, 1.0, 2.0, 3.0, 4.0, 5.0])?;
    /// let points = x.points::<3>()?;
    /// assert_eq!(brenier::tensor::rows(&points)[3..], [3.0, 4.0, 5.0]);
    /// assert!(x.points::<2>().is_err());
    /// # Ok::<(), brenier::Error>(())
    /// ```
    pub fn points<const N: usize>(&self) -> Result<Points<N>> {
        let (_, d) = self.rows();
        if d != N {
            let expected = format!("{N} numbers a row");
            return Err(Error::shape(format!("array of shape {:?}", self.shape), expected, d));
        }
        points(self.values.clone())
    }
}
