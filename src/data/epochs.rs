//! Batches of indices that visit every sample once an epoch.

use rand::seq::SliceRandom;

use crate::error::{check_count, Error, Result};
use crate::random::Key;

/// What becomes of the samples that do not fill a batch at the end of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remainder {
    /// They are left out of this epoch; the next permutation leaves out others.
    #[default]
    Drop,
    /// They are a smaller batch.
    Keep,
}

/// Batches of indices below `n`, permuted anew in every epoch: an endless iterator. Batch `i` is a
/// function of the key and `i` alone, so that a resumed run sees what an uninterrupted one would have.
///
/// ```
/// use brenier::{data::{Epochs, Remainder}, random::Key};
/// let epochs = Epochs::new(5, 2, Key::new(0))?.with_remainder(Remainder::Keep);
/// let mut first: Vec<usize> = epochs.take(3).flatten().collect();
/// first.sort();
/// assert_eq!(first, [0, 1, 2, 3, 4]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Epochs {
    n: usize,
    batch: usize,
    key: Key,
    remainder: Remainder,
    next: u64,
    /// The permutation of an epoch, made when it is first needed.
    order: Option<(u64, Vec<usize>)>,
}

impl Epochs {
    /// Batches of `batch` of the indices below `n`, without the rest of an epoch.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] unless 1 ≤ `batch` ≤ `n`.
    pub fn new(n: usize, batch: usize, key: Key) -> Result<Self> {
        check_count("batch size", batch)?;
        if batch > n {
            let rule = "must not exceed the number of samples";
            return Err(Error::config("batch size", batch, rule));
        }
        Ok(Self { n, batch, key, remainder: Remainder::default(), next: 0, order: None })
    }

    /// Says what becomes of the rest of an epoch.
    #[must_use]
    pub fn with_remainder(self, remainder: Remainder) -> Self {
        Self { remainder, ..self }
    }

    /// Goes on from batch `index`.
    #[must_use]
    pub fn starting_at(self, index: u64) -> Self {
        Self { next: index, ..self }
    }

    /// Batches of one epoch.
    pub fn per_epoch(&self) -> usize {
        match self.remainder {
            Remainder::Drop => self.n / self.batch,
            Remainder::Keep => self.n.div_ceil(self.batch),
        }
    }

    /// Batch `index`.
    pub fn batch(&mut self, index: u64) -> Vec<usize> {
        let per_epoch = self.per_epoch() as u64;
        let (epoch, within) = (index / per_epoch, (index % per_epoch) as usize);
        let order = match self.order.take() {
            Some((of, order)) if of == epoch => order,
            _ => {
                let mut order: Vec<usize> = (0..self.n).collect();
                order.shuffle(&mut self.key.fold_in(epoch).rng());
                order
            }
        };
        let from = within * self.batch;
        let batch = order[from..(from + self.batch).min(self.n)].to_vec();
        self.order = Some((epoch, order));
        batch
    }
}

impl Iterator for Epochs {
    type Item = Vec<usize>;
    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch(self.next);
        self.next += 1;
        Some(batch)
    }
}
