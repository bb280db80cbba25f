//! What a test can choose, and what it can count.

/// The order in which threads, warps and blocks run.
///
/// Warps of a block and blocks of a grid follow it; so do the lanes of an atomic instruction and the
/// sides of a branch that divides a warp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the first to the last.
    #[default]
    Ascending,
    /// From the last to the first.
    Descending,
    /// A permutation drawn from a seed, anew at every barrier.
    Random(u64),
}

/// How the emulated device runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Order of threads, warps and blocks.
    pub order: Order,
    /// A seed under which `ex2.approx`, `lg2.approx`, `rcp.approx`, `div.approx`, `sqrt.approx`,
    /// `rsqrt.approx`, `sin.approx`, `cos.approx` and `tanh.approx` are off by up to their documented
    /// error; `None` for the exact value, rounded once. Equal operands give equal results.
    pub perturb: Option<u64>,
    /// Whether threads may exit before a barrier that others wait at. Hardware since Volta lets them.
    pub early_exit: bool,
    /// Whether a copy between the device and pageable host memory is complete when its call returns,
    /// as it is in practice. Without it the copy is made at the next synchronise: CUDA only says that
    /// such a copy might be synchronous.
    pub copies_wait: bool,
    /// Instructions, summed over the threads of a launch, after which a kernel is taken for endless.
    pub limit: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            order: Order::Ascending,
            perturb: None,
            early_exit: false,
            copies_wait: false,
            limit: 20_000_000_000,
        }
    }
}

/// What the device has done since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Stats {
    /// Kernels that ran.
    pub launches: u64,
    /// Instructions, summed over threads.
    pub instructions: u64,
    /// Instructions, summed over warps.
    pub warp_instructions: u64,
    /// Branches that divided a warp.
    pub divergences: u64,
    /// Copies and fills that ran.
    pub copies: u64,
    /// Bytes of live device buffers.
    pub bytes: u64,
}

/// [`Settings`] as they cross from the test into the shared library.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct RawSettings {
    order: u32,
    perturb: u32,
    order_seed: u64,
    perturb_seed: u64,
    limit: u64,
    early_exit: u32,
    copies_wait: u32,
}

impl From<&Settings> for RawSettings {
    fn from(s: &Settings) -> Self {
        let (order, order_seed) = match s.order {
            Order::Ascending => (0, 0),
            Order::Descending => (1, 0),
            Order::Random(seed) => (2, seed),
        };
        Self {
            order,
            order_seed,
            perturb: u32::from(s.perturb.is_some()),
            perturb_seed: s.perturb.unwrap_or(0),
            limit: s.limit,
            early_exit: u32::from(s.early_exit),
            copies_wait: u32::from(s.copies_wait),
        }
    }
}

impl From<&RawSettings> for Settings {
    fn from(s: &RawSettings) -> Self {
        Self {
            order: match s.order {
                0 => Order::Ascending,
                1 => Order::Descending,
                _ => Order::Random(s.order_seed),
            },
            perturb: (s.perturb != 0).then_some(s.perturb_seed),
            early_exit: s.early_exit != 0,
            copies_wait: s.copies_wait != 0,
            limit: s.limit,
        }
    }
}
