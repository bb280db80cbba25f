//! The one error type of the crate.

use std::path::{Path, PathBuf};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can get wrong and what numbers and files can do.
///
/// A failure of the compute device itself (out of memory) panics in the operators of `dfdx`; on a CUDA
/// device it is [`Error::Device`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of a configuration, or an argument, is outside its range.
    #[error("invalid {field} = {value}: {rule}")]
    InvalidConfig {
        /// Name of the field or argument.
        field: &'static str,
        /// The value that was given.
        value: String,
        /// The rule it breaks, with what to do.
        rule: &'static str,
    },
    /// Sizes that do not fit together.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// Which array, batch or file entry.
        what: String,
        /// The size that would fit.
        expected: String,
        /// The size that was given.
        found: String,
    },
    /// A NaN or an infinity.
    #[error("{what} is {value}{}: {remedy}", .step.map(|s| format!(" at step {s}")).unwrap_or_default())]
    NonFinite {
        /// The quantity.
        what: String,
        /// Its value.
        value: f64,
        /// The step in which it appeared, if it appeared in training.
        step: Option<u64>,
        /// What to look at or change.
        remedy: &'static str,
    },
    /// Training has diverged again and again, whatever the learning rate.
    #[error(
        "training diverged at step {step} after {rollbacks} rollbacks: {cause}; start with lower \
         rates, clip the gradient, or look for outliers in the data"
    )]
    Diverged {
        /// The step.
        step: u64,
        /// The rollbacks before it.
        rollbacks: u32,
        /// What was seen last.
        cause: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The answer of the operating system.
        source: std::io::Error,
    },
    /// A data file that does not hold what it should.
    #[error("{}: {problem}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A checkpoint that cannot be resumed from.
    #[error("checkpoint {}: {problem}", .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: CheckpointProblem,
    },
    /// No CUDA device that could be used.
    #[error("no CUDA device: {problem} (looked for {looked_for})")]
    NoDevice {
        /// The libraries that were looked for.
        looked_for: String,
        /// What was not there.
        problem: String,
    },
    /// The CUDA driver refused.
    #[error("cannot {action}: {problem}")]
    Device {
        /// What was tried.
        action: String,
        /// The answer of the driver.
        problem: String,
    },
    /// A picture that could not be drawn.
    #[error("cannot draw {}: {problem}", .path.display())]
    Plot {
        /// The file that was to be written.
        path: PathBuf,
        /// The answer of the drawing library.
        problem: String,
    },
}

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The first bytes are not those of a checkpoint.
    #[error("not a brenier checkpoint (the first bytes differ)")]
    NotACheckpoint,
    /// Written by a later version of this crate.
    #[error("format version {found} is newer than {supported}, the newest this build reads; update brenier")]
    NewerVersion {
        /// Version in the file.
        found: u32,
        /// Newest version this build reads.
        supported: u32,
    },
    /// The file ends early.
    #[error("truncated: {found} bytes where the header promises {expected}; use an earlier copy")]
    Truncated {
        /// Bytes that the header promises.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The checksum does not match.
    #[error(
        "corrupted: checksum {found:08x} where the header says {expected:08x}; use an earlier copy"
    )]
    Corrupted {
        /// Checksum in the header.
        expected: u32,
        /// Checksum of the bytes.
        found: u32,
    },
    /// The bytes are intact but hold another configuration type.
    #[error("its contents do not decode as the configuration asked for: {0}")]
    Contents(String),
    /// The arrays do not fit the state to be restored; one sentence per array.
    #[error("its arrays do not fit this state: {}", .0.join("; "))]
    Mismatch(Vec<String>),
}

impl Error {
    /// The same error, saying in which step of training it happened.
    #[must_use]
    pub fn at_step(self, step: u64) -> Self {
        match self {
            Self::NonFinite { what, value, remedy, .. } => {
                Self::NonFinite { what, value, remedy, step: Some(step) }
            }
            other => other,
        }
    }

    pub(crate) fn config(
        field: &'static str,
        value: impl std::fmt::Display,
        rule: &'static str,
    ) -> Self {
        Self::InvalidConfig { field, value: value.to_string(), rule }
    }

    pub(crate) fn shape(
        what: impl Into<String>,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Shape { what: what.into(), expected: expected.to_string(), found: found.to_string() }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn format(path: &Path, problem: impl std::fmt::Display) -> Self {
        Self::Format { path: path.to_path_buf(), problem: problem.to_string() }
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn device(action: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::Device { action: action.into(), problem: problem.to_string() }
    }

    pub(crate) fn checkpoint(path: &Path, problem: CheckpointProblem) -> Self {
        Self::Checkpoint { path: path.to_path_buf(), problem }
    }
}

/// Refuses a value that is not positive and finite.
pub(crate) fn check_positive(field: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::config(field, value, "must be positive and finite"))
    }
}

/// Refuses a count of zero.
pub(crate) fn check_count(field: &'static str, value: usize) -> Result<()> {
    if value > 0 {
        Ok(())
    } else {
        Err(Error::config(field, value, "must be at least 1"))
    }
}
