//! How long kernels take, by events of the device; what the device could do at best.

use std::sync::{Mutex, PoisonError};

use cudarc::driver::sys::CUdevice_attribute::{
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH,
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
};
use cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;
use cudarc::driver::CudaEvent;

use super::device::{driver, CudaDevice};
use crate::error::Result;

/// A kernel and the events around its launch.
type Span = (String, CudaEvent, CudaEvent);

/// The launches of a profile, while one is taken.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Option<Vec<Span>>>);

impl Recorder {
    fn spans(&self) -> std::sync::MutexGuard<'_, Option<Vec<Span>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One launch of a kernel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Launch {
    /// The kernel and its module.
    pub kernel: String,
    /// Seconds between the events before and after it.
    pub seconds: f64,
}

/// What the device could do at best, from the clocks that its driver states.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes per second between memory and chip.
    pub bandwidth: f64,
    /// FP32 instructions per second and lane, summed over lanes; a fused multiply-add is one.
    pub instructions: f64,
    /// Exponentials, logarithms, roots per second.
    pub special: f64,
}

impl CudaDevice {
    /// What `work` returns, and how long each kernel took that it launched on this device. Events are
    /// put around every launch, which costs some microseconds each.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Device`](crate::Error::Device) if events fail.
    pub fn profile<V>(&self, work: impl FnOnce() -> Result<V>) -> Result<(V, Vec<Launch>)> {
        *self.recorder().spans() = Some(Vec::new());
        let outcome = work();
        let spans = self.recorder().spans().take().unwrap_or_default();
        let value = outcome?;
        self.synchronise()?;
        let time = |(kernel, before, after): Span| {
            let milliseconds = before.elapsed_ms(&after).map_err(driver("read an event"))?;
            Ok(Launch { kernel, seconds: f64::from(milliseconds) * 1e-3 })
        };
        Ok((value, spans.into_iter().map(time).collect::<Result<_>>()?))
    }

    /// Runs `launch` between events if a profile is taken.
    pub(super) fn recorded(&self, name: &str, launch: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.recorder().spans().is_none() {
            return launch();
        }
        let event = || {
            let event = self.stream.record_event(Some(CU_EVENT_DEFAULT));
            event.map_err(driver("record an event"))
        };
        let before = event()?;
        launch()?;
        let after = event()?;
        if let Some(spans) = &mut *self.recorder().spans() {
            spans.push((name.to_string(), before, after));
        }
        Ok(())
    }

    /// The limits of this device: clocks times widths, as the driver states them.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the driver does not state them.
    pub fn limits(&self) -> Result<Limits> {
        let attribute = |attribute| {
            let value = self.stream.context().attribute(attribute);
            value.map(f64::from).map_err(driver("read an attribute of the device"))
        };
        // In kHz; a bus transfers twice per clock.
        let clock = 1e3 * attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE)? * self.processors() as f64;
        let memory = 1e3 * attribute(CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
        let bytes = attribute(CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)? / 8.0;
        let lanes = match self.capability() {
            (7, _) | (8, 0) => 64.0,
            _ => 128.0,
        };
        let (instructions, special) = (clock * lanes, clock * 16.0);
        Ok(Limits { bandwidth: 2.0 * memory * bytes, instructions, special })
    }
}
