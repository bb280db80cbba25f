//! The state behind the functions.

use super::code;
use super::queue::Stream;
use crate::check::{Kind, Report};
use crate::machine::{Memory, Program};
use crate::{Settings, Stats};
use std::collections::{BTreeMap, HashMap};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

/// Result of a driver function: a code other than success is an error.
pub(super) type Result<T> = std::result::Result<T, i32>;

/// A loaded module.
pub(super) struct LoadedModule {
    /// Kernel and its handle.
    pub(super) functions: HashMap<String, usize>,
    /// Address and size of the global variables.
    pub(super) globals: HashMap<String, (u64, usize)>,
}

pub(super) struct LoadedFunction {
    pub(super) program: Arc<Program>,
    /// Dynamic shared memory that the host has allowed.
    pub(super) allowed: usize,
    pub(super) module: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Event {
    /// Stream and ticket of the last record.
    pub(super) recorded: Option<(usize, u64)>,
    /// Seconds at which the record was reached.
    pub(super) reached: Option<f64>,
}

#[derive(Default)]
pub(super) struct Driver {
    pub(super) settings: Settings,
    pub(super) stats: Stats,
    pub(super) memory: Memory,
    pub(super) epoch: u32,
    pub(super) reports: Vec<Report>,
    /// The error that stays until a reset.
    pub(super) sticky: i32,
    pub(super) modules: HashMap<usize, LoadedModule>,
    pub(super) functions: HashMap<usize, LoadedFunction>,
    /// Streams by handle; 0 is the default stream.
    pub(super) streams: BTreeMap<usize, Stream>,
    pub(super) events: HashMap<usize, Event>,
    /// Pinned host memory: address and size.
    pub(super) pinned: BTreeMap<usize, usize>,
    /// Handles of cuBLAS and the stream of each.
    pub(super) blas: HashMap<usize, usize>,
    pub(super) tickets: u64,
    handles: usize,
}

impl Driver {
    pub(super) fn handle(&mut self) -> usize {
        self.handles += 1;
        0x1000 + 16 * self.handles
    }

    /// Notes a report; a fault on the device sticks.
    pub(super) fn fail(&mut self, report: Report, sticky: bool) -> i32 {
        let code = code::of(report.kind);
        // for programs that abort before anybody takes the reports
        if std::env::var_os("BRENIER_EMULATOR_PRINT").is_some() {
            eprintln!("{report}");
        }
        if self.reports.len() < 1000 {
            self.reports.push(report);
        }
        if sticky && self.sticky == 0 {
            self.sticky = code;
        }
        code
    }

    /// Notes what is wrong with a call.
    pub(super) fn refuse(&mut self, kind: Kind, function: &str, message: String) -> i32 {
        let report = crate::machine::host_report(kind, function, 0, message);
        self.fail(report, false)
    }

    /// The sticky error, if there is one.
    pub(super) fn healthy(&self) -> Result<()> {
        match self.sticky {
            0 => Ok(()),
            code => Err(code),
        }
    }
}

static DRIVER: Mutex<Option<Driver>> = Mutex::new(None);

/// Runs `f` on the state, under the lock, and turns its result into a code.
pub(super) fn with(f: impl FnOnce(&mut Driver) -> Result<()>) -> i32 {
    let mut guard = DRIVER.lock().unwrap_or_else(|e| e.into_inner());
    let driver = guard.get_or_insert_with(Driver::default);
    // a panic must not leave a C function
    match catch_unwind(AssertUnwindSafe(|| f(&mut *driver))) {
        Ok(Ok(())) => code::SUCCESS,
        Ok(Err(code)) => code,
        Err(_) => {
            let text = "the emulator panicked; its message is on the error output".to_string();
            let report = crate::machine::host_report(Kind::Internal, "emulator", 0, text);
            driver.fail(report, true)
        }
    }
}
