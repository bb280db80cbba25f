//! Kernels as the machine runs them: flat, every operand a slot of the register file.

use super::alu::{Compare, Kernel};
use super::approximate::Approximate;
pub(crate) use super::operands::{
    Access, Atomic, AtomicOp, Joined, Matrix, MatrixKind, Pieces, Reduction, Shuffle, Trap, Vote,
};
use crate::ptx::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// Lanes of one 32-bit register of a warp; a 64-bit register takes two of these in a row.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Lanes(pub(crate) [u32; 32]);

/// One instruction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) d: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    /// Predicate, 0 for none (predicate 0 is always true).
    pub(crate) guard: u32,
    /// All ones to negate the guard.
    pub(crate) flip: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logic {
    And,
    Or,
    Xor,
}

/// What an instruction does. `d`, `a`, `b`, `c` are those of the step.
#[derive(Clone, Debug, Default)]
pub(crate) enum Op {
    /// d = f(a, b, c)
    Alu(Kernel),
    /// d = f(a) up to the documented error
    Approx(Approximate),
    /// d = a, and what was never written stays so; two slots for 64 bits
    Move(u32),
    /// d = c ? a : b, where c is a predicate
    Select(u32),
    /// predicate d (and complement) from a comparison, joined with predicate c
    Compare(Compare, Box<Joined>),
    /// predicate d = a op b
    Predicates(Logic),
    /// predicate d = !a, or a
    PredicateCopy(bool),
    /// {d…} = pieces of a, or d = pieces {…}
    Pieces(Box<Pieces>),
    /// bits of a with b inserted at c, length in `extra`
    Insert {
        extra: u32,
        wide: bool,
    },
    /// any function of three bits
    Table(u8),
    /// add, subtract or multiply-add with carry
    Carry {
        subtract: bool,
        reads: bool,
        writes: bool,
    },
    /// a multiplication whose high or low half is added with carry
    CarryMultiply {
        high: bool,
        reads: bool,
        writes: bool,
    },
    Load(Box<Access>),
    Store(Box<Access>),
    Atomic(Box<Atomic>),
    Branch(u32),
    /// one of several targets, by the value of a
    Switch(Box<[u32]>),
    Exit,
    /// a barrier of the block; a: number, b: threads (0: all), and what it computes
    Barrier(Reduction),
    /// waits for the lanes of a
    WarpBarrier,
    Shuffle {
        mode: Shuffle,
        ok: u32,
        mask: u32,
    },
    /// a vote of the lanes in `mask`; predicate a, negated or not
    Vote {
        mode: Vote,
        negated: bool,
        mask: u32,
    },
    /// lanes with an equal value
    Match {
        wide: bool,
        all: bool,
        mask: u32,
        ok: u32,
    },
    ActiveLanes,
    #[default]
    Fence,
    Matrix(Box<Matrix>),
    Trap(Trap),
    /// an instruction that is not known; its text is that of the line
    Unknown,
}

/// What a special register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    Thread(u8),
    Threads(u8),
    Block(u8),
    Blocks(u8),
    Lane,
    Warp,
    Warps,
    LaneMask(std::cmp::Ordering, bool),
    DynamicShared,
    TotalShared,
    Clock,
}

/// A parameter of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Offset in the block of arguments.
    pub offset: usize,
    /// Size in bytes.
    pub bytes: usize,
    /// Type, as PTX writes it.
    pub ty: Type,
    /// Whether it is a structure.
    pub array: bool,
}

/// Place of an instruction in the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) loc: Option<(u32, u32)>,
}

/// A kernel, ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name of the kernel.
    pub name: String,
    /// Parameters in order.
    pub params: Vec<Parameter>,
    /// Largest block that the kernel declares.
    pub max_threads: u32,
    /// Bytes of shared memory that the kernel declares.
    pub shared: usize,
    /// Bytes of local memory of a thread.
    pub local: usize,
    /// 32-bit registers of a thread, as PTX counts them.
    pub registers: u32,
    pub(crate) steps: Vec<Step>,
    pub(crate) places: Vec<Place>,
    pub(crate) slots: usize,
    pub(crate) predicates: usize,
    pub(crate) constants: Vec<(u32, u64, bool)>,
    pub(crate) specials: Vec<(u32, Special)>,
    /// Where memory that the launch asks for begins.
    pub(crate) dynamic: usize,
    pub(crate) text: Arc<Vec<String>>,
    pub(crate) files: Arc<HashMap<u32, String>>,
}

impl Program {
    /// Bytes of arguments.
    pub fn param_bytes(&self) -> usize {
        self.params.last().map_or(0, |p| p.offset + p.bytes)
    }

    /// Number of instructions after device functions were put in place.
    pub fn instructions(&self) -> usize {
        self.steps.len()
    }
}
