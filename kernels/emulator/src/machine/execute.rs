//! The interpreter: runs the lanes of a warp until all of them wait or have exited.

use super::block::{Block, Fault, Outcome};
use super::lanes::{join, keep, set_predicate};
use super::program::{Op, Step, Trap};
use super::warp::{Group, State, Warp};
use crate::check::Kind;
use crate::Order;

/// How instructions of a group end.
enum Next {
    /// The group goes on with the next instruction.
    Step,
    /// It goes on somewhere else.
    Jump(u32),
    /// It was put back, or has ended.
    Leave,
}

impl Block<'_> {
    /// Runs `warp` as far as it gets; whether it got anywhere.
    pub(crate) fn run_warp(&mut self, warp: &mut Warp) -> Outcome<bool> {
        let mut moved = false;
        loop {
            let ascending = match self.order {
                Order::Ascending => true,
                Order::Descending => false,
                Order::Random(_) => self.draw(2) == 0,
            };
            let ready = warp.groups.iter().enumerate().filter(|(_, g)| g.state == State::Ready);
            let chosen = match ascending {
                true => ready.min_by_key(|(_, g)| g.pc),
                false => ready.max_by_key(|(_, g)| g.pc),
            };
            let Some((index, group)) = chosen.map(|(i, g)| (i, *g)) else { return Ok(moved) };
            warp.groups.swap_remove(index);
            moved = true;
            self.run_group(warp, group, if ascending { 1 } else { -1 })?;
        }
    }

    /// Runs a group until it waits, ends, or another group is due: groups at the same place join.
    fn run_group(&mut self, warp: &mut Warp, group: Group, sign: i64) -> Outcome<()> {
        let Group { mut pc, mut mask, .. } = group;
        let mut due = due(warp, sign);
        let program = self.program;
        loop {
            if i64::from(pc) * sign >= due {
                let same = |g: &Group| g.pc == pc && g.state == State::Ready;
                while let Some(i) = warp.groups.iter().position(same) {
                    mask |= warp.groups.swap_remove(i).mask;
                }
                due = self::due(warp, sign);
                if i64::from(pc) * sign > due {
                    warp.groups.push(Group { pc, mask, state: State::Ready });
                    return Ok(());
                }
            }
            let Some(step) = program.steps.get(pc as usize) else {
                return Err(Fault::at(Kind::Internal, pc, "ran past the end of the kernel"));
            };
            let guard = step.guard as usize;
            let lanes = mask & (warp.preds[guard] ^ step.flip);
            if mask & !warp.preds_known[guard] != 0 {
                let lane = (mask & !warp.preds_known[guard]).trailing_zeros();
                return Err(self.unknown(warp, pc, lane, "the predicate of the instruction"));
            }
            self.warp_steps += 1;
            self.thread_steps += u64::from(mask.count_ones());
            if let Op::Alu(kernel) = step.op {
                self.operands(warp, step, lanes, pc)?;
                let regs = warp.regs.as_mut_ptr();
                // SAFETY: the lowering gave every operand a slot of its width.
                unsafe {
                    kernel(
                        regs.add(step.d as usize),
                        regs.add(step.a as usize),
                        regs.add(step.b as usize),
                        regs.add(step.c as usize),
                        lanes,
                    );
                }
                warp.known[step.d as usize] |= lanes;
                pc += 1;
                continue;
            }
            match self.other(warp, step, pc, mask, lanes)? {
                Next::Step => pc += 1,
                Next::Jump(target) => {
                    if target <= pc && self.thread_steps > self.limit {
                        let text = format!("more than {} instructions", self.limit);
                        return Err(Fault::at(Kind::Endless, pc, &text));
                    }
                    pc = target;
                }
                Next::Leave => match self.resume.take() {
                    // part of the group goes on
                    Some(group) => {
                        (pc, mask) = (group.pc, group.mask);
                        due = self::due(warp, sign);
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    /// Checks that the lanes of every operand were written.
    #[inline(always)]
    fn operands(&self, warp: &Warp, step: &Step, lanes: u32, pc: u32) -> Outcome<()> {
        let known =
            warp.known[step.a as usize] & warp.known[step.b as usize] & warp.known[step.c as usize];
        if lanes & !known != 0 {
            return Err(self.unknown(warp, pc, (lanes & !known).trailing_zeros(), "a register"));
        }
        Ok(())
    }

    #[inline(never)]
    fn other(
        &mut self,
        warp: &mut Warp,
        step: &Step,
        pc: u32,
        mask: u32,
        lanes: u32,
    ) -> Outcome<Next> {
        match &step.op {
            Op::Branch(target) => {
                return Ok(if lanes == mask {
                    Next::Jump(*target)
                } else if lanes == 0 {
                    Next::Step
                } else {
                    self.split(warp, pc, mask, &[(*target, lanes), (pc + 1, mask & !lanes)])
                });
            }
            Op::Exit => {
                warp.live &= !lanes;
                if lanes == mask {
                    return Ok(Next::Leave);
                }
                self.resume = Some(Group { pc: pc + 1, mask: mask & !lanes, state: State::Ready });
                return Ok(Next::Leave);
            }
            _ if lanes == 0 => return Ok(Next::Step),
            Op::Load(access) => self.load(warp, step, access, lanes, pc)?,
            Op::Store(access) => self.store(warp, step, access, lanes, pc)?,
            Op::Atomic(atomic) => self.atomic(warp, step, atomic, lanes, pc)?,
            Op::Compare(compare, joined) => {
                self.operands(warp, step, lanes, pc)?;
                let regs = warp.regs.as_ptr();
                // SAFETY: as for `Alu`.
                let held = unsafe { compare(regs.add(step.a as usize), regs.add(step.b as usize)) };
                self.joined(warp, step, joined, held, lanes, pc)?;
            }
            Op::Approx(function) => {
                self.operands(warp, step, lanes, pc)?;
                let regs = warp.regs.as_mut_ptr();
                // SAFETY: as for `Alu`.
                unsafe {
                    function.run(
                        regs.add(step.d as usize),
                        regs.add(step.a as usize),
                        regs.add(step.b as usize),
                        lanes,
                        self.perturb,
                    );
                }
                warp.known[step.d as usize] |= lanes;
            }
            Op::Move(slots) => {
                for i in 0..*slots {
                    let from = warp.regs[(step.a + i) as usize];
                    keep(&mut warp.regs[(step.d + i) as usize].0, &from.0, lanes, *slots, i);
                }
                let known = warp.known[step.a as usize];
                let d = &mut warp.known[step.d as usize];
                *d = (*d & !lanes) | (known & lanes);
            }
            Op::Select(slots) => {
                let chosen = self.predicate(warp, step.c, lanes, pc)?;
                for i in 0..*slots {
                    let (a, b) =
                        (warp.regs[(step.a + i) as usize], warp.regs[(step.b + i) as usize]);
                    let d = &mut warp.regs[(step.d + i) as usize].0;
                    keep(d, &a.0, lanes & chosen, *slots, i);
                    keep(d, &b.0, lanes & !chosen, *slots, i);
                }
                let known = (warp.known[step.a as usize] & chosen)
                    | (warp.known[step.b as usize] & !chosen);
                let d = &mut warp.known[step.d as usize];
                *d = (*d & !lanes) | (known & lanes);
            }
            Op::Predicates(logic) => {
                let a = self.predicate(warp, step.a, lanes, pc)?;
                let b = self.predicate(warp, step.b, lanes, pc)?;
                set_predicate(warp, step.d, join(*logic, a, b), lanes);
            }
            Op::PredicateCopy(negated) => {
                let known = warp.preds_known[step.a as usize];
                let value = warp.preds[step.a as usize];
                set_predicate(warp, step.d, if *negated { !value } else { value }, lanes);
                warp.preds_known[step.d as usize] &= known | !lanes;
            }
            Op::Switch(targets) => {
                self.operands(warp, step, lanes, pc)?;
                let index = warp.regs[step.a as usize].0;
                let mut parts: Vec<(u32, u32)> = Vec::new();
                for lane in (0..32).filter(|l| lanes >> l & 1 != 0) {
                    let Some(target) = targets.get(index[lane] as usize) else {
                        return Err(Fault::at(Kind::OutOfBounds, pc, "no such branch target"));
                    };
                    match parts.iter_mut().find(|p| p.0 == *target) {
                        Some(part) => part.1 |= 1 << lane,
                        None => parts.push((*target, 1 << lane)),
                    }
                }
                if lanes != mask {
                    parts.push((pc + 1, mask & !lanes));
                }
                return Ok(match parts[..] {
                    [(target, _)] => Next::Jump(target),
                    _ => self.split(warp, pc, mask, &parts),
                });
            }
            Op::Barrier(_)
            | Op::WarpBarrier
            | Op::Shuffle { .. }
            | Op::Vote { .. }
            | Op::Match { .. } => {
                let done = self.meet(warp, step, pc, lanes)?;
                let rest = mask & !lanes;
                if done && rest == 0 && self.met == lanes {
                    return Ok(Next::Step);
                }
                if done {
                    // lanes that waited go on together with these
                    warp.groups.push(Group { pc: pc + 1, mask: self.met, state: State::Ready });
                }
                self.resume =
                    (rest != 0).then_some(Group { pc: pc + 1, mask: rest, state: State::Ready });
                return Ok(Next::Leave);
            }
            Op::ActiveLanes => {
                let d = &mut warp.regs[step.d as usize].0;
                keep(d, &[lanes; 32], lanes, 1, 0);
                warp.known[step.d as usize] |= lanes;
            }
            Op::Fence => {}
            Op::Matrix(matrix) => self.matrix(warp, matrix, lanes, pc)?,
            Op::Trap(Trap::Trap) => return Err(Fault::at(Kind::Trap, pc, "trap")),
            Op::Trap(Trap::Assertion) => {
                return Err(Fault::at(Kind::Trap, pc, "a device assertion failed"))
            }
            Op::Unknown => {
                return Err(Fault::at(Kind::Unsupported, pc, "the machine does not know it"))
            }
            _ => self.rare(warp, step, lanes, pc)?,
        }
        Ok(Next::Step)
    }

    /// Sends the parts of a group to different places; the one that is due first goes on.
    fn split(&mut self, warp: &mut Warp, pc: u32, mask: u32, parts: &[(u32, u32)]) -> Next {
        debug_assert_eq!(parts.iter().fold(0, |m, p| m | p.1), mask, "at {pc}");
        for (pc, mask) in parts {
            warp.groups.push(Group { pc: *pc, mask: *mask, state: State::Ready });
        }
        self.diverged += 1;
        Next::Leave
    }
}

/// The place at which another group has to be looked at.
fn due(warp: &Warp, sign: i64) -> i64 {
    let ready = warp.groups.iter().filter(|g| g.state == State::Ready);
    ready.map(|g| i64::from(g.pc) * sign).min().unwrap_or(i64::MAX)
}
