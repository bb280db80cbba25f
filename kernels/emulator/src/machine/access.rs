//! Loads and stores, with every check on them.

use super::block::{Block, Fault, Outcome};
use super::memory::{Failure, Region, LOCAL_BASE, SHARED_BASE, WINDOW};
use super::program::{Access, Step};
use super::transfer::{check_local, check_read, check_write, read_element, write_element};
use super::warp::Warp;
use crate::check::{Conflict, Kind, Moment};
use crate::ptx::Space;

/// What is wrong with the access of a lane.
pub(crate) enum Wrong {
    Unwritten,
    Conflict(Conflict),
}

/// Lanes that access one region.
pub(crate) struct Part {
    pub(crate) lanes: u32,
    /// Offsets in the region, by lane.
    pub(crate) at: [usize; 32],
    pub(crate) pattern: Pattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// All lanes access the same bytes.
    Uniform,
    /// All 32 lanes access neighbouring bytes in order.
    Sequence,
    Scattered,
}

/// A region by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Buffer(usize),
    Shared,
    Local,
    Arguments,
}

pub(crate) fn bits(mask: u32) -> impl Iterator<Item = usize> {
    (0..32).filter(move |l| mask >> l & 1 != 0)
}

impl Block<'_> {
    pub(crate) fn load(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        access: &Access,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        let address = self.addresses(warp, step.a, access, lanes, pc)?;
        let bytes = access.bytes as usize * access.regs.len();
        let mut rest = lanes;
        while rest != 0 {
            let (home, part) = self.part(warp, &address, rest, lanes, access.space, bytes, pc)?;
            rest &= !part.lanes;
            let checked = match home {
                Home::Arguments => Ok(()),
                Home::Local => check_local(warp, &part, bytes, false),
                _ => {
                    let (m, first) = (self.moment_in(home), warp.first);
                    let region = self.region(home);
                    check_read(region, &part, bytes, &m, first, access.strong)
                }
            };
            if let Err((lane, wrong)) = checked {
                return Err(self.wrong(warp, pc, lane, address[lane], "read", wrong, home));
            }
            let Warp { regs, known, local, .. } = warp;
            let data: &[u8] = match home {
                Home::Arguments => self.args,
                Home::Local => &local.data,
                Home::Shared => &self.shared.data,
                Home::Buffer(i) => &self.memory.buffers[i].region.data,
            };
            for (e, reg) in access.regs.iter().enumerate().filter(|(_, r)| **r != 0) {
                read_element(data, &part, access, e, &mut regs[*reg as usize..]);
                known[*reg as usize] |= part.lanes;
            }
        }
        Ok(())
    }

    pub(crate) fn store(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        access: &Access,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        let address = self.addresses(warp, step.a, access, lanes, pc)?;
        for reg in &access.regs {
            let unknown = lanes & !warp.known[*reg as usize];
            if unknown != 0 {
                return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "the value"));
            }
        }
        let bytes = access.bytes as usize * access.regs.len();
        let mut rest = lanes;
        while rest != 0 {
            let (home, part) = self.part(warp, &address, rest, lanes, access.space, bytes, pc)?;
            rest &= !part.lanes;
            let checked = match home {
                Home::Arguments => {
                    return Err(Fault::at(Kind::OutOfBounds, pc, "arguments cannot be written"))
                }
                Home::Local => check_local(warp, &part, bytes, true),
                _ => {
                    let (m, first) = (self.moment_in(home), warp.first);
                    let region = self.region(home);
                    check_write(region, &part, bytes, &m, first, access.strong)
                }
            };
            if let Err((lane, wrong)) = checked {
                return Err(self.wrong(warp, pc, lane, address[lane], "write", wrong, home));
            }
            let Warp { regs, local, .. } = warp;
            let data: &mut [u8] = match home {
                Home::Local => &mut local.data,
                home => &mut self.region(home).data,
            };
            for (e, reg) in access.regs.iter().enumerate() {
                write_element(data, &part, access, e, &regs[*reg as usize..]);
            }
        }
        Ok(())
    }

    pub(crate) fn region(&mut self, home: Home) -> &mut Region {
        match home {
            Home::Buffer(i) => &mut self.memory.buffers[i].region,
            _ => &mut self.shared,
        }
    }

    /// Now; shared memory is another for every block.
    #[inline(always)]
    pub(crate) fn moment_in(&self, home: Home) -> Moment {
        let m = self.moment;
        match home {
            Home::Shared => Moment { launch: m.block, ..m },
            _ => m,
        }
    }

    #[inline(always)]
    pub(crate) fn addresses(
        &self,
        warp: &Warp,
        slot: u32,
        access: &Access,
        lanes: u32,
        pc: u32,
    ) -> Outcome<[u64; 32]> {
        let unknown = lanes & !warp.known[slot as usize];
        if unknown != 0 {
            return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "the address"));
        }
        let mut address = match access.wide_address {
            true => warp.wide(slot),
            false => warp.regs[slot as usize].0.map(u64::from),
        };
        for a in &mut address {
            *a = a.wrapping_add(access.offset as u64);
        }
        Ok(address)
    }

    /// The lanes of `rest` that access the same region as its first one.
    #[allow(clippy::too_many_arguments)] // all of them are needed, and none goes with another
    pub(crate) fn part(
        &mut self,
        warp: &Warp,
        address: &[u64; 32],
        rest: u32,
        lanes: u32,
        space: Space,
        bytes: usize,
        pc: u32,
    ) -> Outcome<(Home, Part)> {
        let first = rest.trailing_zeros() as usize;
        let a0 = address[first];
        let by_lane = |lane: usize, kind: Kind, text: String| {
            Fault::by(kind, pc, warp.first + lane as u32, address[lane], text)
        };
        let in_window = |base: u64| a0 >= base && a0 - base < WINDOW;
        let (home, base, len, stride) = match space {
            Space::Shared => (Home::Shared, 0, self.shared.data.len(), 0),
            Space::Local => (Home::Local, 0, warp.local.bytes, warp.local.bytes),
            Space::Param => (Home::Arguments, 0, self.args.len(), 0),
            Space::Generic if in_window(SHARED_BASE) => {
                (Home::Shared, SHARED_BASE, self.shared.data.len(), 0)
            }
            Space::Generic if in_window(LOCAL_BASE) => {
                (Home::Local, LOCAL_BASE, warp.local.bytes, warp.local.bytes)
            }
            _ => {
                let recent = self.memory.buffers.get(self.recent).filter(|b| {
                    b.live && a0 >= b.base && a0 - b.base + bytes as u64 <= b.bytes as u64
                });
                let index = match recent {
                    Some(_) => self.recent,
                    None => match self.memory.find(a0, bytes) {
                        Ok((index, _)) => index,
                        Err(Failure::Outside(text)) => {
                            return Err(by_lane(first, Kind::OutOfBounds, text))
                        }
                        Err(Failure::Freed(text)) => {
                            return Err(by_lane(first, Kind::UseAfterFree, text))
                        }
                    },
                };
                self.recent = index;
                let buffer = &self.memory.buffers[index];
                (Home::Buffer(index), buffer.base, buffer.bytes, 0)
            }
        };
        let align = bytes as u64 - 1;
        let (mut odd, mut differ, mut broken) = (0u64, 0u64, 0u64);
        let mut at = [0usize; 32];
        for lane in 0..32 {
            let a = if rest >> lane & 1 != 0 { address[lane] } else { a0 };
            odd |= a & align;
            differ |= a ^ a0;
            let next = a0.wrapping_add((lane * bytes) as u64);
            broken |= address[lane] ^ next;
            at[lane] = a.wrapping_sub(base) as usize;
        }
        if odd != 0 {
            let lane = bits(rest).find(|l| address[*l] & align != 0).unwrap_or(first);
            let text = format!("{bytes} bytes need an address that is a multiple of {bytes}");
            return Err(by_lane(lane, Kind::Misaligned, text));
        }
        let fits = |at: usize| at <= len && bytes <= len - at;
        let pattern = if differ == 0 {
            Pattern::Uniform
        } else if broken == 0 && rest == u32::MAX && lanes == rest {
            Pattern::Sequence
        } else {
            Pattern::Scattered
        };
        let mut part = 0;
        match pattern {
            Pattern::Uniform if fits(at[first]) => part = rest,
            Pattern::Sequence if fits(at[0]) && fits(at[31]) => part = rest,
            _ => bits(rest).for_each(|lane| part |= u32::from(fits(at[lane])) << lane),
        }
        if matches!(home, Home::Buffer(_)) {
            // lanes outside this buffer may lie in another: the next round finds out
            if part >> first & 1 == 0 {
                return Err(by_lane(first, Kind::Internal, "lost a buffer".into()));
            }
        } else if part != rest {
            let lane = bits(rest).find(|l| !fits(at[*l])).unwrap_or(first);
            let other = |l: &usize| space == Space::Generic && address[*l] >> 32 != a0 >> 32;
            let strayed = bits(rest & !part).find(|l| !other(l));
            if let Some(lane) = strayed.or((part >> first & 1 == 0).then_some(lane)) {
                let name = match home {
                    Home::Shared => "shared memory of the block",
                    Home::Local => "local memory of the thread",
                    _ => "the arguments",
                };
                let text = format!(
                    "{bytes} bytes at byte {} of {name}, which has {len} bytes",
                    at[lane] as i64
                );
                return Err(by_lane(lane, Kind::OutOfBounds, text));
            }
        }
        if stride > 0 {
            at.iter_mut().enumerate().for_each(|(lane, a)| *a = a.wrapping_add(lane * stride));
            return Ok((home, Part { lanes: part, at, pattern: Pattern::Scattered }));
        }
        let pattern = if part == rest { pattern } else { Pattern::Scattered };
        Ok((home, Part { lanes: part, at, pattern }))
    }
}
