//! A block of threads: schedules its warps and lets barriers open.

use super::approximate::mix;
use super::launch::Shape;
use super::memory::{Memory, Region};
use super::program::{Op, Program, Reduction};
use super::warp::{Group, State, Warp};
use crate::check::{Kind, Moment};
use crate::{Order, Settings};

/// Why a kernel stops.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) pc: u32,
    /// Number of the thread in its block.
    pub(crate) thread: Option<u32>,
    pub(crate) address: u64,
    pub(crate) message: String,
}

pub(crate) type Outcome<T> = Result<T, Box<Fault>>;

impl Fault {
    pub(crate) fn at(kind: Kind, pc: u32, message: &str) -> Box<Self> {
        Box::new(Self { kind, pc, thread: None, address: 0, message: message.into() })
    }

    pub(crate) fn by(kind: Kind, pc: u32, thread: u32, address: u64, message: String) -> Box<Self> {
        Box::new(Self { kind, pc, thread: Some(thread), address, message })
    }
}

/// What one block after another runs on.
pub(crate) struct Block<'a> {
    pub(crate) program: &'a Program,
    pub(crate) shape: &'a Shape,
    pub(crate) args: &'a [u8],
    pub(crate) memory: &'a mut Memory,
    pub(crate) shared: Region,
    pub(crate) moment: Moment,
    /// First epoch of every block that has run in this launch, with its number.
    pub(crate) history: Vec<(u32, u64)>,
    pub(crate) order: Order,
    pub(crate) perturb: Option<u64>,
    pub(crate) early_exit: bool,
    /// Instructions of threads after which a kernel is taken for endless.
    pub(crate) limit: u64,
    pub(crate) thread_steps: u64,
    pub(crate) warp_steps: u64,
    pub(crate) diverged: u64,
    /// Order in which the lanes of one instruction store.
    pub(crate) lanes: [u8; 32],
    /// The part of a group that goes on.
    pub(crate) resume: Option<Group>,
    /// The lanes that met at the last instruction that waits.
    pub(crate) met: u32,
    /// The buffer that was accessed last.
    pub(crate) recent: usize,
    random: u64,
}

impl<'a> Block<'a> {
    pub(crate) fn new(
        program: &'a Program,
        shape: &'a Shape,
        args: &'a [u8],
        memory: &'a mut Memory,
        settings: &Settings,
        epoch: u32,
    ) -> Self {
        let moment = Moment { launch: epoch, block: epoch, now: epoch, sync: 0 };
        let random = match settings.order {
            Order::Random(seed) => mix(seed),
            _ => 0,
        };
        let mut block = Self {
            program,
            shape,
            args,
            memory,
            shared: Region::new(program.dynamic + shape.dynamic),
            moment,
            history: Vec::new(),
            order: settings.order,
            perturb: settings.perturb,
            early_exit: settings.early_exit,
            limit: settings.limit,
            thread_steps: 0,
            warp_steps: 0,
            diverged: 0,
            lanes: std::array::from_fn(|i| i as u8),
            resume: None,
            met: 0,
            recent: 0,
            random,
        };
        let lanes = block.permutation(32);
        for (lane, to) in block.lanes.iter_mut().zip(lanes) {
            *lane = to as u8;
        }
        block
    }

    /// A number below `n`.
    pub(crate) fn draw(&mut self, n: u32) -> u32 {
        self.random = mix(self.random);
        (self.random % u64::from(n.max(1))) as u32
    }

    /// `0..n` in the order of the settings.
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        match self.order {
            Order::Ascending => {}
            Order::Descending => all.reverse(),
            Order::Random(_) => {
                for i in (1..n).rev() {
                    let j = self.draw(i as u32 + 1) as usize;
                    all.swap(i, j);
                }
            }
        }
        all
    }

    /// Runs block number `index` at `at` to its end.
    pub(crate) fn run(&mut self, warps: &mut [Warp], at: [u32; 3], index: u64) -> Outcome<()> {
        self.moment.now += 1;
        self.moment.block = self.moment.now;
        self.history.push((self.moment.now, index));
        self.shared.written.clear(self.shared.data.len());
        for (i, warp) in warps.iter_mut().enumerate() {
            warp.start(self.program, self.shape, at, i as u32);
        }
        loop {
            let order = self.permutation(warps.len());
            let mut moved = false;
            for w in order {
                self.moment.sync = warps[w].sync;
                moved |= self.run_warp(&mut warps[w])?;
            }
            if warps.iter().all(|w| w.groups.is_empty()) {
                return Ok(());
            }
            moved |= self.open(warps)?;
            if !moved {
                return Err(self.stuck(warps));
            }
        }
    }

    /// Opens the barriers at which every thread has arrived.
    fn open(&mut self, warps: &mut [Warp]) -> Outcome<bool> {
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
                            super::execute::keep(d, &[holding; 32], group.mask, 1, 0);
                            warp.known[step.d as usize] |= group.mask;
                        }
                        Reduction::All { .. } => super::execute::set_predicate(
                            warp,
                            step.d,
                            all(holding == total),
                            group.mask,
                        ),
                        Reduction::Any { .. } => super::execute::set_predicate(
                            warp,
                            step.d,
                            all(holding > 0),
                            group.mask,
                        ),
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
    fn stuck(&self, warps: &[Warp]) -> Box<Fault> {
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
