//! Steps of a batch.

use super::config::{OdeMethod, StepControl};
use super::control::{first, scaled_norm, trial, Controller};
use super::path::{OdeReport, OdeStatus};
use super::stages::add_stages;
use super::tableau::Tableau;
use crate::ops::Real;

/// The points that are still on their way, in groups that share their steps.
pub(super) struct Batch<'a, E: Real, F> {
    tableau: &'static Tableau,
    field: F,
    times: &'a [f64],
    d: usize,
    /// Numbers of a group.
    width: usize,
    groups: Vec<Group>,
    /// `[groups, width]`, as are the stages and the end of the step.
    x: Vec<E>,
    stages: Vec<Vec<E>>,
    end: Vec<E>,
    pub(super) reports: Vec<OdeReport>,
    pub(super) calls: u64,
}

/// Where a group is.
struct Group {
    /// Which one it is in the whole batch.
    index: usize,
    time: f64,
    /// Signed length of the next step.
    length: f64,
    /// The next of the times to be written.
    next: usize,
    controller: Option<Controller>,
}

impl<'a, E: Real, F: FnMut(&[usize], &[f64], &[E], &mut [E])> Batch<'a, E, F> {
    pub(super) fn new(
        method: OdeMethod,
        field: F,
        start: &[E],
        (d, width): (usize, usize),
        times: &'a [f64],
    ) -> Self {
        let tableau = Tableau::of(method);
        let count = start.len() / width;
        let group = |index| Group { index, time: times[0], length: 0.0, next: 1, controller: None };
        let zeros = || vec![E::zero(); start.len()];
        let report = OdeReport {
            status: OdeStatus::Reached,
            time: times[0],
            evaluations: 0,
            accepted: 0,
            rejected: 0,
        };
        Self {
            tableau,
            field,
            times,
            d,
            width,
            groups: (0..count).map(group).collect(),
            x: start.to_vec(),
            stages: tableau.nodes.iter().map(|_| zeros()).collect(),
            end: zeros(),
            reports: vec![report; count],
            calls: 0,
        }
    }

