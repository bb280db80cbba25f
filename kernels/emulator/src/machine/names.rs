//! What the names in operands stand for: slots, predicates, constants, special registers.

use super::lower::{Builder, Frame};
use super::program::Special;
use crate::ptx::{Operand, Space, Type};

impl<'m> Builder<'m> {
    /// Space and address of a variable; dynamic shared memory gives `None` for the address.
    pub(super) fn variable(
        &mut self,
        frame: &Frame<'m>,
        name: &str,
    ) -> Option<(Space, Option<u64>)> {
        if let Some((space, at)) = frame.vars.get(name) {
            return Some((*space, Some(*at)));
        }
        if let Some(at) = self.addresses.get(name) {
            return Some((Space::Global, Some(*at)));
        }
        let module = self.module;
        let variable = module.vars.iter().find(|v| v.name == name)?;
        if variable.space != Space::Shared {
            return None;
        }
        let Some(bytes) = variable.bytes else { return Some((Space::Shared, None)) };
        if let Some(at) = self.shared.get(name) {
            return Some((Space::Shared, Some(*at)));
        }
        let at = self.place_shared(bytes, variable.align);
        self.shared.insert(name.to_string(), at);
        Some((Space::Shared, Some(at)))
    }

    pub(super) fn constant(&mut self, value: u64, wide: bool) -> u32 {
        let value = if wide { value } else { value & 0xffff_ffff };
        if let Some(slot) = self.known.get(&(value, wide)) {
            return *slot;
        }
        let slot = self.register(if wide { Type::B64 } else { Type::B32 });
        self.constants.push((slot, value, wide));
        self.known.insert((value, wide), slot);
        slot
    }

    /// The slot of an operand that is read; a label's or a variable's address is a constant.
    pub(super) fn value(
        &mut self,
        frame: &Frame<'m>,
        operand: &Operand,
        wide: bool,
    ) -> Option<u32> {
        match operand {
            Operand::Reg(r) => match frame.function.regs[*r as usize] {
                Type::Pred => None,
                _ => Some(frame.regs[*r as usize]),
            },
            Operand::Int(v) => Some(self.constant(*v as u64, wide)),
            Operand::F32(bits) => Some(self.constant(u64::from(*bits), wide)),
            Operand::F64(bits) => Some(self.constant(*bits, wide)),
            Operand::Special(name) => self.special(name),
            Operand::Symbol(name, offset) => match self.variable(frame, name)? {
                (_, Some(at)) => Some(self.constant(at.wrapping_add(*offset as u64), wide)),
                (_, None) => {
                    let slot = self.register(if wide { Type::B64 } else { Type::B32 });
                    self.dynamic.push((self.constants.len(), *offset));
                    self.constants.push((slot, 0, wide));
                    Some(slot)
                }
            },
            _ => None,
        }
    }

    /// The slot of a register that is written.
    pub(super) fn target(&self, frame: &Frame<'m>, operand: &Operand) -> Option<u32> {
        match operand {
            Operand::Reg(r) if frame.function.regs[*r as usize] != Type::Pred => {
                Some(frame.regs[*r as usize])
            }
            _ => None,
        }
    }

    /// The type with which a register was declared.
    pub(super) fn declared(&self, frame: &Frame<'m>, operand: &Operand) -> Option<Type> {
        match operand {
            Operand::Reg(r) => Some(frame.function.regs[*r as usize]),
            _ => None,
        }
    }

    /// The number of a predicate, and whether the operand negates it.
    pub(super) fn predicate(&self, frame: &Frame<'m>, operand: &Operand) -> Option<(u32, bool)> {
        match operand {
            Operand::Reg(r) if frame.function.regs[*r as usize] == Type::Pred => {
                Some((frame.regs[*r as usize], false))
            }
            Operand::Not(inner) => self.predicate(frame, inner).map(|(p, n)| (p, !n)),
            _ => None,
        }
    }

    fn special(&mut self, name: &str) -> Option<u32> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let axis = |rest: &str| match rest {
            ".x" => Some(0),
            ".y" => Some(1),
            ".z" => Some(2),
            _ => None,
        };
        let special = match name {
            "%laneid" => Special::Lane,
            "%warpid" => Special::Warp,
            "%nwarpid" => Special::Warps,
            "%lanemask_lt" => Special::LaneMask(Less, false),
            "%lanemask_le" => Special::LaneMask(Less, true),
            "%lanemask_eq" => Special::LaneMask(Equal, true),
            "%lanemask_ge" => Special::LaneMask(Greater, true),
            "%lanemask_gt" => Special::LaneMask(Greater, false),
            "%dynamic_smem_size" => Special::DynamicShared,
            "%total_smem_size" => Special::TotalShared,
            "%clock" | "%clock_hi" | "%smid" | "%gridid" => Special::Clock,
            "WARP_SZ" => return Some(self.constant(32, false)),
            _ => {
                let (head, rest) = name.split_at(name.rfind('.')?);
                match head {
                    "%tid" => Special::Thread(axis(rest)?),
                    "%ntid" => Special::Threads(axis(rest)?),
                    "%ctaid" => Special::Block(axis(rest)?),
                    "%nctaid" => Special::Blocks(axis(rest)?),
                    _ => return None,
                }
            }
        };
        if let Some((slot, _)) = self.specials.iter().find(|s| s.1 == special) {
            return Some(*slot);
        }
        let slot = self.register(Type::B32);
        self.specials.push((slot, special));
        Some(slot)
    }
}
