//! The descents of a step of [`enot_step`](super::enot_step).

use dfdx::prelude::*;

use super::enot::EnotConfig;
use super::expectile::ExpectileLoss;
use super::losses::{mean, stacked};
use crate::error::{Error, Result};
use crate::function::{Descent, Learner, MapNetwork, Potential};
use crate::geometry::{Cost, NegDot};
use crate::ops::{Engine, Real, Tap};
use crate::problem::Batch;
use crate::tensor::{points_on, rows, Points, Taped};

/// What the descents of a step saw.
pub(super) struct Seen<E> {
    /// Of the source network, the last one.
    pub(super) map: Descent,
    /// Of g.
    pub(super) potential: Descent,
    pub(super) loss: ExpectileLoss<E>,
    /// mean c(x, T(x)).
    pub(super) transport_cost: f64,
}

/// One descent of each network at the same parameters, from one pass of g.
pub(super) fn together<const N: usize, E, D, C, F, G>(
    config: &EnotConfig<C>,
    (source, target): (&mut Learner<F, E, D>, &mut Learner<G, E, D>),
    batch: &Batch<N, E, D>,
    paired: &[E],
) -> Result<Seen<E>>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: MapNetwork<N, C, E, D>,
    G: Potential<N, E, D>,
{
    let (x, n) = (&batch.source, paired.len());
    let moved: Points<N, E, D, Taped<E, D>> = source.traced_by(x, |f, x| f.traced(&config.cost, x));
    let cost = config.cost.paired(x, moved.retaped::<Taped<E, D>>())?;
    let costs = cost.as_vec();
    let mut tap = Tap::default();
    let record = |g: &Learner<G, E, D>, both: &_| {
        let (values, tapped) = g.traced_and_tapped(both);
        tap = tapped;
        values
    };
    let images = moved.retaped::<NoneTape>();
    let (potential, loss) =
        ascend(config, target, [&images, &batch.target], record, [&costs, paired])?;

    // The map, with g as it was: its slopes at the images came with those of its parameters, scaled.
    let mut slopes = tap.take();
    slopes.truncate(n * N);
    for (slopes, scale) in slopes.chunks_exact_mut(N).zip(&loss.slopes) {
        slopes.iter_mut().for_each(|s| *s /= *scale);
    }
    let gain = NegDot.paired(&points_on(x.device(), slopes)?, moved)?;
    let map = source.descend(cost.mean() + gain.mean())?;
    // The gain is that of the linear part of g.
    let map = Descent { loss: loss.map_loss, ..map };
    Ok(Seen { map, potential, loss, transport_cost: mean(&costs) })
}

/// Descents of the map on the parts of the source, with g frozen, and then one of g at their images.
pub(super) fn in_turn<const N: usize, E, D, C, F, G>(
    config: &EnotConfig<C>,
    (source, target): (&mut Learner<F, E, D>, &mut Learner<G, E, D>),
    batch: &Batch<N, E, D>,
    paired: &[E],
) -> Result<Seen<E>>
where
    E: Real,
    D: Engine<E>,
    C: Cost<N, E, D>,
    F: MapNetwork<N, C, E, D>,
    G: Potential<N, E, D>,
{
    let n = paired.len();
    let mut images = Vec::with_capacity(n * N);
    let mut costs = Vec::with_capacity(n);
    let mut map = Descent { loss: f64::NAN, gradient_norm: f64::NAN };
    for part in parts(config.map_steps, &batch.source)? {
        let moved: Points<N, E, D, Taped<E, D>> =
            source.traced_by(&part, |f, x| f.traced(&config.cost, x));
        images.extend(rows(&moved.retaped::<NoneTape>()));
        let cost = config.cost.paired(&part, moved.retaped::<Taped<E, D>>())?;
        costs.extend(cost.as_vec());
        let gain: Points<1, E, D, Taped<E, D>> = target.frozen(moved);
        map = source.descend(cost.mean() - gain.mean())?;
    }
    let images = points_on(batch.source.device(), images)?;
    let record = |g: &Learner<G, E, D>, both: &_| g.traced(both);
    let (potential, loss) =
        ascend(config, target, [&images, &batch.target], record, [&costs, paired])?;
    Ok(Seen { map, potential, loss, transport_cost: mean(&costs) })
}

/// One descent of g, at the images and the target at once, from the slopes of its loss in its values, which
/// `record` puts on the tape.
fn ascend<const N: usize, E, D, C, G>(
    config: &EnotConfig<C>,
    target: &mut Learner<G, E, D>,
    [images, y]: [&Points<N, E, D>; 2],
    record: impl FnOnce(&Learner<G, E, D>, &Points<N, E, D>) -> Points<1, E, D, Taped<E, D>>,
    [transport, paired]: [&[E]; 2],
) -> Result<(Descent, ExpectileLoss<E>)>
where
    E: Real,
    D: Engine<E>,
    G: TensorCollection<E, D>,
{
    let both = stacked(images, y);
    let values = record(target, &both);
    let weights = [config.regularisation, config.expectile];
    let loss = ExpectileLoss::at(weights, &values.as_vec(), transport, paired);
    let rows = (loss.slopes.len(), Const);
    let slopes: Points<1, E, D> = both.device().tensor_from_vec(loss.slopes.clone(), rows);
    Ok((target.descend((values * slopes).sum())?, loss))
}

/// The source in `count` equal parts.
fn parts<const N: usize, E: Real, D: Engine<E>>(
    count: usize,
    source: &Points<N, E, D>,
) -> Result<Vec<Points<N, E, D>>> {
    let n = source.shape().0;
    if n == 0 || !n.is_multiple_of(count) {
        let expected = format!("a positive multiple of map_steps = {count}");
        return Err(Error::shape("source points", expected, n));
    }
    let values = rows(source);
    let parts = values.chunks_exact(n / count * N);
    parts.map(|part| points_on(source.device(), part.to_vec())).collect()
}
