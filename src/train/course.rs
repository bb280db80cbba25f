//! Best, last and largest value of a measure: over a run, and over the runs of several seeds.

use serde::{Deserialize, Serialize};

/// A value of a measure and the step at which it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// The step.
    pub step: u64,
    /// The value.
    pub value: f64,
}

/// The course of a measure that is better the lower it is, such as L2-UVP.
///
/// Maximin training can be good for a while and lost at the end: its best value alone says too little.
///
/// ```
/// use brenier::train::Course;
/// let mut course = Course::default();
/// for (step, uvp) in [(100, 5.0), (200, 1.0), (300, 1.2)] {
///     course.add(step, uvp);
/// }
/// assert_eq!((course.best.unwrap().step, course.max.unwrap().value), (200, 5.0));
/// assert!(course.held(1.5) && !course.held(1.1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// The lowest value; of equal ones the first.
    pub best: Option<Reached>,
    /// The last value.
    pub last: Option<Reached>,
    /// The largest value; NaN counts as infinite.
    pub max: Option<Reached>,
}

impl Course {
    /// Adds a value.
    pub fn add(&mut self, step: u64, value: f64) {
        let value = if value.is_nan() { f64::INFINITY } else { value };
        let new = Reached { step, value };
        if self.best.is_none_or(|best| value < best.value) {
            self.best = Some(new);
        }
        if self.max.is_none_or(|max| value > max.value) {
            self.max = Some(new);
        }
        self.last = Some(new);
    }

    /// Whether the last value is at most `factor` times the best: the run did not end diverged.
    pub fn held(&self, factor: f64) -> bool {
        match (self.best, self.last) {
            (Some(best), Some(last)) => last.value.is_finite() && last.value <= factor * best.value,
            _ => false,
        }
    }
}

/// Mean and standard deviation of a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanDeviation {
    /// The mean.
    pub mean: f64,
    /// √(Σ(v − mean)² / (n − 1)), 0 for one number.
    pub deviation: f64,
}

impl MeanDeviation {
    /// Of the given numbers; none if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Some(Self { mean, deviation: (squares / (n - 1.0).max(1.0)).sqrt() })
    }
}

impl std::fmt::Display for MeanDeviation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.mean, self.deviation)
    }
}

/// The same over the runs of several seeds.
///
/// ```
/// use brenier::train::{Course, OverSeeds};
/// let run = |uvp: [f64; 2]| {
///     let mut course = Course::default();
///     uvp.iter().zip(1..).for_each(|(v, step)| course.add(step, *v));
///     course
/// };
/// let all = OverSeeds::of(&[run([2.0, 1.0]), run([3.0, 3.0])]).unwrap();
/// assert_eq!((all.best.mean, all.max.mean), (2.0, 2.5));
/// assert_eq!(all.last.to_string(), "2.000 ± 1.414");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverSeeds {
    /// Of the best values.
    pub best: MeanDeviation,
    /// Of the last values.
    pub last: MeanDeviation,
    /// Of the largest values.
    pub max: MeanDeviation,
}

impl OverSeeds {
    /// Of the given runs; none if no run has a value.
    pub fn of(courses: &[Course]) -> Option<Self> {
        let over = |pick: fn(&Course) -> Option<Reached>| {
            MeanDeviation::of(courses.iter().filter_map(pick).map(|r| r.value))
        };
        Some(Self { best: over(|c| c.best)?, last: over(|c| c.last)?, max: over(|c| c.max)? })
    }
}
