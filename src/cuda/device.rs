//! Opening a device.

use std::path::PathBuf;
use std::sync::Arc;

use cudarc::driver::sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
use cudarc::driver::{CudaContext, CudaStream};

use super::library::{found, guarded, DRIVER};
use super::module::Modules;
use super::nvrtc::default_cache;
use super::profile::Recorder;
use crate::error::{Error, Result};

/// Whether kernels are compiled for the device at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Specialise {
    /// Where NVRTC is installed.
    #[default]
    Auto,
    /// Only the embedded kernels.
    Never,
}

/// How to open a device.
#[derive(Clone, Debug)]
pub struct CudaOptions {
    /// The number of the device, from 0.
    pub ordinal: usize,
    /// Whether kernels are compiled at run time.
    pub specialise: Specialise,
    /// Where what was compiled is kept; `None` keeps nothing.
    pub cache: Option<PathBuf>,
    /// Whether half steps in `f32` between points of 9 to 64 coordinates go to tensor cores, for squared
    /// distances and negative products, on devices from compute capability 8.0 on. Products are then
    /// sums of three TF32 products, with the accuracy of `f32` products of centred points; without it
    /// squared distances are sums of squared differences, which lose nothing for points that are close
    /// together and far apart from others.
    pub tensor_cores: bool,
}

impl Default for CudaOptions {
    /// The first device, compiling where possible, with a folder `brenier` in the user's cache.
    fn default() -> Self {
        Self {
            ordinal: 0,
            specialise: Specialise::Auto,
            cache: default_cache(),
            tensor_cores: false,
        }
    }
}

/// A CUDA device and a stream on it. Clones share the stream and the loaded kernels.
///
/// Work is queued on the stream and done in order; reading a [`Buffer`](super::Buffer) waits for it.
#[derive(Clone)]
pub struct CudaDevice {
    pub(super) stream: Arc<CudaStream>,
    shared: Arc<Shared>,
}

struct Shared {
    context: Arc<CudaContext>,
    name: String,
    capability: (u32, u32),
    processors: usize,
    tensor_cores: bool,
    modules: Modules,
    recorder: Recorder,
}

impl std::fmt::Debug for CudaDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { name, capability, processors, .. } = &*self.shared;
        write!(f, "CudaDevice({name}, compute capability {capability:?}, {processors} processors)")
    }
}

impl CudaDevice {
    /// Opens device number `ordinal` as [`CudaOptions::default`] says.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where there is no driver or no such device; it says which libraries were
    /// looked for. It never panics.
    ///
    /// ```
    /// use brenier::{cuda::CudaDevice, Error};
    /// match CudaDevice::open(0) {
    ///     Ok(device) => println!("{device:?}"),
    ///     Err(Error::NoDevice { looked_for, .. }) => assert!(looked_for.contains("cuda")),
    ///     Err(other) => panic!("{other}"),
    /// }
    /// ```
    pub fn open(ordinal: usize) -> Result<Self> {
        Self::open_with(CudaOptions { ordinal, ..Default::default() })
    }

    /// Opens a device.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(options: CudaOptions) -> Result<Self> {
        let missing = |problem: String| Error::NoDevice { looked_for: DRIVER.join(", "), problem };
        if !found(DRIVER) {
            return Err(missing("the linker finds no driver library".into()));
        }
        let context = guarded(|| CudaContext::new(options.ordinal))
            .ok_or_else(|| missing("the driver library lacks a function".into()))?
            .map_err(|e| missing(format!("device {} does not open: {e}", options.ordinal)))?;
        let facts = || -> std::result::Result<_, cudarc::driver::DriverError> {
            let processors = context.attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
            Ok((context.name()?, context.compute_capability()?, processors))
        };
        let (name, (major, minor), processors) =
            facts().map_err(|e| missing(format!("device {}: {e}", options.ordinal)))?;
        let capability = (major.unsigned_abs(), minor.unsigned_abs());
        let shared = Shared {
            name,
            capability,
            processors: usize::try_from(processors).unwrap_or(1).max(1),
            tensor_cores: options.tensor_cores && capability.0 >= 8,
            modules: Modules::new(context.clone(), &options, capability),
            recorder: Recorder::default(),
            context,
        };
        Ok(Self { stream: shared.context.default_stream(), shared: Arc::new(shared) })
    }

    /// The same device with a stream of its own: its work may run beside that of other streams.
    ///
    /// # Errors
    /// [`Error::Device`] if the driver has no more streams.
    pub fn with_stream(&self) -> Result<Self> {
        let stream = self.shared.context.new_stream().map_err(driver("make a stream"))?;
        Ok(Self { stream, shared: self.shared.clone() })
    }

    /// The name that the driver gives.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Compute capability, major and minor.
    pub fn capability(&self) -> (u32, u32) {
        self.shared.capability
    }

    /// How many streaming multiprocessors there are.
    pub fn processors(&self) -> usize {
        self.shared.processors
    }

    /// Waits until all work of the stream is done.
    ///
    /// # Errors
    /// [`Error::Device`] if some of it failed.
    pub fn synchronise(&self) -> Result<()> {
        self.stream.synchronize().map_err(driver("finish the work of a stream"))
    }

    /// Whether tensor cores are wanted and there.
    pub(super) fn tensor_cores(&self) -> bool {
        self.shared.tensor_cores
    }

    pub(super) fn modules(&self) -> &Modules {
        &self.shared.modules
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }
}

/// The error of an action that the driver refused.
pub(super) fn driver(
    action: impl Into<String>,
) -> impl FnOnce(cudarc::driver::DriverError) -> Error {
    let action = action.into();
    move |e| Error::device(action, e)
}
