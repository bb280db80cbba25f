//! Details of instructions that have more to them than four operands.

use super::program::Logic;
use crate::ptx::{Space, Type};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    Trap,
    Assertion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    None,
    /// d = how many threads have predicate c
    Count {
        negated: bool,
    },
    /// predicate d
    All {
        negated: bool,
    },
    /// predicate d
    Any {
        negated: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shuffle {
    Up,
    Down,
    Xor,
    Index,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    All,
    Any,
    Uniform,
    Ballot,
}

#[derive(Clone, Debug)]
pub(crate) struct Joined {
    /// Second predicate that gets the complement, 0 for none.
    pub(crate) complement: u32,
    /// Predicate to join, whether it is negated, and how.
    pub(crate) with: Option<(u32, bool, Logic)>,
    /// `set` writes a register: the values for true and the register is wide or not.
    pub(crate) value: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    /// The narrow registers; 0 for `_`.
    pub(crate) parts: Vec<u32>,
    /// Bits of each.
    pub(crate) bits: u32,
    /// Whether the narrow registers are written.
    pub(crate) unpack: bool,
}

/// A load or a store.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) space: Space,
    /// Bytes of one element.
    pub(crate) bytes: u32,
    pub(crate) signed: bool,
    /// Registers, one for each element; 0 for `_`.
    pub(crate) regs: Vec<u32>,
    /// Whether the registers are 64 bits wide.
    pub(crate) wide: bool,
    /// Whether the address register is.
    pub(crate) wide_address: bool,
    pub(crate) offset: i64,
    /// `volatile`, `relaxed`, `acquire`, `release`: no data race by itself.
    pub(crate) strong: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtomicOp {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Exchange,
    CompareExchange,
    Increment,
    Decrement,
}

#[derive(Clone, Debug)]
pub(crate) struct Atomic {
    pub(crate) op: AtomicOp,
    pub(crate) ty: Type,
    pub(crate) access: Access,
    /// Whether the old value is wanted.
    pub(crate) result: bool,
}

/// A product of small matrices, `d = a b + c`.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) kind: MatrixKind,
    pub(crate) d: Vec<u32>,
    pub(crate) a: Vec<u32>,
    pub(crate) b: Vec<u32>,
    pub(crate) c: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatrixKind {
    /// m16n8k4 and m16n8k8 with tf32 factors
    Tf32 { k: u32 },
    /// m16n8k8 and m16n8k16 with bf16 factors
    Bf16 { k: u32 },
    /// the same with f16 factors
    F16 { k: u32 },
}
