//! The whole state of a run in one file.
//!
//! Layout, little-endian: the eight bytes `brenier\n`, the format version (u32), the CRC-32 of the
//! payload (u32), its length (u64), then the payload: configuration, key and state, encoded by
//! `bincode`. A file is written under a temporary name in the same folder, flushed to disk, and
//! renamed: a run that is killed leaves the old file or the new one, never half of one.
//!
//! [`load`] goes on with a run; [`transfer`] starts another one from its networks.

use std::path::Path;

use dfdx::prelude::TensorCollection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{CheckpointProblem, Error, Result};
use crate::files;
use crate::function::{arrays, replace, Persist, Record};
use crate::ops::{Engine, Real};
use crate::random::Key;

/// The newest format version that this build reads, and the one it writes.
pub const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"brenier\n";
const HEADER: usize = 24;

#[derive(Serialize, Deserialize)]
struct Payload<C> {
    config: C,
    key: Key,
    record: Record,
}

/// Writes state, configuration and key to `path`.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be made or the file not written; a file that was there is then
/// as it was.
pub fn save<S: Persist, C: Serialize>(path: &Path, state: &S, config: &C, key: Key) -> Result<()> {
    let mut record = Record::default();
    state.save(&mut record, "");
    let payload = Payload { config, key, record };
    let payload = bincode::serde::encode_to_vec(&payload, bincode::config::standard())
        .map_err(|e| Error::io("encode", path)(std::io::Error::other(e)))?;
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&payload);
    files::write_atomically(path, &bytes)
}

/// Reads a checkpoint into `template`, a state of the same networks (freshly initialised, say).
/// Returns the state, the configuration and the key.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Checkpoint`] if it is not a checkpoint, written by
/// a newer version, truncated or corrupted, holds another configuration type, or if its arrays do not
/// fit the template (each misfit is listed by name). The file is never changed.
pub fn load<S: Persist, C: DeserializeOwned>(path: &Path, mut template: S) -> Result<(S, C, Key)> {
    let Payload { config, key, record } = read(path)?;
    let mut problems = Vec::new();
    template.load(&record, "", &mut problems);
    if problems.is_empty() {
        Ok((template, config, key))
    } else {
        Err(Error::checkpoint(path, CheckpointProblem::Mismatch(problems)))
    }
}

/// What a module took over from a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Names of the arrays that were taken over.
    pub loaded: Vec<String>,
    /// Those that stayed as they were, with the reason.
    pub kept: Vec<(String, String)>,
}

/// Takes over the arrays of a module under `path_in_file` (`"map.parameters."`, `"potential.parameters."`, or
/// `"average."` of an [`Averaged`](super::Averaged) state) from a checkpoint of another run, as far as their
/// names and shapes fit. Optimiser and step are not touched. `C` is the type of the checkpoint's configuration.
///
/// # Errors
/// As [`load`], except that arrays that do not fit are no error.
pub fn transfer<C: DeserializeOwned, P, E: Real, D: Engine<E>>(
    path: &Path,
    path_in_file: &str,
    module: &mut P,
) -> Result<Transfer>
where
    P: TensorCollection<E, D>,
{
    let Payload::<C> { record, .. } = read(path)?;
    let (mut transfer, mut all) = (Transfer::default(), arrays(module));
    for own in &mut all {
        let found = record.array::<E>(&format!("{path_in_file}{}", own.name));
        let problem = match found {
            Ok((shape, values)) if shape == own.shape => {
                own.values = values;
                transfer.loaded.push(own.name.clone());
                continue;
            }
            Ok((shape, _)) => format!("is {shape:?} there, {:?} here", own.shape),
            Err(problem) => problem,
        };
        transfer.kept.push((own.name.clone(), problem));
    }
    replace(module, &all)
        .map_err(|problems| Error::checkpoint(path, CheckpointProblem::Mismatch(problems)))?;
    Ok(transfer)
}

impl std::fmt::Display for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.loaded.len() + self.kept.len();
        write!(f, "{} of {all} arrays loaded", self.loaded.len())?;
        for (i, (name, problem)) in self.kept.iter().enumerate() {
            write!(f, "{} {name} ({problem})", if i == 0 { "; not loaded:" } else { "," })?;
        }
        Ok(())
    }
}

/// The contents of a file.
fn read<C: DeserializeOwned>(path: &Path) -> Result<Payload<C>> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let refuse = |problem| Error::checkpoint(path, problem);
    let payload = payload(&bytes).map_err(refuse)?;
    let (contents, read): (Payload<C>, usize) =
        decode(payload).map_err(|e| refuse(CheckpointProblem::Contents(e.to_string())))?;
    if read != payload.len() {
        let rest = format!("{} bytes are left over", payload.len() - read);
        return Err(refuse(CheckpointProblem::Contents(rest)));
    }
    Ok(contents)
}

/// The contents of a payload, and how many bytes they took. Lengths in it are held to what a payload of
/// its size can decode to, so that a forged one does not ask for memory without bounds.
fn decode<C: DeserializeOwned>(
    payload: &[u8],
) -> std::result::Result<(Payload<C>, usize), bincode::error::DecodeError> {
    let config = bincode::config::standard();
    match payload.len() {
        0..=0x10_0000 => {
            bincode::serde::decode_from_slice(payload, config.with_limit::<{ 1 << 24 }>())
        }
        0x10_0001..=0x1000_0000 => {
            bincode::serde::decode_from_slice(payload, config.with_limit::<{ 1 << 32 }>())
        }
        _ => bincode::serde::decode_from_slice(payload, config.with_limit::<{ 1 << 44 }>()),
    }
}

/// The verified payload of a file's bytes.
fn payload(bytes: &[u8]) -> std::result::Result<&[u8], CheckpointProblem> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    let start = &bytes[..bytes.len().min(MAGIC.len())];
    if start != &MAGIC[..start.len()] || start.is_empty() {
        return Err(CheckpointProblem::NotACheckpoint);
    }
    let truncated = |expected| CheckpointProblem::Truncated { expected, found: bytes.len() as u64 };
    let too_short = || truncated(HEADER as u64);
    let version = number(8).ok_or_else(too_short)?;
    if version > VERSION {
        return Err(CheckpointProblem::NewerVersion { found: version, supported: VERSION });
    }
    let checksum = number(12).ok_or_else(too_short)?;
    let (low, high) = (number(16).ok_or_else(too_short)?, number(20).ok_or_else(too_short)?);
    let length = u64::from(high) << 32 | u64::from(low);
    let payload = &bytes[HEADER..];
    if (payload.len() as u64) < length {
        return Err(truncated(length.saturating_add(HEADER as u64)));
    }
    let found = crc32fast::hash(payload);
    if found == checksum && payload.len() as u64 == length {
        Ok(payload)
    } else {
        Err(CheckpointProblem::Corrupted { expected: checksum, found })
    }
}
