//! What watches a run: closures and a progress bar.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{check_count, Result};

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
/// [`InvalidConfig`](crate::Error::InvalidConfig) for `n = 0`.
pub fn every<S: State, M, O: Observe<S, M>>(n: u64, mut observer: O) -> Result<impl Observe<S, M>> {
    check_count("interval of an observer", n as usize)?;
    Ok(move |state: &S, metrics: &M| {
        if state.step().is_multiple_of(n) {
            observer.observe(state, metrics)?;
        }
        Ok(())
    })
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
