//! Sums and activations, number by number.

use std::marker::PhantomData;

use super::super::parallel::for_each_chunk;
use super::super::simd::vectorised;
use super::super::{Activation, Real, Scratch};
use super::program::{Program, Value};
use super::run::{Backward, Forward, Keeps, Layer, Slopes, Stash};
use super::tape::LayerOp;

/// Numbers that a thread takes at once.
const CHUNK: usize = 1 << 14;

/// y = scale · (a + b).
struct Sum {
    scale: f64,
}

/// y = σ(x).
struct Activate<A>(PhantomData<A>);

impl<E: Real, D: LayerOp<E>> Program<E, D> {
    /// y = scale · (a + b).
    ///
    /// # Panics
    /// If a and b differ in size.
    pub fn add(&mut self, a: Value, b: Value, scale: f64) -> Value {
        let extent = self.extent(a);
        assert_eq!(extent, self.extent(b), "the summands of a sum");
        self.push(Sum { scale }, &[a, b], [], extent)
    }

    /// y = σ(x). The layers before have slopes of their own: this is for smooth activations and sums.
    pub fn activate<A: Activation>(&mut self, x: Value) -> Value {
        let extent = self.extent(x);
        self.push(Activate::<A>(PhantomData), &[x], [], extent)
    }
}

impl<E: Real> Layer<E> for Sum {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        for_each_chunk(y, CHUNK, |i, y| {
            let at = i * CHUNK..i * CHUNK + y.len();
            let (a, b) = (&work.inputs[0][at.clone()], &work.inputs[1][at]);
            sum::<E>(a, b, E::of(self.scale), y);
        });
        Stash::new()
    }

    fn backward(&self, _: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        if self.scale != 1.0 {
            slopes.iter_mut().for_each(|s| *s *= E::of(self.scale));
        }
        if to.wants(1) {
            to.give(1, Scratch::copy_of(&slopes));
        }
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps::default()
    }
}

impl<E: Real, A: Activation> Layer<E> for Activate<A> {
    fn forward(&self, work: Forward<E>, y: &mut [E]) -> Stash<E> {
        for_each_chunk(y, CHUNK, |i, y| {
            values::<E, A>(&work.inputs[0][i * CHUNK..i * CHUNK + y.len()], y);
        });
        Stash::new()
    }

    fn backward(&self, work: Backward<E>, mut slopes: Scratch<E>, to: &mut Slopes<E>) {
        let kept = if A::FROM_OUTPUT { work.output } else { work.inputs[0] };
        for_each_chunk(&mut slopes, CHUNK, |i, s| {
            times_slopes::<E, A>(&kept[i * CHUNK..i * CHUNK + s.len()], s);
        });
        to.give(0, slopes);
    }

    fn keeps(&self, _: bool) -> Keeps {
        Keeps { inputs: !A::FROM_OUTPUT, output: A::FROM_OUTPUT }
    }
}

vectorised! {
    fn sum<E: Real>(a: &[E], b: &[E], scale: E, y: &mut [E]) {
        for (y, (a, b)) in y.iter_mut().zip(a.iter().zip(b)) {
            *y = (*a + *b) * scale;
        }
    }
}
vectorised! {
    fn values<E: Real, A: Activation>(x: &[E], y: &mut [E]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = A::value(*x);
        }
    }
}
vectorised! {
    fn times_slopes<E: Real, A: Activation>(kept: &[E], slopes: &mut [E]) {
        for (s, k) in slopes.iter_mut().zip(kept) {
            *s *= A::slope(*k);
        }
    }
}
