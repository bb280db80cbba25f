//! Who touched a word last: finds accesses that no barrier orders.
//!
//! Every barrier interval of every block has a number of its own, the epoch, and blocks run one after
//! another, so that comparing numbers tells whether an earlier access was in the same interval, in the
//! same block, in the same launch, or before.

/// The accesses to one word (or byte, in a region that is accessed by bytes).
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Epoch of the last write.
    wrote: u32,
    /// Thread, whether it was atomic, warp interval.
    writer: u32,
    /// Epoch of the last read.
    read: u32,
    /// Thread, which others read too, warp interval.
    reader: u32,
}

const THREAD: u32 = 0x3ff;
/// The write was atomic or volatile.
const ATOMIC: u32 = 1 << 10;
/// Other threads of that warp read in this interval.
const MANY: u32 = 1 << 10;
/// Threads of other warps read in this interval.
const WARPS: u32 = 1 << 11;
/// Another block read in this launch.
const BLOCKS: u32 = 1 << 12;
const WRITER_SYNC: u32 = 11;
const READER_SYNC: u32 = 13;
const READER_SYNC_MAX: u32 = (1 << (32 - READER_SYNC)) - 1;

/// When and by whom an access is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// First epoch of the launch.
    pub(crate) launch: u32,
    /// First epoch of the block.
    pub(crate) block: u32,
    /// Current epoch.
    pub(crate) now: u32,
    /// Warp barriers that the warp has passed in this epoch.
    pub(crate) sync: u32,
}

/// The other side of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    Thread(u32),
    Threads,
    /// An epoch of the other block, 0 where it is not known any more.
    Block(u32),
}

/// Two accesses without an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) other: Other,
    /// Whether the earlier access was the write.
    pub(crate) wrote: bool,
}

/// Cells of a region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadow {
    cells: Vec<Cell>,
    bytewise: bool,
}

impl Shadow {
    /// Makes sure that there is a cell for each byte (or word) of `bytes`.
    #[inline(always)]
    pub(crate) fn prepare(&mut self, bytes: usize, access: usize) {
        if self.cells.is_empty() {
            self.bytewise = access < 4;
            let cells = if self.bytewise { bytes } else { bytes.div_ceil(4) };
            self.cells = vec![Cell::default(); cells];
        } else if access < 4 && !self.bytewise {
            self.bytewise = true;
            self.cells = self.cells.iter().flat_map(|c| [*c; 4]).collect();
        }
    }

    #[inline(always)]
    fn range(&self, at: usize, len: usize) -> std::ops::Range<usize> {
        if self.bytewise {
            at..at + len
        } else {
            at / 4..(at + len).div_ceil(4)
        }
    }

    /// Records a read of a range by `thread`, or by several threads of its warp.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        at: usize,
        len: usize,
        m: &Moment,
        thread: u32,
        many: bool,
        strong: bool,
    ) -> Option<Conflict> {
        let range = self.range(at, len);
        for cell in self.cells.get_mut(range)? {
            if cell.wrote >= m.launch {
                if let Some(found) = cell.after_write(m, thread, many, strong) {
                    return Some(found);
                }
            }
            // atomic writes do not conflict with volatile reads, so these leave no trace
            if !strong {
                cell.note_read(m, thread, many);
            }
        }
        None
    }

    /// Records a write of a range.
    #[inline(always)]
    pub(crate) fn write(
        &mut self,
        at: usize,
        len: usize,
        m: &Moment,
        thread: u32,
        strong: bool,
    ) -> Option<Conflict> {
        let range = self.range(at, len);
        for cell in self.cells.get_mut(range)? {
            if cell.wrote >= m.launch {
                if let Some(found) = cell.after_write(m, thread, false, strong) {
                    return Some(found);
                }
            }
            if cell.read >= m.launch {
                if let Some(found) = cell.after_read(m, thread) {
                    return Some(found);
                }
            }
            cell.wrote = m.now;
            let atomic = if strong { ATOMIC } else { 0 };
            cell.writer = thread | atomic | m.sync << WRITER_SYNC;
        }
        None
    }
}

impl Cell {
    /// Conflict of an access with the last write, which was in this launch.
    #[inline(always)]
    fn after_write(&self, m: &Moment, thread: u32, many: bool, strong: bool) -> Option<Conflict> {
        if strong && self.writer & ATOMIC != 0 {
            return None;
        }
        let writer = self.writer & THREAD;
        let other = if self.wrote < m.block {
            Other::Block(self.wrote)
        } else {
            let warp_ordered = writer / 32 == thread / 32 && self.writer >> WRITER_SYNC < m.sync;
            if self.wrote < m.now || warp_ordered || (writer == thread && !many) {
                return None;
            }
            Other::Thread(writer)
        };
        Some(Conflict { other, wrote: true })
    }

