//! Adam, one iteration for each point, all evaluated together.

use super::config::{ConjugateConfig, ConjugateMethod};
use super::solution::{ConjugateStatus, Conjugates};
use super::solve::{settle, Point};
use crate::error::Result;
use crate::ops::Real;

const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// A point with its moments.
struct Moving<E> {
    point: Point<E>,
    mean: Vec<f64>,
    square: Vec<f64>,
    lost: bool,
}

pub(super) fn iterate<E: Real>(
    evaluate: impl Fn(&[E]) -> Result<(Vec<E>, Vec<E>)>,
    open: Vec<Point<E>>,
    found: &mut Conjugates<E>,
    config: &ConjugateConfig,
) -> Result<()> {
    let ConjugateMethod::Adam { rate } = config.method else { return Ok(()) };
    let mut open: Vec<Moving<E>> = open
        .into_iter()
        .map(|point| {
            let zeros = vec![0.0; point.x.len()];
            Moving { point, mean: zeros.clone(), square: zeros, lost: false }
        })
        .collect();
    while let Some(first) = open.first() {
        let d = first.point.x.len();
        let done = first.point.iterations as f64 / config.limit as f64;
        let rate = rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        let mut at = Vec::with_capacity(open.len() * d);
        open.iter_mut().for_each(|m| m.step(rate, &mut at));
        let (values, slopes) = evaluate(&at)?;
        found.evaluations += open.len();
        let rows = at.chunks_exact(d).zip(slopes.chunks_exact(d)).zip(values);
        for (moving, ((x, gradient), value)) in open.iter_mut().zip(rows) {
            moving.arrive(x, value, gradient);
        }
        open = settle(open, found, config, |m| &m.point);
        open.retain(|m| {
            if m.lost {
                m.point.finish(found, ConjugateStatus::Stalled);
            }
            !m.lost
        });
    }
    Ok(())
}

impl<E: Real> Moving<E> {
    /// Appends the next x.
    fn step(&mut self, rate: f64, to: &mut Vec<E>) {
        let count = self.point.iterations as i32 + 1;
        let (first, second) = (1.0 - BETAS.0.powi(count), 1.0 - BETAS.1.powi(count));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((x, r), (m, v)) in self.point.x.iter().zip(&self.point.residual).zip(moments) {
            let r = r.double();
            *m = BETAS.0 * *m + (1.0 - BETAS.0) * r;
            *v = BETAS.1 * *v + (1.0 - BETAS.1) * r * r;
            let step = rate * (*m / first) / ((*v / second).sqrt() + EPSILON);
            to.push(E::of(x.double() - step));
        }
    }

    /// Goes to `x`, unless the function is not finite there.
    fn arrive(&mut self, x: &[E], value: E, gradient: &[E]) {
        let (objective, residual) = self.point.objective(x, value, gradient);
        self.lost = !(objective.is_finite() && residual.iter().all(|r| r.is_finite()));
        self.point.iterations += 1;
        if !self.lost {
            self.point.x.copy_from_slice(x);
            (self.point.value, self.point.residual) = (objective, residual);
        }
    }
}
