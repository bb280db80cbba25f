//! Instructions with an unusual shape.

use super::block::{Block, Outcome};
use super::lanes::{join, keep, set_predicate};
use super::program::{Joined, Logic, Op, Pieces, Step};
use super::warp::Warp;
use super::{access::bits, alu};

impl Block<'_> {
    /// Finishes a comparison: joins it with a predicate, writes it and its complement.
    pub(crate) fn joined(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        joined: &Joined,
        held: u32,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        let (with, logic) = match joined.with {
            Some((p, negated, logic)) => {
                let value = self.predicate(warp, p, lanes, pc)?;
                (if negated { !value } else { value }, logic)
            }
            None => (u32::MAX, Logic::And),
        };
        let value = join(logic, held, with);
        match joined.value {
            Some(one) => {
                let out = std::array::from_fn(|l| if value >> l & 1 != 0 { one } else { 0 });
                keep(&mut warp.regs[step.d as usize].0, &out, lanes, 1, 0);
                warp.known[step.d as usize] |= lanes;
            }
            None => {
                // predicate 0 stands for a result that nobody wants
                if step.d != 0 {
                    set_predicate(warp, step.d, value, lanes);
                }
                if joined.complement != 0 {
                    set_predicate(warp, joined.complement, join(logic, !held, with), lanes);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn rare(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        if let Op::Pieces(pieces) = &step.op {
            return self.pieces(warp, step, pieces, lanes);
        }
        let slots = match step.op {
            Op::Insert { extra, .. } => [step.a, step.b, step.c, extra],
            _ => [step.a, step.b, step.c, 0],
        };
        for slot in slots {
            let unknown = lanes & !warp.known[slot as usize];
            if unknown != 0 {
                return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "a register"));
            }
        }
        let [a, b, c] = [step.a, step.b, step.c].map(|s| warp.regs[s as usize].0);
        let mut out = warp.regs[step.d as usize].0;
        match step.op {
            Op::Insert { extra, wide: false } => {
                let length = warp.regs[extra as usize].0;
                for l in bits(lanes) {
                    let (from, into) = (u64::from(a[l]), u64::from(b[l]));
                    out[l] = alu::insert(from, into, c[l], length[l], 32) as u32;
                }
            }
            Op::Insert { extra, wide: true } => {
                let length = warp.regs[extra as usize].0;
                let (from, into) = (warp.wide(step.a), warp.wide(step.b));
                for l in bits(lanes) {
                    let value = alu::insert(from[l], into[l], c[l], length[l], 64);
                    let slot = &mut warp.regs[step.d as usize + l / 16].0;
                    (slot[l % 16 * 2], slot[l % 16 * 2 + 1]) = (value as u32, (value >> 32) as u32);
                }
                warp.known[step.d as usize] |= lanes;
                return Ok(());
            }
            Op::Table(table) => {
                for l in bits(lanes) {
                    out[l] = (0..8).filter(|i| table >> i & 1 != 0).fold(0, |found, i: u32| {
                        let pick = |x: u32, bit: u32| if i >> bit & 1 != 0 { x } else { !x };
                        found | pick(a[l], 2) & pick(b[l], 1) & pick(c[l], 0)
                    });
                }
            }
            Op::Carry { subtract, reads, writes } => {
                for l in bits(lanes) {
                    let carry = u64::from(reads && warp.carry >> l & 1 != 0);
                    let (x, y) = (u64::from(a[l]), u64::from(b[l]));
                    let sum = if subtract {
                        x.wrapping_sub(y).wrapping_sub(carry)
                    } else {
                        x + y + carry
                    };
                    out[l] = sum as u32;
                    if writes {
                        let flag = (sum >> 32 != 0) as u32;
                        warp.carry = warp.carry & !(1 << l) | flag << l;
                    }
                }
            }
            Op::CarryMultiply { high, reads, writes } => {
                for l in bits(lanes) {
                    let product = u64::from(a[l]) * u64::from(b[l]);
                    let half = if high { product >> 32 } else { product & 0xffff_ffff };
                    let carry = u64::from(reads && warp.carry >> l & 1 != 0);
                    let sum = half + u64::from(c[l]) + carry;
                    out[l] = sum as u32;
                    if writes {
                        warp.carry = warp.carry & !(1 << l) | ((sum >> 32) as u32) << l;
                    }
                }
            }
            _ => {
                return Err(super::block::Fault::at(
                    crate::check::Kind::Internal,
                    pc,
                    "an instruction without an action",
                ));
            }
        }
        keep(&mut warp.regs[step.d as usize].0, &out, lanes, 1, 0);
        warp.known[step.d as usize] |= lanes;
        Ok(())
    }

    /// `mov` between a register and the registers of its pieces.
    fn pieces(&mut self, warp: &mut Warp, step: &Step, pieces: &Pieces, lanes: u32) -> Outcome<()> {
        let wide = pieces.bits as usize * pieces.parts.len() == 64;
        let mask = u64::MAX >> (64 - pieces.bits);
        if pieces.unpack {
            let known = warp.known[step.a as usize];
            let from = match wide {
                true => warp.wide(step.a),
                false => warp.regs[step.a as usize].0.map(u64::from),
            };
            for (i, part) in pieces.parts.iter().enumerate().filter(|(_, p)| **p != 0) {
                let shift = pieces.bits * i as u32;
                let out = std::array::from_fn(|l| (from[l] >> shift & mask) as u32);
                keep(&mut warp.regs[*part as usize].0, &out, lanes, 1, 0);
                let d = &mut warp.known[*part as usize];
                *d = (*d & !lanes) | (known & lanes);
            }
            return Ok(());
        }
        let mut value = [0u64; 32];
        let mut known = u32::MAX;
        for (i, part) in pieces.parts.iter().enumerate() {
            let shift = pieces.bits * i as u32;
            let from = &warp.regs[*part as usize].0;
            known &= warp.known[*part as usize];
            for l in 0..32 {
                value[l] |= (u64::from(from[l]) & mask) << shift;
            }
        }
        let d = step.d as usize;
        for l in bits(lanes) {
            if wide {
                let slot = &mut warp.regs[d + l / 16].0;
                (slot[l % 16 * 2], slot[l % 16 * 2 + 1]) =
                    (value[l] as u32, (value[l] >> 32) as u32);
            } else {
                warp.regs[d].0[l] = value[l] as u32;
            }
        }
        warp.known[d] = (warp.known[d] & !lanes) | (known & lanes);
        Ok(())
    }
}
