//! From parsed functions to programs: registers get slots, constants too, device functions are put in
//! place of their calls, branches get targets.

use super::program::{Op, Parameter, Place, Program, Special, Step};
use crate::ptx::{Function, Instruction, Module, Operand, ParseError, Space, Statement, Type};
use std::collections::HashMap;
use std::sync::Arc;

/// Calls inside calls that are put in place before it is taken for a recursion.
const DEPTH: usize = 16;

/// Makes a program of the kernel `entry`; `addresses` are those of the module's global variables.
pub fn lower(
    module: &Module,
    entry: &Function,
    addresses: &HashMap<String, u64>,
    text: Arc<Vec<String>>,
) -> Program {
    let mut builder = Builder {
        module,
        addresses,
        steps: Vec::new(),
        places: Vec::new(),
        slots: 1,
        predicates: 1,
        constants: vec![(0, 0, false)],
        known: HashMap::from([((0, false), 0)]),
        specials: Vec::new(),
        shared: HashMap::new(),
        shared_bytes: 0,
        dynamic: Vec::new(),
        local: 0,
        labels: Vec::new(),
        switches: Vec::new(),
    };
    let mut at = 0;
    let mut params = Vec::new();
    for p in &entry.params {
        let bytes = p.bytes.unwrap_or(0);
        at = usize::next_multiple_of(at, p.align);
        params.push(Parameter { offset: at, bytes, ty: p.ty, array: p.array });
        at += bytes;
    }
    let mut frame = builder.frame(entry, None, 0);
    for (variable, place) in entry.params.iter().zip(&params) {
        frame.vars.insert(variable.name.clone(), (Space::Param, place.offset as u64));
    }
    builder.function(&mut frame);
    builder.emit(Op::Exit, Step::default(), Place::default());
    builder.finish(entry, params, text)
}

