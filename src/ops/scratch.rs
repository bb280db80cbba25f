//! Buffers that are kept when dropped, so that steps allocate nothing once warm.
//!
//! One pool for all threads: a pass fills buffers on the threads that share its rows, and they are
//! dropped on the thread that recorded it. Taking one is a lock and a short search.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::Real;

/// Buffers kept of each number type; more are freed.
const KEPT: usize = 256;
/// Numbers of the largest buffer that is kept: more is given back to the system.
const LARGEST: usize = 1 << 24;

type Pool = BTreeMap<TypeId, Vec<Box<dyn Any + Send>>>;
static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(|| {
    keep_freed_memory();
    Mutex::new(Pool::new())
});

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `dfdx` allocates comes and goes with every step. glibc gives freed memory back to the system from
/// a bound on, so that each step would fault its pages in anew; the bound becomes twice the largest block
/// below 32 MiB that was ever freed. This one is never touched; other allocators see nothing unusual.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
}

/// A buffer of numbers with arbitrary contents, returned to the pool on drop.
pub(crate) struct Scratch<E: Real> {
    /// At least `len` numbers. The rest stays as it is: a buffer is filled once in its life.
    numbers: Vec<E>,
    len: usize,
}

impl<E: Real> Scratch<E> {
    /// `n` numbers whose values are unspecified: write before reading.
    pub(crate) fn new(n: usize) -> Self {
        if n == 0 {
            return Self { numbers: Vec::new(), len: 0 };
        }
        let mut numbers = Self::kept(n).unwrap_or_default();
        if numbers.len() < n {
            numbers = vec![E::zero(); n];
        }
        Self { numbers, len: n }
    }

    /// The same in a buffer without room for more, which [`into_vec`](Self::into_vec) gives away as it is.
    pub(crate) fn exactly(n: usize) -> Self {
        let len = |b: &Box<dyn Any + Send>| b.downcast_ref::<Vec<E>>().map_or(0, Vec::len);
        let mut pool = pool();
        let same = pool.get_mut(&TypeId::of::<E>()).and_then(|free| {
            let i = free.iter().position(|b| len(b) == n)?;
            free.swap_remove(i).downcast::<Vec<E>>().ok()
        });
        drop(pool);
        Self { numbers: same.map_or_else(|| vec![E::zero(); n], |b| *b), len: n }
    }

    /// A buffer from outside, which the pool keeps when it is dropped.
    pub(crate) fn from_vec(numbers: Vec<E>) -> Self {
        Self { len: numbers.len(), numbers }
    }

    /// The numbers, out of the pool for good.
    pub(crate) fn into_vec(mut self) -> Vec<E> {
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.truncate(self.len);
        numbers
    }

    /// The smallest kept buffer that fits. If none does and the pool is full, the last one, to be
    /// replaced by a larger one rather than to hoard another.
    fn kept(n: usize) -> Option<Vec<E>> {
        let mut pool = pool();
        let free = pool.get_mut(&TypeId::of::<E>())?;
        let len = |b: &Box<dyn Any + Send>| b.downcast_ref::<Vec<E>>().map_or(0, Vec::len);
        let fitting = (0..free.len()).filter(|&i| len(&free[i]) >= n);
        let best = fitting
            .min_by_key(|&i| len(&free[i]))
            .or_else(|| (free.len() == KEPT).then_some(KEPT - 1))?;
        free.swap_remove(best).downcast::<Vec<E>>().ok().map(|b| *b)
    }

    /// A copy of `values`.
    pub(crate) fn copy_of(values: &[E]) -> Self {
        let mut buffer = Self::new(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl<E: Real> Drop for Scratch<E> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.numbers);
        if buffer.is_empty() || buffer.len() > LARGEST {
            return;
        }
        let mut pool = pool();
        let free = pool.entry(TypeId::of::<E>()).or_default();
        if free.len() < KEPT {
            free.push(Box::new(buffer));
        }
    }
}

impl<E: Real> Deref for Scratch<E> {
    type Target = [E];
    fn deref(&self) -> &[E] {
        &self.numbers[..self.len]
    }
}

impl<E: Real> DerefMut for Scratch<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.numbers[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_as_long_as_asked_for() {
        drop(Scratch::from_vec(vec![1.0_f64; 777]));
        // Out of a longer buffer, unless another test has taken it.
        assert_eq!(Scratch::<f64>::new(700).into_vec().len(), 700);
        assert_eq!(Scratch::<f64>::exactly(777).into_vec().len(), 777);
        assert!(Scratch::<f64>::exactly(0).into_vec().is_empty());
    }
}
