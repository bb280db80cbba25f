//! A warp: its registers and which of its lanes are where.

use super::launch::Shape;
use super::program::{Lanes, Program, Special};
use crate::check::Bits;

/// Lanes at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) pc: u32,
    pub(crate) mask: u32,
    pub(crate) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// At a barrier of the block: its number, how many threads it waits for (0: all).
    Barrier(u32, u32),
    /// At an instruction that waits for these lanes.
    Lanes(u32),
}

/// Memory of the threads of a warp.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    pub(crate) data: Vec<u8>,
    pub(crate) written: Bits,
    /// Bytes of one lane.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Warp {
    pub(crate) regs: Vec<Lanes>,
    /// The lanes in which each slot was written.
    pub(crate) known: Vec<u32>,
    pub(crate) preds: Vec<u32>,
    pub(crate) preds_known: Vec<u32>,
    pub(crate) groups: Vec<Group>,
    /// Lanes that exist.
    pub(crate) all: u32,
    /// Lanes that have not exited.
    pub(crate) live: u32,
    /// Carry flags.
    pub(crate) carry: u32,
    /// Number of the first thread in the block.
    pub(crate) first: u32,
    /// Warp barriers passed in this barrier interval.
    pub(crate) sync: u32,
    pub(crate) local: Local,
}

impl Warp {
    pub(crate) fn new(program: &Program, bytes_local: usize) -> Self {
        Self {
            regs: vec![Lanes([0; 32]); program.slots],
            known: vec![0; program.slots],
            preds: vec![0; program.predicates],
            preds_known: vec![0; program.predicates],
            groups: Vec::new(),
            all: 0,
            live: 0,
            carry: 0,
            first: 0,
            sync: 0,
            local: Local {
                data: vec![0; 32 * bytes_local],
                written: Bits::new(32 * bytes_local),
                bytes: bytes_local,
            },
        }
    }

    /// Puts the warp at the start of the program, as warp `index` of block `block`.
    pub(crate) fn start(&mut self, program: &Program, shape: &Shape, block: [u32; 3], index: u32) {
        let threads = shape.threads() - 32 * index;
        self.all = if threads >= 32 { u32::MAX } else { (1 << threads) - 1 };
        self.live = self.all;
        self.first = 32 * index;
        self.sync = 0;
        self.known.fill(0);
        self.preds_known.fill(0);
        (self.preds[0], self.preds_known[0]) = (u32::MAX, u32::MAX);
        self.groups.clear();
        self.groups.push(Group { pc: 0, mask: self.all, state: State::Ready });
        if self.local.bytes > 0 {
            self.local.written.clear(32 * self.local.bytes);
        }
        for (slot, value, wide) in &program.constants {
            let (low, high) = (*value as u32, (*value >> 32) as u32);
            if *wide {
                self.set_wide(*slot, [u64::from(low) | u64::from(high) << 32; 32]);
            } else {
                self.set(*slot, [low; 32]);
            }
        }
        for (slot, special) in &program.specials {
            let values = std::array::from_fn(|lane| {
                let thread = self.first + lane as u32;
                value(*special, program, shape, block, thread)
            });
            self.set(*slot, values);
        }
    }

    pub(crate) fn set(&mut self, slot: u32, values: [u32; 32]) {
        self.regs[slot as usize].0 = values;
        self.known[slot as usize] = u32::MAX;
    }

    fn set_wide(&mut self, slot: u32, values: [u64; 32]) {
        let words: Vec<u32> = values.iter().flat_map(|v| [*v as u32, (*v >> 32) as u32]).collect();
        for half in 0..2 {
            let s = slot as usize + half;
            self.regs[s].0.copy_from_slice(&words[32 * half..32 * half + 32]);
            self.known[s] = u32::MAX;
        }
    }

    /// A 64-bit register of all lanes.
    #[inline(always)]
    pub(crate) fn wide(&self, slot: u32) -> [u64; 32] {
        debug_assert!(slot as usize + 1 < self.regs.len());
        // SAFETY: the lowering gives 64-bit registers two slots in a row.
        unsafe { *self.regs.as_ptr().add(slot as usize).cast::<[u64; 32]>() }
    }
}

fn value(special: Special, program: &Program, shape: &Shape, block: [u32; 3], thread: u32) -> u32 {
    let [x, y, _] = shape.block;
    let lane = thread % 32;
    match special {
        Special::Thread(axis) => match axis {
            0 => thread % x,
            1 => thread / x % y,
            _ => thread / (x * y),
        },
        Special::Threads(axis) => shape.block[axis as usize],
        Special::Block(axis) => block[axis as usize],
        Special::Blocks(axis) => shape.grid[axis as usize],
        Special::Lane => lane,
        Special::Warp => thread / 32,
        Special::Warps => shape.threads().div_ceil(32),
        Special::LaneMask(order, equal) => {
            let below = (1u32 << lane) - 1;
            let own = 1 << lane;
            let others = match order {
                std::cmp::Ordering::Less => below,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => !(below | own),
            };
            others | if equal { own } else { 0 }
        }
        Special::DynamicShared => shape.dynamic as u32,
        Special::TotalShared => (program.dynamic + shape.dynamic) as u32,
        Special::Clock => 0,
    }
}
