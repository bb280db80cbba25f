//! Chooses what an instruction does from its name, its modifiers and its operands.

use super::alu::{self, Direction, Integer, Mode};
use super::approximate::{Approximate, Function};
use super::lower::{Builder, Frame};
use super::memory::{LOCAL_BASE, SHARED_BASE};
use super::program::{Op, Pieces, Place, Step, Trap};
use crate::ptx::{Instruction, Operand, Type};

/// Modifiers of arithmetic that are taken into account; an instruction with another one is not known.
const MODIFIERS: [&str; 22] = [
    "NaN", "approx", "clamp", "ftz", "full", "hi", "l", "lo", "r", "rm", "rmi", "rn", "rna", "rni",
    "rp", "rpi", "rz", "rzi", "sat", "shiftamt", "wide", "wrap",
];

/// An instruction with its modifiers sorted.
pub(super) struct Parts<'a> {
    pub(super) name: &'a str,
    pub(super) mods: &'a [String],
    pub(super) args: &'a [Operand],
}

impl Parts<'_> {
    pub(super) fn has(&self, modifier: &str) -> bool {
        self.mods.iter().any(|m| m == modifier)
    }

    /// The types among the modifiers, in order.
    pub(super) fn types(&self) -> Vec<Type> {
        self.mods.iter().filter_map(|m| Type::named(m)).collect()
    }

    /// Whether nothing among the modifiers would be passed over.
    pub(super) fn plain(&self) -> bool {
        let known = |m: &String| Type::named(m).is_some() || MODIFIERS.contains(&m.as_str());
        self.mods.iter().all(known)
    }

    fn direction(&self) -> Option<Direction> {
        self.mods.iter().find_map(|m| match m.as_str() {
            "rz" => Some(Direction::Zero),
            "rm" => Some(Direction::Down),
            "rp" => Some(Direction::Up),
            _ => None,
        })
    }
}

impl<'m> Builder<'m> {
    /// Emits one instruction; `None` if it is not known.
    pub(super) fn select(
        &mut self,
        frame: &Frame<'m>,
        instruction: &Instruction,
        base: Step,
        place: Place,
    ) -> Option<()> {
        let parts =
            Parts { name: &instruction.op[0], mods: &instruction.op[1..], args: &instruction.args };
        let (op, step) = self.choose(frame, &parts)?;
        self.emit(op, Step { guard: base.guard, flip: base.flip, ..step }, place);
        Some(())
    }

    fn choose(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        match parts.name {
            "mov" => self.mov(frame, parts),
            "ld" | "ldu" | "st" => self.memory_access(frame, parts),
            "atom" | "red" => self.atomic_access(frame, parts),
            "cvta" => self.generic_address(frame, parts),
            "cvt" => self.conversion(frame, parts),
            "setp" | "set" | "testp" => self.comparison(frame, parts),
            "selp" => self.selection(frame, parts),
            "and" | "or" | "xor" | "not" if parts.has("pred") => self.predicates(frame, parts),
            "bar" | "barrier" | "shfl" | "vote" | "match" => self.meeting(frame, parts),
            "activemask" => {
                let d = self.target(frame, parts.args.first()?)?;
                Some((Op::ActiveLanes, Step { d, ..Step::default() }))
            }
            "membar" | "fence" | "nanosleep" | "prefetch" | "prefetchu" | "pmevent" => {
                Some((Op::Fence, Step::default()))
            }
            "trap" | "brkpt" => Some((Op::Trap(Trap::Trap), Step::default())),
            "mma" => self.matrix_product(frame, parts),
            "lop3" => {
                let Operand::Int(table) = parts.args.get(4)? else { return None };
                let step = self.operands(frame, &parts.args[..4], [false; 4])?;
                Some((Op::Table(*table as u8), step))
            }
            "bfi" => {
                let wide = parts.types().first()?.wide();
                let step = self.operands(frame, &parts.args[..4], [wide, wide, wide, false])?;
                let extra = self.value(frame, parts.args.get(4)?, false)?;
                Some((Op::Insert { extra, wide }, step))
            }
            "addc" | "subc" | "madc" => self.carry(frame, parts),
            "add" | "sub" | "mad" if parts.has("cc") => self.carry(frame, parts),
            _ => self.arithmetic(frame, parts),
        }
    }

