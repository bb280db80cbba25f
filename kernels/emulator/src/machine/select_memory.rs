//! Loads, stores, atomics, and the instructions at which lanes meet.

use super::lower::{Builder, Frame};
use super::program::{
    Access, Atomic, AtomicOp, Matrix, MatrixKind, Op, Reduction, Shuffle, Step, Vote,
};
use super::select::Parts;
use crate::ptx::{Operand, Space, Type};

impl<'m> Builder<'m> {
    pub(super) fn memory_access(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let ty = *parts.types().last()?;
        let store = parts.name == "st";
        let (address, data) = match (parts.args, store) {
            ([data, address], false) | ([address, data], true) => (address, data),
            _ => return None,
        };
        let list = match data {
            Operand::Vector(list) => list.clone(),
            one => vec![one.clone()],
        };
        let lanes = parts.mods.iter().find_map(|m| match m.as_str() {
            "v2" => Some(2),
            "v4" => Some(4),
            "v8" => Some(8),
            _ => None,
        });
        if list.len() != lanes.unwrap_or(1) {
            return None;
        }
        // a load may extend its value to the width of the register
        let wide = match (store, self.declared(frame, &list[0])) {
            (_, Some(declared)) => declared.wide(),
            (_, None) => ty.wide(),
        };
        let regs = list
            .iter()
            .map(|r| match r {
                Operand::Discard => Some(0),
                r if store => self.value(frame, r, wide),
                r => self.target(frame, r),
            })
            .collect::<Option<Vec<_>>>()?;
        let (space, a, wide_address, offset) = self.place(frame, parts, address)?;
        let access = Access {
            space,
            bytes: ty.bytes() as u32,
            signed: ty.signed(),
            regs,
            wide,
            wide_address,
            offset,
            strong: ["volatile", "relaxed", "acquire", "release", "mmio"]
                .iter()
                .any(|m| parts.has(m)),
        };
        let op = if store { Op::Store(Box::new(access)) } else { Op::Load(Box::new(access)) };
        Some((op, Step { a, ..Step::default() }))
    }

    /// Space, slot of the address and its width, offset.
    fn place(
        &mut self,
        frame: &Frame<'m>,
        parts: &Parts,
        address: &Operand,
    ) -> Option<(Space, u32, bool, i64)> {
        let named = parts.mods.iter().find_map(|m| {
            let space = m.split("::").next().unwrap_or(m);
            Space::named(space)
        });
        let space = named.unwrap_or(Space::Generic);
        let Operand::Address(base, offset) = address else { return None };
        match &**base {
            Operand::Symbol(name, more) => {
                let (space, _) = self.variable(frame, name)?;
                let symbol = Operand::Symbol(name.clone(), offset + more);
                let slot = self.value(frame, &symbol, true)?;
                Some((space, slot, true, 0))
            }
            Operand::Reg(_) => {
                let wide = self.declared(frame, base)?.wide();
                Some((space, self.value(frame, base, wide)?, wide, *offset))
            }
            Operand::Int(at) => Some((space, self.constant(*at as u64, true), true, *offset)),
            _ => None,
        }
    }

    pub(super) fn atomic_access(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let ty = *parts.types().last()?;
        if ty.bytes() < 4 || matches!(ty, Type::F16x2 | Type::BF16x2) {
            return None;
        }
        let op = parts.mods.iter().find_map(|m| {
            Some(match m.as_str() {
                "add" => AtomicOp::Add,
                "min" => AtomicOp::Min,
                "max" => AtomicOp::Max,
                "and" => AtomicOp::And,
                "or" => AtomicOp::Or,
                "xor" => AtomicOp::Xor,
                "exch" => AtomicOp::Exchange,
                "cas" => AtomicOp::CompareExchange,
                "inc" => AtomicOp::Increment,
                "dec" => AtomicOp::Decrement,
                _ => return None,
            })
        })?;
        let result = parts.name == "atom";
        let mut args = parts.args;
        let mut step = Step::default();
        if result {
            step.d = match &args[0] {
                Operand::Discard => 0,
                to => self.target(frame, to)?,
            };
            args = &args[1..];
        }
        let (space, a, wide_address, offset) = self.place(frame, parts, args.first()?)?;
        step.a = a;
        step.b = self.value(frame, args.get(1)?, ty.wide())?;
        if let Some(third) = args.get(2) {
            step.c = self.value(frame, third, ty.wide())?;
        } else {
            step.c = self.constant(0, ty.wide());
        }
        let access = Access {
            space,
            bytes: ty.bytes() as u32,
            signed: false,
            regs: vec![0],
            wide: ty.wide(),
            wide_address,
            offset,
            strong: true,
        };
        let result = result && step.d != 0;
        Some((Op::Atomic(Box::new(Atomic { op, ty, access, result })), step))
    }

