//! What a test asks the library beside CUDA's functions.

use super::state::with;
use crate::check::{Kind, Report};
use crate::settings::RawSettings;
use crate::{Settings, Stats};
use std::ffi::c_void;

/// A [`Report`] as it crosses from the shared library to the test.
#[repr(C)]
pub struct RawReport {
    kind: u32,
    line: u32,
    source_line: u32,
    has_thread: u32,
    block: [u32; 3],
    thread: [u32; 3],
    address: u64,
    kernel: Text,
    source: Text,
    message: Text,
}

#[repr(C)]
struct Text {
    start: *const u8,
    len: usize,
}

impl Text {
    fn of(text: &str) -> Self {
        Self { start: text.as_ptr(), len: text.len() }
    }

    /// # Safety
    /// The text that this was made of still exists.
    unsafe fn read(&self) -> String {
        // SAFETY: as promised.
        let bytes = unsafe { std::slice::from_raw_parts(self.start, self.len) };
        String::from_utf8_lossy(bytes).into_owned()
    }
}

impl RawReport {
    fn of(report: &Report) -> Self {
        let (source, source_line) = match &report.source {
            Some((file, line)) => (file.as_str(), *line),
            None => ("", 0),
        };
        Self {
            kind: report.kind as u32,
            line: report.line,
            source_line,
            has_thread: u32::from(report.thread.is_some()),
            block: report.block,
            thread: report.thread.unwrap_or_default(),
            address: report.address,
            kernel: Text::of(&report.kernel),
            source: Text::of(source),
            message: Text::of(&report.message),
        }
    }

    /// # Safety
    /// The report that this was made of still exists.
    pub(crate) unsafe fn to_report(&self) -> Report {
        // SAFETY: as promised.
        let (kernel, source, message) =
            unsafe { (self.kernel.read(), self.source.read(), self.message.read()) };
        Report {
            kind: Kind::numbered(self.kind),
            kernel,
            line: self.line,
            source: (!source.is_empty()).then_some((source, self.source_line)),
            block: self.block,
            thread: (self.has_thread != 0).then_some(self.thread),
            address: self.address,
            message,
        }
    }
}

/// Changes the settings.
///
/// # Safety
/// `settings` is valid.
#[no_mangle]
pub(crate) unsafe extern "C" fn brenier_emulator_configure(settings: *const RawSettings) {
    // SAFETY: as promised.
    let settings = Settings::from(unsafe { &*settings });
    with(|driver| {
        driver.settings = settings;
        Ok(())
    });
}

/// Forgets the sticky error, queued work and statistics.
#[no_mangle]
pub extern "C" fn brenier_emulator_reset() {
    with(|driver| {
        driver.sticky = 0;
        driver.drop_work();
        driver.stats = Stats::default();
        Ok(())
    });
}

/// Gives every report to `keep`, and forgets it.
///
/// # Safety
/// `keep` can be called with `into`.
#[no_mangle]
pub unsafe extern "C" fn brenier_emulator_reports(
    keep: extern "C" fn(*mut c_void, *const RawReport),
    into: *mut c_void,
) {
    with(|driver| {
        for report in driver.reports.drain(..) {
            let raw = RawReport::of(&report);
            keep(into, &raw const raw);
        }
        Ok(())
    });
}

/// Writes the statistics.
///
/// # Safety
/// `to` is valid for writes.
#[no_mangle]
pub unsafe extern "C" fn brenier_emulator_stats(to: *mut Stats) {
    with(|driver| {
        let bytes = driver.memory.used() as u64;
        // SAFETY: as promised.
        unsafe { *to = Stats { bytes, ..driver.stats } };
        Ok(())
    });
}