    fn last(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    /// Stage `s`, the field at the points in `end`.
    fn evaluate(&mut self, s: usize) {
        let (node, points) = (self.tableau.nodes[s], self.width / self.d);
        let at = |g: &Group| std::iter::repeat_n(g.time + node * g.length, points);
        let times: Vec<f64> = self.groups.iter().flat_map(at).collect();
        let all = self.groups.iter().flat_map(|g| g.index * points..(g.index + 1) * points);
        let indices: Vec<usize> = all.collect();
        (self.field)(&indices, &times, &self.end, &mut self.stages[s]);
        self.groups.iter().for_each(|g| self.reports[g.index].evaluations += 1);
        self.calls += 1;
    }

    /// The field at x, as the first stage.
    fn evaluate_first(&mut self) {
        self.end.copy_from_slice(&self.x);
        self.evaluate(0);
    }

    /// `end` = x + h Σ factorⱼ kⱼ, for each group.
    fn combine(&mut self, factors: &[f64]) {
        let Self { groups, x, stages, end, width, .. } = self;
        for (i, g) in groups.iter().enumerate() {
            let at = i * *width..(i + 1) * *width;
            end[at.clone()].copy_from_slice(&x[at.clone()]);
            add_stages(&mut end[at.clone()], g.length, factors, stages, at);
        }
    }

    /// All stages but the first, and the end of the step.
    fn advance(&mut self) {
        let tableau = self.tableau;
        for (s, row) in tableau.stages.iter().enumerate() {
            self.combine(row);
            self.evaluate(s + 1);
        }
        // After a last stage at the end of the step that end is already there.
        if !tableau.ends_with_field() {
            self.combine(tableau.weights);
        }
    }

    /// Writes the states of group `i` at the times that its step to `time` passes.
    fn write(&mut self, i: usize, time: f64, states: &mut [Vec<E>]) {
        let (from, at) = (self.groups[i].time, i * self.width..(i + 1) * self.width);
        let (length, index) = (self.groups[i].length, self.groups[i].index);
        let place = index * self.width..(index + 1) * self.width;
        while let Some(&wanted) = self.times.get(self.groups[i].next) {
            // Not a product of differences, which could underflow.
            if (wanted - time) * length.signum() > 0.0 {
                break;
            }
            let state = &mut states[self.groups[i].next][place.clone()];
            if wanted == time {
                state.copy_from_slice(&self.end[at.clone()]);
            } else {
                let weights = self.tableau.dense_weights((wanted - from) / length);
                state.copy_from_slice(&self.x[at.clone()]);
                add_stages(state, length, &weights, &self.stages, at.clone());
            }
            self.groups[i].next += 1;
        }
    }

    pub(super) fn equal_steps(&mut self, steps: usize, states: &mut [Vec<E>]) {
        let (start, last) = (self.times[0], self.last());
        let length = (last - start) / steps as f64;
        for i in 1..=steps {
            self.groups[0].length = length;
            if i == 1 || !self.tableau.ends_with_field() {
                self.evaluate_first();
            }
            self.advance();
            let report = &mut self.reports[0];
            if self.end.iter().any(|v| !v.is_finite()) {
                report.status = OdeStatus::NonFinite;
                return;
            }
            // Not a sum of lengths, whose roundings would add up.
            let time = if i == steps { last } else { start + i as f64 * length };
            (report.accepted, report.time) = (i as u64, time);
            self.write(0, time, states);
            self.groups[0].time = time;
            std::mem::swap(&mut self.x, &mut self.end);
            let end = self.stages.len() - 1;
            self.stages.swap(0, end);
        }
    }

    pub(super) fn adapt(&mut self, control: &StepControl, states: &mut [Vec<E>]) {
        let last = self.last();
        self.start(control);
        while !self.groups.is_empty() {
            for g in &mut self.groups {
                let left = last - g.time;
                if g.length.abs() >= left.abs() {
                    g.length = left;
                }
            }
            self.advance();
            let done: Vec<bool> =
                (0..self.groups.len()).map(|i| self.judge(i, control, states)).collect();
            self.drop_groups(&done);
            if !self.tableau.ends_with_field() && !self.groups.is_empty() {
                self.evaluate_first();
            }
        }
    }

    /// The field at the start, and the length of the first step of every group.
    fn start(&mut self, control: &StepControl) {
        let span = self.last() - self.times[0];
        let order = self.tableau.estimate;
        self.evaluate_first();
        let here = |i: usize, width: usize| i * width..(i + 1) * width;
        for (i, g) in self.groups.iter_mut().enumerate() {
            let at = here(i, self.width);
            let length = control.first.unwrap_or_else(|| {
                trial(control, &self.x[at.clone()], &self.stages[0][at], span.abs())
            });
            g.length = length.min(span.abs()).copysign(span);
            g.controller = Some(Controller::new(control, order));
        }
        if control.first.is_some() {
            return;
        }
        self.combine(&[1.0]);
        let scratch = self.stages.len() - 1;
        self.evaluate(scratch);
        for (i, g) in self.groups.iter_mut().enumerate() {
            let at = here(i, self.width);
            let (x, v) = (&self.x[at.clone()], &self.stages[0][at.clone()]);
            let change = self.stages[scratch][at].iter().zip(v).map(|(a, b)| *a - *b);
            let change: Vec<E> = change.collect();
            let length = first(control, x, v, &change, (g.length.abs(), span.abs(), order));
            g.length = length.copysign(span);
        }
    }

    /// Takes or refuses the step of group `i`; whether the group is done.
    fn judge(&mut self, i: usize, control: &StepControl, states: &mut [Vec<E>]) -> bool {
        let at = i * self.width..(i + 1) * self.width;
        let mut estimate = vec![E::zero(); self.width];
        let (time, length) = (self.groups[i].time, self.groups[i].length);
        add_stages(&mut estimate, length, self.tableau.error, &self.stages, at.clone());
        let (x, end) = (&self.x[at.clone()], &self.end[at.clone()]);
        let error = scaled_norm(control, &estimate, x, end);
        let finite = end.iter().all(|v| v.is_finite());
        let error = if finite { error } else { f64::NAN };
        let first_is_finite = self.stages[0][at.clone()].iter().all(|v| v.is_finite());
        let last = self.last();
        let group = &mut self.groups[i];
        let report = &mut self.reports[group.index];
        let Some(controller) = &mut group.controller else { return true };
        let (taken, factor) = controller.judge(error);
        let now = match taken {
            true if length == last - time => last,
            true => time + length,
            false => time,
        };
        *(if taken { &mut report.accepted } else { &mut report.rejected }) += 1;
        report.time = now;
        if now != last {
            report.status = if !first_is_finite {
                OdeStatus::NonFinite
            } else if (length * factor).abs() < 10.0 * spacing(now) {
                OdeStatus::StepTooSmall
            } else if report.accepted + report.rejected >= control.limit {
                OdeStatus::StepLimit
            } else {
                OdeStatus::Reached
            };
        }
        let done = now == last || report.status != OdeStatus::Reached;
        if taken {
            self.write(i, now, states);
            self.x[at.clone()].copy_from_slice(&self.end[at.clone()]);
            if let [first, .., end] = &mut self.stages[..] {
                first[at.clone()].copy_from_slice(&end[at]);
            }
        }
        (self.groups[i].time, self.groups[i].length) = (now, length * factor);
        done
    }

    /// Leaves out the groups that are done.
    fn drop_groups(&mut self, done: &[bool]) {
        if !done.contains(&true) {
            return;
        }
        let width = self.width;
        let kept: Vec<usize> = (0..done.len()).filter(|i| !done[*i]).collect();
        for rows in self.stages.iter_mut().chain([&mut self.x, &mut self.end]) {
            for (to, from) in kept.iter().enumerate() {
                rows.copy_within(from * width..(from + 1) * width, to * width);
            }
            rows.truncate(kept.len() * width);
        }
        let mut i = 0;
        self.groups.retain(|_| {
            i += 1;
            !done[i - 1]
        });
    }
}

/// The distance of a time from the next number.
fn spacing(time: f64) -> f64 {
    (time.abs() * f64::EPSILON).max(f64::MIN_POSITIVE)
}
