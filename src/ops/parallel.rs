//! Loops over chunks of fixed size, on the threads of the pool if there is more than one.

use rayon::prelude::*;

use super::Real;

/// Runs `work` on a thread of the pool. Work that shares out many small loops should be there: a thread
/// from outside would be put to sleep and woken for each of them.
pub(crate) fn on_pool<V: Send>(work: impl FnOnce() -> V + Send) -> V {
    if rayon::current_thread_index().is_some() {
        work()
    } else {
        rayon::scope(|_| work())
    }
}

/// `each(i, chunk)` for the chunks of `size` numbers (the last may be shorter), in any order.
pub(crate) fn for_each_chunk<E: Real>(
    data: &mut [E],
    size: usize,
    each: impl Fn(usize, &mut [E]) + Sync,
) {
    if size >= data.len() || rayon::current_num_threads() == 1 {
        data.chunks_mut(size.max(1)).enumerate().for_each(|(i, c)| each(i, c));
    } else {
        data.par_chunks_mut(size).enumerate().for_each(|(i, c)| each(i, c));
    }
}

/// The values of `each(i)` for `i` in `0..n`, in order.
pub(crate) fn map_each<V: Send>(n: usize, each: impl Fn(usize) -> V + Sync + Send) -> Vec<V> {
    if n <= 1 || rayon::current_num_threads() == 1 {
        (0..n).map(each).collect()
    } else {
        (0..n).into_par_iter().map(each).collect()
    }
}
