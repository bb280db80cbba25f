//! Launches of the kernels in `tests/cuda`, through `cudarc`.

use cudarc::driver::{
    CudaContext, CudaModule, CudaStream, DriverError, LaunchConfig, PushKernelArg,
};
use cudarc::nvrtc::Ptx;
use std::sync::Arc;

pub const SOFTMIN: &str = include_str!("../ptx/softmin.ptx");
pub const SMALL: &str = include_str!("../ptx/small.ptx");

/// Numbers in [-1, 1) from a linear congruence.
pub fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| draw()).collect()
}

pub fn shape(grid: [u32; 2], block: u32, shared: u32) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (grid[0], grid[1], 1),
        block_dim: (block, 1, 1),
        shared_mem_bytes: shared,
    }
}

pub struct Gpu {
    pub context: Arc<CudaContext>,
    pub stream: Arc<CudaStream>,
    pub module: Arc<CudaModule>,
}

impl Gpu {
    pub fn new(ptx: &str) -> Result<Self, DriverError> {
        let context = CudaContext::new(0)?;
        let stream = context.default_stream();
        let module = context.load_module(Ptx::from_src(ptx))?;
        Ok(Self { context, stream, module })
    }
}

/// Sizes and points of a half step, `f_i = -log2 Σ_j 2^(h_j - s |x_i - y_j|²)` in two dimensions.
#[derive(Clone)]
pub struct Half {
    pub n: usize,
    pub m: usize,
    pub s: f32,
    pub x: Vec<f32>,
    pub y: Vec<f32>,
    pub h: Vec<f32>,
}

impl Half {
    pub fn new(n: usize, m: usize, s: f32) -> Self {
        Self { n, m, s, x: noise(2 * n, 1), y: noise(2 * m, 2), h: noise(m, 3) }
    }

    /// All points of the second measure far from those of the first.
    pub fn far(n: usize, m: usize, s: f32) -> Self {
        let mut half = Self::new(n, m, s);
        half.y.iter_mut().for_each(|v| *v += 8.0);
        half
    }

    /// The result in double precision.
    pub fn exact(&self) -> Vec<f64> {
        let row = |i: usize| {
            let z: Vec<f64> = (0..self.m)
                .map(|j| {
                    let gap =
                        |k: usize| f64::from(self.x[2 * i + k]) - f64::from(self.y[2 * j + k]);
                    f64::from(self.h[j]) - f64::from(self.s) * (gap(0).powi(2) + gap(1).powi(2))
                })
                .collect();
            let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            -(top + z.iter().map(|v| (v - top).exp2()).sum::<f64>().log2())
        };
        (0..self.n).map(row).collect()
    }

    /// Whether `found` is right. A term is off by its last place: 2^-24 of the largest exponent, times a
    /// few operations on it, beside the error 2^-22 of a logarithm and of each exponential.
    pub fn accepts(&self, found: &[f32]) -> bool {
        let exact = self.exact();
        let scale = exact.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        let tolerance = 8.0 * scale * 2f64.powi(-24) + 4.0 * 2f64.powi(-22);
        found.len() == exact.len()
            && found.iter().zip(&exact).all(|(f, e)| (f64::from(*f) - e).abs() <= tolerance)
    }

    /// One of the kernels `rows_…`.
    pub fn rows(&self, gpu: &Gpu, kernel: &str) -> Result<Vec<f32>, DriverError> {
        let kernel = gpu.module.load_function(kernel)?;
        let stream = &gpu.stream;
        let (x, y) = (stream.clone_htod(&self.x)?, stream.clone_htod(&self.y)?);
        let h = stream.clone_htod(&self.h)?;
        // SAFETY: the kernel writes all of it, or the download reports that it has not.
        let mut f = unsafe { stream.alloc::<f32>(self.n) }?;
        let (n, m) = (self.n as i32, self.m as i32);
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&x).arg(&y).arg(&h).arg(&mut f).arg(&n).arg(&m).arg(&self.s);
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape([self.n.div_ceil(128) as u32, 1], 128, 0)) }?;
        let f = stream.clone_dtoh(&f)?;
        stream.synchronize()?;
        Ok(f)
    }

    /// One of the kernels `warps_…`, joined by one of `merge_…` if there are several parts.
    pub fn warps(
        &self,
        gpu: &Gpu,
        kernel: &str,
        merge: &str,
        parts: usize,
        shared: u32,
    ) -> Result<Vec<f32>, DriverError> {
        let (kernel, merge) = (gpu.module.load_function(kernel)?, gpu.module.load_function(merge)?);
        let stream = &gpu.stream;
        let (x, y) = (stream.clone_htod(&self.x)?, stream.clone_htod(&self.y)?);
        let h = stream.clone_htod(&self.h)?;
        // SAFETY: the kernels write all of them.
        let mut f = unsafe { stream.alloc::<f32>(self.n) }?;
        // SAFETY: as above.
        let mut part = unsafe { stream.alloc::<f32>(2 * self.n * parts) }?;
        let (n, m, none) = (self.n as i32, self.m as i32, 0u64);
        let mut launch = stream.launch_builder(&kernel);
        launch.arg(&x).arg(&y).arg(&h).arg(&mut f).arg(&n).arg(&m).arg(&self.s);
        if parts > 1 {
            launch.arg(&mut part);
        } else {
            launch.arg(&none);
        }
        let grid = [self.n.div_ceil(4) as u32, parts as u32];
        // SAFETY: the arguments are those of the kernel.
        unsafe { launch.launch(shape(grid, 128, shared)) }?;
        if parts > 1 {
            let count = parts as i32;
            let mut launch = stream.launch_builder(&merge);
            launch.arg(&part).arg(&mut f).arg(&n).arg(&count);
            // SAFETY: as above.
            unsafe { launch.launch(shape([self.n.div_ceil(64) as u32, 1], 64, 0)) }?;
        }
        let f = stream.clone_dtoh(&f)?;
        stream.synchronize()?;
        Ok(f)
    }
}
