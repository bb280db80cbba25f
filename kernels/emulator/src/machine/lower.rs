//! From parsed functions to programs: registers get slots, constants too, device functions are put in
//! place of their calls, branches get targets.

use super::program::{Op, Parameter, Place, Program, Special, Step};
use crate::ptx::{Function, Instruction, Module, ParseError, Space, Statement, Type};
use std::collections::HashMap;
use std::sync::Arc;

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
    pub(super) regs: Vec<u32>,
    /// Space and address of each variable.
    pub(super) vars: HashMap<String, (Space, u64)>,
    pub(super) labels: HashMap<String, usize>,
    pub(super) targets: HashMap<String, Vec<String>>,
    /// Where `ret` goes; `None` for a kernel.
    end: Option<usize>,
    pub(super) depth: usize,
}

pub(super) struct Builder<'m> {
    pub(super) module: &'m Module,
    pub(super) addresses: &'m HashMap<String, u64>,
    pub(super) steps: Vec<Step>,
    places: Vec<Place>,
    slots: u32,
    predicates: u32,
    pub(super) constants: Vec<(u32, u64, bool)>,
    pub(super) known: HashMap<(u64, bool), u32>,
    pub(super) specials: Vec<(u32, Special)>,
    pub(super) shared: HashMap<String, u64>,
    shared_bytes: usize,
    /// Constants that hold an address in dynamic shared memory, relative to its start.
    pub(super) dynamic: Vec<(usize, i64)>,
    local: usize,
    /// Position of each label.
    pub(super) labels: Vec<u32>,
    /// Branches whose target is still the number of a label.
    pub(super) switches: Vec<(usize, Vec<usize>)>,
}

impl<'m> Builder<'m> {
    pub(super) fn frame(
        &mut self,
        function: &'m Function,
        end: Option<usize>,
        depth: usize,
    ) -> Frame<'m> {
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

    pub(super) fn register(&mut self, ty: Type) -> u32 {
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

    pub(super) fn place_shared(&mut self, bytes: usize, align: usize) -> u64 {
        let at = self.shared_bytes.next_multiple_of(align.max(1));
        self.shared_bytes = at + bytes;
        at as u64
    }

    pub(super) fn place_local(&mut self, bytes: usize, align: usize) -> u64 {
        let at = self.local.next_multiple_of(align.max(1));
        self.local = at + bytes;
        at as u64
    }

    pub(super) fn label(&mut self) -> usize {
        self.labels.push(u32::MAX);
        self.labels.len() - 1
    }

    pub(super) fn function(&mut self, frame: &mut Frame<'m>) {
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
