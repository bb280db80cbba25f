//! Atomic operations, one lane after another in the order of the settings.

use super::access::{Home, Part, Pattern, Wrong};
use super::block::{Block, Fault, Outcome};
use super::program::{Atomic, AtomicOp, Step};
use super::transfer::check_write;
use super::warp::Warp;
use crate::check::Kind;
use crate::ptx::Type;

impl Block<'_> {
    pub(crate) fn atomic(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        atomic: &Atomic,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        let access = &atomic.access;
        let address = self.addresses(warp, step.a, access, lanes, pc)?;
        for slot in [step.b, step.c] {
            let unknown = lanes & !warp.known[slot as usize];
            if unknown != 0 {
                return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "the value"));
            }
        }
        let bytes = access.bytes as usize;
        let operand = |warp: &Warp, slot: u32, lane: usize| match access.wide {
            true => warp.wide(slot)[lane],
            false => u64::from(warp.regs[slot as usize].0[lane]),
        };
        for lane in self.lanes.map(usize::from) {
            if lanes >> lane & 1 == 0 {
                continue;
            }
            let one = 1 << lane;
            let (home, part) = self.part(warp, &address, one, one, access.space, bytes, pc)?;
            if matches!(home, Home::Local | Home::Arguments) {
                return Err(Fault::at(Kind::OutOfBounds, pc, "no atomics in this memory"));
            }
            let part = Part { pattern: Pattern::Scattered, ..part };
            let (m, first) = (self.moment_in(home), warp.first);
            let at = part.at[lane];
            let region = self.region(home);
            let checked = match region.written.ready(at, bytes) {
                true => check_write(region, &part, bytes, &m, first, true),
                false => Err((lane, Wrong::Unwritten)),
            };
            if let Err((lane, wrong)) = checked {
                return Err(self.wrong(warp, pc, lane, address[lane], "write", wrong, home));
            }
            let region = self.region(home);
            let mut raw = [0; 8];
            raw[..bytes].copy_from_slice(&region.data[at..at + bytes]);
            let old = u64::from_le_bytes(raw);
            let (b, c) = (operand(warp, step.b, lane), operand(warp, step.c, lane));
            let new = apply(atomic.op, atomic.ty, old, b, c);
            let region = self.region(home);
            region.data[at..at + bytes].copy_from_slice(&new.to_le_bytes()[..bytes]);
            if atomic.result {
                let d = step.d as usize;
                if access.wide {
                    let slot = &mut warp.regs[d + lane / 16].0;
                    slot[lane % 16 * 2] = old as u32;
                    slot[lane % 16 * 2 + 1] = (old >> 32) as u32;
                } else {
                    warp.regs[d].0[lane] = old as u32;
                }
            }
        }
        if atomic.result {
            warp.known[step.d as usize] |= lanes;
        }
        Ok(())
    }
}

fn apply(op: AtomicOp, ty: Type, old: u64, b: u64, c: u64) -> u64 {
    let single = |f: fn(f32, f32) -> f32| {
        u64::from(f(f32::from_bits(old as u32), f32::from_bits(b as u32)).to_bits())
    };
    let double = |f: fn(f64, f64) -> f64| f(f64::from_bits(old), f64::from_bits(b)).to_bits();
    let narrow = ty.bytes() == 4;
    match op {
        AtomicOp::Add => match ty {
            Type::F32 => single(|x, y| x + y),
            Type::F64 => double(|x, y| x + y),
            _ if narrow => u64::from((old as u32).wrapping_add(b as u32)),
            _ => old.wrapping_add(b),
        },
        AtomicOp::Min | AtomicOp::Max => {
            let smaller = match ty {
                Type::S32 => (old as i32) < b as i32,
                Type::S64 => (old as i64) < b as i64,
                Type::F32 => f32::from_bits(old as u32) < f32::from_bits(b as u32),
                Type::F64 => f64::from_bits(old) < f64::from_bits(b),
                _ => old < b,
            };
            if smaller == (op == AtomicOp::Min) {
                old
            } else {
                b
            }
        }
        AtomicOp::And => old & b,
        AtomicOp::Or => old | b,
        AtomicOp::Xor => old ^ b,
        AtomicOp::Exchange => b,
        AtomicOp::CompareExchange => {
            if old == b {
                c
            } else {
                old
            }
        }
        AtomicOp::Increment => {
            if old >= b {
                0
            } else {
                old + 1
            }
        }
        AtomicOp::Decrement => {
            if old == 0 || old > b {
                b
            } else {
                old - 1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_follow_their_types() {
        let bits = |x: f32| u64::from(x.to_bits());
        assert_eq!(apply(AtomicOp::Add, Type::F32, bits(1.5), bits(2.0), 0), bits(3.5));
        assert_eq!(apply(AtomicOp::Add, Type::U32, 0xffff_ffff, 2, 0), 1);
        assert_eq!(apply(AtomicOp::Min, Type::S32, 0xffff_ffff, 2, 0), 0xffff_ffff);
        assert_eq!(apply(AtomicOp::Max, Type::U32, 0xffff_ffff, 2, 0), 0xffff_ffff);
        assert_eq!(apply(AtomicOp::CompareExchange, Type::B32, 5, 5, 9), 9);
        assert_eq!(apply(AtomicOp::CompareExchange, Type::B32, 4, 5, 9), 4);
        assert_eq!(apply(AtomicOp::Increment, Type::U32, 7, 7, 0), 0);
        assert_eq!(apply(AtomicOp::Decrement, Type::U32, 0, 7, 0), 7);
    }
}
