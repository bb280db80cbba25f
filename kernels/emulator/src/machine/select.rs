//! Chooses what an instruction does from its name, its modifiers and its operands.

use super::alu::{self, Direction, Integer, Mode, Rounding};
use super::approximate::{Approximate, Function};
use super::lower::{Builder, Frame};
use super::memory::{LOCAL_BASE, SHARED_BASE};
use super::program::{Joined, Logic, Op, Pieces, Place, Step, Trap};
use crate::ptx::{Instruction, Operand, Type};

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
            "cvta" => self.to_generic(frame, parts),
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
        let ty = *types.first()?;
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
        // the third factor of a multiplication without addition is zero, of 64 bits where it is wide
        if op == Integer::Wide || op == Integer::High {
            args.resize(4, Operand::Int(0));
        } else if name == "mul" || name == "mad" {
            args.resize(4, Operand::Int(0));
        }
        let kernel = alu::integer(op, ty)?;
        Some((Op::Alu(kernel), self.operands(frame, &args, widths)?))
    }

    fn carry(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        if parts.types().first()?.wide() {
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
    fn to_generic(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
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

    fn conversion(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let types = parts.types();
        let [to, from] = types[..] else { return None };
        if matches!(to, Type::BF16x2 | Type::F16x2) {
            let step = self.operands(frame, parts.args, [false; 4])?;
            return Some((Op::Alu(alu::pack(to)?), step));
        }
        let integral = |d| Rounding::Integral(d);
        let rounding = parts
            .mods
            .iter()
            .find_map(|m| {
                Some(match m.as_str() {
                    "rna" => Rounding::Away,
                    "rz" => Rounding::Directed(Direction::Zero),
                    "rm" => Rounding::Directed(Direction::Down),
                    "rp" => Rounding::Directed(Direction::Up),
                    "rni" => integral(None),
                    "rzi" => integral(Some(Direction::Zero)),
                    "rmi" => integral(Some(Direction::Down)),
                    "rpi" => integral(Some(Direction::Up)),
                    _ => return None,
                })
            })
            .unwrap_or(Rounding::Near);
        let (ftz, sat) = (parts.has("ftz"), parts.has("sat"));
        let kernel = alu::convert(to, from, rounding, ftz, sat)?;
        let step = self.operands(frame, parts.args, [to.wide(), from.wide(), false, false])?;
        Some((Op::Alu(kernel), step))
    }

    fn comparison(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let types = parts.types();
        let ty = *types.last()?;
        let relation = parts.mods.first()?;
        let compare = match (parts.name, ty) {
            ("testp", Type::F32) => alu::float_class(relation)?,
            ("testp", Type::F64) => alu::double_class(relation)?,
            (_, Type::F32) => alu::float_relation(relation, parts.has("ftz"))?,
            (_, Type::F64) => alu::double_relation(relation)?,
            _ => alu::integer_relation(relation, ty)?,
        };
        let logic = parts.mods.iter().find_map(|m| match m.as_str() {
            "and" => Some(Logic::And),
            "or" => Some(Logic::Or),
            "xor" => Some(Logic::Xor),
            _ => None,
        });
        let with = match logic {
            Some(logic) => {
                let (p, negated) = self.predicate(frame, parts.args.get(3)?)?;
                Some((p, negated, logic))
            }
            None => None,
        };
        let value = (parts.name == "set").then(|| match types.first() {
            Some(Type::F32) => 1f32.to_bits(),
            _ => u32::MAX,
        });
        let (d, complement) = match parts.args.first()? {
            to if parts.name == "set" => (self.target(frame, to)?, 0),
            Operand::Pair(p, q) => {
                let place = |o: &Operand| match o {
                    Operand::Discard => Some(0),
                    o => self.predicate(frame, o).map(|p| p.0),
                };
                (place(p)?, place(q)?)
            }
            to => (self.predicate(frame, to)?.0, 0),
        };
        let a = self.value(frame, parts.args.get(1)?, ty.wide())?;
        let b = match parts.name {
            "testp" => a,
            _ => self.value(frame, parts.args.get(2)?, ty.wide())?,
        };
        let joined = Joined { complement, with, value };
        Some((Op::Compare(compare, Box::new(joined)), Step { d, a, b, ..Step::default() }))
    }

    fn selection(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let wide = parts.types().first()?.wide();
        let mut step = self.operands(frame, parts.args.get(..3)?, [wide; 4])?;
        let (p, negated) = self.predicate(frame, parts.args.get(3)?)?;
        step.c = p;
        if negated {
            std::mem::swap(&mut step.a, &mut step.b);
        }
        Some((Op::Select(1 + u32::from(wide)), step))
    }

    fn predicates(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let (d, _) = self.predicate(frame, parts.args.first()?)?;
        let (a, negated) = self.predicate(frame, parts.args.get(1)?)?;
        let step = Step { d, a, ..Step::default() };
        let logic = match parts.name {
            "not" => return Some((Op::PredicateCopy(!negated), step)),
            "and" => Logic::And,
            "or" => Logic::Or,
            _ => Logic::Xor,
        };
        let (b, b_negated) = self.predicate(frame, parts.args.get(2)?)?;
        match negated || b_negated {
            true => None,
            false => Some((Op::Predicates(logic), Step { b, ..step })),
        }
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
