//! What a module consists of, as it was written.

use std::collections::HashMap;
use std::fmt;

/// Why a text is not PTX that this crate can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PTX line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// State space of a variable or of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Arguments of a kernel or of a call.
    Param,
    /// Device memory.
    Global,
    /// Memory of a block.
    Shared,
    /// Memory of a thread.
    Local,
    /// Read-only device memory.
    Const,
    /// An address that may lie in any of the others.
    Generic,
}

impl Space {
    /// Reads a modifier such as `global`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "param" => Self::Param,
            "global" => Self::Global,
            "shared" => Self::Shared,
            "local" => Self::Local,
            "const" => Self::Const,
            _ => return None,
        })
    }
}

/// Fundamental type of a register, a variable or an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are those of the PTX manual
pub enum Type {
    Pred,
    B8,
    U8,
    S8,
    B16,
    U16,
    S16,
    F16,
    BF16,
    B32,
    U32,
    S32,
    F32,
    F16x2,
    BF16x2,
    TF32,
    B64,
    U64,
    S64,
    F64,
}

impl Type {
    /// Reads a modifier such as `f32`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "pred" => Self::Pred,
            "b8" => Self::B8,
            "u8" => Self::U8,
            "s8" => Self::S8,
            "b16" => Self::B16,
            "u16" => Self::U16,
            "s16" => Self::S16,
            "f16" => Self::F16,
            "bf16" => Self::BF16,
            "b32" => Self::B32,
            "u32" => Self::U32,
            "s32" => Self::S32,
            "f32" => Self::F32,
            "f16x2" => Self::F16x2,
            "bf16x2" => Self::BF16x2,
            "tf32" => Self::TF32,
            "b64" => Self::B64,
            "u64" => Self::U64,
            "s64" => Self::S64,
            "f64" => Self::F64,
            _ => return None,
        })
    }

    /// Size in memory; a predicate has none.
    pub fn bytes(self) -> usize {
        match self {
            Self::Pred => 0,
            Self::B8 | Self::U8 | Self::S8 => 1,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::BF16 => 2,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 8,
            _ => 4,
        }
    }

    /// Whether a register of this type holds 64 bits.
    pub fn wide(self) -> bool {
        self.bytes() == 8
    }

    /// Whether integers of this type have a sign.
    pub fn signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Whether this is a floating-point type.
    pub fn float(self) -> bool {
        matches!(
            self,
            Self::F16
                | Self::BF16
                | Self::F16x2
                | Self::BF16x2
                | Self::TF32
                | Self::F32
                | Self::F64
        )
    }
}

/// An operand with its names resolved.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A register of the function, by number.
    Reg(u32),
    /// A register that the machine provides, such as `%tid.x`.
    Special(String),
    /// An integer constant.
    Int(i64),
    /// The bits of a single-precision constant.
    F32(u32),
    /// The bits of a double-precision constant.
    F64(u64),
    /// The address of a variable, a label or a function, and an offset.
    Symbol(String, i64),
    /// `[base + offset]`.
    Address(Box<Operand>, i64),
    /// `{a, b, …}`.
    Vector(Vec<Operand>),
    /// `(a, b, …)`.
    List(Vec<Operand>),
    /// `a|b`.
    Pair(Box<Operand>, Box<Operand>),
    /// `!a`.
    Not(Box<Operand>),
    /// `_`.
    Discard,
}

/// An instruction with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// Register and whether it is negated.
    pub guard: Option<(u32, bool)>,
    /// Name and modifiers, without dots.
    pub op: Vec<String>,
    /// Operands in the order of the text.
    pub args: Vec<Operand>,
    /// Line of the PTX text, counted from 1.
    pub line: u32,
    /// File number and line of the source, where the text has `.loc`.
    pub loc: Option<(u32, u32)>,
}

/// One element of a function body.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// A target of branches.
    Label(String),
    /// An instruction.
    Run(Instruction),
    /// A list of targets of `brx.idx`, by the name of the list.
    Targets(String, Vec<String>),
}

/// A variable or parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Name, unique in its module or function.
    pub name: String,
    /// Where it lives.
    pub space: Space,
    /// Element type.
    pub ty: Type,
    /// Alignment in bytes.
    pub align: usize,
    /// Size in bytes; `None` for `name[]`.
    pub bytes: Option<usize>,
    /// Whether it is declared with `[]` or a length.
    pub array: bool,
    /// Initial value, shorter than `bytes` if the rest is zero.
    pub init: Vec<u8>,
}

/// A kernel or a device function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Name without decoration.
    pub name: String,
    /// Whether the host can launch it.
    pub entry: bool,
    /// Parameters in order.
    pub params: Vec<Variable>,
    /// Return values in order.
    pub results: Vec<Variable>,
    /// Type of every register.
    pub regs: Vec<Type>,
    /// Shared, local and call-parameter variables of the body.
    pub vars: Vec<Variable>,
    /// The body; empty for a declaration.
    pub body: Vec<Statement>,
    /// Largest block, from `.maxntid` or `.reqntid`.
    pub max_threads: Option<u32>,
}

/// A parsed text.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// PTX version, as `(major, minor)`.
    pub version: (u32, u32),
    /// Target such as `sm_70`.
    pub target: String,
    /// Functions with a body.
    pub functions: Vec<Function>,
    /// Names of functions that are only declared.
    pub declared: Vec<String>,
    /// Module-wide variables.
    pub vars: Vec<Variable>,
    /// Names of source files by their number.
    pub files: HashMap<u32, String>,
}
