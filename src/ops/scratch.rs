//! Buffers that are given back to their thread when dropped, so that steps allocate nothing once warm.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

use super::Real;

/// Buffers kept per thread and number type; more are freed.
const KEPT: usize = 64;

thread_local! {
    static POOL: RefCell<HashMap<TypeId, Vec<Box<dyn Any>>>> = RefCell::new(HashMap::new());
}

/// Numbers of the largest buffer that is kept: more is given back to the system.
const LARGEST: usize = 1 << 24;

/// A buffer of numbers with arbitrary contents, returned to its thread's pool on drop.
pub(crate) struct Scratch<E: Real>(Vec<E>);

impl<E: Real> Scratch<E> {
    /// `n` numbers whose values are unspecified: write before reading.
    pub(crate) fn new(n: usize) -> Self {
        if n == 0 {
            return Self(Vec::new());
        }
        let mut buffer = POOL
            .with_borrow_mut(|pool| {
                let free = pool.get_mut(&TypeId::of::<E>())?;
                let fits = |b: &Box<dyn Any>| {
                    b.downcast_ref::<Vec<E>>().map(Vec::capacity).filter(|&c| c >= n)
                };
                let best = (0..free.len())
                    .filter_map(|i| fits(&free[i]).map(|c| (c, i)))
                    .min()
                    // Nothing fits: let the largest grow rather than hoard another.
                    .map(|(_, i)| i)
                    .or_else(|| (free.len() == KEPT).then_some(KEPT - 1))?;
                free.swap_remove(best).downcast::<Vec<E>>().ok()
            })
            .map_or_else(Vec::new, |b| *b);
        buffer.resize(n, E::zero());
        Self(buffer)
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
        // The pool is gone while its thread ends; then the buffer is simply freed.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut() {
                let free = pool.entry(TypeId::of::<E>()).or_default();
                if free.len() < KEPT {
                    free.push(Box::new(buffer));
                }
            }
        });
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
