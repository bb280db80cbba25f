//! Puts into words what the checks of an access found.

use super::access::{Home, Wrong};
use super::block::{Block, Fault};
use super::memory::WINDOW;
use super::warp::Warp;
use crate::check::{Kind, Other};

impl Block<'_> {
    /// A fault from what the checks of a region found.
    #[cold]
    #[allow(clippy::too_many_arguments)] // the place, the access and the finding
    pub(crate) fn wrong(
        &self,
        warp: &Warp,
        pc: u32,
        lane: usize,
        address: u64,
        what: &str,
        wrong: Wrong,
        home: Home,
    ) -> Box<Fault> {
        let place = match home {
            Home::Buffer(i) => {
                let b = &self.memory.buffers[i];
                format!("byte {} of {}", address.wrapping_sub(b.base), b.name)
            }
            Home::Shared => format!("byte {} of shared memory", address & (WINDOW - 1)),
            _ => "local memory".to_string(),
        };
        let (kind, text) = match wrong {
            Wrong::Unwritten => {
                (Kind::Uninitialised, format!("reads {place}, which nothing has written"))
            }
            Wrong::Conflict(conflict) => {
                let did = if conflict.wrote { "wrote" } else { "read" };
                match conflict.other {
                    Other::Thread(t) => (
                        Kind::Race,
                        format!("{what}s {place}, which thread {t} of the block {did} with no barrier between"),
                    ),
                    Other::Threads => (
                        Kind::Race,
                        format!("{what}s {place}, which several threads of the block {did} with no barrier between"),
                    ),
                    Other::Block(epoch) => {
                        let name = match self.block_of(epoch) {
                            Some(index) => format!("block {index}"),
                            None => "another block".into(),
                        };
                        (
                            Kind::BlockRace,
                            format!("{what}s {place}, which {name} {did} in this launch"),
                        )
                    }
                }
            }
        };
        Fault::by(kind, pc, warp.first + lane as u32, address, text)
    }

    fn block_of(&self, epoch: u32) -> Option<u64> {
        let after = self.history.partition_point(|h| h.0 <= epoch);
        (epoch > 0).then(|| after.checked_sub(1).map(|i| self.history[i].1))?
    }
}
