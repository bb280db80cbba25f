//! Modules: directives, variables, heads of functions.

use super::lex::{fault, tokens, Placed, Token};
use super::{Function, Module, ParseError, Space, Type, Variable};

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Module> {
    let tokens = tokens(text)?;
    let mut cursor = Cursor { tokens: &tokens, at: 0 };
    let mut module = Module::default();
    while let Some(Token::Word(word)) = cursor.peek() {
        top_level(&mut cursor, &mut module, word)?;
    }
    match cursor.peek() {
        None if module.version.0 == 0 => Err(fault(1, "no .version: this is not PTX")),
        None => Ok(module),
        Some(token) => Err(cursor.fault(&format!("{token:?} at the top level"))),
    }
}

fn top_level(cursor: &mut Cursor, module: &mut Module, word: &str) -> Result<()> {
    match word {
        ".version" => {
            cursor.at += 1;
            if let Some(Token::F64(bits)) = cursor.next() {
                let tenths = (f64::from_bits(bits) * 10.0).round() as u32;
                module.version = (tenths / 10, tenths % 10);
            }
        }
        ".target" => {
            let line = cursor.line();
            cursor.at += 1;
            module.target = cursor.word()?.to_string();
            cursor.skip_line(line);
        }
        ".file" => {
            let line = cursor.line();
            cursor.at += 1;
            if let (Some(Token::Int(index)), Some(Token::Text(name))) =
                (cursor.next(), cursor.next())
            {
                module.files.insert(index as u32, name.to_string());
            }
            cursor.skip_line(line);
        }
        ".address_size" | ".loc" => cursor.skip_line(cursor.line()),
        ".pragma" => cursor.skip_past(';')?,
        ".section" => {
            cursor.skip_past('{')?;
            cursor.skip_past('}')?;
        }
        ".visible" | ".weak" | ".common" | ".extern" => cursor.at += 1,
        ".entry" | ".func" => {
            cursor.at += 1;
            let function = head(cursor, word == ".entry")?;
            match cursor.peek() {
                Some(Token::Mark('{')) => {
                    let function = super::body::body(cursor, function)?;
                    module.functions.push(function);
                }
                _ => {
                    cursor.expect(';')?;
                    module.declared.push(function.name);
                }
            }
        }
        ".global" | ".const" | ".shared" => {
            let variable = variable(cursor)?;
            cursor.expect(';')?;
            module.vars.push(variable);
        }
        _ => return Err(cursor.fault(&format!("'{word}' at the top level"))),
    }
    Ok(())
}

fn head(cursor: &mut Cursor, entry: bool) -> Result<Function> {
    let mut function = Function { entry, ..Function::default() };
    if !entry && cursor.peek() == Some(Token::Mark('(')) {
        function.results = parameters(cursor)?;
    }
    function.name = cursor.word()?.to_string();
    if cursor.peek() == Some(Token::Mark('(')) {
        function.params = parameters(cursor)?;
    }
    while let Some(Token::Word(word)) = cursor.peek() {
        cursor.at += 1;
        let mut product = 1;
        let mut count = 0;
        while let Some(Token::Int(n)) = cursor.peek() {
            product *= n as u32;
            count += 1;
            cursor.at += 1;
            if !cursor.accept(',') {
                break;
            }
        }
        if matches!(word, ".maxntid" | ".reqntid") && count > 0 {
            function.max_threads = Some(product);
        }
    }
    Ok(function)
}

fn parameters(cursor: &mut Cursor) -> Result<Vec<Variable>> {
    cursor.expect('(')?;
    let mut found = Vec::new();
    while !cursor.accept(')') {
        found.push(variable(cursor)?);
        cursor.accept(',');
    }
    Ok(found)
}

