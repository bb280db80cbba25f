//! Dropout, drawn from a key.

use std::cell::Cell;

use rand::RngCore;

use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Real, Scratch};
use super::program::{Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;
use crate::random::Key;

/// Numbers whose fate is drawn from one part of the key.
const CHUNK: usize = 4096;

thread_local! {
    static KEY: Cell<Option<Key>> = const { Cell::new(None) };
}

/// Where the dropout of networks is active: a network draws what it drops while it is recorded in a
/// [`scope`](Self::scope), as a training step does, and drops nothing elsewhere. A forward pass so stays
/// a pure function, of a key while it is trained.
///
/// ```
/// use brenier::ops::{Dropouts, Extent, LayerOp, Program};
/// use brenier::random::Key;
/// use brenier::tensor::{points, rows};
/// use dfdx::prelude::*;
/// let halved = |x: Vec<f32>| {
///     let (mut program, inputs) = Program::new(&[Extent::vector(1)]);
///     let y = program.dropout_in_scope(inputs[0], 0.5);
///     program.add(y, y, 0.5);
///     points(x).map(|x| rows(&Cpu::run::<1, 1, _>(x, program)))
/// };
/// assert_eq!(halved(vec![1.0, 2.0])?, [1.0, 2.0]);
/// let dropped = Dropouts::scope(Key::new(0), || halved(vec![1.0; 1000]))?;
/// assert!(dropped.iter().all(|y| [0.0, 2.0].contains(y)));
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dropouts;

impl Dropouts {
    /// `record`, each dropout of the networks in it drawing from its own part of `key`. One scope is for
    /// one pass: equal keys drop equal numbers.
    pub fn scope<R>(key: Key, record: impl FnOnce() -> R) -> R {
        struct Restore(Option<Key>);
        impl Drop for Restore {
            fn drop(&mut self) {
                KEY.set(self.0);
            }
        }
        let _restore = Restore(KEY.replace(Some(key)));
        record()
    }

    /// The key of the next dropout in this scope.
    fn next() -> Option<Key> {
        let [own, rest] = KEY.get()?.split();
        KEY.set(Some(rest));
        Some(own)
    }
}

/// y = x ∘ m, every number of m being 1 / (1 − rate), or 0 with probability `rate`.
struct Dropped {
    rate: f64,
    key: Key,
}

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// Each number of x divided by 1 − `rate`, or zero with probability `rate`, as `key` decides: the
    /// mean is x. Equal keys decide equally, on any number of threads.
    ///
    /// # Panics
    /// If `rate` is not in [0, 1).
    pub fn dropout(&mut self, x: Value, rate: f64, key: Key) -> Value {
        assert!((0.0..1.0).contains(&rate), "a rate of dropout in [0, 1), not {rate}");
        let extent = self.extent(x);
        self.push(Dropped { rate, key }, &[x], [], extent)
    }

    /// [`dropout`](Self::dropout) with a key of the present [`Dropouts::scope`]; x where there is none.
    ///
    /// # Panics
    /// As [`dropout`](Self::dropout).
    pub fn dropout_in_scope(&mut self, x: Value, rate: f64) -> Value {
        match Dropouts::next().filter(|_| rate != 0.0) {
            Some(key) => self.dropout(x, rate, key),
            None => x,
        }
    }
}

impl<E: Real> Layer<E> for Dropped {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        let mut mask = Scratch::new(y.len());
        let (kept, bound) = (E::of(1.0 / (1.0 - self.rate)), (self.rate * 2f64.powi(32)) as u32);
        for_each_chunk(&mut mask, CHUNK, |i, mask| {
            let mut rng = self.key.fold_in(i as u64).rng();
            mask.fill_with(|| if rng.next_u32() < bound { E::zero() } else { kept });
        });
        y.copy_from_slice(work.inputs[0]);
        for_each_chunk(y, CHUNK, |i, y| times::<E>(y, &mask[i * CHUNK..i * CHUNK + y.len()]));
        vec![mask]
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        let mask = &work.stash[0];
        for_each_chunk(&mut slopes, CHUNK, |i, s| {
            times::<E>(s, &mask[i * CHUNK..i * CHUNK + s.len()]);
        });
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}

vectorised! {
    fn times<E: Real>(v: &mut [E], by: &[E]) {
        v.iter_mut().zip(by).for_each(|(v, by)| *v *= *by);
    }
}
