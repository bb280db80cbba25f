//! The state under guard, and what happened to it.

use super::memory::Memory;
use crate::function::{Persist, Record};
use crate::neural::{Slowed, State};

/// Why a state was given up.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Divergence {
    /// The step failed with a non-finite quantity, or reported one.
    NonFinite {
        /// What it was.
        what: String,
    },
    /// A reading has been outside its range for several steps.
    Outlier {
        /// The name of the reading that was farthest off.
        reading: &'static str,
        /// Its value.
        value: f64,
        /// The median of its window.
        usual: f64,
    },
    /// The held-out proxy is much worse than it was.
    Proxy {
        /// Its value.
        value: f64,
        /// Its best so far.
        best: f64,
    },
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NonFinite { what } => write!(f, "{what} is not finite"),
            Self::Outlier { reading, value, usual } => {
                write!(f, "{reading} is {value:e} where {usual:e} is usual")
            }
            Self::Proxy { value, best } => {
                write!(f, "the held-out proxy is {value:e}, its best was {best:e}")
            }
        }
    }
}

/// One rollback.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The step that was given up.
    pub at: u64,
    /// The step of the snapshot that was taken up again.
    pub to: u64,
    /// Why.
    pub cause: Divergence,
    /// The factor on the learning rates from here on, of all rollbacks together.
    pub rate_factor: f64,
}

/// A state with the memory of its guard. Both can be saved, and a run goes on bit for bit.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    /// The state that is trained.
    pub state: S,
    pub(super) snapshot: S,
    pub(super) memory: Memory,
    pub(super) rate_factor: f64,
    pub(super) count: u64,
    pub(super) history: Vec<Rollback>,
}

impl<S: State + Clone> Guarded<S> {
    /// A state that is good now.
    pub fn new(state: S) -> Self {
        Self {
            snapshot: state.clone(),
            state,
            memory: Memory::new(),
            rate_factor: 1.0,
            count: 0,
            history: Vec::new(),
        }
    }
}

impl<S> Guarded<S> {
    /// The rollbacks since the state was made or loaded.
    pub fn history(&self) -> &[Rollback] {
        &self.history
    }

    /// The number of rollbacks of the whole run.
    pub fn rollbacks(&self) -> u64 {
        self.count
    }

    /// The factor on the learning rates, of all rollbacks together.
    pub fn rate_factor(&self) -> f64 {
        self.rate_factor
    }
}

impl<S: State> State for Guarded<S> {
    fn step(&self) -> u64 {
        self.state.step()
    }
}

impl<S: Persist + Slowed> Persist for Guarded<S> {
    fn save(&self, record: &mut Record, path: &str) {
        self.state.save(record, path);
        self.snapshot.save(record, &format!("{path}snapshot."));
        self.memory.save(record, &format!("{path}guard."));
        self.count.save(record, &format!("{path}guard.rollbacks"));
        record.put_array(&format!("{path}guard.rate_factor"), &[1], &[self.rate_factor]);
    }

    /// The learning rates of the template are those of a run without rollbacks.
    fn load(&mut self, record: &Record, path: &str, problems: &mut Vec<String>) {
        self.state.load(record, path, problems);
        self.snapshot.load(record, &format!("{path}snapshot."), problems);
        self.memory.load(record, &format!("{path}guard."), problems);
        self.count.load(record, &format!("{path}guard.rollbacks"), problems);
        let name = format!("{path}guard.rate_factor");
        match record.array::<f64>(&name).map(|(_, values)| values.first().copied()) {
            Ok(Some(factor)) if factor > 0.0 => {
                self.state.slow_down(factor / self.rate_factor);
                self.snapshot.slow_down(factor / self.rate_factor);
                self.rate_factor = factor;
            }
            Ok(_) => problems.push(format!("{name} is not positive")),
            Err(problem) => problems.push(problem),
        }
    }
}
