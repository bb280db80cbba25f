//! One pass over the rows of the kernel: their sums, their update, and with it the sums of the columns.

use super::engine::{Engine, BLOCK};
use super::tally::Tally;
use super::update::{Rule, Update};
use super::{kernels, products};
use crate::ops::{Real, Scratch};

/// A chunk of rows, and what the pass writes for it.
struct Chunk<'c, E> {
    start: usize,
    /// Sums of the columns over the rows of this chunk.
    columns: &'c mut [E],
    scale: &'c mut [E],
    product: &'c mut [E],
    sums: &'c mut [E],
    due: &'c mut [E],
    tally: Tally,
}

impl<E: Real> Engine<'_, E> {
    /// Updates the rows by `rule` and sums the columns with the new scalings.
    pub(super) fn pass(&mut self, rule: Rule<E>) -> Tally {
        let m = self.sides[1].weight.len();
        let rows = self.rows_per_chunk;
        let mut columns = std::mem::take(&mut self.columns);
        let [a, _] = &mut self.sides;
        let [mut scale, mut product, mut sums, mut due] =
            [&mut a.scale, &mut a.product, &mut a.sums, &mut a.due].map(std::mem::take);
        let update = a.update(rule, self.drift);
        let parts = columns.chunks_mut(m).zip(scale.chunks_mut(rows));
        let parts = parts.zip(product.chunks_mut(rows)).zip(sums.chunks_mut(rows));
        let parts = parts.zip(due.chunks_mut(rows)).enumerate();
        let mut chunks: Vec<Chunk<'_, E>> = parts
            .map(|(c, ((((columns, scale), product), sums), due))| {
                let (start, tally) = (c * rows, Tally::UNKNOWN);
                Chunk { start, columns, scale, product, sums, due, tally }
            })
            .collect();
        // What the last pass read last is still in the cache of its core: go back from there.
        sweep(&mut chunks, true, self.forwards, &|chunk| self.update_chunk(&update, chunk));
        self.forwards = !self.forwards;
        let mut tally = chunks[0].tally;
        chunks[1..].iter().for_each(|chunk| tally.merge(&chunk.tally));
        drop(chunks);
        let (total, others) = columns.split_at_mut(m);
        others.chunks_exact(m).for_each(|part| kernels::add(part, total));
        let [a, b] = &mut self.sides;
        b.sums.copy_from_slice(total);
        (a.scale, a.product, a.sums, a.due) = (scale, product, sums, due);
        self.columns = columns;
        tally
    }

    fn update_chunk(&self, update: &Update<E>, chunk: &mut Chunk<'_, E>) {
        let [a, b] = &self.sides;
        let m = b.weight.len();
        let Chunk { start, columns, scale, product, sums, due, tally } = chunk;
        let (start, end) = (*start, *start + scale.len());
        columns.fill(E::zero());
        let width = self.tiles.width();
        let mut scratch = Scratch::new(if self.stored.is_some() { 0 } else { self.block * m });
        let mut part_of_r = [E::zero(); BLOCK];
        for from in (start..end).step_by(self.block) {
            let to = (from + self.block).min(end);
            let here = from - start..to - start;
            let r = &mut sums[here.clone()];
            match &self.stored {
                Some(kernel) => products::dots(&kernel[from * m..to * m], &b.product, r),
                None => {
                    // Part by part, so that each is summed while it is in the first-level cache.
                    r.fill(E::zero());
                    for (k, out) in
                        scratch[..(to - from) * m].chunks_mut((to - from) * width).enumerate()
                    {
                        let there = k * width..(k * width + width).min(m);
                        let both = [&a.potential[from..to], &b.potential[there.clone()]];
                        let part = &mut part_of_r[..to - from];
                        let w = &b.product[there.clone()];
                        self.tiles.powers(from, there, both, Some((w, &mut *part)), out);
                        r.iter_mut().zip(part).for_each(|(r, part)| *r += *part);
                    }
                }
            }
            let z = &mut product[here.clone()];
            update.apply(&a.points(from..to, r), &mut scale[here.clone()], z, &mut due[here]);
            match &self.stored {
                Some(kernel) => {
                    let after = (to + self.block).min(end);
                    let next = &kernel[to * m..after * m];
                    products::gather(&kernel[from * m..to * m], z, columns, next);
                }
                None => {
                    let parts = scratch[..(to - from) * m].chunks((to - from) * width);
                    for (part, columns) in parts.zip(columns.chunks_mut(width)) {
                        products::gather(part, z, columns, &[]);
                    }
                }
            }
        }
        *tally = Tally::of(&a.weight[start..end], sums, &self.saved[0][start..end], scale, due);
    }
}

/// `each` for all items, shared over the threads: the first half and the second half tend to stay on
/// the same threads, each goes through its half forwards or backwards.
fn sweep<T: Send>(items: &mut [T], top: bool, forwards: bool, each: &(impl Fn(&mut T) + Sync)) {
    if let [item] = items {
        return each(item);
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    let (first, second) = if top || forwards { (left, right) } else { (right, left) };
    rayon::join(|| sweep(first, false, forwards, each), || sweep(second, false, forwards, each));
}