/// The instructions of a text that the machine does not know, one for each line that has one.
///
/// # Errors
/// If the text is not PTX.
pub fn unsupported(text: &str) -> Result<Vec<String>, ParseError> {
    let module = crate::ptx::parse(text)?;
    let lines = Arc::new(text.lines().map(str::to_string).collect::<Vec<_>>());
    let globals = module.vars.iter().filter(|v| matches!(v.space, Space::Global | Space::Const));
    let addresses = globals.map(|v| (v.name.clone(), 0)).collect();
    let mut found = Vec::new();
    for entry in module.functions.iter().filter(|f| f.entry) {
        let program = lower(&module, entry, &addresses, lines.clone());
        for (step, place) in program.steps.iter().zip(&program.places) {
            if matches!(step.op, Op::Unknown) {
                let text = lines.get(place.line as usize - 1).map_or("", |l| l.trim());
                found.push(format!("line {}: {text}", place.line));
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// A function that is being put in place.
pub(super) struct Frame<'m> {
    pub(super) function: &'m Function,
    /// Slot, or number of the predicate, of each register.
    regs: Vec<u32>,
    /// Space and address of each variable.
    pub(super) vars: HashMap<String, (Space, u64)>,
    labels: HashMap<String, usize>,
    targets: HashMap<String, Vec<String>>,
    /// Where `ret` goes; `None` for a kernel.
    end: Option<usize>,
    depth: usize,
}

pub(super) struct Builder<'m> {
    module: &'m Module,
    addresses: &'m HashMap<String, u64>,
    steps: Vec<Step>,
    places: Vec<Place>,
    slots: u32,
    predicates: u32,
    constants: Vec<(u32, u64, bool)>,
    known: HashMap<(u64, bool), u32>,
    specials: Vec<(u32, Special)>,
    shared: HashMap<String, u64>,
    shared_bytes: usize,
    /// Constants that hold an address in dynamic shared memory, relative to its start.
    dynamic: Vec<(usize, i64)>,
    local: usize,
    /// Position of each label.
    labels: Vec<u32>,
    /// Branches whose target is still the number of a label.
    switches: Vec<(usize, Vec<usize>)>,
}

impl<'m> Builder<'m> {
    fn frame(&mut self, function: &'m Function, end: Option<usize>, depth: usize) -> Frame<'m> {
        let regs = function.regs.iter().map(|ty| self.register(*ty)).collect();
        let mut frame = Frame {
            function,
            regs,
            vars: HashMap::new(),
            labels: HashMap::new(),
            targets: HashMap::new(),
            end,
            depth,
        };
        for variable in &function.vars {
            let bytes = variable.bytes.unwrap_or(0);
            let place = match variable.space {
                Space::Shared => (Space::Shared, self.place_shared(bytes, variable.align)),
                _ => (Space::Local, self.place_local(bytes, variable.align)),
            };
            frame.vars.insert(variable.name.clone(), place);
        }
        for statement in &function.body {
            match statement {
                Statement::Label(name) => {
                    frame.labels.insert(name.clone(), self.label());
                }
                Statement::Targets(name, list) => {
                    frame.targets.insert(name.clone(), list.clone());
                }
                Statement::Run(_) => {}
            }
        }
        frame
    }

    fn register(&mut self, ty: Type) -> u32 {
        match ty {
            Type::Pred => {
                self.predicates += 1;
                self.predicates - 1
            }
            _ => {
                let slots = 1 + u32::from(ty.wide());
                self.slots += slots;
                self.slots - slots
            }
        }
    }

    fn place_shared(&mut self, bytes: usize, align: usize) -> u64 {
        let at = self.shared_bytes.next_multiple_of(align.max(1));
        self.shared_bytes = at + bytes;
        at as u64
    }

    pub(super) fn place_local(&mut self, bytes: usize, align: usize) -> u64 {
        let at = self.local.next_multiple_of(align.max(1));
        self.local = at + bytes;
        at as u64
    }

    fn label(&mut self) -> usize {
        self.labels.push(u32::MAX);
        self.labels.len() - 1
    }

    fn function(&mut self, frame: &mut Frame<'m>) {
        let function = frame.function;
        for statement in &function.body {
            match statement {
                Statement::Label(name) => self.labels[frame.labels[name]] = self.steps.len() as u32,
                Statement::Run(instruction) => self.instruction(frame, instruction),
                Statement::Targets(..) => {}
            }
        }
    }

    pub(super) fn emit(&mut self, op: Op, step: Step, place: Place) {
        self.steps.push(Step { op, ..step });
        self.places.push(place);
    }

    fn instruction(&mut self, frame: &mut Frame<'m>, instruction: &Instruction) {
        let place = Place { line: instruction.line, loc: instruction.loc };
        let guard = instruction.guard.map_or((0, 0), |(r, negated)| {
            (frame.regs[r as usize], if negated { u32::MAX } else { 0 })
        });
        let base = Step { guard: guard.0, flip: guard.1, ..Step::default() };
        let done = match instruction.op[0].as_str() {
            "bra" => self.branch(frame, instruction, base.clone(), place),
            "brx" => self.switch(frame, instruction, base.clone(), place),
            "ret" | "exit" => {
                match frame.end {
                    Some(end) if instruction.op[0] == "ret" => {
                        self.switches.push((self.steps.len(), vec![end]));
                        self.emit(Op::Branch(0), base.clone(), place);
                    }
                    _ => self.emit(Op::Exit, base.clone(), place),
                }
                Some(())
            }
            "call" => self.call(frame, instruction, base.clone(), place),
            _ => self.select(frame, instruction, base.clone(), place),
        };
        if done.is_none() {
            self.emit(Op::Unknown, base, place);
        }
    }

    fn branch(
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

    fn switch(
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
    fn call(
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
            self.emit(Op::Trap(super::program::Trap::Assertion), base, place);
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

    fn finish(
        mut self,
        entry: &Function,
        params: Vec<Parameter>,
        text: Arc<Vec<String>>,
    ) -> Program {
        for (index, labels) in &self.switches {
            let mut targets = labels.iter().map(|l| self.labels[*l]);
            match &mut self.steps[*index].op {
                Op::Branch(target) => *target = targets.next().unwrap_or(u32::MAX),
                op => *op = Op::Switch(targets.collect()),
            }
        }
        // dynamic shared memory begins after all other, as aligned as its users may want
        let dynamic = self.shared_bytes.next_multiple_of(16);
        for (constant, offset) in &self.dynamic {
            self.constants[*constant].1 = (dynamic as i64 + offset) as u64;
        }
        let registers = entry.regs.iter().map(|t| 1 + u32::from(t.wide())).sum();
        Program {
            name: entry.name.clone(),
            params,
            max_threads: entry.max_threads.unwrap_or(1024),
            shared: self.shared_bytes,
            local: self.local.next_multiple_of(16),
            registers,
            steps: self.steps,
            places: self.places,
            slots: self.slots as usize + 1,
            predicates: self.predicates as usize,
            constants: self.constants,
            specials: self.specials,
            dynamic,
            text,
            files: Arc::new(self.module.files.clone()),
        }
    }
}