    /// A step from `d, a, b, c`, with the width of each.
    pub(super) fn operands(
        &mut self,
        frame: &Frame<'m>,
        args: &[Operand],
        wide: [bool; 4],
    ) -> Option<Step> {
        let mut step = Step { d: self.target(frame, args.first()?)?, ..Step::default() };
        for (i, operand) in args.iter().enumerate().skip(1) {
            let slot = self.value(frame, operand, *wide.get(i)?)?;
            *[&mut step.a, &mut step.b, &mut step.c].into_iter().nth(i - 1)? = slot;
        }
        Some(step)
    }

    fn arithmetic(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let types = parts.types();
        let ty = *types.first().filter(|_| parts.plain())?;
        let name = parts.name;
        let wide = ty.wide();
        let all = [wide; 4];
        if let Some(function) = approximate(parts, ty) {
            let op = Op::Approx(Approximate { function, ftz: parts.has("ftz") });
            return Some((op, self.operands(frame, parts.args, all)?));
        }
        if ty == Type::F32 || ty == Type::F64 {
            let (args, widths) = match name {
                "slct" if types.get(1) != Some(&Type::F32) => {
                    let kernel = alu::integer(
                        Integer::Same("slct"),
                        if wide { Type::B64 } else { Type::B32 },
                    )?;
                    let step = self.operands(frame, parts.args, [wide, wide, wide, false])?;
                    return Some((Op::Alu(kernel), step));
                }
                _ => (parts.args, all),
            };
            let kernel = match ty {
                Type::F32 => alu::float(
                    name,
                    Mode {
                        ftz: parts.has("ftz"),
                        sat: parts.has("sat"),
                        nan: parts.has("NaN"),
                        direction: parts.direction(),
                    },
                )?,
                _ => alu::double(name, parts.direction())?,
            };
            return Some((Op::Alu(kernel), self.operands(frame, args, widths)?));
        }
        if ty.float() || parts.has("sat") {
            return None;
        }
        let low = parts.has("lo") || !(parts.has("hi") || parts.has("wide"));
        let (op, widths) = match name {
            "mul" | "mad" if parts.has("hi") => (Integer::High, all),
            "mul" | "mad" if parts.has("wide") => {
                (Integer::Wide, [ty.bytes() == 4, false, false, ty.bytes() == 4])
            }
            "mul24" | "mad24" if low => (Integer::Same("mul24"), all),
            "shl" | "shr" | "bfe" => (Integer::Same(name), [wide, wide, false, false]),
            "bfind" if parts.has("shiftamt") => {
                (Integer::Same("bfind.shiftamt"), [false, wide, false, false])
            }
            "popc" | "clz" | "bfind" => (Integer::Same(name), [false, wide, false, false]),
            "slct" => (Integer::Same(name), [wide, wide, wide, false]),
            "shf" => {
                let mode = match (parts.has("l"), parts.has("wrap")) {
                    (true, true) => "shf.l.wrap",
                    (true, false) => "shf.l.clamp",
                    (false, true) => "shf.r.wrap",
                    (false, false) => "shf.r.clamp",
                };
                (Integer::Same(mode), all)
            }
            "prmt" if parts.mods.len() > 1 => return None,
            _ => (Integer::Same(name), all),
        };
        let mut args = parts.args.to_vec();
        // a multiplication without addition adds zero, of 64 bits where the result is wide
        if matches!(op, Integer::Wide | Integer::High) || matches!(name, "mul" | "mad") {
            args.resize(4, Operand::Int(0));
        }
        let kernel = alu::integer(op, ty)?;
        Some((Op::Alu(kernel), self.operands(frame, &args, widths)?))
    }

