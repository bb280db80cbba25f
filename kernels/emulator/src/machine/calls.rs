//! Branches, and calls of device functions, which are put in place.

use super::lower::{Builder, Frame};
use super::program::{Op, Place, Step, Trap};
use crate::ptx::{Instruction, Operand};

/// Calls inside calls that are put in place before it is taken for a recursion.
const DEPTH: usize = 16;

impl<'m> Builder<'m> {
    pub(super) fn branch(
        &mut self,
        frame: &Frame<'m>,
        instruction: &Instruction,
        base: Step,
        place: Place,
    ) -> Option<()> {
        let Some(Operand::Symbol(name, _)) = instruction.args.first() else { return None };
        let label = *frame.labels.get(name)?;
        self.switches.push((self.steps.len(), vec![label]));
        self.emit(Op::Branch(0), base, place);
        Some(())
    }

    pub(super) fn switch(
        &mut self,
        frame: &Frame<'m>,
        instruction: &Instruction,
        base: Step,
        place: Place,
    ) -> Option<()> {
        let [index, Operand::Symbol(name, _)] = &instruction.args[..] else { return None };
        let list = frame.targets.get(name)?;
        let labels = list.iter().map(|n| frame.labels.get(n).copied()).collect::<Option<_>>()?;
        let a = self.value(frame, index, false)?;
        self.switches.push((self.steps.len(), labels));
        self.emit(Op::Switch(Box::new([])), Step { a, ..base }, place);
        Some(())
    }

    /// Puts a device function here; its parameters and results are the variables of the call.
    pub(super) fn call(
        &mut self,
        frame: &Frame<'m>,
        instruction: &Instruction,
        base: Step,
        place: Place,
    ) -> Option<()> {
        let mut args = instruction.args.iter();
        let (mut results, mut name) = (None, args.next()?);
        if let Operand::List(list) = name {
            results = Some(list);
            name = args.next()?;
        }
        let Operand::Symbol(name, _) = name else { return None };
        let given = args.next();
        if name == "__assertfail" {
            self.emit(Op::Trap(Trap::Assertion), base, place);
            return Some(());
        }
        let function = self.module.functions.iter().find(|f| !f.entry && f.name == *name)?;
        if frame.depth >= DEPTH {
            return None;
        }
        let end = self.label();
        if base.guard != 0 {
            self.switches.push((self.steps.len(), vec![end]));
            self.emit(Op::Branch(0), Step { flip: !base.flip, ..base }, place);
        }
        let mut inner = self.frame(function, Some(end), frame.depth + 1);
        let none = Vec::new();
        let given = match given {
            Some(Operand::List(list)) => list,
            _ => &none,
        };
        let pairs = function.params.iter().zip(given);
        let back = function.results.iter().zip(results.unwrap_or(&none));
        for (variable, operand) in pairs.chain(back) {
            let Operand::Symbol(name, _) = operand else { return None };
            inner.vars.insert(variable.name.clone(), *frame.vars.get(name)?);
        }
        self.function(&mut inner);
        self.labels[end] = self.steps.len() as u32;
        Some(())
    }
}
