//! Instructions at which lanes meet: barriers, shuffles, votes.

use super::block::{Block, Fault, Outcome};
use super::lanes::{keep, set_predicate};
use super::program::{Op, Shuffle, Step, Vote};
use super::warp::{Group, State, Warp};
use crate::check::Kind;

impl Block<'_> {
    /// Brings `lanes` to a meeting instruction. When all are there it is executed, `met` has the lanes,
    /// and the answer is true; otherwise they wait.
    pub(crate) fn meet(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        pc: u32,
        lanes: u32,
    ) -> Outcome<bool> {
        if let Op::Barrier(_) = step.op {
            let id = self.common(warp, step.a, lanes, pc, "barrier number")?;
            let count = self.common(warp, step.b, lanes, pc, "thread count")?;
            let state = State::Barrier(id, count);
            warp.groups.push(Group { pc, mask: lanes, state });
            return Ok(false);
        }
        let slot = match step.op {
            Op::Shuffle { mask, .. } | Op::Vote { mask, .. } | Op::Match { mask, .. } => mask,
            _ => step.a,
        };
        let wanted = self.common(warp, slot, lanes, pc, "mask")?;
        if lanes & !wanted != 0 {
            let lane = (lanes & !wanted).trailing_zeros();
            let text = format!("lane {lane} is not in its own mask {wanted:#010x}");
            return Err(Fault::by(Kind::Shuffle, pc, warp.first + lane, 0, text));
        }
        // a full mask in a block whose last warp is not full means the lanes that exist
        let wanted = if wanted == u32::MAX { warp.all } else { wanted };
        let gone = wanted & !warp.live;
        if gone != 0 {
            let text = format!("mask {wanted:#010x} names lanes {gone:#010x}, which do not run");
            let thread = warp.first + lanes.trailing_zeros();
            return Err(Fault::by(Kind::Shuffle, pc, thread, 0, text));
        }
        let mut met = lanes;
        for group in &warp.groups {
            if group.pc == pc && group.state == State::Lanes(wanted) {
                met |= group.mask;
            }
        }
        if met != wanted {
            warp.groups.push(Group { pc, mask: lanes, state: State::Lanes(wanted) });
            return Ok(false);
        }
        warp.groups.retain(|g| !(g.pc == pc && g.state == State::Lanes(wanted)));
        self.met = met;
        self.together(warp, step, pc, met)?;
        Ok(true)
    }

    /// The value of a register that all lanes must agree on.
    fn common(&self, warp: &Warp, slot: u32, lanes: u32, pc: u32, what: &str) -> Outcome<u32> {
        let unknown = lanes & !warp.known[slot as usize];
        if unknown != 0 {
            return Err(self.unknown(warp, pc, unknown.trailing_zeros(), what));
        }
        let values = &warp.regs[slot as usize].0;
        let first = values[lanes.trailing_zeros() as usize];
        match (0..32).find(|l| lanes >> l & 1 != 0 && values[*l] != first) {
            None => Ok(first),
            Some(lane) => {
                let text = format!("{what} {first:#x} and {:#x} in one warp", values[lane]);
                Err(Fault::by(Kind::Shuffle, pc, warp.first + lane as u32, 0, text))
            }
        }
    }

    fn together(&mut self, warp: &mut Warp, step: &Step, pc: u32, lanes: u32) -> Outcome<()> {
        match &step.op {
            Op::WarpBarrier => {
                warp.sync += 1;
                self.moment.sync = warp.sync;
                Ok(())
            }
            Op::Shuffle { mode, ok, .. } => self.shuffle(warp, step, *mode, *ok, lanes, pc),
            Op::Vote { mode, negated, .. } => {
                let p = self.predicate(warp, step.a, lanes, pc)?;
                let held = (if *negated { !p } else { p }) & lanes;
                let all = |value: bool| if value { u32::MAX } else { 0 };
                match mode {
                    Vote::Ballot => {
                        keep(&mut warp.regs[step.d as usize].0, &[held; 32], lanes, 1, 0);
                        warp.known[step.d as usize] |= lanes;
                    }
                    Vote::All => set_predicate(warp, step.d, all(held == lanes), lanes),
                    Vote::Any => set_predicate(warp, step.d, all(held != 0), lanes),
                    Vote::Uniform => {
                        set_predicate(warp, step.d, all(held == 0 || held == lanes), lanes);
                    }
                }
                Ok(())
            }
            Op::Match { wide, all, ok, .. } => {
                let unknown = lanes & !warp.known[step.a as usize];
                if unknown != 0 {
                    return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "a register"));
                }
                let values = match wide {
                    true => warp.wide(step.a),
                    false => warp.regs[step.a as usize].0.map(u64::from),
                };
                let equal = |to: u64| {
                    (0..32)
                        .filter(|l| lanes >> l & 1 != 0 && values[*l] == to)
                        .fold(0u32, |m, l| m | 1 << l)
                };
                let first = values[lanes.trailing_zeros() as usize];
                let same = equal(first) == lanes;
                let out: [u32; 32] = std::array::from_fn(|l| match all {
                    true if same => lanes,
                    true => 0,
                    false => equal(values[l]),
                });
                keep(&mut warp.regs[step.d as usize].0, &out, lanes, 1, 0);
                warp.known[step.d as usize] |= lanes;
                if *ok != 0 {
                    set_predicate(warp, *ok, if same { u32::MAX } else { 0 }, lanes);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// `shfl.sync`: a: value, b: lane or offset, c: clamp and segment mask.
    fn shuffle(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        mode: Shuffle,
        ok: u32,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        for slot in [step.b, step.c] {
            let unknown = lanes & !warp.known[slot as usize];
            if unknown != 0 {
                return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "a lane number"));
            }
        }
        let value = warp.regs[step.a as usize].0;
        let (by, control) = (warp.regs[step.b as usize].0, warp.regs[step.c as usize].0);
        let value_known = warp.known[step.a as usize];
        let (mut out, mut known, mut inside) = (value, 0u32, 0u32);
        for lane in (0..32u32).filter(|l| lanes >> l & 1 != 0) {
            let l = lane as usize;
            let (clamp, segment) = (control[l] & 31, control[l] >> 8 & 31);
            let most = (lane & segment) | (clamp & !segment);
            let least = lane & segment;
            let by = by[l] & 31;
            let (source, fits) = match mode {
                Shuffle::Up => (lane.wrapping_sub(by), lane as i32 - by as i32 >= most as i32),
                Shuffle::Down => (lane + by, lane + by <= most),
                Shuffle::Xor => (lane ^ by, (lane ^ by) <= most),
                Shuffle::Index => {
                    let source = least | (by & !segment);
                    (source, source <= most)
                }
            };
            let source = if fits { source } else { lane };
            if lanes >> source & 1 == 0 {
                let text = format!("lane {lane} reads lane {source}, which does not take part");
                return Err(Fault::by(Kind::Shuffle, pc, warp.first + lane, 0, text));
            }
            inside |= u32::from(fits) << lane;
            out[l] = value[source as usize];
            known |= (value_known >> source & 1) << lane;
        }
        keep(&mut warp.regs[step.d as usize].0, &out, lanes, 1, 0);
        let d = &mut warp.known[step.d as usize];
        *d = (*d & !lanes) | known;
        if ok != 0 {
            set_predicate(warp, ok, inside, lanes);
        }
        Ok(())
    }
}
