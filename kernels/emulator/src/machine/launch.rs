//! Launches: checks their shape, runs every block, turns a fault into a report.

use super::block::{Block, Fault};
use super::memory::Memory;
use super::program::Program;
use super::warp::Warp;
use crate::check::{Kind, Report};
use crate::{Settings, Stats};

/// A kernel with its arguments and its shape.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Blocks in x, y, z.
    pub grid: [u32; 3],
    /// Threads in x, y, z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared: usize,
    /// The arguments in the layout of the kernel's parameters.
    pub args: Vec<u8>,
}

/// The shape of a launch.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) dynamic: usize,
}

impl Shape {
    pub(crate) fn threads(&self) -> u32 {
        self.block.iter().product()
    }
}

/// Runs `launch` to its end, or to the first fault.
pub fn run(
    program: &Program,
    launch: &Launch,
    memory: &mut Memory,
    settings: &Settings,
    epoch: &mut u32,
    stats: &mut Stats,
) -> Result<(), Box<Report>> {
    let shape = Shape { grid: launch.grid, block: launch.block, dynamic: launch.shared };
    let warps = shape.threads().div_ceil(32);
    let mut warps: Vec<Warp> = (0..warps).map(|_| Warp::new(program, program.local)).collect();
    let mut block = Block::new(program, &shape, &launch.args, memory, settings, *epoch + 1);
    let [gx, gy, gz] = launch.grid.map(u64::from);
    let order = block.permutation((gx * gy * gz) as usize);
    let mut outcome = Ok(());
    for index in order {
        let index = index as u64;
        let at = [index % gx, index / gx % gy, index / (gx * gy)].map(|i| i as u32);
        if let Err(fault) = block.run(&mut warps, at, index) {
            outcome = Err(Box::new(report(program, &shape, at, *fault)));
            break;
        }
    }
    *epoch = block.moment.now;
    stats.launches += 1;
    stats.instructions += block.thread_steps;
    stats.warp_instructions += block.warp_steps;
    stats.divergences += block.diverged;
    outcome
}

fn report(program: &Program, shape: &Shape, block: [u32; 3], fault: Fault) -> Report {
    let place = program.places.get(fault.pc as usize).copied().unwrap_or_default();
    let text = program.text.get(place.line.wrapping_sub(1) as usize).map_or("", |l| l.trim());
    let source = place.loc.map(|(file, line)| {
        let path = program.files.get(&file).map_or("", String::as_str);
        (path.rsplit('/').next().unwrap_or(path).to_string(), line)
    });
    let [x, y, _] = shape.block;
    let message = match text {
        "" => fault.message,
        _ => format!("{text}  {}", fault.message),
    };
    Report {
        kind: fault.kind,
        kernel: program.name.clone(),
        line: place.line,
        source,
        block,
        thread: fault.thread.map(|t| [t % x, t / x % y, t / (x * y)]),
        address: fault.address,
        message,
    }
}

/// A report of something that happened outside a kernel.
pub(crate) fn host_report(kind: Kind, function: &str, address: u64, message: String) -> Report {
    Report {
        kind,
        kernel: function.into(),
        line: 0,
        source: None,
        block: [0; 3],
        thread: None,
        address,
        message,
    }
}
