//! The readings of a run as TensorBoard event files.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::observe::Observe;
use crate::error::{Error, Result};
use crate::neural::{Readings, State};

/// Writes the readings of every step it is shown as scalars of a TensorBoard event file
/// (`tensorboard --logdir FOLDER`), each under its name. Feature `tensorboard`.
///
/// Each process writes a file of its own in the folder of the run. Numbers become `f32`, as TensorBoard
/// keeps them.
///
/// ```
/// use brenier::prelude::*;
/// use brenier::train::TensorBoard;
/// # let home = tempfile::tempdir()?;
/// # let folder = home.path();
/// let config = NotConfig::<HalfSqEuclidean> { map_steps: 1, ..Default::default() };
/// let (f, t): (Mlp<2, 8, 0, 1>, Mlp<2, 8, 0, 2>) = (build(Key::new(0)), build(Key::new(1)));
/// let state = not_init(&config, f, t)?;
/// let (p, q) = (GaussianMixture::<2>::standard(), GaussianMixture::eight_gaussians());
/// let batches = Sampled::new(p, q, 8)?.with_source_parts(2)?.batches(Key::new(2)).take(3);
/// let mut watch = TensorBoard::resume(folder, state.step)?;
/// run(&|s, b: &Batch<2>, k| not_step(&config, s, b, k), state, batches, Key::new(3), &mut watch)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TensorBoard<M> {
    path: PathBuf,
    file: File,
    metrics: PhantomData<M>,
}

impl<M: Readings> TensorBoard<M> {
    /// A file for the steps after `from`; 0 for a run that begins. TensorBoard drops what an interrupted
    /// process wrote of later steps. The folder is made if it is missing.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or the file cannot be made.
    pub fn resume(folder: &Path, from: u64) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        let (path, file) = unused(folder)?;
        let mut board = Self { path, file, metrics: PhantomData };
        board.write(&Event { file_version: Some("brain.Event:2".into()), ..Event::at(0) })?;
        if from > 0 {
            let start = SessionLog { status: SESSION_START };
            board.write(&Event { session_log: Some(start), ..Event::at(from + 1) })?;
        }
        Ok(board)
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        self.file.write_all(&framed(event)).map_err(Error::io("write", &self.path))
    }
}

impl<S: State, M: Readings> Observe<S, M> for TensorBoard<M> {
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()> {
        let scalar = |(tag, value): (&str, f64)| Scalar { tag: tag.into(), value: value as f32 };
        let value = metrics.readings().into_iter().map(scalar).collect();
        self.write(&Event { summary: Some(Summary { value }), ..Event::at(state.step()) })
    }
}

/// A file under a name that TensorBoard knows and that nobody else has.
fn unused(folder: &Path) -> Result<(PathBuf, File)> {
    let (now, process) = (seconds() as u64, std::process::id());
    for i in 0_u32.. {
        let path = folder.join(format!("events.out.tfevents.{now}.{process}.{i}"));
        match File::create_new(&path) {
            Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {}
            made => return Ok((path.clone(), made.map_err(Error::io("create", &path))?)),
        }
    }
    Err(Error::io("create a file in", folder)(ErrorKind::AlreadyExists.into()))
}

/// Since 1970.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

/// A record: length, its checksum, the message, its checksum.
fn framed(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked(&length).to_le_bytes());
    record.extend_from_slice(&message);
    record.extend_from_slice(&masked(&message).to_le_bytes());
    record
}

/// The checksum of the format: CRC-32C, rotated and shifted so that it may stand in checked data.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The part of TensorFlow's `event.proto` that is written here.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

impl Event {
    fn at(step: u64) -> Self {
        Self { wall_time: seconds(), step: step as i64, ..Self::default() }
    }
}

/// `Summary` of `summary.proto`.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

/// `Summary.Value` with a plain number.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    value: f32,
}

/// `SessionLog`: a process begins; steps from here on are written anew.
#[derive(Clone, Copy, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.SessionStatus.START`.
const SESSION_START: i32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that TensorFlow's own writer makes of these events
    /// (`tests/golden/event_file.py`).
    #[test]
    fn records_are_those_of_the_original() {
        let scalar = |tag: &str, value| Scalar { tag: tag.into(), value };
        let summary = Summary { value: vec![scalar("map_loss", 0.25), scalar("cost", -3.0)] };
        let time = Event { wall_time: 1.5, ..Event::default() };
        let events = [
            Event { file_version: Some("brain.Event:2".into()), ..time.clone() },
            Event { step: 300, summary: Some(summary), ..time.clone() },
            Event { step: 301, session_log: Some(SessionLog { status: SESSION_START }), ..time },
        ];
        let bytes: Vec<u8> = events.iter().flat_map(framed).collect();
        let golden = include_bytes!("../../tests/golden/event_file.bin");
        assert_eq!(bytes, golden);
    }

    struct At(u64);
    impl State for At {
        fn step(&self) -> u64 {
            self.0
        }
    }
    struct Loss(f64);
    impl Readings for Loss {
        fn readings(&self) -> Vec<(&'static str, f64)> {
            vec![("loss", self.0)]
        }
    }

    /// Events of a file, checked against their checksums.
    fn events(path: &Path) -> Vec<Event> {
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let event = Event::decode(&rest[12..12 + length]).unwrap();
            assert_eq!(framed(&event), &rest[..length + 16]);
            events.push(event);
            rest = &rest[length + 16..];
        }
        events
    }

    #[test]
    fn each_process_has_a_file_and_says_where_it_begins() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("run");
        for (from, value) in [(0, 1.0), (1, f64::NAN)] {
            let mut board = TensorBoard::resume(&folder, from).unwrap();
            board.observe(&At(from + 1), &Loss(value)).unwrap();
        }
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        let steps = |i: usize| events(&files[i]).iter().map(|e| e.step).collect::<Vec<_>>();
        assert_eq!((steps(0), steps(1)), (vec![0, 1], vec![0, 2, 2]));
        let last = events(&files[1])[2].summary.clone().unwrap().value;
        assert!(last[0].tag == "loss" && last[0].value.is_nan());
        let file = home.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let refused = TensorBoard::<Loss>::resume(&file.join("x"), 0);
        assert!(matches!(refused, Err(Error::Io { .. })));
    }
}
