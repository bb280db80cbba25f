//! What a trial found.

use serde::{Deserialize, Serialize};

use super::table::Row;

/// How far the last score may lie above the best one before a run counts as diverged.
const DIVERGED: f64 = 1.5;

/// A score along the way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps made.
    pub step: u64,
    /// Wall time of the training so far, scoring left out, summed over resumed parts.
    pub seconds: f64,
    /// CPU time of the process, likewise.
    pub cpu_seconds: f64,
    /// [`MapError::l2_uvp`](crate::score::MapError::l2_uvp), in percent.
    pub l2_uvp: f64,
    /// [`MapError::cosine`](crate::score::MapError::cosine).
    pub cosine: f64,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All steps were made.
    Finished,
    /// The budget of CPU time was used up before.
    OutOfTime,
    /// The step failed, with this message.
    Failed(String),
}

/// The scores of one contender on one pair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the contender.
    pub solver: String,
    /// Dimension of the pair.
    pub dimension: usize,
    /// Seed of the trial.
    pub seed: u64,
    /// The settings, as the trial was given them.
    pub settings: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The scores, in the order of their steps.
    pub evaluations: Vec<Evaluation>,
}

impl Report {
    /// The score at the end.
    pub fn last(&self) -> Option<&Evaluation> {
        self.evaluations.last()
    }

    /// The lowest L2-UVP.
    pub fn best(&self) -> Option<&Evaluation> {
        self.evaluations.iter().min_by(|a, b| a.l2_uvp.total_cmp(&b.l2_uvp))
    }

    /// The highest L2-UVP of the second half of the evaluations: how far it strays once it has learned.
    pub fn max(&self) -> Option<&Evaluation> {
        let half = self.evaluations.len() / 2;
        self.evaluations[half..].iter().max_by(|a, b| a.l2_uvp.total_cmp(&b.l2_uvp))
    }

    /// Whether the step failed or the last L2-UVP is above 1.5 times the best.
    pub fn diverged(&self) -> bool {
        let ends = self.last().zip(self.best());
        // Not `last > …`, so that a score that is no number counts as diverged.
        let calm = ends.is_some_and(|(last, best)| last.l2_uvp <= DIVERGED * best.l2_uvp);
        !calm || matches!(self.outcome, Outcome::Failed(_))
    }

    /// Solver, dimension and last L2-UVP, for a table or a picture.
    pub fn row(&self) -> Row {
        let value = self.last().map_or(f64::NAN, |e| e.l2_uvp);
        Row { name: self.solver.clone(), dimension: self.dimension, value }
    }
}
