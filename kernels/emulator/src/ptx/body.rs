//! Bodies of functions: declarations with their scopes, labels, instructions.

use super::lex::Token;
use super::parse::{variable, Cursor};
use super::{Function, Instruction, Operand, ParseError, Statement, Type};
use std::collections::HashMap;

type Result<T> = std::result::Result<T, ParseError>;

#[derive(Clone)]
enum Meaning {
    Register(u32),
    /// `%r<n>` declares `%r0` to `%r(n-1)`: the first number and how many.
    Registers(u32, u32),
    /// The name in the function's list of variables.
    Variable(String),
}

struct Body {
    function: Function,
    scopes: Vec<HashMap<String, Meaning>>,
    loc: Option<(u32, u32)>,
}

/// Reads `{ … }` and completes `function`.
pub(super) fn body(cursor: &mut Cursor, function: Function) -> Result<Function> {
    let mut body = Body { function, scopes: Vec::new(), loc: None };
    cursor.expect('{')?;
    body.scopes.push(HashMap::new());
    while !body.scopes.is_empty() {
        match cursor.peek() {
            Some(Token::Mark('{')) => {
                cursor.at += 1;
                body.scopes.push(HashMap::new());
            }
            Some(Token::Mark('}')) => {
                cursor.at += 1;
                body.scopes.pop();
            }
            Some(Token::Mark('@')) => body.instruction(cursor)?,
            Some(Token::Mark(';')) => cursor.at += 1,
            Some(Token::Word(word)) => body.statement(cursor, word)?,
            other => return Err(cursor.fault(&format!("{other:?} in a function"))),
        }
    }
    Ok(body.function)
}

impl Body {
    fn statement(&mut self, cursor: &mut Cursor, word: &str) -> Result<()> {
        if let Some((Token::Mark(':'), _)) = cursor.tokens.get(cursor.at + 1) {
            cursor.at += 2;
            if cursor.peek() == Some(Token::Word(".branchtargets")) {
                cursor.at += 1;
                let mut names = vec![cursor.word()?.to_string()];
                while cursor.accept(',') {
                    names.push(cursor.word()?.to_string());
                }
                cursor.expect(';')?;
                self.function.body.push(Statement::Targets(word.to_string(), names));
            } else {
                self.function.body.push(Statement::Label(word.to_string()));
            }
            return Ok(());
        }
        match word {
            ".reg" => self.registers(cursor),
            ".shared" | ".local" | ".param" | ".const" | ".global" => {
                let mut declared = variable(cursor)?;
                cursor.expect(';')?;
                let name = declared.name.clone();
                declared.name = format!("{}.{}", name, self.function.vars.len());
                self.declare(&name, Meaning::Variable(declared.name.clone()));
                self.function.vars.push(declared);
                Ok(())
            }
            ".loc" => {
                let place = cursor.line();
                cursor.at += 1;
                let (file, line) = (cursor.int()?, cursor.int()?);
                self.loc = Some((file as u32, line as u32));
                cursor.skip_line(place);
                Ok(())
            }
            ".pragma" => cursor.skip_past(';'),
            _ if word.starts_with('.') => {
                Err(cursor.fault(&format!("'{word}' in a function is not supported")))
            }
            _ => self.instruction(cursor),
        }
    }

