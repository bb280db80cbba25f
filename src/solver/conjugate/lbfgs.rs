//! L-BFGS, one iteration for each point, all evaluated together.

use rayon::prelude::*;

use super::config::{ConjugateConfig, ConjugateMethod};
use super::solution::{ConjugateStatus, Conjugates};
use super::solve::{dot, settle, Point};
use crate::error::Result;
use crate::ops::simd::vectorised;
use crate::ops::Real;

/// Sufficient decrease, as a share of what the slope promises.
const ARMIJO: f64 = 1e-4;

/// Numbers in the pairs of all points from which the threads share the points.
const SERIAL: usize = 1 << 16;

/// A point with its line search and its memory.
struct Search<E> {
    point: Point<E>,
    direction: Vec<E>,
    /// Slope of the objective along the direction; negative.
    slope: f64,
    length: f64,
    trials: usize,
    stalled: bool,
    pairs: Pairs<E>,
}

pub(super) fn iterate<E: Real>(
    evaluate: impl Fn(&[E]) -> Result<(Vec<E>, Vec<E>)>,
    open: Vec<Point<E>>,
    found: &mut Conjugates<E>,
    config: &ConjugateConfig,
) -> Result<()> {
    let ConjugateMethod::Lbfgs { memory, shrink, trials } = config.method else { return Ok(()) };
    let mut open: Vec<Search<E>> = open.into_iter().map(|p| Search::new(p, memory)).collect();
    while let Some(first) = open.first() {
        let d = first.point.x.len();
        let mut at = Vec::with_capacity(open.len() * d);
        open.iter().for_each(|s| s.trial(&mut at));
        let (values, slopes) = evaluate(&at)?;
        found.evaluations += open.len();
        type Trial<'a, E> = (&'a mut Search<E>, ((&'a [E], &'a [E]), &'a E));
        let advance = |(search, ((x, slopes), value)): Trial<E>| {
            search.advance(x, *value, slopes, shrink, trials);
        };
        if open.len() * memory * d < SERIAL {
            let rows = at.chunks_exact(d).zip(slopes.chunks_exact(d)).zip(&values);
            open.iter_mut().zip(rows).for_each(advance);
        } else {
            let rows = at.par_chunks_exact(d).zip(slopes.par_chunks_exact(d)).zip(&values);
            open.par_iter_mut().zip(rows).for_each(advance);
        }
        open = settle(open, found, config, |s| &s.point);
        open.retain(|s| {
            if s.stalled {
                s.point.finish(found, ConjugateStatus::Stalled);
            }
            !s.stalled
        });
    }
    Ok(())
}

impl<E: Real> Search<E> {
    fn new(point: Point<E>, memory: usize) -> Self {
        let pairs = Pairs::new(memory, point.x.len());
        let direction = vec![E::zero(); point.x.len()];
        let mut search =
            Self { point, direction, slope: 0.0, length: 1.0, trials: 0, stalled: false, pairs };
        search.turn();
        search
    }

    /// Appends x + length · direction.
    fn trial(&self, to: &mut Vec<E>) {
        let length = E::of(self.length);
        to.extend(self.point.x.iter().zip(&self.direction).map(|(x, d)| *x + length * *d));
    }

    /// Takes the trial point if it is lower by what Armijo's condition asks, up to the rounding of the
    /// values; a shorter step else.
    fn advance(&mut self, x: &[E], value: E, gradient: &[E], shrink: f64, trials: usize) {
        let (objective, residual) = self.point.objective(x, value, gradient);
        let rounding = 4.0
            * E::epsilon().double()
            * (value.double().abs() + (value.double() - objective).abs());
        let bound = self.point.value + ARMIJO * self.length * self.slope + rounding;
        let finite = objective.is_finite() && residual.iter().all(|r| r.is_finite());
        let lower = finite && objective <= bound;
        if !lower {
            self.trials += 1;
            self.length *= shrink;
            self.stalled = self.trials >= trials;
            return;
        }
        self.pairs.push(&self.point.x, x, &self.point.residual, &residual);
        self.point.x.copy_from_slice(x);
        (self.point.value, self.point.residual) = (objective, residual);
        self.point.iterations += 1;
        self.turn();
    }

    /// A line search along a direction for the point's residual.
    fn turn(&mut self) {
        self.pairs.direction(&self.point.residual, &mut self.direction);
        self.slope = dot(&self.direction, &self.point.residual);
        // Rounding can spoil a direction; steepest descent is one always.
        if self.slope.is_nan() || self.slope >= 0.0 {
            self.pairs.clear();
            self.pairs.direction(&self.point.residual, &mut self.direction);
            self.slope = dot(&self.direction, &self.point.residual);
        }
        (self.length, self.trials) = (1.0, 0);
    }
}

/// The last steps s and gradient differences r of a point, in a ring.
struct Pairs<E> {
    memory: usize,
    steps: Vec<E>,
    changes: Vec<E>,
    /// 1 / ⟨s, r⟩.
    inverse: Vec<f64>,
    next: usize,
}

impl<E: Real> Pairs<E> {
    fn new(memory: usize, dimension: usize) -> Self {
        let (steps, changes) = (Vec::with_capacity(dimension), Vec::with_capacity(dimension));
        Self { memory, steps, changes, inverse: Vec::new(), next: 0 }
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.changes.clear();
        self.inverse.clear();
        self.next = 0;
    }

    /// Keeps the pair of a step if the curvature along it is positive.
    fn push(&mut self, from: &[E], to: &[E], before: &[E], after: &[E]) {
        let d = from.len();
        let step: Vec<E> = to.iter().zip(from).map(|(t, f)| *t - *f).collect();
        let change: Vec<E> = after.iter().zip(before).map(|(a, b)| *a - *b).collect();
        let (curvature, square) = (dot(&step, &change), dot(&change, &change));
        let least = 1e-10 * square.sqrt() * dot(&step, &step).sqrt();
        if curvature.is_nan() || curvature <= least {
            return;
        }
        if self.inverse.len() < self.memory {
            self.steps.extend_from_slice(&step);
            self.changes.extend_from_slice(&change);
            self.inverse.push(curvature.recip());
        } else {
            self.steps[self.next * d..][..d].copy_from_slice(&step);
            self.changes[self.next * d..][..d].copy_from_slice(&change);
            self.inverse[self.next] = curvature.recip();
        }
        self.next = (self.next + 1) % self.memory;
    }

    /// −H g with the inverse Hessian H of the pairs; −g if there are none.
    fn direction(&self, gradient: &[E], out: &mut [E]) {
        out.iter_mut().zip(gradient).for_each(|(o, g)| *o = -*g);
        let count = self.inverse.len();
        if count > 0 {
            let oldest = if count < self.memory { 0 } else { self.next };
            two_loops::<E>(&self.steps, &self.changes, &self.inverse, oldest, out);
        }
    }
}

vectorised! {
    /// q ← H q: the two loops over the pairs, from the newest to the oldest and back.
    fn two_loops<E: Real>(
        steps: &[E],
        changes: &[E],
        inverse: &[f64],
        oldest: usize,
        q: &mut [E],
    ) {
        let (count, d) = (inverse.len(), q.len());
        let mut alphas = vec![0.0; count];
        let pair = |age: usize| {
            let i = (oldest + age) % count;
            (&steps[i * d..][..d], &changes[i * d..][..d], inverse[i])
        };
        for age in (0..count).rev() {
            let (step, change, inverse) = pair(age);
            let alpha = inverse * dot(step, q);
            alphas[age] = alpha;
            let alpha = E::of(alpha);
            q.iter_mut().zip(change).for_each(|(q, r)| *q -= alpha * *r);
        }
        let (_, change, inverse) = pair(count - 1);
        let scale = E::of((inverse * dot(change, change)).recip());
        q.iter_mut().for_each(|q| *q *= scale);
        for (age, alpha) in alphas.iter().enumerate() {
            let (step, change, inverse) = pair(age);
            let gain = E::of(alpha - inverse * dot(change, q));
            q.iter_mut().zip(step).for_each(|(q, s)| *q += gain * *s);
        }
    }
}
