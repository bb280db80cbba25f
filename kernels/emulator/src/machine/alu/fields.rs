//! Fields of bits and bytes.

/// `len` bits of `a` from bit `pos` on, extended by the sign bit of the field or by zero.
pub(super) fn extract(a: u64, pos: u32, len: u32, bits: u32, signed: bool) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    let msb = bits - 1;
    let sign = if !signed || len == 0 { 0 } else { a >> (pos + len - 1).min(msb) & 1 };
    (0..bits).fold(0, |found, i| {
        let bit = if i < len && pos + i <= msb { a >> (pos + i) & 1 } else { sign };
        found | bit << i
    })
}

/// `len` bits of `a` put into `b` at bit `pos`.
pub(crate) fn insert(a: u64, b: u64, pos: u32, len: u32, bits: u32) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    (0..len).take_while(|i| pos + i < bits).fold(b, |found, i| {
        let at = pos + i;
        found & !(1 << at) | (a >> i & 1) << at
    })
}

pub(super) fn permute(a: u32, b: u32, selector: u32) -> u32 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    (0..4).fold(0, |found, i| {
        let choice = selector >> (4 * i) & 15;
        let byte = (bytes >> (8 * (choice & 7))) as u32 & 0xff;
        let byte = if choice & 8 == 0 { byte } else { 0xff * (byte >> 7) };
        found | byte << (8 * i)
    })
}

pub(super) fn funnel_left(low: u32, high: u32, by: u32) -> u32 {
    (((u64::from(high) << 32 | u64::from(low)) << by) >> 32) as u32
}

pub(super) fn funnel_right(low: u32, high: u32, by: u32) -> u32 {
    ((u64::from(high) << 32 | u64::from(low)) >> by) as u32
}
