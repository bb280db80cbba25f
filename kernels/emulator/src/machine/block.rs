//! A block of threads: schedules its warps and lets barriers open.

use super::approximate::mix;
use super::launch::Shape;
use super::memory::{Memory, Region};
use super::program::Program;
use super::warp::{Group, Warp};
use crate::check::{Kind, Moment};
use crate::{Order, Settings};

/// Why a kernel stops.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) pc: u32,
    /// Number of the thread in its block.
    pub(crate) thread: Option<u32>,
    pub(crate) address: u64,
    pub(crate) message: String,
}

pub(crate) type Outcome<T> = Result<T, Box<Fault>>;

impl Fault {
    pub(crate) fn at(kind: Kind, pc: u32, message: &str) -> Box<Self> {
        Box::new(Self { kind, pc, thread: None, address: 0, message: message.into() })
    }

    pub(crate) fn by(kind: Kind, pc: u32, thread: u32, address: u64, message: String) -> Box<Self> {
        Box::new(Self { kind, pc, thread: Some(thread), address, message })
    }
}

/// What one block after another runs on.
pub(crate) struct Block<'a> {
    pub(crate) program: &'a Program,
    pub(crate) shape: &'a Shape,
    pub(crate) args: &'a [u8],
    pub(crate) memory: &'a mut Memory,
    pub(crate) shared: Region,
    pub(crate) moment: Moment,
    /// First epoch of every block that has run in this launch, with its number.
    pub(crate) history: Vec<(u32, u64)>,
    pub(crate) order: Order,
    pub(crate) perturb: Option<u64>,
    pub(crate) early_exit: bool,
    /// Instructions of threads after which a kernel is taken for endless.
    pub(crate) limit: u64,
    pub(crate) thread_steps: u64,
    pub(crate) warp_steps: u64,
    pub(crate) diverged: u64,
    /// Order in which the lanes of one instruction store.
    pub(crate) lanes: [u8; 32],
    /// The part of a group that goes on.
    pub(crate) resume: Option<Group>,
    /// The lanes that met at the last instruction that waits.
    pub(crate) met: u32,
    /// The buffer that was accessed last.
    pub(crate) recent: usize,
    random: u64,
}

impl<'a> Block<'a> {
    pub(crate) fn new(
        program: &'a Program,
        shape: &'a Shape,
        args: &'a [u8],
        memory: &'a mut Memory,
        settings: &Settings,
        epoch: u32,
    ) -> Self {
        let moment = Moment { launch: epoch, block: epoch, now: epoch, sync: 0 };
        let random = match settings.order {
            Order::Random(seed) => mix(seed),
            _ => 0,
        };
        let mut block = Self {
            program,
            shape,
            args,
            memory,
            shared: Region::new(program.dynamic + shape.dynamic),
            moment,
            history: Vec::new(),
            order: settings.order,
            perturb: settings.perturb,
            early_exit: settings.early_exit,
            limit: settings.limit,
            thread_steps: 0,
            warp_steps: 0,
            diverged: 0,
            lanes: std::array::from_fn(|i| i as u8),
            resume: None,
            met: 0,
            recent: 0,
            random,
        };
        let lanes = block.permutation(32);
        for (lane, to) in block.lanes.iter_mut().zip(lanes) {
            *lane = to as u8;
        }
        block
    }

    /// A number below `n`.
    pub(crate) fn draw(&mut self, n: u32) -> u32 {
        self.random = mix(self.random);
        (self.random % u64::from(n.max(1))) as u32
    }

    /// `0..n` in the order of the settings.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        match self.order {
            Order::Ascending => {}
            Order::Descending => all.reverse(),
            Order::Random(_) => {
                for i in (1..n).rev() {
                    let j = self.draw(i as u32 + 1) as usize;
                    all.swap(i, j);
                }
            }
        }
        all
    }

    /// Runs block number `index` at `at` to its end.
    pub(crate) fn run(&mut self, warps: &mut [Warp], at: [u32; 3], index: u64) -> Outcome<()> {
        self.moment.now += 1;
        self.moment.block = self.moment.now;
        self.history.push((self.moment.now, index));
        self.shared.written.clear(self.shared.data.len());
        for (i, warp) in warps.iter_mut().enumerate() {
            warp.start(self.program, self.shape, at, i as u32);
        }
        loop {
            let order = self.permutation(warps.len());
            let mut moved = false;
            for w in order {
                self.moment.sync = warps[w].sync;
                moved |= self.run_warp(&mut warps[w])?;
            }
            if warps.iter().all(|w| w.groups.is_empty()) {
                return Ok(());
            }
            moved |= self.open(warps)?;
            if !moved {
                return Err(self.stuck(warps));
            }
        }
    }
}
