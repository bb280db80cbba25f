//! The laws of an estimator.

use std::panic::{catch_unwind, AssertUnwindSafe};

use dfdx::prelude::*;

use super::{Broken, Laws};
use crate::error::{Error, Result};
use crate::function::{Persist, Record};
use crate::neural::{Readings, State};
use crate::problem::Batch;
use crate::random::Key;
use crate::tensor::{rows, Points};
use crate::train::Step;

/// The laws of an estimator: what a run, a checkpoint and a resumption rely on.
///
/// `fresh(key)` is a new state whose parameters are a function of the key; `batch(i)` is the batch of
/// step i, large enough that a step takes its parallel paths. Makes about a dozen steps:
///
/// - a step counts one, and leaves the clone of a state as it was;
/// - equal inputs give equal bytes, again and on one, two and three threads;
/// - a state that was saved and loaded into one with other parameters goes on bit for bit, and a
///   record without its arrays is refused;
/// - readings are finite, and have the same names in the same order at every step;
/// - a NaN in the source or the target is an error, never a panic or a state.
///
/// # Errors
/// A sentence for every law that is broken.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::testing::check_estimator;
/// let config: NotConfig = NotConfig { map_steps: 1, ..NotConfig::default() };
/// let fresh = |key: Key| {
///     let [f, t] = key.split();
///     let (f, t): (Mlp<2, 8, 0, 1>, Mlp<2, 8, 0, 2>) = (build(f), build(t));
///     not_init(&config, f, t)
/// };
/// let (p, q) = (GaussianMixture::<2>::standard(), GaussianMixture::eight_gaussians());
/// let batches = Sampled::new(p, q, 64)?.with_source_parts(2)?.batches(Key::new(0));
/// let step = |s, b: &Batch<2>, k| not_step(&config, s, b, k);
/// assert_eq!(check_estimator(fresh, step, |i| batches.batch(i)), Ok(()));
/// # Ok::<(), Error>(())
/// ```
pub fn check_estimator<const N: usize, S, St>(
    fresh: impl Fn(Key) -> Result<S> + Sync,
    step: St,
    batch: impl Fn(u64) -> Result<Batch<N>> + Sync,
) -> Result<(), Broken>
where
    S: State + Persist + Clone,
    St: Step<S, Batch<N>> + Sync,
    St::Metrics: Readings,
{
    let mut laws = Laws::default();
    if let Err(error) = all_laws(&mut laws, &fresh, &step, &batch) {
        laws.holds(false, || format!("a step on good data fails: {error}"));
    }
    laws.end()
}

fn all_laws<const N: usize, S, St>(
    laws: &mut Laws,
    fresh: &(impl Fn(Key) -> Result<S> + Sync),
    step: &St,
    batch: &(impl Fn(u64) -> Result<Batch<N>> + Sync),
) -> Result<()>
where
    S: State + Persist + Clone,
    St: Step<S, Batch<N>> + Sync,
    St::Metrics: Readings,
{
    let (init, other, training) = (Key::new(11), Key::new(12), Key::new(13));
    let start = fresh(init)?;
    laws.holds(bytes(&start) == bytes(&fresh(init)?), || {
        "equal keys give different initial states".into()
    });
    type Seen = Vec<(&'static str, f64)>;
    let run = |mut state: S, steps: u64| -> Result<(S, Vec<Seen>)> {
        let mut seen = Vec::new();
        for _ in 0..steps {
            let at = state.step();
            let (next, metrics) = step.step(state, &batch(at)?, training.fold_in(at))?;
            seen.push(metrics.readings());
            state = next;
        }
        Ok((state, seen))
    };

    // Purity and readings.
    let before = bytes(&start);
    let (after, seen) = run(start.clone(), 3)?;
    laws.holds(bytes(&start) == before, || "a step touches the original of its state".into());
    laws.holds(bytes(&after) != before, || "three steps change nothing".into());
    laws.holds(after.step() == start.step() + 3, || {
        format!("three steps count {}", after.step() - start.step())
    });
    let names = |readings: &[(&'static str, f64)]| -> Vec<&'static str> {
        readings.iter().map(|(name, _)| *name).collect()
    };
    for readings in &seen {
        laws.holds(names(readings) == names(&seen[0]), || {
            format!("the readings change their names: {:?}", names(readings))
        });
        for (name, value) in readings {
            laws.holds(value.is_finite(), || format!("the reading {name} is {value}"));
        }
    }

    // Determinism, on any number of threads.
    let whole = bytes(&after);
    laws.holds(bytes(&run(start.clone(), 3)?.0) == whole, || {
        "equal inputs give different states".into()
    });
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let Ok(pool) = pool else { continue };
        let there = pool.install(|| run(fresh(init)?, 3).map(|(state, _)| bytes(&state)))?;
        laws.holds(there == whole, || format!("{threads} threads give another state"));
    }

    // Saving, loading and going on.
    let (half, _) = run(start.clone(), 2)?;
    let mut record = Record::default();
    half.save(&mut record, "");
    let mut loaded = fresh(other)?;
    let mut problems = Vec::new();
    loaded.load(&record, "", &mut problems);
    laws.holds(problems.is_empty(), || format!("what was saved is refused: {problems:?}"));
    laws.holds(loaded.step() == half.step(), || "the count of steps is not saved".into());
    laws.holds(bytes(&run(loaded, 1)?.0) == whole, || {
        "a state that was saved and loaded goes on differently".into()
    });
    fresh(other)?.load(&Record::default(), "", &mut problems);
    laws.holds(!problems.is_empty(), || "an empty record is accepted".into());

    // Bad data.
    let good = batch(0)?;
    let sides = [
        ("source", Batch { source: poisoned(&good.source), target: good.target.clone() }),
        ("target", Batch { source: good.source.clone(), target: poisoned(&good.target) }),
    ];
    for (side, bad) in sides {
        let attempt = AssertUnwindSafe(|| step.step(start.clone(), &bad, training).map(|_| ()));
        match catch_unwind(attempt) {
            Err(_) => laws.holds(false, || format!("a NaN in the {side} panics")),
            Ok(Ok(())) => laws.holds(false, || format!("a NaN in the {side} goes unnoticed")),
            Ok(Err(error)) => laws.holds(matches!(error, Error::NonFinite { .. }), || {
                format!("a NaN in the {side} is reported as: {error}")
            }),
        }
    }
    Ok(())
}

/// Everything that the next step depends on.
fn bytes<S: Persist>(state: &S) -> Record {
    let mut record = Record::default();
    state.save(&mut record, "");
    record
}

/// The points with one coordinate replaced by NaN.
fn poisoned<const N: usize>(points: &Points<N>) -> Points<N> {
    let mut values = rows(points);
    let middle = values.len() / 2;
    values[middle] = f32::NAN;
    points.device().tensor_from_vec(values, (points.shape().0, Const))
}