    pub(super) fn meeting(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        match parts.name {
            "bar" | "barrier" if parts.has("warp") => {
                let a = self.value(frame, parts.args.first()?, false)?;
                Some((Op::WarpBarrier, Step { a, ..Step::default() }))
            }
            "bar" | "barrier" => self.barrier(frame, parts),
            "shfl" => {
                if !parts.has("sync") {
                    return None;
                }
                let mode = parts.mods.iter().find_map(|m| {
                    Some(match m.as_str() {
                        "up" => Shuffle::Up,
                        "down" => Shuffle::Down,
                        "bfly" => Shuffle::Xor,
                        "idx" => Shuffle::Index,
                        _ => return None,
                    })
                })?;
                let [to, value, by, control, mask] = parts.args else { return None };
                let (d, ok) = self.with_predicate(frame, to)?;
                let a = self.value(frame, value, false)?;
                let b = self.value(frame, by, false)?;
                let c = self.value(frame, control, false)?;
                let mask = self.value(frame, mask, false)?;
                Some((Op::Shuffle { mode, ok, mask }, Step { d, a, b, c, ..Step::default() }))
            }
            "vote" => {
                if !parts.has("sync") {
                    return None;
                }
                let mode = parts.mods.iter().find_map(|m| {
                    Some(match m.as_str() {
                        "all" => Vote::All,
                        "any" => Vote::Any,
                        "uni" => Vote::Uniform,
                        "ballot" => Vote::Ballot,
                        _ => return None,
                    })
                })?;
                let [to, p, mask] = parts.args else { return None };
                let d = match mode {
                    Vote::Ballot => self.target(frame, to)?,
                    _ => self.predicate(frame, to)?.0,
                };
                let (a, negated) = self.predicate(frame, p)?;
                let mask = self.value(frame, mask, false)?;
                Some((Op::Vote { mode, negated, mask }, Step { d, a, ..Step::default() }))
            }
            _ => {
                let wide = parts.types().last()?.wide();
                let [to, value, mask] = parts.args else { return None };
                let (d, ok) = self.with_predicate(frame, to)?;
                let a = self.value(frame, value, wide)?;
                let mask = self.value(frame, mask, false)?;
                let all = parts.has("all");
                Some((Op::Match { wide, all, mask, ok }, Step { d, a, ..Step::default() }))
            }
        }
    }

    /// `d|p` or `d`.
    fn with_predicate(&self, frame: &Frame<'m>, operand: &Operand) -> Option<(u32, u32)> {
        match operand {
            Operand::Pair(d, p) => {
                let p = match &**p {
                    Operand::Discard => 0,
                    p => self.predicate(frame, p)?.0,
                };
                Some((self.target(frame, d)?, p))
            }
            d => Some((self.target(frame, d)?, 0)),
        }
    }

    fn barrier(&mut self, frame: &Frame<'m>, parts: &Parts) -> Option<(Op, Step)> {
        let reduced = parts.has("red");
        if !reduced && !parts.has("sync") {
            return None;
        }
        let mut step = Step::default();
        let (mut args, mut reduction) = (parts.args, Reduction::None);
        if reduced {
            let (p, negated) = self.predicate(frame, args.last()?)?;
            step.c = p;
            (step.d, reduction) = match () {
                () if parts.has("popc") => {
                    (self.target(frame, &args[0])?, Reduction::Count { negated })
                }
                () if parts.has("and") => {
                    (self.predicate(frame, &args[0])?.0, Reduction::All { negated })
                }
                () if parts.has("or") => {
                    (self.predicate(frame, &args[0])?.0, Reduction::Any { negated })
                }
                () => return None,
            };
            args = &args[1..args.len() - 1];
        }
        step.a = self.value(frame, args.first()?, false)?;
        if let Some(count) = args.get(1) {
            step.b = self.value(frame, count, false)?;
        }
        Some((Op::Barrier(reduction), step))
    }

    /// `mma.sync.aligned.m16n8k….row.col.f32.….f32`.
    pub(super) fn matrix_product(
        &mut self,
        frame: &Frame<'m>,
        parts: &Parts,
    ) -> Option<(Op, Step)> {
        let k = parts.mods.iter().find_map(|m| m.strip_prefix("m16n8k")?.parse::<u32>().ok())?;
        let types = parts.types();
        let [Type::F32, factor, same, Type::F32] = types[..] else { return None };
        if factor != same || !parts.has("row") || !parts.has("col") {
            return None;
        }
        let kind = match (factor, k) {
            (Type::TF32, 4 | 8) => MatrixKind::Tf32 { k },
            (Type::BF16, 8 | 16) => MatrixKind::Bf16 { k },
            (Type::F16, 8 | 16) => MatrixKind::F16 { k },
            _ => return None,
        };
        let packed = if factor == Type::TF32 { 1 } else { 2 };
        let list = |o: &Operand| match o {
            Operand::Vector(list) => Some(list.clone()),
            _ => None,
        };
        let [d, a, b, c] = parts.args else { return None };
        let d = list(d)?.iter().map(|r| self.target(frame, r)).collect::<Option<Vec<_>>>()?;
        let mut read = |o: &Operand, n: u32| {
            let list = list(o)?;
            (list.len() == n as usize).then_some(())?;
            list.iter().map(|r| self.value(frame, r, false)).collect::<Option<Vec<_>>>()
        };
        let a = read(a, 16 * k / (32 * packed))?;
        let b = read(b, 8 * k / (32 * packed))?;
        let c = read(c, 4)?;
        (d.len() == 4).then_some(())?;
        Some((Op::Matrix(Box::new(Matrix { kind, d, a, b, c })), Step::default()))
    }
}
