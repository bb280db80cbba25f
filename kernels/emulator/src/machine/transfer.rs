//! What happens in a region: checks of each lane, and the bytes that move.

use super::access::{bits, Part, Pattern, Wrong};
use super::lanes::keep;
use super::memory::Region;
use super::program::{Access, Lanes};
use super::warp::Warp;
use crate::check::{Moment, Other};

/// Checks that what is read was written, and by no unordered thread; notes the read.
pub(crate) fn check_read(
    region: &mut Region,
    part: &Part,
    bytes: usize,
    m: &Moment,
    first: u32,
    strong: bool,
) -> Result<(), (usize, Wrong)> {
    let len = region.data.len();
    region.shadow.prepare(len, bytes);
    let lane0 = part.lanes.trailing_zeros() as usize;
    if part.pattern == Pattern::Uniform {
        let at = part.at[lane0];
        if !region.written.ready(at, bytes) {
            return Err((lane0, Wrong::Unwritten));
        }
        let many = part.lanes & (part.lanes - 1) != 0;
        return match region.shadow.read(at, bytes, m, first + lane0 as u32, many, strong) {
            None => Ok(()),
            Some(conflict) => {
                let own = conflict.other == Other::Thread(first + lane0 as u32);
                let lane = if own { bits(part.lanes).nth(1).unwrap_or(lane0) } else { lane0 };
                Err((lane, Wrong::Conflict(conflict)))
            }
        };
    }
    let whole = region.written.full()
        || part.pattern == Pattern::Sequence && region.written.ready(part.at[0], 32 * bytes);
    for lane in bits(part.lanes) {
        let at = part.at[lane];
        if !whole && !region.written.ready(at, bytes) {
            return Err((lane, Wrong::Unwritten));
        }
        if let Some(conflict) = region.shadow.read(at, bytes, m, first + lane as u32, false, strong)
        {
            return Err((lane, Wrong::Conflict(conflict)));
        }
    }
    Ok(())
}

/// Checks that no unordered thread touched what is written; notes the write.
pub(crate) fn check_write(
    region: &mut Region,
    part: &Part,
    bytes: usize,
    m: &Moment,
    first: u32,
    strong: bool,
) -> Result<(), (usize, Wrong)> {
    let len = region.data.len();
    region.shadow.prepare(len, bytes);
    for lane in bits(part.lanes) {
        let at = part.at[lane];
        if let Some(conflict) = region.shadow.write(at, bytes, m, first + lane as u32, strong) {
            return Err((lane, Wrong::Conflict(conflict)));
        }
        if part.pattern != Pattern::Sequence {
            region.written.set(at, bytes);
        }
    }
    if part.pattern == Pattern::Sequence {
        region.written.set(part.at[0], 32 * bytes);
    }
    Ok(())
}

pub(super) fn check_local(
    warp: &mut Warp,
    part: &Part,
    bytes: usize,
    write: bool,
) -> Result<(), (usize, Wrong)> {
    for lane in bits(part.lanes) {
        if write {
            warp.local.written.set(part.at[lane], bytes);
        } else if !warp.local.written.ready(part.at[lane], bytes) {
            return Err((lane, Wrong::Unwritten));
        }
    }
    Ok(())
}

/// A little-endian value of `bytes` bytes.
#[inline(always)]
fn fetch(data: &[u8], at: usize, bytes: usize) -> u64 {
    let mut raw = [0; 8];
    raw[..bytes].copy_from_slice(&data[at..at + bytes]);
    u64::from_le_bytes(raw)
}

#[inline(always)]
fn word(data: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&data[at..at + 4]);
    u32::from_le_bytes(raw)
}

pub(super) fn read_element(
    data: &[u8],
    part: &Part,
    access: &Access,
    e: usize,
    regs: &mut [Lanes],
) {
    let bytes = access.bytes as usize;
    let shift = e * bytes;
    if bytes == 4 && !access.wide {
        let mut out = regs[0].0;
        match part.pattern {
            Pattern::Uniform => {
                let at = part.at[part.lanes.trailing_zeros() as usize] + shift;
                let value = word(data, at);
                keep(&mut out, &[value; 32], part.lanes, 1, 0);
            }
            Pattern::Sequence => {
                let stride = 4 * access.regs.len();
                let run = &data[part.at[0]..part.at[0] + 32 * stride];
                for (o, piece) in out.iter_mut().zip(run.chunks_exact(stride)) {
                    *o = word(piece, shift);
                }
            }
            Pattern::Scattered => {
                bits(part.lanes).for_each(|lane| out[lane] = word(data, part.at[lane] + shift));
            }
        }
        regs[0].0 = out;
        return;
    }
    for lane in bits(part.lanes) {
        let raw = fetch(data, part.at[lane] + shift, bytes);
        let value = match (access.signed, bytes) {
            (true, 1) => raw as i8 as i64 as u64,
            (true, 2) => raw as i16 as i64 as u64,
            (true, 4) => raw as i32 as i64 as u64,
            _ => raw,
        };
        if access.wide {
            regs[lane / 16].0[lane % 16 * 2] = value as u32;
            regs[lane / 16].0[lane % 16 * 2 + 1] = (value >> 32) as u32;
        } else {
            regs[0].0[lane] = value as u32;
        }
    }
}

pub(super) fn write_element(
    data: &mut [u8],
    part: &Part,
    access: &Access,
    e: usize,
    regs: &[Lanes],
) {
    let bytes = access.bytes as usize;
    for lane in bits(part.lanes) {
        let at = part.at[lane] + e * bytes;
        let value = if access.wide {
            u64::from(regs[lane / 16].0[lane % 16 * 2])
                | u64::from(regs[lane / 16].0[lane % 16 * 2 + 1]) << 32
        } else {
            u64::from(regs[0].0[lane])
        };
        data[at..at + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
}
