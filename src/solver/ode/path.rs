//! What comes back.

use crate::error::{Error, Result};
use crate::ops::Real;

/// How the integration of a point, or of a batch with shared steps, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OdeStatus {
    /// At the last time.
    Reached,
    /// The limit of steps came first.
    StepLimit,
    /// The tolerance asks for steps that no longer change the time.
    StepTooSmall,
    /// The field or the state is not finite.
    NonFinite,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OdeReport {
    /// How it ended.
    pub status: OdeStatus,
    /// The time that was reached.
    pub time: f64,
    /// Evaluations of the field at each point.
    pub evaluations: u64,
    /// Steps that were taken.
    pub accepted: u64,
    /// Steps that were refused.
    pub rejected: u64,
}

/// States along the way of a batch.
#[must_use]
#[derive(Clone, Debug, PartialEq)]
pub struct OdePath<E> {
    /// The times asked for.
    pub times: Vec<f64>,
    /// The states `[n, d]` at each of them, the first of which is the start. NaN where a point did not
    /// get so far.
    pub states: Vec<Vec<E>>,
    /// A report for each point with steps of its own, else one for the whole batch.
    pub reports: Vec<OdeReport>,
    /// Calls of the field, each with all points that are still on their way.
    pub calls: u64,
}

impl<E: Real> OdePath<E> {
    /// The states `[n, d]` at the last time.
    pub fn end(&self) -> &[E] {
        self.states.last().map_or(&[], |state| state)
    }

    /// Evaluations of the field a point, in the mean over the batch.
    pub fn evaluations(&self) -> f64 {
        let sum: u64 = self.reports.iter().map(|r| r.evaluations).sum();
        sum as f64 / self.reports.len() as f64
    }

    /// This path if every point reached the last time.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if the steps were too many or too small, [`Error::NonFinite`] if the
    /// field or a state is; the message names the first point and the time.
    pub fn into_reached(self) -> Result<Self> {
        let missed = |r: &&OdeReport| r.status != OdeStatus::Reached;
        let Some(report) = self.reports.iter().find(missed) else {
            return Ok(self);
        };
        let at = format!("t = {} after {} steps", report.time, report.accepted + report.rejected);
        match report.status {
            OdeStatus::StepLimit => Err(Error::config(
                "limit of steps",
                at,
                "too few for this tolerance: raise the limit or the tolerance",
            )),
            OdeStatus::StepTooSmall => Err(Error::config(
                "tolerance",
                at,
                "the steps vanish here: raise the tolerance, or look for a jump of the field",
            )),
            OdeStatus::NonFinite | OdeStatus::Reached => Err(Error::NonFinite {
                what: format!("the field or the state at {at}"),
                value: f64::NAN,
                step: None,
                remedy: "take smaller steps, or go back to a field that has not diverged",
            }),
        }
    }
}
