//! The game of the maximin estimators: K_T descents of the map, then one ascent of the potential.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::losses::{value, weighted_difference};
use super::not::NotState;
use crate::error::{check_count, Error, Result};
use crate::function::{AdamConfig, Decay, Descent, Learner, Potential, TransportMap};
use crate::geometry::Cost;
use crate::ops::{Engine, Real};
use crate::problem::Batch;
use crate::tensor::{points_on, rows, Points, Scalar, Taped};

/// How map and potential take turns, and the optimisers that move them. The default is that of the
/// papers: ten map steps a potential step on fresh points, Adam with rate 1e-4 and an L2 penalty of 1e-10.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turns {
    /// K_T, the map steps before each potential step; at least 1.
    pub map_steps: usize,
    /// Which source points the inner steps see.
    pub source: SourceUse,
    /// Optimiser of the map.
    pub map: AdamConfig,
    /// Optimiser of the potential.
    pub potential: AdamConfig,
}

/// Which source points the K_T map steps and the potential step see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceUse {
    /// The source of the batch is cut into K_T + 1 equal parts, one for each: fresh points every time,
    /// as in the paper. Its number of points must be a multiple of K_T + 1
    /// ([`Sampled::with_source_parts`](crate::problem::Sampled::with_source_parts)).
    #[default]
    Fresh,
    /// Every one of them sees the whole source of the batch.
    Whole,
}

impl Default for Turns {
    fn default() -> Self {
        let adam = AdamConfig { decay: Decay::Coupled(1e-10), ..AdamConfig::with_rate(1e-4) };
        Self { map_steps: 10, source: SourceUse::Fresh, map: adam.clone(), potential: adam }
    }
}

impl Turns {
    /// So many map steps and these rates, else the defaults.
    pub fn with_rates(map_steps: usize, map: f64, potential: f64) -> Self {
        let (map, potential) = (AdamConfig::with_rate(map), AdamConfig::with_rate(potential));
        Self { map_steps, source: SourceUse::Fresh, map, potential }
    }

    /// Parts that the source of a batch is cut into.
    pub fn source_parts(&self) -> usize {
        self.source.parts(self.map_steps)
    }

    /// The state before the first step.
    pub(super) fn start<E, D, F, T>(&self, potential: F, map: T) -> Result<NotState<F, T, E, D>>
    where
        E: Real,
        D: Engine<E>,
        F: TensorCollection<E, D>,
        T: TensorCollection<E, D>,
    {
        check_count("map_steps", self.map_steps)?;
        Ok(NotState {
            step: 0,
            potential: Learner::new(potential, self.potential.clone())?,
            map: Learner::new(map, self.map.clone())?,
        })
    }
}

impl SourceUse {
    /// Parts that the source of a batch is cut into for so many map steps.
    pub(super) fn parts(self, map_steps: usize) -> usize {
        match self {
            Self::Fresh => map_steps + 1,
            Self::Whole => 1,
        }
    }

    /// The parts of the source for the map steps and, last, for the potential step.
    fn cut<const N: usize, E: Real, D: Engine<E>>(
        self,
        map_steps: usize,
        source: &Points<N, E, D>,
    ) -> Result<Vec<Points<N, E, D>>> {
        let (n, parts) = (source.shape().0, self.parts(map_steps));
        if n == 0 || n % parts != 0 {
            let expected = format!(
                "a positive multiple of map_steps + 1 = {parts} (draw them with \
                 `with_source_parts`, or set `source` to `SourceUse::Whole`)"
            );
            return Err(Error::shape("source points", expected, n));
        }
        let values = rows(source);
        values
            .chunks_exact(n / parts * N)
            .map(|part| points_on(source.device(), part.to_vec()))
            .collect()
    }
}

/// A loss of the map with the transport cost in it.
pub(super) type MapLoss<E, D> = (Scalar<E, D, Taped<E, D>>, f64);

/// What the game saw: the last descent of the map, the descent of the potential.
pub(super) struct Played {
    pub(super) map: Descent,
    pub(super) potential: Descent,
    pub(super) transport_cost: f64,
}

/// K_T descents of `map_loss(map, potential, points, i)`, and one of `potential_loss`, which both
/// record for a gradient in their own network.
pub(super) fn play<const N: usize, E, D, F, T>(
    (map_steps, source): (usize, SourceUse),
    state: NotState<F, T, E, D>,
    points: &Points<N, E, D>,
    mut map_loss: impl FnMut(
        &Learner<T, E, D>,
        &Learner<F, E, D>,
        &Points<N, E, D>,
        u64,
    ) -> Result<MapLoss<E, D>>,
    potential_loss: impl FnOnce(
        &Learner<T, E, D>,
        &Learner<F, E, D>,
        &Points<N, E, D>,
    ) -> Result<Scalar<E, D, Taped<E, D>>>,
) -> Result<(NotState<F, T, E, D>, Played)>
where
    E: Real,
    D: Engine<E>,
    F: TensorCollection<E, D>,
    T: TensorCollection<E, D>,
{
    let NotState { step, mut potential, mut map } = state;
    let at = |e: Error| e.at_step(step);
    let mut parts = source.cut(map_steps, points)?;
    let last = parts.pop().ok_or_else(|| Error::shape("source points", "at least one", 0))?;

    let mut descent = Descent { loss: f64::NAN, gradient_norm: f64::NAN };
    let mut transport_cost = f64::NAN;
    for i in 0..map_steps {
        let (loss, cost) = map_loss(&map, &potential, parts.get(i).unwrap_or(&last), i as u64)?;
        (transport_cost, descent) = (cost, map.descend(loss).map_err(at)?);
    }
    let loss = potential_loss(&map, &potential, &last)?;
    let played =
        Played { map: descent, potential: potential.descend(loss).map_err(at)?, transport_cost };
    Ok((NotState { step: step + 1, potential, map }, played))
}

/// A step of the strong game max_f min_T E c(x, T(x)) − E f(T(x)) + w E f(y).
pub(super) fn strong<const N: usize, E, D, C, F, T>(
    cost: &C,
    turns: (usize, SourceUse),
    weight: f64,
    state: NotState<F, T, E, D>,
    batch: &Batch<N, E, D>,
) -> Result<(NotState<F, T, E, D>, Played)>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: Potential<N, E, D>,
    T: TransportMap<N, E, D>,
{
    let map_loss = |map: &Learner<T, E, D>, f: &Learner<F, E, D>, x: &Points<N, E, D>, _| {
        let moved: Points<N, E, D, Taped<E, D>> = map.traced(x);
        let cost = cost.paired(x, moved.retaped::<Taped<E, D>>())?.mean();
        let seen = value(&cost);
        let gain: Points<1, E, D, Taped<E, D>> = f.frozen(moved);
        Ok((cost - gain.mean(), seen))
    };
    // One ascent of the potential, on both measures at once.
    play(turns, state, &batch.source, map_loss, |map, f, x| {
        let moved = map.params().forward(x.clone());
        Ok(weighted_difference(f, &moved, (&batch.target, weight)))
    })
}
