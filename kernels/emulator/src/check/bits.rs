//! One bit for each byte of a region: whether it was written.

#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    missing: usize,
}

/// The bits `from..to` of a word.
fn span(from: usize, to: usize) -> u64 {
    (u64::MAX >> (64 - (to - from))) << from
}

impl Bits {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { words: vec![0; bytes.div_ceil(64)], missing: bytes }
    }

    /// Forgets all writes.
    pub(crate) fn clear(&mut self, bytes: usize) {
        self.words.clear();
        self.words.resize(bytes.div_ceil(64), 0);
        self.missing = bytes;
    }

    /// Whether every byte is set.
    #[inline(always)]
    pub(crate) fn full(&self) -> bool {
        self.missing == 0
    }

    /// Whether all of `len` bytes from `at` on are set.
    #[inline(always)]
    pub(crate) fn ready(&self, at: usize, len: usize) -> bool {
        self.full() || self.first_missing(at, len).is_none()
    }

    /// The first byte of the range that is not set.
    pub(crate) fn first_missing(&self, at: usize, len: usize) -> Option<usize> {
        let mut from = at;
        while from < at + len {
            let word = from / 64;
            let to = (word * 64 + 64).min(at + len);
            let lacking = !self.words[word] & span(from % 64, to - word * 64);
            if lacking != 0 {
                return Some(word * 64 + lacking.trailing_zeros() as usize);
            }
            from = to;
        }
        None
    }

    /// Marks a range.
    #[inline(always)]
    pub(crate) fn set(&mut self, at: usize, len: usize) {
        if self.missing > 0 {
            self.set_some(at, len);
        }
    }

    fn set_some(&mut self, at: usize, len: usize) {
        let mut from = at;
        while from < at + len {
            let word = from / 64;
            let to = (word * 64 + 64).min(at + len);
            let fresh = !self.words[word] & span(from % 64, to - word * 64);
            self.missing -= fresh.count_ones() as usize;
            self.words[word] |= fresh;
            from = to;
        }
    }

    /// Unmarks a range.
    pub(crate) fn unset(&mut self, at: usize, len: usize) {
        for byte in at..at + len {
            let bit = 1 << (byte % 64);
            if self.words[byte / 64] & bit != 0 {
                self.words[byte / 64] &= !bit;
                self.missing += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_across_words() {
        let mut bits = Bits::new(200);
        bits.set(60, 80);
        assert!(bits.ready(60, 80) && !bits.ready(59, 2) && !bits.full());
        assert_eq!(bits.first_missing(100, 50), Some(140));
        bits.set(0, 60);
        bits.set(140, 60);
        assert!(bits.full());
        bits.unset(64, 1);
        assert_eq!(bits.first_missing(0, 200), Some(64));
    }
}
