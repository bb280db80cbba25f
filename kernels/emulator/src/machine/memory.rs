//! Device memory: buffers with what was written, who touched it, and whether it still exists.

use crate::check::{Bits, Shadow};

/// The first address of device memory.
pub const GLOBAL_BASE: u64 = 0x7_0000_0000;
/// Where generic addresses of shared memory begin.
pub(crate) const SHARED_BASE: u64 = 0x1_0000_0000;
/// Where generic addresses of local memory begin.
pub(crate) const LOCAL_BASE: u64 = 0x2_0000_0000;
/// The length of both windows.
pub(crate) const WINDOW: u64 = 0x1_0000_0000;

/// Space between buffers, so that an index that runs over meets none.
const GAP: u64 = 1 << 16;

/// Bytes with their state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Region {
    pub(crate) data: Vec<u8>,
    pub(crate) written: Bits,
    pub(crate) shadow: Shadow,
}

impl Region {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { data: vec![0; bytes], written: Bits::new(bytes), shadow: Shadow::default() }
    }
}

#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) base: u64,
    pub(crate) bytes: usize,
    pub(crate) live: bool,
    pub(crate) region: Region,
    /// What it is called in reports.
    pub(crate) name: String,
}

/// Why a range of addresses cannot be accessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// In no buffer, or past the end of one.
    Outside(String),
    /// In a buffer that was freed.
    Freed(String),
}

/// All buffers of the device, in the order of their addresses.
#[derive(Debug, Default)]
pub struct Memory {
    pub(crate) buffers: Vec<Buffer>,
    next: u64,
    serial: usize,
    used: usize,
}

impl Memory {
    /// A new buffer, not yet written.
    pub fn allocate(&mut self, bytes: usize) -> u64 {
        self.serial += 1;
        let name = format!("allocation {}", self.serial);
        self.place(bytes, name)
    }

    /// A variable of a module.
    pub(crate) fn place(&mut self, bytes: usize, name: String) -> u64 {
        let base = self.next.max(GLOBAL_BASE);
        self.next = (base + bytes as u64 + GAP).next_multiple_of(512);
        self.used += bytes;
        let region = Region::new(bytes);
        self.buffers.push(Buffer { base, bytes, live: true, region, name });
        base
    }

    /// Bytes in live buffers.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Frees the buffer that begins at `base`.
    pub fn free(&mut self, base: u64) -> Result<(), Failure> {
        let found = self.buffers.binary_search_by_key(&base, |b| b.base);
        match found.ok().map(|i| &mut self.buffers[i]) {
            Some(buffer) if buffer.live => {
                buffer.live = false;
                buffer.region = Region::default();
                self.used -= buffer.bytes;
                Ok(())
            }
            Some(buffer) => Err(Failure::Freed(format!("{} was freed before", buffer.name))),
            None => Err(Failure::Outside("no allocation returned this address".into())),
        }
    }

    /// The buffer that holds `len` bytes at `address`, and the offset in it.
    #[inline]
    pub(crate) fn find(&self, address: u64, len: usize) -> Result<(usize, usize), Failure> {
        let after = self.buffers.partition_point(|b| b.base <= address);
        if let Some(index) = after.checked_sub(1) {
            let buffer = &self.buffers[index];
            let offset = (address - buffer.base) as usize;
            if offset.saturating_add(len) <= buffer.bytes && buffer.live {
                return Ok((index, offset));
            }
        }
        Err(self.failure(address, len, after))
    }

    #[cold]
    fn failure(&self, address: u64, len: usize, after: usize) -> Failure {
        if address < 0x1000 {
            return Failure::Outside(format!("{len} bytes at a null pointer"));
        }
        let Some(buffer) = after.checked_sub(1).map(|i| &self.buffers[i]) else {
            return Failure::Outside(format!("{len} bytes below device memory"));
        };
        let offset = address - buffer.base;
        let place = format!(
            "{len} bytes at byte {offset} of {}, which has {} bytes",
            buffer.name, buffer.bytes
        );
        let inside = offset.saturating_add(len as u64) <= buffer.bytes as u64;
        match buffer.live {
            false if inside => Failure::Freed(format!("{place} and was freed")),
            _ => match self.buffers.get(after) {
                // close below the next buffer: an index below zero
                Some(next) if next.base - address < GAP / 2 => Failure::Outside(format!(
                    "{len} bytes, {} bytes before {}, which has {} bytes",
                    next.base - address,
                    next.name,
                    next.bytes
                )),
                _ => Failure::Outside(place),
            },
        }
    }

    /// Writes bytes from the host or from elsewhere on the device.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Failure> {
        let (index, at) = self.find(address, bytes.len())?;
        let region = &mut self.buffers[index].region;
        region.data[at..at + bytes.len()].copy_from_slice(bytes);
        region.written.set(at, bytes.len());
        Ok(())
    }

    /// Fills a range with a pattern.
    pub fn fill(&mut self, address: u64, pattern: &[u8], len: usize) -> Result<(), Failure> {
        let (index, at) = self.find(address, len)?;
        let region = &mut self.buffers[index].region;
        for piece in region.data[at..at + len].chunks_mut(pattern.len().max(1)) {
            piece.copy_from_slice(&pattern[..piece.len()]);
        }
        region.written.set(at, len);
        Ok(())
    }

    /// Bytes of a range, and the first of them that nothing has written.
    pub fn read(&self, address: u64, len: usize) -> Result<(&[u8], Option<usize>), Failure> {
        let (index, at) = self.find(address, len)?;
        let region = &self.buffers[index].region;
        let missing = region.written.first_missing(at, len).map(|m| m - at);
        Ok((&region.data[at..at + len], missing))
    }

    /// Copies a range with its state.
    pub fn copy(&mut self, to: u64, from: u64, len: usize) -> Result<(), Failure> {
        let (source, at) = self.find(from, len)?;
        let (target, to) = self.find(to, len)?;
        let region = &self.buffers[source].region;
        let bytes = region.data[at..at + len].to_vec();
        let missing: Vec<usize> = match region.written.full() {
            true => Vec::new(),
            false => (0..len).filter(|i| !region.written.ready(at + i, 1)).collect(),
        };
        let region = &mut self.buffers[target].region;
        region.data[to..to + len].copy_from_slice(&bytes);
        region.written.set(to, len);
        for i in missing {
            region.written.unset(to + i, 1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_know_their_ends_and_their_end() {
        let mut memory = Memory::default();
        let (a, b) = (memory.allocate(100), memory.allocate(0));
        assert_ne!(a, b);
        assert!(memory.write(a + 96, &[1; 4]).is_ok());
        assert!(matches!(memory.write(a + 97, &[1; 4]), Err(Failure::Outside(_))));
        assert!(matches!(memory.read(0, 4), Err(Failure::Outside(m)) if m.contains("null")));
        assert_eq!(memory.read(a, 100).unwrap().1, Some(0));
        assert_eq!(memory.read(a + 96, 4).unwrap().1, None);
        memory.free(a).unwrap();
        assert!(matches!(memory.read(a, 4), Err(Failure::Freed(_))));
        assert!(matches!(memory.free(a), Err(Failure::Freed(_))));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn copies_carry_what_was_not_written() {
        let mut memory = Memory::default();
        let (a, b) = (memory.allocate(16), memory.allocate(16));
        memory.fill(a, &[7, 0, 0, 0], 8).unwrap();
        memory.fill(b, &[0], 16).unwrap();
        memory.copy(b, a, 16).unwrap();
        assert_eq!(
            memory.read(b, 16).unwrap(),
            (&[7, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], Some(8))
        );
    }
}