    fn carry(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let ty = *parts.types().first()?;
        if ty.wide() || (ty.signed() && parts.has("hi")) {
            return None;
        }
        let (reads, writes) = (parts.name.ends_with('c'), parts.has("cc"));
        let step = self.operands(frame, parts.args, [false; 4])?;
        let op = match parts.name {
            "mad" | "madc" if parts.has("wide") => return None,
            "mad" | "madc" => Op::CarryMultiply { high: parts.has("hi"), reads, writes },
            name => Op::Carry { subtract: name.starts_with("sub"), reads, writes },
        };
        Some((op, step))
    }

    fn mov(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let ty = *parts.types().first()?;
        match parts.args {
            [to, from] if ty == Type::Pred => {
                let (d, _) = self.predicate(frame, to)?;
                if let Operand::Int(value) = from {
                    // predicate 0 is always true
                    return Some((Op::PredicateCopy(*value == 0), Step { d, ..Step::default() }));
                }
                let (a, negated) = self.predicate(frame, from)?;
                Some((Op::PredicateCopy(negated), Step { d, a, ..Step::default() }))
            }
            [Operand::Vector(list), from] => {
                let parts = list
                    .iter()
                    .map(|r| match r {
                        Operand::Discard => Some(0),
                        r => self.target(frame, r),
                    })
                    .collect::<Option<Vec<_>>>()?;
                let a = self.value(frame, from, ty.wide())?;
                let bits = 8 * ty.bytes() as u32 / parts.len() as u32;
                let pieces = Pieces { parts, bits, unpack: true };
                Some((Op::Pieces(Box::new(pieces)), Step { a, ..Step::default() }))
            }
            [to, Operand::Vector(list)] => {
                let d = self.target(frame, to)?;
                let parts =
                    list.iter().map(|r| self.value(frame, r, false)).collect::<Option<Vec<_>>>()?;
                let bits = 8 * ty.bytes() as u32 / parts.len() as u32;
                let pieces = Pieces { parts, bits, unpack: false };
                Some((Op::Pieces(Box::new(pieces)), Step { d, ..Step::default() }))
            }
            [_, _] => {
                let step = self.operands(frame, parts.args, [ty.wide(); 4])?;
                Some((Op::Move(1 + u32::from(ty.wide())), step))
            }
            _ => None,
        }
    }

    /// Addresses of shared and local memory get their window added or taken off.
    fn generic_address(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let mut step = self.operands(frame, parts.args, [true; 4])?;
        let base = match () {
            () if parts.has("shared") => SHARED_BASE,
            () if parts.has("local") => LOCAL_BASE,
            () => return Some((Op::Move(2), step)),
        };
        step.b = self.constant(base, true);
        let name = if parts.has("to") { "sub" } else { "add" };
        Some((Op::Alu(alu::integer(Integer::Same(name), Type::U64)?), step))
    }
}

fn approximate(parts: &Parts, ty: Type) -> Option<Function> {
    let approx = parts.has("approx");
    Some(match (parts.name, ty) {
        ("ex2", Type::F32) => Function::Exp2,
        ("lg2", Type::F32) => Function::Log2,
        ("sin", Type::F32) => Function::Sine,
        ("cos", Type::F32) => Function::Cosine,
        ("tanh", Type::F32) => Function::Tanh,
        ("rcp", Type::F32) if approx => Function::Reciprocal,
        ("div", Type::F32) if approx || parts.has("full") => Function::Divide,
        ("sqrt", Type::F32) if approx => Function::SquareRoot,
        ("rsqrt", Type::F32) => Function::ReciprocalRoot,
        ("rcp", Type::F64) if approx => Function::Reciprocal64,
        ("rsqrt", Type::F64) => Function::ReciprocalRoot64,
        _ => return None,
    })
}
