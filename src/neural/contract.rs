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

/// What every state of an estimator does in the same way, given its learners and which of them holds
/// the map: counting steps, slowing down, saving and loading.
macro_rules! learners {
    ($state:ident<$($p:ident),*> { $($field:ident),* }, map: $map:ident of $of:ident) => {
        impl<$($p,)* E: Real, D: Engine<E>> $crate::neural::State for $state<$($p,)* E, D> {
            fn step(&self) -> u64 {
                self.step
            }
        }

        impl<$($p: TensorCollection<E, D>,)* E: Real, D: Engine<E>> $crate::neural::Mapped
            for $state<$($p,)* E, D>
        {
            type Map = $crate::function::Learner<$of, E, D>;
            fn map(&self) -> &Self::Map {
                &self.$map
            }
        }

        impl<$($p: TensorCollection<E, D>,)* E: Real, D: Engine<E>> $crate::neural::Slowed
            for $state<$($p,)* E, D>
        {
            fn slow_down(&mut self, factor: f64) {
                $(self.$field.scale_rate(factor);)*
            }
        }

        impl<$($p: TensorCollection<E, D>,)* E: Real, D: Engine<E>> $crate::function::Persist
            for $state<$($p,)* E, D>
        {
            fn save(&self, record: &mut $crate::function::Record, path: &str) {
                self.step.save(record, &format!("{path}step"));
                $(self.$field.save(record, &format!("{path}{}.", stringify!($field)));)*
            }
            fn load(
                &mut self,
                record: &$crate::function::Record,
                path: &str,
                problems: &mut Vec<String>,
            ) {
                self.step.load(record, &format!("{path}step"), problems);
                $(self.$field.load(record, &format!("{path}{}.", stringify!($field)), problems);)*
            }
        }
    };
}
pub(super) use learners;

/// All fields of metrics as readings, under their names.
macro_rules! readings {
    ($metrics:ident { $($field:ident),* $(,)? }) => {
        impl $crate::neural::Readings for $metrics {
            fn readings(&self) -> Vec<(&'static str, f64)> {
                vec![$((stringify!($field), self.$field)),*]
            }
        }
    };
}
pub(super) use readings;
