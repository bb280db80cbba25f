//! What is usual in a run, and what is not.

use std::collections::VecDeque;

use super::config::GuardConfig;
use super::state::Divergence;
use crate::function::{Persist, Record};

/// Values after which the statistics of a window are computed anew.
const REFRESH: u32 = 10;

/// The best value of the proxy, the signs in a row, and the last values of each reading.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) best_proxy: f64,
    pub(super) signs: u32,
    windows: Vec<Window>,
}

/// The last values of a reading, their median and mean absolute deviation from it.
#[derive(Clone, Debug, Default)]
struct Window {
    values: VecDeque<f64>,
    median: f64,
    spread: f64,
    age: u32,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { best_proxy: f64::INFINITY, signs: 0, windows: Vec::new() }
    }

    /// Looks at the readings of a step, and remembers them if they are usual.
    pub(super) fn judge(
        &mut self,
        config: &GuardConfig,
        readings: &[(&'static str, f64)],
    ) -> Option<Divergence> {
        if let Some((what, value)) = readings.iter().find(|(_, v)| !v.is_finite()) {
            return Some(Divergence::NonFinite { what: format!("{what} = {value}") });
        }
        self.windows.resize(readings.len(), Window::default());
        let worst = readings
            .iter()
            .zip(&self.windows)
            .filter(|(_, window)| window.values.len() == config.window)
            .map(|(&(reading, value), window)| {
                let cause = Divergence::Outlier { reading, value, usual: window.median };
                (window.distance(value), cause)
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match worst {
            Some((distance, cause)) if distance > config.outlier => {
                self.signs += 1;
                (self.signs >= config.patience).then_some(cause)
            }
            _ => {
                self.signs = 0;
                for ((_, value), window) in readings.iter().zip(&mut self.windows) {
                    window.push(*value, config.window);
                }
                None
            }
        }
    }

    /// Looks at a value of the proxy, and remembers it if it is the best.
    pub(super) fn judge_proxy(&mut self, config: &GuardConfig, value: f64) -> Option<Divergence> {
        let best = self.best_proxy;
        if value < best || best.is_nan() {
            self.best_proxy = value;
            return (!value.is_finite()).then_some(Divergence::Proxy { value, best });
        }
        let most = best + (config.worse - 1.0) * best.abs();
        // NaN is not at most anything.
        let fine = value <= most && value.is_finite();
        (!fine).then_some(Divergence::Proxy { value, best })
    }
}

impl Window {
    fn push(&mut self, value: f64, most: usize) {
        if self.values.len() == most {
            self.values.pop_front();
        }
        self.values.push_back(value);
        self.age += 1;
        if self.age >= REFRESH || self.spread == 0.0 {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let mut sorted: Vec<f64> = self.values.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        self.median = sorted[sorted.len() / 2];
        let deviations = sorted.iter().map(|v| (v - self.median).abs());
        self.spread = deviations.sum::<f64>() / sorted.len() as f64;
        self.age = 0;
    }

    /// The distance from the median in deviations. Where a reading did not move, a millionth of its
    /// size counts as its deviation.
    fn distance(&self, value: f64) -> f64 {
        let spread = self.spread.max(1e-6 * self.median.abs()).max(f64::MIN_POSITIVE);
        (value - self.median).abs() / spread
    }
}

impl Persist for Memory {
    fn save(&self, record: &mut Record, path: &str) {
        u64::from(self.signs).save(record, &format!("{path}signs"));
        (self.windows.len() as u64).save(record, &format!("{path}windows"));
        record.put_array(&format!("{path}best_proxy"), &[1], &[self.best_proxy]);
        for (i, window) in self.windows.iter().enumerate() {
            let mut numbers = vec![window.median, window.spread, f64::from(window.age)];
            numbers.extend(&window.values);
            record.put_array(&format!("{path}window.{i}"), &[numbers.len()], &numbers);
        }
    }

    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        let (mut signs, mut count) = (0, 0);
        signs.load(record, &format!("{path}signs"), problems);
        count.load(record, &format!("{path}windows"), problems);
        self.signs = signs as u32;
        let mut numbers = |name: String, least: usize| match record.array::<f64>(&name) {
            Ok((_, values)) if values.len() >= least => values,
            Ok(_) => {
                problems.push(format!("{name} has too few numbers"));
                vec![0.0; least]
            }
            Err(problem) => {
                problems.push(problem);
                vec![0.0; least]
            }
        };
        self.best_proxy = numbers(format!("{path}best_proxy"), 1)[0];
        self.windows.clear();
        for i in 0..count {
            let found = numbers(format!("{path}window.{i}"), 3);
            let values = found[3..].iter().copied().collect();
            let (median, spread, age) = (found[0], found[1], found[2] as u32);
            self.windows.push(Window { values, median, spread, age });
        }
    }
}
