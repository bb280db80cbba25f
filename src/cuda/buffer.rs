//! Numbers on the device.

use cudarc::driver::{CudaSlice, DeviceRepr, ValidAsZeroBits};

use super::device::{driver, CudaDevice};
use super::launch::Arg;
use crate::error::{Error, Result};
use crate::ops::Real;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i32 {}
}

/// What a buffer can hold: `f32`, `f64` and `i32`.
pub trait Element: sealed::Sealed + DeviceRepr + ValidAsZeroBits + Copy + Default {
    #[doc(hidden)]
    fn read(slice: &CudaSlice<Self>) -> Arg<'_>;
    #[doc(hidden)]
    fn write(slice: &mut CudaSlice<Self>) -> Arg<'_>;
}

macro_rules! element {
    ($($number:ty, $read:ident, $write:ident);*) => {$(
        impl Element for $number {
            fn read(slice: &CudaSlice<Self>) -> Arg<'_> {
                Arg::$read(slice)
            }
            fn write(slice: &mut CudaSlice<Self>) -> Arg<'_> {
                Arg::$write(slice)
            }
        }
    )*};
}
element!(f32, Singles, SinglesMut; f64, Doubles, DoublesMut; i32, Ints, IntsMut);

/// A number type that kernels are compiled for, `f32` or `f64`.
pub trait DeviceReal: Real + Element {
    #[doc(hidden)]
    const BITS: usize;
    #[doc(hidden)]
    fn scalar(self) -> Arg<'static>;
}

impl DeviceReal for f32 {
    const BITS: usize = 32;
    fn scalar(self) -> Arg<'static> {
        Arg::Single(self)
    }
}

impl DeviceReal for f64 {
    const BITS: usize = 64;
    fn scalar(self) -> Arg<'static> {
        Arg::Double(self)
    }
}

/// Numbers on a device, which stay there between calls.
///
/// ```no_run
/// use brenier::cuda::{Buffer, CudaDevice};
/// let device = CudaDevice::open(0)?;
/// let buffer = Buffer::upload(&device, &[1.0f32, 2.0])?;
/// assert_eq!(buffer.download()?, [1.0, 2.0]);
/// # Ok::<(), brenier::Error>(())
/// ```
#[derive(Debug)]
pub struct Buffer<N: Element> {
    slice: CudaSlice<N>,
    device: CudaDevice,
}

impl<N: Element> Buffer<N> {
    /// A copy of `values` on the device.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no memory for it.
    pub fn upload(device: &CudaDevice, values: &[N]) -> Result<Self> {
        let mut buffer = Self::zeros(device, values.len())?;
        buffer.fill(values)?;
        Ok(buffer)
    }

    /// `n` zeros on the device.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no memory for them.
    pub fn zeros(device: &CudaDevice, n: usize) -> Result<Self> {
        // A kernel may be given the address of a buffer without numbers.
        let allocated = device.stream.alloc_zeros(n.max(1));
        let slice = allocated.map_err(driver(format!("allocate {n} numbers on the device")))?;
        Ok(Self { slice, device: device.clone() })
    }

    /// Overwrites the first numbers.
    ///
    /// # Errors
    /// [`Error::Shape`] if there are more than the buffer has; [`Error::Device`] if the copy fails.
    pub fn fill(&mut self, values: &[N]) -> Result<()> {
        if values.len() > self.slice.len() {
            return Err(Error::shape(
                "numbers for a device buffer",
                self.slice.len(),
                values.len(),
            ));
        }
        if values.is_empty() {
            return Ok(());
        }
        let copy = self.device.stream.memcpy_htod(values, &mut self.slice);
        copy.map_err(driver("copy to the device"))?;
        // CUDA only promises that the numbers are no longer read after the stream is done.
        self.device.synchronise()
    }

    /// A copy on the host, after all work queued before.
    ///
    /// # Errors
    /// [`Error::Device`] if that work or the copy failed.
    pub fn download(&self) -> Result<Vec<N>> {
        let copy = self.device.stream.clone_dtoh(&self.slice);
        let values = copy.map_err(driver("copy from the device"))?;
        self.device.synchronise()?;
        Ok(values)
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.slice.len()
    }

    /// Never: a buffer has at least one number.
    pub fn is_empty(&self) -> bool {
        self.slice.is_empty()
    }

    pub(super) fn device(&self) -> &CudaDevice {
        &self.device
    }

    /// As an argument that the kernel reads.
    pub(super) fn read(&self) -> Arg<'_> {
        N::read(&self.slice)
    }

    /// As an argument that the kernel writes.
    pub(super) fn write(&mut self) -> Arg<'_> {
        N::write(&mut self.slice)
    }
}
