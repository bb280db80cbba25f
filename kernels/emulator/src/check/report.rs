//! Reports of the checker.

use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What was found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// A short name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// An access outside every live buffer, or past the end of shared or local memory.
    OutOfBounds = "out of bounds",
    /// An address that is no multiple of the size of the access.
    Misaligned = "misaligned",
    /// An access to a buffer that was freed.
    UseAfterFree = "use after free",
    /// A buffer freed twice, or a pointer freed that no allocation returned.
    BadFree = "bad free",
    /// A read of memory or of a register that nothing has written.
    Uninitialised = "uninitialised",
    /// Two threads of a block, no barrier between them, one of them writes.
    Race = "race in a block",
    /// Two blocks of one launch, one of them writes.
    BlockRace = "race between blocks",
    /// A barrier that some threads do not reach, or reach at another place.
    Barrier = "barrier",
    /// A shuffle, vote or warp barrier whose mask does not fit the lanes that take part.
    Shuffle = "shuffle",
    /// A launch or copy that a driver refuses.
    Invalid = "invalid call",
    /// A text that is not PTX, or a symbol that it lacks.
    Module = "module",
    /// An instruction that the machine does not know.
    Unsupported = "unsupported instruction",
    /// `trap` or a failed assertion.
    Trap = "trap",
    /// More instructions than the settings allow.
    Endless = "endless",
    /// The emulator itself failed.
    Internal = "internal",
}

impl Kind {
    /// The kind with that number.
    pub(crate) fn numbered(n: u32) -> Self {
        Self::ALL.get(n as usize).copied().unwrap_or(Self::Internal)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One finding, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What kind of fault.
    pub kind: Kind,
    /// The kernel, or the driver function for a fault of the host.
    pub kernel: String,
    /// Line in the PTX text, 0 for a fault of the host.
    pub line: u32,
    /// File and line of the source, where the PTX has `.loc`.
    pub source: Option<(String, u32)>,
    /// The block.
    pub block: [u32; 3],
    /// The thread in its block; `None` where the fault belongs to no single thread.
    pub thread: Option<[u32; 3]>,
    /// The address of the access, 0 for none.
    pub address: u64,
    /// The instruction and what is wrong with it.
    pub message: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.kernel)?;
        if self.line > 0 {
            write!(f, ", PTX line {}", self.line)?;
        }
        if let Some((file, line)) = &self.source {
            write!(f, " ({file}:{line})")?;
        }
        if self.line > 0 {
            write!(f, ", block {:?}", self.block)?;
        }
        if let Some(thread) = self.thread {
            write!(f, ", thread {thread:?}")?;
        }
        if self.address > 0 {
            write!(f, ", address {:#x}", self.address)?;
        }
        write!(f, ": {}", self.message)
    }
}
