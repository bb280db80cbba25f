//! Streams: work that waits until somebody waits for it.

use super::product::Outcome;
use super::state::{Driver, Result};
use crate::check::{Kind, Report};
use crate::machine::{host_report, run, Failure, Launch, Memory, Program};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

type Product = Box<dyn FnOnce(&mut Memory) -> Outcome<()> + Send>;

pub(super) enum Work {
    /// Bytes that were taken when the copy was asked for.
    Write {
        to: u64,
        bytes: Vec<u8>,
    },
    /// A copy out of pinned memory, which the host may change until it happens.
    WriteFrom {
        to: u64,
        from: *const u8,
        len: usize,
    },
    Read {
        to: *mut u8,
        from: u64,
        len: usize,
    },
    Copy {
        to: u64,
        from: u64,
        len: usize,
    },
    Fill {
        to: u64,
        pattern: Vec<u8>,
        len: usize,
    },
    Run(Arc<Program>, Launch),
    /// A product of cuBLAS.
    Product(Product),
    Free(u64),
    Reach(usize),
    /// Waits for a ticket of another stream.
    Wait(usize, u64),
    Call(unsafe extern "C" fn(*mut c_void), *mut c_void),
}

// SAFETY: the pointers are the host's, who promises that they stay valid until the work is done; the
// driver's lock lets one thread at a time use them.
unsafe impl Send for Work {}

#[derive(Default)]
pub(super) struct Stream {
    pub(super) queue: VecDeque<(u64, Work)>,
    /// The last ticket that was given out.
    pub(super) last: u64,
    /// Whether the default stream and this one wait for each other.
    pub(super) blocking: bool,
}

/// The handle of the default stream.
pub(super) const DEFAULT: usize = 0;

pub(super) fn seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

impl Driver {
    /// Makes sure that a stream exists.
    pub(super) fn stream(&mut self, handle: usize) -> Result<usize> {
        // 0: the default stream, 1: the same by its name, 2: that of the thread
        let handle = if handle == 1 { DEFAULT } else { handle };
        if handle <= 2 {
            let blocking = true;
            self.streams.entry(handle).or_insert_with(|| Stream { blocking, ..Stream::default() });
        }
        match self.streams.contains_key(&handle) {
            true => Ok(handle),
            false => Err(super::code::INVALID_HANDLE),
        }
    }

    /// Queues work in a stream.
    pub(super) fn queue(&mut self, stream: usize, work: Work) -> Result<u64> {
        let handle = self.stream(stream)?;
        let blocking = self.streams[&handle].blocking;
        // the default stream and the blocking streams wait for each other
        let others: Vec<(usize, u64)> = self
            .streams
            .iter()
            .filter(|(h, s)| {
                **h != handle
                    && !s.queue.is_empty()
                    && s.blocking
                    && blocking
                    && (handle == DEFAULT || **h == DEFAULT)
            })
            .map(|(h, s)| (*h, s.last))
            .collect();
        for (other, ticket) in others {
            self.push(handle, Work::Wait(other, ticket));
        }
        Ok(self.push(handle, work))
    }

    fn push(&mut self, handle: usize, work: Work) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        if let Some(stream) = self.streams.get_mut(&handle) {
            stream.queue.push_back((ticket, work));
            stream.last = ticket;
        }
        ticket
    }

    /// Runs a stream up to a ticket.
    pub(super) fn run_until(&mut self, handle: usize, ticket: u64) -> Result<()> {
        loop {
            self.healthy()?;
            let Some(stream) = self.streams.get_mut(&handle) else { return Ok(()) };
            match stream.queue.front() {
                Some((t, _)) if *t <= ticket => {}
                _ => return Ok(()),
            }
            if let Some((_, work)) = stream.queue.pop_front() {
                self.perform(work)?;
            }
        }
    }

    pub(super) fn run_stream(&mut self, handle: usize) -> Result<()> {
        self.run_until(handle, u64::MAX)
    }

    pub(super) fn run_all(&mut self) -> Result<()> {
        let handles: Vec<usize> = self.streams.keys().copied().collect();
        handles.into_iter().try_for_each(|h| self.run_stream(h))
    }

    fn perform(&mut self, work: Work) -> Result<()> {
        let outcome = match work {
            Work::Write { to, bytes } => {
                self.stats.copies += 1;
                self.memory.write(to, &bytes).map_err(|e| failed("cuMemcpyHtoD", to, e))
            }
            Work::WriteFrom { to, from, len } => {
                self.stats.copies += 1;
                // SAFETY: pinned memory stays valid until it is freed, which waits for its copies.
                let bytes = unsafe { std::slice::from_raw_parts(from, len) };
                self.memory.write(to, bytes).map_err(|e| failed("cuMemcpyHtoD", to, e))
            }
            Work::Read { to, from, len } => {
                self.stats.copies += 1;
                match self.memory.read(from, len) {
                    Err(e) => Err(failed("cuMemcpyDtoH", from, e)),
                    Ok((_, Some(at))) => {
                        let text = format!("byte {at} of {len} was never written");
                        Err(host_report(
                            Kind::Uninitialised,
                            "cuMemcpyDtoH",
                            from + at as u64,
                            text,
                        ))
                    }
                    Ok((bytes, None)) => {
                        // SAFETY: the host keeps the target valid until it has waited for the copy.
                        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, len) };
                        Ok(())
                    }
                }
            }
            Work::Copy { to, from, len } => {
                self.stats.copies += 1;
                self.memory.copy(to, from, len).map_err(|e| failed("cuMemcpyDtoD", from, e))
            }
            Work::Fill { to, pattern, len } => {
                self.stats.copies += 1;
                self.memory.fill(to, &pattern, len).map_err(|e| failed("cuMemset", to, e))
            }
            Work::Run(program, launch) => {
                let Driver { memory, settings, epoch, stats, .. } = self;
                run(&program, &launch, memory, settings, epoch, stats).map_err(|r| *r)
            }
            Work::Product(product) => product(&mut self.memory).map_err(|r| *r),
            Work::Free(base) => self.memory.free(base).map_err(|e| match e {
                Failure::Outside(text) | Failure::Freed(text) => {
                    host_report(Kind::BadFree, "cuMemFree", base, text)
                }
            }),
            Work::Reach(event) => {
                if let Some(event) = self.events.get_mut(&event) {
                    event.reached = Some(seconds());
                }
                Ok(())
            }
            Work::Wait(stream, ticket) => return self.run_until(stream, ticket),
            Work::Call(f, data) => {
                // SAFETY: what the host passed to `cuLaunchHostFunc`.
                unsafe { f(data) };
                Ok(())
            }
        };
        outcome.map_err(|report| self.fail(report, true))
    }

    /// Drops queued work, but frees what was to be freed.
    pub(super) fn drop_work(&mut self) {
        let streams = std::mem::take(&mut self.streams);
        for (handle, mut stream) in streams {
            for (_, work) in stream.queue.drain(..) {
                if let Work::Free(base) = work {
                    // a buffer that cannot be freed was reported when its stream ran
                    let _ = self.memory.free(base);
                }
            }
            self.streams.insert(handle, stream);
        }
    }
}

pub(super) fn failed(function: &str, address: u64, failure: Failure) -> Report {
    let (kind, text) = match failure {
        Failure::Outside(text) => (Kind::OutOfBounds, text),
        Failure::Freed(text) => (Kind::UseAfterFree, text),
    };
    host_report(kind, function, address, text)
}
