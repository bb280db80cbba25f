//! The entry to the integrators.

use super::batch::Batch;
use super::config::{OdeConfig, Steps};
use super::path::OdePath;
use crate::error::{check_count, Error, Result};
use crate::ops::Real;

/// The path of dx/dt = v(t, x) from each of the points `start` `[n, d]`, row by row, from the first of
/// `times` to the last, which may be earlier; states are returned at all of them. They do not influence
/// the steps: inside of a step the polynomial of the method is evaluated, of order 1 to 4.
///
/// `field(t, x, v)` gets k ≤ n points `[k, d]` with a time each, and writes v(t, x) `[k, d]`. With steps
/// of its own ([`Steps::PerSample`]) every point has another time; points that arrived are left out.
/// Points keep their order. A step costs the evaluations that its method states. Memory is some ten
/// copies of the batch, and one for each of the times.
///
/// # Errors
/// [`Error::Shape`] if the start is empty or no multiple of d, [`Error::NonFinite`] if it is not finite,
/// [`Error::InvalidConfig`] if times are not finite and in strict order, or a choice is out of range.
/// That a point does not arrive is no error but a status
/// ([`into_reached`](OdePath::into_reached)).
///
/// ```
/// use brenier::solver::{integrate, OdeConfig};
/// // dx/dt = -x.
/// let decay = |_: &[f64], x: &[f64], v: &mut [f64]| {
///     v.iter_mut().zip(x).for_each(|(v, x)| *v = -x);
/// };
/// let path = integrate(&OdeConfig::default(), decay, &[1.0], 1, &[0.0, 1.0])?.into_reached()?;
/// assert!((path.end()[0] - (-1.0f64).exp()).abs() < 1e-5);
/// # Ok::<(), brenier::Error>(())
/// ```
pub fn integrate<E, F>(
    config: &OdeConfig,
    mut field: F,
    start: &[E],
    d: usize,
    times: &[f64],
) -> Result<OdePath<E>>
where
    E: Real,
    F: FnMut(&[f64], &[E], &mut [E]),
{
    integrate_points(config, |_, t, x, v| field(t, x, v), start, d, times)
}

/// [`integrate`] with a field that also gets the indices of its points in the batch, as its first
/// argument.
///
/// # Errors
/// As [`integrate`].
pub(crate) fn integrate_points<E, F>(
    config: &OdeConfig,
    field: F,
    start: &[E],
    d: usize,
    times: &[f64],
) -> Result<OdePath<E>>
where
    E: Real,
    F: FnMut(&[usize], &[f64], &[E], &mut [E]),
{
    config.check()?;
    check_start(start, d)?;
    check_times(times)?;
    let nothing = vec![E::of(f64::NAN); start.len()];
    let mut states = vec![nothing; times.len()];
    states[0].copy_from_slice(start);
    // Points that step together.
    let group = if matches!(config.steps, Steps::PerSample(_)) { d } else { start.len() };
    let mut batch = Batch::new(config.method, field, start, (d, group), times);
    match config.steps {
        Steps::Fixed(steps) => batch.equal_steps(steps, &mut states),
        Steps::Shared(control) | Steps::PerSample(control) => batch.adapt(&control, &mut states),
    }
    let Batch { reports, calls, .. } = batch;
    Ok(OdePath { times: times.to_vec(), states, reports, calls })
}

fn check_start<E: Real>(start: &[E], d: usize) -> Result<()> {
    check_count("dimension", d)?;
    if start.is_empty() || !start.len().is_multiple_of(d) {
        let expected = format!("a positive multiple of {d} numbers (one row per point)");
        return Err(Error::shape("start", expected, format!("{} numbers", start.len())));
    }
    match start.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::NonFinite {
            what: format!("coordinate {} of start {}", i % d, i / d),
            value: start[i].double(),
            step: None,
            remedy: "clean the points before they are moved",
        }),
    }
}

fn check_times(times: &[f64]) -> Result<()> {
    let rule = "must be at least two, finite, and all increasing or all decreasing";
    let ordered = |sign: f64| times.windows(2).all(|w| sign * (w[1] - w[0]) > 0.0);
    let finite = times.iter().all(|t| t.is_finite());
    if times.len() >= 2 && finite && (ordered(1.0) || ordered(-1.0)) {
        Ok(())
    } else {
        Err(Error::config("times", format_args!("{times:?}"), rule))
    }
}
