//! The readings of a run as a CSV file.

use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::observe::Observe;
use crate::error::{Error, Result};
use crate::neural::{Readings, State};

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

    /// Goes on after the row of step `from`, dropping later rows of an interrupted run; starts anew if
    /// there is no file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or written.
    pub fn resume(path: &Path, from: u64) -> Result<Self> {
        let Ok(text) = std::fs::read_to_string(path) else {
            return Self::create(path);
        };
        let mut lines = text.lines();
        let mut kept = lines.next().map(|l| format!("{l}\n")).unwrap_or_default();
        for line in lines {
            let step = line.split(',').next().and_then(|s| s.parse::<u64>().ok());
            if step.is_some_and(|s| s <= from) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        crate::files::write_atomically(path, kept.as_bytes())?;
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
