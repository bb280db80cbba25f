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
/// the map: [`State`](crate::neural::State), [`Mapped`](crate::neural::Mapped),
/// [`Slowed`](crate::neural::Slowed) and [`Persist`](crate::function::Persist), hence counting steps,
/// slowing down, saving and loading.
///
/// The state is `Name<parameters of the learners, number, device>` with a field `step: u64`. A state with
/// more fields implements the traits itself.
///
/// ```
/// use brenier::neural::learners;
/// use brenier::ops::{Engine, Real};
/// use brenier::prelude::*;
/// struct MineState<F, T, E: Real = f32, D: Engine<E> = Cpu> {
///     step: u64,
///     potential: Learner<F, E, D>,
///     map: Learner<T, E, D>,
/// }
/// learners!(MineState<F, T> { potential, map }, map: map of T);
/// # let learner = |i| Learner::<Mlp<1, 2, 0, 1>>::new(build(Key::new(i)), AdamConfig::default());
/// # let mine = MineState { step: 3, potential: learner(0)?, map: learner(1)? };
/// assert_eq!(mine.step(), 3);
/// # Ok::<(), brenier::Error>(())
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! learners {
    ($state:ident<$($p:ident),*> { $($field:ident),* $(,)? }, map: $map:ident of $of:ident) => {
        impl<$($p,)* E, D> $crate::neural::State for $state<$($p,)* E, D>
        where
            E: $crate::ops::Real,
            D: $crate::ops::Engine<E>,
        {
            fn step(&self) -> u64 {
                self.step
            }
        }

        impl<$($p,)* E, D> $crate::neural::Mapped for $state<$($p,)* E, D>
        where
            $($p: $crate::prelude::TensorCollection<E, D>,)*
            E: $crate::ops::Real,
            D: $crate::ops::Engine<E>,
        {
            type Map = $crate::function::Learner<$of, E, D>;
            fn map(&self) -> &Self::Map {
                &self.$map
            }
        }

        impl<$($p,)* E, D> $crate::neural::Slowed for $state<$($p,)* E, D>
        where
            $($p: $crate::prelude::TensorCollection<E, D>,)*
            E: $crate::ops::Real,
            D: $crate::ops::Engine<E>,
        {
            fn slow_down(&mut self, factor: f64) {
                $(self.$field.scale_rate(factor);)*
            }
        }

        impl<$($p,)* E, D> $crate::function::Persist for $state<$($p,)* E, D>
        where
            $($p: $crate::prelude::TensorCollection<E, D>,)*
            E: $crate::ops::Real,
            D: $crate::ops::Engine<E>,
        {
            fn save(&self, record: &mut $crate::function::Record, path: &str) {
                use $crate::function::Persist;
                Persist::save(&self.step, record, &format!("{path}step"));
                $(Persist::save(&self.$field, record, &format!("{path}{}.", stringify!($field)));)*
            }
            fn load(
                &mut self,
                record: &$crate::function::Record,
                path: &str,
                problems: &mut Vec<String>,
            ) {
                use $crate::function::Persist;
                Persist::load(&mut self.step, record, &format!("{path}step"), problems);
                $(
                    let field = format!("{path}{}.", stringify!($field));
                    Persist::load(&mut self.$field, record, &field, problems);
                )*
            }
        }
    };
}

/// All fields of metrics, `f64` each, as [`Readings`](crate::neural::Readings) under their names.
///
/// ```
/// use brenier::neural::{readings, Readings};
/// struct MineMetrics {
///     loss: f64,
/// }
/// readings!(MineMetrics { loss });
/// assert_eq!(MineMetrics { loss: 2.0 }.readings(), [("loss", 2.0)]);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! readings {
    ($metrics:ident { $($field:ident),* $(,)? }) => {
        impl $crate::neural::Readings for $metrics {
            fn readings(&self) -> Vec<(&'static str, f64)> {
                vec![$((stringify!($field), self.$field)),*]
            }
        }
    };
}

#[doc(inline)]
pub use {learners, readings};
