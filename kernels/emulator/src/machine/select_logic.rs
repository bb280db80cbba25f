//! Conversions, comparisons and what depends on predicates.

use super::alu::{self, Direction, Rounding};
use super::lower::{Builder, Frame};
use super::program::{Joined, Logic, Op, Step};
use super::select::Parts;
use crate::ptx::{Operand, Type};

impl<'m> Builder<'m> {
    pub(super) fn conversion(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let types = parts.types();
        let [to, from] = types[..] else { return None };
        if !parts.plain() {
            return None;
        }
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

    pub(super) fn comparison(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let types = parts.types();
        let ty = *types.last()?;
        let relation = parts.mods.first()?;
        let compare = match (parts.name, ty) {
            ("testp", Type::F32) => alu::float_class(relation)?,
            ("testp", Type::F64) => alu::double_class(relation)?,
            (_, Type::F32) => alu::float_relation(relation, parts.has("ftz"))?,
            (_, Type::F64) => alu::double_relation(relation)?,
            _ if ty.float() => return None,
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

    pub(super) fn selection(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let wide = parts.types().first()?.wide();
        let mut step = self.operands(frame, parts.args.get(..3)?, [wide; 4])?;
        let (p, negated) = self.predicate(frame, parts.args.get(3)?)?;
        step.c = p;
        if negated {
            std::mem::swap(&mut step.a, &mut step.b);
        }
        Some((Op::Select(1 + u32::from(wide)), step))
    }

    pub(super) fn predicates(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
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
