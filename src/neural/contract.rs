//! What the states and metrics of all estimators have in common.

/// A state that counts its steps.
pub trait State {
    /// Steps made so far.
    fn step(&self) -> u64;
}

/// A state that holds a transport map with its optimiser.
pub trait Mapped {
    /// The learner of the map.
    type Map;
    /// The learner of the map.
    fn map(&self) -> &Self::Map;
}

/// Named numbers of a step, for observers.
pub trait Readings {
    /// The same names in the same order at every step.
    fn readings(&self) -> Vec<(&'static str, f64)>;
}

/// A state, or a batch, in which source and target can change places.
pub trait Reversible {
    /// The same with source and target exchanged.
    type Reversed: Reversible<Reversed = Self>;
    /// Exchanges source and target, without copying.
    fn reversed(self) -> Self::Reversed;
}

/// A state whose learning rates can be lowered.
pub trait Slowed {
    /// Multiplies all learning rates by `factor`, from the next step on.
    fn slow_down(&mut self, factor: f64);
}
