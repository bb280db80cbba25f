//! Buffers that are kept when dropped, so that steps allocate nothing once warm.
//!
//! One pool for all threads: a pass fills buffers on the threads that share its rows, and they are
//! dropped on the thread that recorded it. Taking one is a lock and a short search.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Real;

/// Buffers kept of each number type; more are freed.
const KEPT: usize = 256;
/// Numbers of the largest buffer that is kept: more is given back to the system.
const LARGEST: usize = 1 << 24;

type Pool = BTreeMap<TypeId, Vec<Box<dyn Any + Send>>>;
static POOL: Mutex<Pool> = Mutex::new(BTreeMap::new());

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of numbers with arbitrary contents, returned to the pool on drop.
pub(crate) struct Scratch<E: Real>(Vec<E>);

impl<E: Real> Scratch<E> {
    /// `n` numbers whose values are unspecified: write before reading.
    pub(crate) fn new(n: usize) -> Self {
        if n == 0 {
            return Self(Vec::new());
        }
        let mut buffer = Self::kept(n).unwrap_or_default();
        buffer.resize(n, E::zero());
        Self(buffer)
    }

    /// The smallest kept buffer that fits. If none does and the pool is full, the last one, to grow
    /// rather than to hoard another.
    fn kept(n: usize) -> Option<Vec<E>> {
        let mut pool = pool();
        let free = pool.get_mut(&TypeId::of::<E>())?;
        let capacity =
            |b: &Box<dyn Any + Send>| b.downcast_ref::<Vec<E>>().map_or(0, Vec::capacity);
        let fitting = (0..free.len()).filter(|&i| capacity(&free[i]) >= n);
        let best = fitting
            .min_by_key(|&i| capacity(&free[i]))
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
        let buffer = std::mem::take(&mut self.0);
        if buffer.capacity() == 0 || buffer.capacity() > LARGEST {
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
        &self.0
    }
}

impl<E: Real> DerefMut for Scratch<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.0
    }
}