    fn declare(&mut self, name: &str, meaning: Meaning) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_string(), meaning);
        }
    }

    fn registers(&mut self, cursor: &mut Cursor) -> Result<()> {
        cursor.at += 1;
        let word = cursor.word()?;
        let ty = Type::named(word.trim_start_matches('.'))
            .ok_or_else(|| cursor.fault(&format!("registers of type '{word}'")))?;
        loop {
            let name = cursor.word()?;
            let first = self.function.regs.len() as u32;
            if cursor.accept('<') {
                let count = cursor.int()?;
                cursor.expect('>')?;
                self.function.regs.extend(std::iter::repeat_n(ty, count as usize));
                self.declare(name, Meaning::Registers(first, count as u32));
            } else {
                self.function.regs.push(ty);
                self.declare(name, Meaning::Register(first));
            }
            if !cursor.accept(',') {
                return cursor.expect(';');
            }
        }
    }

    fn instruction(&mut self, cursor: &mut Cursor) -> Result<()> {
        let line = cursor.line();
        let mut guard = None;
        if cursor.accept('@') {
            let negated = cursor.accept('!');
            let name = cursor.word()?;
            match self.name(name) {
                Operand::Reg(r) => guard = Some((r, negated)),
                _ => return Err(cursor.fault(&format!("guard '{name}' is not declared"))),
            }
        }
        let op = cursor.word()?.split('.').map(str::to_string).collect();
        let mut args = Vec::new();
        while !cursor.accept(';') {
            args.push(self.operand(cursor)?);
            if !cursor.accept(',') && cursor.peek() != Some(Token::Mark(';')) {
                return Err(cursor.fault(&format!("{:?} after an operand", cursor.peek())));
            }
        }
        let loc = self.loc;
        self.function.body.push(Statement::Run(Instruction { guard, op, args, line, loc }));
        Ok(())
    }

    fn operand(&self, cursor: &mut Cursor) -> Result<Operand> {
        let found = self.simple(cursor)?;
        Ok(match cursor.accept('|') {
            true => Operand::Pair(Box::new(found), Box::new(self.simple(cursor)?)),
            false => found,
        })
    }

    fn sequence(&self, cursor: &mut Cursor, end: char) -> Result<Vec<Operand>> {
        let mut found = Vec::new();
        while !cursor.accept(end) {
            found.push(self.operand(cursor)?);
            cursor.accept(',');
        }
        Ok(found)
    }

    fn simple(&self, cursor: &mut Cursor) -> Result<Operand> {
        Ok(match cursor.next() {
            Some(Token::Int(v)) => Operand::Int(v),
            Some(Token::F32(v)) => Operand::F32(v),
            Some(Token::F64(v)) => Operand::F64(v),
            Some(Token::Mark('-')) => match cursor.next() {
                Some(Token::Int(v)) => Operand::Int(v.wrapping_neg()),
                other => return Err(cursor.fault(&format!("{other:?} after a minus"))),
            },
            Some(Token::Mark('!')) => Operand::Not(Box::new(self.simple(cursor)?)),
            Some(Token::Mark('{')) => Operand::Vector(self.sequence(cursor, '}')?),
            Some(Token::Mark('(')) => Operand::List(self.sequence(cursor, ')')?),
            Some(Token::Mark('[')) => {
                let base = self.simple(cursor)?;
                let base = match base {
                    Operand::Symbol(name, o) => {
                        let found = Operand::Symbol(name, 0);
                        let offset = o + offset(cursor)?;
                        cursor.expect(']')?;
                        return Ok(Operand::Address(Box::new(found), offset));
                    }
                    other => other,
                };
                let offset = offset(cursor)?;
                cursor.expect(']')?;
                Operand::Address(Box::new(base), offset)
            }
            Some(Token::Word("_")) => Operand::Discard,
            Some(Token::Word(word)) => match self.name(word) {
                Operand::Symbol(name, _) => Operand::Symbol(name, offset(cursor)?),
                other => other,
            },
            other => return Err(cursor.fault(&format!("{other:?} as an operand"))),
        })
    }

    /// Register, variable, special register, or whatever the module knows by that name.
    fn name(&self, word: &str) -> Operand {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_digit());
        for scope in self.scopes.iter().rev() {
            match scope.get(word) {
                Some(Meaning::Register(r)) => return Operand::Reg(*r),
                Some(Meaning::Variable(v)) => return Operand::Symbol(v.clone(), 0),
                _ => {}
            }
            // `%r1<4>` declares `%r10` to `%r13`, so the digits may be split anywhere
            for cut in digits.len()..word.len() {
                if let (Some(Meaning::Registers(first, count)), Ok(n)) =
                    (scope.get(&word[..cut]), word[cut..].parse::<u32>())
                {
                    if n < *count {
                        return Operand::Reg(first + n);
                    }
                }
            }
        }
        match word.starts_with('%') {
            true => Operand::Special(word.to_string()),
            false => Operand::Symbol(word.to_string(), 0),
        }
    }
}

fn offset(cursor: &mut Cursor) -> Result<i64> {
    let sign = if cursor.accept('+') {
        1
    } else if cursor.peek() == Some(Token::Mark('-')) {
        -1
    } else {
        return Ok(0);
    };
    let negative = cursor.accept('-');
    let value = cursor.int()?;
    Ok(if negative || sign < 0 { -value } else { value })
}