/// Reads `.space .align n .type name[length] = {…}` up to the mark after it.
pub(super) fn variable(cursor: &mut Cursor) -> Result<Variable> {
    let (mut space, mut ty, mut align, mut lanes) = (None, None, None, 1);
    let name = loop {
        let word = cursor.word()?;
        let Some(key) = word.strip_prefix('.') else { break word };
        if let Some(s) = Space::named(key) {
            space = space.or(Some(s));
        } else if let Some(t) = Type::named(key) {
            ty = Some(t);
        } else if key == "align" {
            align = Some(cursor.int()? as usize);
        } else if matches!(key, "v2" | "v4") {
            lanes = key[1..].parse().unwrap_or(1);
        } else if key == "reg" {
            return Err(cursor.fault("a register where a variable is expected"));
        } // `.ptr` and `.managed` say nothing about size
    };
    let ty = ty.ok_or_else(|| cursor.fault(&format!("variable '{name}' has no type")))?;
    let (mut bytes, mut array) = (Some(ty.bytes() * lanes), false);
    while cursor.accept('[') {
        array = true;
        bytes = match cursor.peek() {
            Some(Token::Int(n)) => {
                cursor.at += 1;
                bytes.map(|b| b * n as usize)
            }
            _ => None,
        };
        cursor.expect(']')?;
    }
    let init = if cursor.accept('=') { initial(cursor, ty)? } else { Vec::new() };
    Ok(Variable {
        name: name.to_string(),
        space: space.unwrap_or(Space::Param),
        ty,
        align: align.unwrap_or(ty.bytes() * lanes).max(1),
        bytes: bytes.or((!init.is_empty()).then_some(init.len())),
        array,
        init,
    })
}

fn initial(cursor: &mut Cursor, ty: Type) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut depth = 0;
    loop {
        match cursor.next() {
            Some(Token::Mark('{')) => depth += 1,
            Some(Token::Mark('}')) => depth -= 1,
            Some(Token::Mark(',')) => {}
            Some(Token::Mark('-')) => {
                let value = -cursor.int()?;
                bytes.extend_from_slice(&value.to_le_bytes()[..ty.bytes()]);
            }
            Some(Token::Int(v)) => bytes.extend_from_slice(&v.to_le_bytes()[..ty.bytes()]),
            Some(Token::F32(v)) => bytes.extend_from_slice(&v.to_le_bytes()),
            Some(Token::F64(v)) => bytes.extend_from_slice(&v.to_le_bytes()),
            other => return Err(cursor.fault(&format!("{other:?} in an initial value"))),
        }
        if depth == 0 {
            return Ok(bytes);
        }
    }
}

/// A place in the tokens.
pub(super) struct Cursor<'t, 's> {
    pub(super) tokens: &'t [Placed<'s>],
    pub(super) at: usize,
}

impl<'s> Cursor<'_, 's> {
    pub(super) fn peek(&self) -> Option<Token<'s>> {
        self.tokens.get(self.at).map(|t| t.0)
    }

    pub(super) fn next(&mut self) -> Option<Token<'s>> {
        self.at += 1;
        self.tokens.get(self.at - 1).map(|t| t.0)
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |t| t.1)
    }

    pub(super) fn fault(&self, message: &str) -> ParseError {
        fault(self.line(), message)
    }

    pub(super) fn accept(&mut self, mark: char) -> bool {
        let hit = self.peek() == Some(Token::Mark(mark));
        self.at += usize::from(hit);
        hit
    }

    pub(super) fn expect(&mut self, mark: char) -> Result<()> {
        match self.accept(mark) {
            true => Ok(()),
            false => Err(self.fault(&format!("expected '{mark}', found {:?}", self.peek()))),
        }
    }

    pub(super) fn word(&mut self) -> Result<&'s str> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            other => Err(self.fault(&format!("expected a name, found {other:?}"))),
        }
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        match self.peek() {
            Some(Token::Int(value)) => {
                self.at += 1;
                Ok(value)
            }
            other => Err(self.fault(&format!("expected an integer, found {other:?}"))),
        }
    }

    /// Skips what is left of a line.
    pub(super) fn skip_line(&mut self, line: u32) {
        while self.at < self.tokens.len() && self.line() == line {
            self.at += 1;
        }
    }

    pub(super) fn skip_past(&mut self, mark: char) -> Result<()> {
        while let Some(token) = self.next() {
            if token == Token::Mark(mark) {
                return Ok(());
            }
        }
        Err(self.fault(&format!("'{mark}' is missing")))
    }
}
