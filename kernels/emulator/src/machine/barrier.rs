//! Barriers of a block: when they open, and what is wrong when they never do.

use super::block::{Block, Fault, Outcome};
use super::lanes::{keep, set_predicate};
use super::program::{Op, Reduction};
use super::warp::{Group, State, Warp};
use crate::check::Kind;

impl Block<'_> {
    /// Opens the barriers at which every thread has arrived.
    pub(super) fn open(&mut self, warps: &mut [Warp]) -> Outcome<bool> {
        let waiting = |warps: &[Warp]| {
            let groups = warps.iter().flat_map(|w| w.groups.iter());
            groups
                .filter_map(|g| match g.state {
                    State::Barrier(id, count) => Some((id, count, g.pc, g.mask)),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        let all = waiting(warps);
        let mut ids: Vec<u32> = all.iter().map(|g| g.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut opened = false;
        for id in ids {
            let here: Vec<_> = all.iter().filter(|g| g.0 == id).collect();
            let arrived: u32 = here.iter().map(|g| g.3.count_ones()).sum();
            let live: u32 = warps.iter().map(|w| w.live.count_ones()).sum();
            let (count, pc) = (here[0].1, here[0].2);
            let wanted = if count == 0 { live } else { count };
            if arrived < wanted {
                continue;
            }
            if let Some(other) = here.iter().find(|g| g.2 != pc) {
                let line = self.program.places[other.2 as usize].line;
                let text = format!("threads wait here and at PTX line {line} for one barrier");
                return Err(Fault::at(Kind::Barrier, pc, &text));
            }
            if arrived > wanted || here.iter().any(|g| g.1 != count) {
                let text = format!("{arrived} threads at a barrier of {wanted}");
                return Err(Fault::at(Kind::Barrier, pc, &text));
            }
            if count == 0 && live < self.shape.threads() && !self.early_exit {
                let text = format!(
                    "{} of {} threads exited before this barrier",
                    self.shape.threads() - live,
                    self.shape.threads()
                );
                return Err(Fault::at(Kind::Barrier, pc, &text));
            }
            self.release(warps, id, pc)?;
            opened = true;
        }
        Ok(opened)
    }

    fn release(&mut self, warps: &mut [Warp], id: u32, pc: u32) -> Outcome<()> {
        let step = &self.program.steps[pc as usize];
        let at = |g: &Group| matches!(g.state, State::Barrier(i, _) if i == id);
        if let Op::Barrier(reduction) = step.op {
            let (mut holding, mut total) = (0, 0);
            for warp in warps.iter() {
                for group in warp.groups.iter().filter(|g| at(g)) {
                    let value = match reduction {
                        Reduction::None => 0,
                        Reduction::Count { negated }
                        | Reduction::All { negated }
                        | Reduction::Any { negated } => {
                            let p = self.predicate(warp, step.c, group.mask, pc)?;
                            if negated {
                                !p
                            } else {
                                p
                            }
                        }
                    };
                    holding += (value & group.mask).count_ones();
                    total += group.mask.count_ones();
                }
            }
            for warp in warps.iter_mut() {
                let groups: Vec<Group> = warp.groups.iter().filter(|g| at(g)).copied().collect();
                for group in groups {
                    let all = |held: bool| if held { u32::MAX } else { 0 };
                    match reduction {
                        Reduction::None => {}
                        Reduction::Count { .. } => {
                            let d = &mut warp.regs[step.d as usize].0;
                            keep(d, &[holding; 32], group.mask, 1, 0);
                            warp.known[step.d as usize] |= group.mask;
                        }
                        Reduction::All { .. } => {
                            set_predicate(warp, step.d, all(holding == total), group.mask)
                        }
                        Reduction::Any { .. } => {
                            set_predicate(warp, step.d, all(holding > 0), group.mask)
                        }
                    }
                }
            }
        }
        self.moment.now += 1;
        for warp in warps.iter_mut() {
            warp.sync = 0;
            for group in warp.groups.iter_mut().filter(|g| at(g)) {
                group.pc += 1;
                group.state = State::Ready;
            }
            join_ready(warp);
        }
        Ok(())
    }

    /// Nothing can move any more: says who waits for whom.
    pub(super) fn stuck(&self, warps: &[Warp]) -> Box<Fault> {
        let live: u32 = warps.iter().map(|w| w.live.count_ones()).sum();
        let mut groups = warps.iter().flat_map(|w| w.groups.iter().map(move |g| (w, g)));
        if let Some((warp, group)) =
            groups.clone().find(|(_, g)| matches!(g.state, State::Lanes(_)))
        {
            let State::Lanes(wanted) = group.state else { unreachable!() };
            let exited = wanted & !warp.live;
            let why = if exited != 0 {
                format!("lanes {exited:#010x} have exited")
            } else {
                format!("lanes {:#010x} never come", wanted & !group.mask)
            };
            let text = format!("lanes {:#010x} wait for mask {wanted:#010x}: {why}", group.mask);
            let thread = warp.first + group.mask.trailing_zeros();
            return Fault::by(Kind::Shuffle, group.pc, thread, 0, text);
        }
        match groups.next() {
            Some((warp, group)) => {
                let here: u32 = warps
                    .iter()
                    .flat_map(|w| w.groups.iter())
                    .filter(|g| g.pc == group.pc)
                    .map(|g| g.mask.count_ones())
                    .sum();
                let lines: Vec<String> = groups
                    .filter(|(_, g)| g.pc != group.pc)
                    .map(|(_, g)| self.program.places[g.pc as usize].line.to_string())
                    .collect();
                let elsewhere = match lines.first() {
                    Some(line) => format!(", others at PTX line {line}"),
                    None => String::new(),
                };
                let text =
                    format!("{here} of {live} threads wait at this barrier for ever{elsewhere}");
                let thread = warp.first + group.mask.trailing_zeros();
                Fault::by(Kind::Barrier, group.pc, thread, 0, text)
            }
            None => Fault::at(Kind::Internal, 0, "no thread is left, and yet none has finished"),
        }
    }
}

/// Joins the ready groups that are at the same place.
fn join_ready(warp: &mut Warp) {
    warp.groups.sort_unstable_by_key(|g| g.pc);
    warp.groups.dedup_by(|b, a| {
        let same = a.pc == b.pc && a.state == State::Ready && b.state == State::Ready;
        if same {
            a.mask |= b.mask;
        }
        same
    });
}