    /// Conflict of a write with the last reads, which were in this launch.
    #[inline(always)]
    fn after_read(&self, m: &Moment, thread: u32) -> Option<Conflict> {
        if self.read < m.block {
            return Some(Conflict { other: Other::Block(self.read), wrote: false });
        }
        if self.reader & BLOCKS != 0 {
            return Some(Conflict { other: Other::Block(0), wrote: false });
        }
        let reader = self.reader & THREAD;
        if self.read < m.now || (reader == thread && self.reader & (MANY | WARPS) == 0) {
            return None;
        }
        let same_warp = reader / 32 == thread / 32 && self.reader & WARPS == 0;
        if same_warp && self.reader >> READER_SYNC < m.sync.min(READER_SYNC_MAX) {
            return None;
        }
        let other = if self.reader & (MANY | WARPS) != 0 || reader == thread {
            Other::Threads
        } else {
            Other::Thread(reader)
        };
        Some(Conflict { other, wrote: false })
    }

    #[inline(always)]
    fn note_read(&mut self, m: &Moment, thread: u32, many: bool) {
        let sync = m.sync.min(READER_SYNC_MAX) << READER_SYNC;
        let mut flags = if many { MANY } else { 0 };
        if self.read == m.now {
            let reader = self.reader & THREAD;
            let same_warp = reader / 32 == thread / 32;
            flags |= self.reader & (WARPS | BLOCKS);
            if !same_warp {
                flags |= WARPS;
            } else if reader != thread || self.reader & MANY != 0 {
                // reads before the last warp barrier are ordered for this warp
                let old = self.reader >> READER_SYNC < m.sync.min(READER_SYNC_MAX);
                flags |= if old && self.reader & WARPS == 0 { 0 } else { MANY };
            }
        } else if self.read >= m.launch {
            let other_block = self.read < m.block;
            flags |= if other_block { BLOCKS } else { self.reader & BLOCKS };
        }
        self.read = m.now;
        self.reader = thread | flags | sync;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(block: u32, now: u32) -> Moment {
        Moment { launch: 10, block, now, sync: 0 }
    }

    fn fresh() -> Shadow {
        let mut shadow = Shadow::default();
        shadow.prepare(64, 4);
        shadow
    }

    #[test]
    fn a_barrier_orders_threads() {
        let mut s = fresh();
        assert_eq!(s.write(8, 4, &moment(10, 10), 3, false), None);
        assert_eq!(s.read(8, 4, &moment(10, 11), 5, false, false), None);
        let found = s.write(8, 4, &moment(10, 11), 6, false).unwrap();
        assert_eq!(found, Conflict { other: Other::Thread(5), wrote: false });
        assert_eq!(s.write(8, 4, &moment(10, 12), 6, false), None);
    }

    #[test]
    fn blocks_of_a_launch_have_no_order_but_launches_have() {
        let mut s = fresh();
        s.read(0, 4, &moment(10, 10), 0, false, false);
        s.read(0, 4, &moment(20, 20), 0, false, false);
        let found = s.write(0, 4, &moment(20, 21), 0, false).unwrap();
        assert_eq!(found.other, Other::Block(0));
        let next = Moment { launch: 30, block: 30, now: 30, sync: 0 };
        assert_eq!(s.write(0, 4, &next, 0, false), None);
    }

    #[test]
    fn warp_barriers_order_only_their_warp() {
        let mut s = fresh();
        let (before, after) = (moment(10, 10), Moment { sync: 1, ..moment(10, 10) });
        s.write(0, 4, &before, 1, false);
        assert_eq!(s.read(0, 4, &after, 2, false, false), None);
        assert!(s.read(0, 4, &after, 40, false, false).is_some());
        assert!(s.write(4, 4, &before, 1, false).is_none());
        assert!(s.read(4, 4, &before, 2, false, false).is_some());
    }

    #[test]
    fn atomics_agree_with_each_other_only() {
        let mut s = fresh();
        s.write(0, 4, &moment(10, 10), 1, true);
        assert_eq!(s.write(0, 4, &moment(10, 10), 2, true), None);
        assert_eq!(s.write(0, 4, &moment(20, 20), 2, true), None);
        assert!(s.read(0, 4, &moment(20, 20), 3, false, false).is_some());
    }

    #[test]
    fn bytes_of_a_word_are_told_apart_once_needed() {
        let mut s = fresh();
        s.write(0, 4, &moment(10, 9), 0, false);
        s.prepare(64, 1);
        assert_eq!(s.write(0, 1, &moment(10, 10), 1, false), None);
        assert_eq!(s.write(1, 1, &moment(10, 10), 2, false), None);
        assert!(s.read(1, 1, &moment(10, 10), 1, false, false).is_some());
    }
}
