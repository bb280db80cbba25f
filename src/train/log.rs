//! The readings of a run as a CSV file.

use std::fs::File;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::observe::Observe;
use crate::error::{Error, Result};
use crate::neural::{Readings, State};

/// How the header begins.
const FIRST: &[u8] = b"step";

/// Writes the readings of every step it is shown as a row `step,reading,…` of a CSV file.
#[derive(Debug)]
pub struct CsvLog<M> {
    path: PathBuf,
    writer: csv::Writer<File>,
    header: bool,
    metrics: PhantomData<M>,
}

impl<M: Readings> CsvLog<M> {
    /// Starts the file anew; missing folders are made.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        crate::files::write_atomically(path, b"")?;
        let file = File::create(path).map_err(Error::io("create", path))?;
        Ok(Self::new(path, file, true))
    }

    /// Goes on after the row of step `from`, dropping later rows of an interrupted run and a row that it
    /// did not finish; starts anew if there is no file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or written, [`Error::Format`] if it is no log; the file is then as
    /// it was.
    pub fn resume(path: &Path, from: u64) -> Result<Self> {
        let text = match std::fs::read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Self::create(path),
            text => text.map_err(Error::io("read", path))?,
        };
        let kept = rows_until(&text, from);
        let kept =
            kept.ok_or_else(|| Error::format(path, "no log: its first column is not `step`"))?;
        crate::files::write_atomically(path, &kept)?;
        let open = File::options().append(true).open(path);
        let header = kept.is_empty();
        Ok(Self::new(path, open.map_err(Error::io("append to", path))?, header))
    }

    fn new(path: &Path, file: File, header: bool) -> Self {
        let writer = csv::Writer::from_writer(file);
        Self { path: path.into(), writer, header, metrics: PhantomData }
    }

    fn row(&mut self, cells: impl Iterator<Item = String>) -> Result<()> {
        let io = Error::io("write", &self.path);
        self.writer.write_record(cells).map_err(|e| io(e.into()))
    }
}

impl<S: State, M: Readings> Observe<S, M> for CsvLog<M> {
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()> {
        let readings = metrics.readings();
        if std::mem::take(&mut self.header) {
            let names = readings.iter().map(|(name, _)| (*name).to_owned());
            self.row(std::iter::once("step".to_owned()).chain(names))?;
        }
        let values = readings.iter().map(|(_, value)| value.to_string());
        self.row(std::iter::once(state.step().to_string()).chain(values))?;
        self.writer.flush().map_err(Error::io("write", &self.path))
    }
}

/// The header of a log and its whole rows up to step `from`; nothing if it is no log.
fn rows_until(text: &[u8], from: u64) -> Option<Vec<u8>> {
    let start = &text[..text.len().min(FIRST.len())];
    if start != &FIRST[..start.len()] {
        return None;
    }
    let cells = |line: &[u8]| line.iter().filter(|b| **b == b',').count();
    let step = |line: &[u8]| {
        let first = line.split(|b| *b == b',').next();
        first.and_then(|cell| std::str::from_utf8(cell).ok()?.parse::<u64>().ok())
    };
    // A row that was cut has no end of line.
    let lines = text.split_inclusive(|b| *b == b'\n').filter(|line| line.ends_with(b"\n"));
    let mut header = None;
    let kept = lines.filter(|line| match header {
        None => {
            header = Some(cells(line));
            true
        }
        Some(header) => cells(line) == header && step(line).is_some_and(|s| s <= from),
    });
    Some(kept.flatten().copied().collect())
}

/// A column of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogColumn {
    /// Name of the reading.
    pub name: String,
    /// Step and reading.
    pub points: Vec<(f64, f64)>,
}

/// The columns of a log but the first, which holds the steps. Cells that are no numbers are left out.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Format`] if it is no table.
pub fn read_log(path: &Path) -> Result<Vec<LogColumn>> {
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut reader = csv::Reader::from_reader(&text[..]);
    let names = reader.headers().map_err(|e| Error::format(path, e))?.iter().skip(1);
    let column = |name: &str| LogColumn { name: name.into(), points: Vec::new() };
    let mut columns: Vec<LogColumn> = names.map(column).collect();
    for row in reader.records() {
        let row = row.map_err(|e| Error::format(path, e))?;
        let number = |i: usize| row.get(i).and_then(|c| c.parse::<f64>().ok());
        let Some(step) = number(0) else { continue };
        for (i, column) in columns.iter_mut().enumerate() {
            column.points.extend(number(i + 1).map(|v| (step, v)));
        }
    }
    Ok(columns)
}
