//! Sums and products of sizes in types.

use dfdx::prelude::*;

/// `A + B` as the size of an axis: the channels of what was concatenated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plus<const A: usize, const B: usize>;

impl<const A: usize, const B: usize> Dim for Plus<A, B> {
    fn size(&self) -> usize {
        A + B
    }
    fn from_size(size: usize) -> Option<Self> {
        (size == A + B).then_some(Self)
    }
}

impl<const A: usize, const B: usize> ConstDim for Plus<A, B> {
    const SIZE: usize = A + B;
}

/// `A · B` as the size of an axis: the numbers of `A` channels at `B` positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times<const A: usize, const B: usize>;

impl<const A: usize, const B: usize> Dim for Times<A, B> {
    fn size(&self) -> usize {
        A * B
    }
    fn from_size(size: usize) -> Option<Self> {
        (size == A * B).then_some(Self)
    }
}

impl<const A: usize, const B: usize> ConstDim for Times<A, B> {
    const SIZE: usize = A * B;
}
