//! Launching a kernel with arguments that are checked against its own parameters.

use cudarc::driver::{CudaFunction, CudaSlice, LaunchConfig, PushKernelArg};

use super::device::{driver, CudaDevice};
use super::signature::Kind;
use crate::error::{Error, Result};

/// An argument of a kernel.
#[doc(hidden)]
pub enum Arg<'a> {
    Singles(&'a CudaSlice<f32>),
    SinglesMut(&'a mut CudaSlice<f32>),
    Doubles(&'a CudaSlice<f64>),
    DoublesMut(&'a mut CudaSlice<f64>),
    Ints(&'a CudaSlice<i32>),
    IntsMut(&'a mut CudaSlice<i32>),
    Int(i32),
    Single(f32),
    Double(f64),
}

impl Arg<'_> {
    fn kind(&self) -> Kind {
        match self {
            Self::Int(_) => Kind::Int,
            Self::Single(_) => Kind::Single,
            Self::Double(_) => Kind::Double,
            _ => Kind::Buffer,
        }
    }
}

/// A loaded kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) name: String,
    pub(super) function: CudaFunction,
    pub(super) parameters: Vec<Kind>,
    /// The number of coordinates that it was compiled for; 0 for any.
    pub(super) dimension: usize,
}

/// Rows of a block of the kernels that go through tiles (`tile.cuh`).
pub(super) fn tile_rows(bits: usize) -> usize {
    if bits == 64 {
        16
    } else {
        32
    }
}

impl Kernel {
    /// Rows of a block of a half step (`softmin.cu`).
    pub(super) fn softmin_rows(&self, bits: usize) -> usize {
        match self.dimension {
            1..=16 => 256,
            17..=32 => 128,
            _ => tile_rows(bits),
        }
    }
}

/// Blocks, threads in each, and bytes of dynamic shared memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) blocks: (usize, usize),
    pub(super) threads: u32,
    pub(super) shared: usize,
}

impl Grid {
    pub(super) fn line(blocks: usize, threads: u32) -> Self {
        Self { blocks: (blocks, 1), threads, shared: 0 }
    }

    /// Enough blocks for `n` threads.
    pub(super) fn cover(n: usize, threads: u32) -> Self {
        Self::line(n.div_ceil(threads as usize), threads)
    }
}

/// A size as a kernel takes it.
pub(super) fn int(what: &'static str, value: usize) -> Result<i32> {
    i32::try_from(value)
        .map_err(|_| Error::config(what, value, "must be below 2³¹ on a device: split the problem"))
}

impl Kernel {
    /// Queues the kernel on the stream of the device.
    ///
    /// # Errors
    /// [`Error::Shape`] for arguments that do not fit its parameters; [`Error::Device`] if the driver
    /// refuses.
    pub(super) fn launch(
        &self,
        device: &CudaDevice,
        grid: Grid,
        mut args: Vec<Arg<'_>>,
    ) -> Result<()> {
        let kinds: Vec<Kind> = args.iter().map(Arg::kind).collect();
        if kinds != self.parameters {
            let what = format!("arguments of the kernel {}", self.name);
            let text = |kinds: &[Kind]| format!("{kinds:?}");
            return Err(Error::shape(what, text(&self.parameters), text(&kinds)));
        }
        let (x, y) = grid.blocks;
        if x == 0 || y == 0 {
            return Ok(());
        }
        let size = |v: usize| u32::try_from(v).unwrap_or(u32::MAX);
        let config = LaunchConfig {
            grid_dim: (size(x), size(y), 1),
            block_dim: (grid.threads, 1, 1),
            shared_mem_bytes: size(grid.shared),
        };
        let mut builder = device.stream.launch_builder(&self.function);
        for arg in &mut args {
            match arg {
                Arg::Singles(v) => builder.arg(&**v),
                Arg::SinglesMut(v) => builder.arg(&mut **v),
                Arg::Doubles(v) => builder.arg(&**v),
                Arg::DoublesMut(v) => builder.arg(&mut **v),
                Arg::Ints(v) => builder.arg(&**v),
                Arg::IntsMut(v) => builder.arg(&mut **v),
                Arg::Int(v) => builder.arg(&*v),
                Arg::Single(v) => builder.arg(&*v),
                Arg::Double(v) => builder.arg(&*v),
            };
        }
        device.recorded(&self.name, || {
            // SAFETY: number and kinds of the arguments are those of the kernel, as checked above. Each
            // caller is the one place that knows its kernel, and sizes its buffers by it.
            let launched = unsafe { builder.launch(config) };
            launched.map(|_| ()).map_err(driver(format!("launch the kernel {}", self.name)))
        })
    }
}

impl From<i32> for Arg<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

#[cfg(test)]
mod tests {
    use brenier_emulator::{exclusive, Settings};

    use super::super::{Buffer, CudaOptions, Specialise};
    use super::*;

    #[test]
    fn arguments_that_do_not_fit_are_errors_and_launch_nothing() {
        let session = exclusive(Settings::default());
        let options =
            CudaOptions { specialise: Specialise::Never, cache: None, ..Default::default() };
        let device = CudaDevice::open_with(options).expect("the emulated device");
        println!("emulated CUDA device");
        let kernel = device.modules().kernel::<f32>("points", None, "normalise").expect("a kernel");
        let mut out = Buffer::<f32>::zeros(&device, 4).expect("memory");
        let (x, mut inverse) = (
            Buffer::upload(&device, &[3.0f32, 4.0]).expect("memory"),
            Buffer::<f32>::zeros(&device, 1).expect("memory"),
        );
        let before = session.stats().launches;
        let short = vec![x.read(), 1.into(), 2.into()];
        let error = kernel.launch(&device, Grid::line(1, 128), short);
        assert!(matches!(error, Err(Error::Shape { .. })), "{error:?}");
        let double =
            vec![x.read(), 1.into(), 2.into(), Arg::Double(0.0), out.write(), inverse.write()];
        let error = kernel.launch(&device, Grid::line(1, 128), double);
        let text = error.expect_err("a kind that does not fit").to_string();
        assert!(text.contains("normalise of points-f32") && text.contains("Double"), "{text}");
        assert_eq!(session.stats().launches, before);
        let fits =
            vec![x.read(), 1.into(), 2.into(), Arg::Single(0.0), out.write(), inverse.write()];
        kernel.launch(&device, Grid::line(1, 128), fits).expect("a launch");
        assert_eq!(out.download().expect("numbers")[..2], [0.6, 0.8]);
        // More threads than a block may have.
        let fits =
            vec![x.read(), 1.into(), 2.into(), Arg::Single(0.0), out.write(), inverse.write()];
        let error = kernel.launch(&device, Grid::line(1, 2048), fits);
        assert!(matches!(error, Err(Error::Device { .. })), "{error:?}");
        assert_eq!(session.take_reports().len(), 1);
    }
}
