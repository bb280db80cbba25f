//! What watches a run: closures, a CSV file, a progress bar.

use std::fs::File;
use std::io::IsTerminal;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{check_count, Error, Result};

use crate::neural::{Readings, State};

/// Something that is shown every new state of a run and what its step saw.
///
/// Implemented for closures `FnMut(&S, &M) -> Result<()>` and for pairs and triples of observers; an
/// error stops the run.
pub trait Observe<S, M> {
    /// Called once a step.
    ///
    /// # Errors
    /// Whatever should stop the run.
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()>;
}

impl<S, M, F: FnMut(&S, &M) -> Result<()>> Observe<S, M> for F {
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()> {
        self(state, metrics)
    }
}

impl<S, M, A: Observe<S, M>, B: Observe<S, M>> Observe<S, M> for (A, B) {
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()> {
        self.0.observe(state, metrics)?;
        self.1.observe(state, metrics)
    }
}

impl<S, M, A: Observe<S, M>, B: Observe<S, M>, C: Observe<S, M>> Observe<S, M> for (A, B, C) {
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()> {
        self.0.observe(state, metrics)?;
        self.1.observe(state, metrics)?;
        self.2.observe(state, metrics)
    }
}

/// An observer that is shown every `n`-th state, counted by the state itself.
///
/// # Errors
/// [`Error::InvalidConfig`] for `n = 0`.
pub fn every<S: State, M, O: Observe<S, M>>(n: u64, mut observer: O) -> Result<impl Observe<S, M>> {
    check_count("interval of an observer", n as usize)?;
    Ok(move |state: &S, metrics: &M| {
        if state.step() % n == 0 {
            observer.observe(state, metrics)?;
        }
        Ok(())
    })
}

/// Writes the readings of every step it is shown as a row `step,reading,…` of a CSV file.
#[derive(Debug)]
pub struct CsvLog<M> {
    path: PathBuf,
    writer: csv::Writer<File>,
    header: bool,
    metrics: PhantomData<M>,
}

impl<M: Readings> CsvLog<M> {
    /// Starts the file anew.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
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

/// A progress bar on standard error with the first readings; silent where that is no terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar that is full at step `total`.
    pub fn new(total: u64) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(total)
        } else {
            ProgressBar::hidden()
        };
        let style = ProgressStyle::with_template(
            "{bar:30} {pos}/{len} steps, {per_sec}, {eta} left  {msg}",
        );
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())) }
    }
}

impl<S: State, M: Readings> Observe<S, M> for Progress {
    fn observe(&mut self, state: &S, metrics: &M) -> Result<()> {
        if !self.bar.is_hidden() {
            let shown = metrics.readings().into_iter().take(3);
            let message: Vec<String> = shown.map(|(n, v)| format!("{n} {v:.4}")).collect();
            self.bar.set_message(message.join("  "));
            self.bar.set_position(state.step());
        }
        Ok(())
    }
}
