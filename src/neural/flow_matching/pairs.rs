//! The pairs of a batch.

use std::time::{Duration, Instant};

use dfdx::prelude::*;

use super::config::{FlowMatchingConfig, Pairing};
use crate::error::{Error, Result};
use crate::ops::{Engine, Real, RowCost};
use crate::problem::{Batch, Discrete};
use crate::random::Key;
use crate::solver::{ByClass, Coupling};
use crate::tensor::rows;

/// Points of a batch, pair by pair.
pub(super) struct Pairs<E> {
    /// Sources `[n, N]`.
    pub(super) x0: Vec<E>,
    /// Targets `[n, N]`.
    pub(super) x1: Vec<E>,
    /// Indices in the batch.
    pub(super) indices: Vec<(usize, usize)>,
}

/// The classes of the points of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Classes<'a> {
    pub(super) source: Option<&'a [u32]>,
    pub(super) target: &'a [u32],
}

/// The pairs of a batch for one step.
pub(super) fn pairs<const N: usize, E, D, C, K>(
    config: &FlowMatchingConfig<C, K>,
    batch: &Batch<N, E, D>,
    classes: Option<Classes<'_>>,
    key: Key,
) -> Result<Pairs<E>>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    K: Coupling<E>,
{
    let (x, y) = (rows(&batch.source), rows(&batch.target));
    let (n, m) = (batch.source.shape().0, batch.target.shape().0);
    // Refuses what is empty or not finite.
    let problem = Discrete::clouds(&config.cost, &x, &y, N)?;
    let indices = match &config.pairing {
        Pairing::AsDrawn if n != m => {
            let expected = format!("as many as targets ({m}), to be paired as they are drawn");
            return Err(Error::shape("source points", expected, n));
        }
        Pairing::AsDrawn => (0..n).map(|i| (i, i)).collect(),
        Pairing::Coupled { coupling, draws } => match classes {
            None => coupling.pairs(&problem, draws.of(m), key)?,
            Some(Classes { source, target }) => {
                let by_class = ByClass { coupling, source, target };
                by_class.pairs(&problem, draws.of(m), key)?
            }
        },
    };
    let gather = |side: &[E], at: &dyn Fn(&(usize, usize)) -> usize| -> Vec<E> {
        indices.iter().map(at).flat_map(|i| &side[i * N..(i + 1) * N]).copied().collect()
    };
    Ok(Pairs { x0: gather(&x, &|p| p.0), x1: gather(&y, &|p| p.1), indices })
}

/// The time that a step spends on its pairs, which no metric holds, since metrics are a function of the
/// arguments of a step: draws the pairs of the batch `repetitions` times and gives the mean.
///
/// # Errors
/// Those of the coupling.
pub fn pairing_time<const N: usize, E, D, C, K>(
    config: &FlowMatchingConfig<C, K>,
    batch: &Batch<N, E, D>,
    key: Key,
    repetitions: u32,
) -> Result<Duration>
where
    E: Real,
    D: Engine<E>,
    C: RowCost<E>,
    K: Coupling<E>,
{
    let start = Instant::now();
    for i in 0..repetitions {
        std::hint::black_box(pairs(config, batch, None, key.fold_in(i.into()))?.x0.len());
    }
    Ok(start.elapsed() / repetitions.max(1))
}
