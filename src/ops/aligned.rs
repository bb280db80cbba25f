//! Buffers whose numbers start on a cache line, so that no register is loaded from two.

use std::ops::{Deref, DerefMut};

use super::{Real, Scratch};

const LINE: usize = 64;

/// A [`Scratch`] buffer that starts on a cache line: its contents are arbitrary at first.
pub(crate) struct Aligned<E: Real> {
    numbers: Scratch<E>,
    start: usize,
    len: usize,
}

impl<E: Real> Aligned<E> {
    pub(crate) fn new(len: usize) -> Self {
        let spare = LINE / size_of::<E>();
        let numbers = Scratch::<E>::new(len + spare);
        // `align_offset` may decline to answer; alignment is for speed only.
        let start = numbers.as_ptr().align_offset(LINE).min(spare);
        Self { numbers, start, len }
    }
}

impl<E: Real> Deref for Aligned<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        &self.numbers[self.start..self.start + self.len]
    }
}

impl<E: Real> DerefMut for Aligned<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.numbers[self.start..self.start + self.len]
    }
}
