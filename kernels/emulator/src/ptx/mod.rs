//! Reads PTX text: tokens, then functions and variables, with names resolved.

mod body;
mod lex;
mod parse;
mod syntax;

pub use parse::parse;
pub use syntax::{
    Function, Instruction, Module, Operand, ParseError, Space, Statement, Type, Variable,
};
