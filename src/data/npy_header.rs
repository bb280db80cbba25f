//! The header of an `.npy` file: a Python dictionary of three entries.

use std::io::Read;

use super::number::{fill, Number, Order, Stored};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longer headers are of structured arrays, which are not read.
const LONGEST: usize = 1 << 16;
/// NumPy itself stops at 64 axes.
const MOST_AXES: usize = 64;

#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) stored: Stored,
    pub(super) order: Order,
    pub(super) columns_first: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    pub(super) fn read(from: &mut impl Read) -> Result<Self, String> {
        let mut start = [0; 8];
        if fill(from, &mut start)? < 8 || start[..6] != *MAGIC {
            return Err("not a NumPy array (the first bytes differ)".into());
        }
        let mut length = [0; 4];
        let digits = if start[6] == 1 { 2 } else { 4 };
        if fill(from, &mut length[..digits])? < digits {
            return Err("truncated in its header".into());
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > LONGEST {
            return Err(format!("has a header of {length} bytes; structured arrays are not read"));
        }
        let mut text = vec![0; length];
        if fill(from, &mut text)? < length {
            return Err("truncated in its header".into());
        }
        let text = std::str::from_utf8(&text).map_err(|_| "has a header that is no text")?;
        Self::parse(text)
            .ok_or_else(|| format!("has a header that is not understood: {text:.200}"))?
    }

    /// `None` if the text is no such dictionary.
    fn parse(text: &str) -> Option<Result<Self, String>> {
        let mut rest = text.trim().strip_prefix('{')?;
        let (mut description, mut columns_first, mut shape) = (None, None, None);
        while !rest.trim_start().starts_with('}') {
            let (key, after) = quoted(rest.trim_start())?;
            rest = after.trim_start().strip_prefix(':')?.trim_start();
            match key {
                "descr" if !rest.starts_with('[') => {
                    let (value, after) = quoted(rest)?;
                    (description, rest) = (Some(value), after);
                }
                "descr" => return Some(Err("is a structured array, which is not read".into())),
                "fortran_order" => {
                    let value = rest.starts_with("True");
                    rest = rest.strip_prefix(if value { "True" } else { "False" })?;
                    columns_first = Some(value);
                }
                "shape" => {
                    let (inside, after) = rest.strip_prefix('(')?.split_once(')')?;
                    let parts = inside.split(',').map(str::trim).filter(|p| !p.is_empty());
                    let axes: Result<Vec<usize>, _> =
                        parts.map(|p| p.trim_end_matches('L').parse()).collect();
                    (shape, rest) = (Some(axes.ok().filter(|s| s.len() <= MOST_AXES)?), after);
                }
                _ => return None,
            }
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        let (order, stored) = match kind(description?) {
            Some(kind) => kind,
            None => return Some(Err(format!("holds {}, not numbers", description?))),
        };
        Some(Ok(Self { stored, order, columns_first: columns_first?, shape: shape? }))
    }

    /// The header of a row-major array, padded as NumPy does.
    pub(super) fn encode<E: Number>(shape: &[usize]) -> Vec<u8> {
        let comma = if shape.len() == 1 { "," } else { "" };
        let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
        let mut text = format!(
            "{{'descr': '{}', 'fortran_order': False, 'shape': ({}{comma}), }}",
            E::DESCRIPTION,
            axes.join(", ")
        );
        // Magic, version, length and text with its final line end are a multiple of 64 bytes.
        let padding = (64 - (MAGIC.len() + 4 + text.len() + 1) % 64) % 64;
        text.push_str(&" ".repeat(padding));
        text.push('\n');
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        // At most 64 axes of 20 digits: the length fits.
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }
}

/// A string literal at the start of the text, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn kind(description: &str) -> Option<(Order, Stored)> {
    let order = match description.chars().next()? {
        '<' | '|' => Order::Little,
        '>' => Order::Big,
        _ => return None,
    };
    let stored = match &description[1..] {
        "b1" => Stored::Bool,
        "u1" => Stored::U8,
        "u2" => Stored::U16,
        "u4" => Stored::U32,
        "u8" => Stored::U64,
        "i1" => Stored::I8,
        "i2" => Stored::I16,
        "i4" => Stored::I32,
        "i8" => Stored::I64,
        "f2" => Stored::F16,
        "f4" => Stored::F32,
        "f8" => Stored::F64,
        _ => return None,
    };
    Some((order, stored))
}
