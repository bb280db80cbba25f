//! Tokens of PTX.

use super::ParseError;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name, an instruction with its modifiers, whose dots belong to it, or one directive: `.reg.b32` is
    /// two, since the blank between directives is optional.
    Word(&'a str),
    Int(i64),
    F32(u32),
    F64(u64),
    Text(&'a str),
    Mark(char),
}

/// A token and its line.
pub(super) type Placed<'a> = (Token<'a>, u32);

fn word_start(c: u8) -> bool {
    c.is_ascii_alphabetic() || matches!(c, b'_' | b'$' | b'%' | b'.')
}

fn word_part(c: u8) -> bool {
    word_start(c) || c.is_ascii_digit()
}

/// Splits `text` into tokens; comments are dropped.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, ParseError> {
    let bytes = text.as_bytes();
    let (mut at, mut line) = (0, 1);
    let mut found = Vec::with_capacity(text.len() / 4);
    while at < bytes.len() {
        let rest = &text[at..];
        let c = bytes[at];
        if c == b'\n' {
            line += 1;
            at += 1;
        } else if c.is_ascii_whitespace() || c == 0 {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |e| e + 2);
            line += rest[..end].matches('\n').count() as u32;
            at += end;
        } else if c == b'"' {
            let end = rest[1..].find('"').ok_or_else(|| fault(line, "a text without end"))?;
            found.push((Token::Text(&rest[1..=end]), line));
            at += end + 2;
        } else if c.is_ascii_digit() {
            let end = bytes[at..].iter().position(|b| !word_part(*b)).unwrap_or(rest.len());
            found.push((number(&rest[..end], line)?, line));
            at += end;
        } else if word_start(c) {
            let mut end = 1;
            while at + end < bytes.len() {
                let double = bytes[at + end..].starts_with(b"::");
                let next = c == b'.' && bytes[at + end] == b'.';
                if !(word_part(bytes[at + end]) || double) || next {
                    break;
                }
                end += 1 + usize::from(double);
            }
            found.push((Token::Word(&rest[..end]), line));
            at += end;
        } else if c.is_ascii() {
            found.push((Token::Mark(c as char), line));
            at += 1;
        } else {
            return Err(fault(line, "a character outside ASCII"));
        }
    }
    Ok(found)
}

fn number(word: &str, line: u32) -> Result<Token<'_>, ParseError> {
    let bad = |_| fault(line, &format!("'{word}' is no number"));
    let hex = |digits: &str| u64::from_str_radix(digits, 16).map_err(bad);
    let plain = word.trim_end_matches('U');
    Ok(match word.get(..2) {
        Some("0f" | "0F") => Token::F32(hex(&word[2..])? as u32),
        Some("0d" | "0D") => Token::F64(hex(&word[2..])?),
        Some("0x" | "0X") => Token::Int(hex(&plain[2..])? as i64),
        _ if word.contains('.') => {
            // the version of the language, `8.1`, or a decimal constant
            let value: f64 =
                word.parse().map_err(|_| fault(line, &format!("'{word}' is no number")))?;
            Token::F64(value.to_bits())
        }
        _ => Token::Int(plain.parse::<u64>().map_err(bad)? as i64),
    })
}

pub(super) fn fault(line: u32, message: &str) -> ParseError {
    ParseError { line, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_dots_and_numbers_their_kind() {
        let text = "@%p1 ld.global.v2.f32 {%f1, %f2}, [%rd1+-8]; // end\n mov 0f3F800000, 0x1F;";
        let found: Vec<_> = tokens(text).unwrap();
        assert_eq!(found[0], (Token::Mark('@'), 1));
        assert_eq!(found[2], (Token::Word("ld.global.v2.f32"), 1));
        assert!(found.contains(&(Token::F32(0x3f80_0000), 2)));
        assert!(found.contains(&(Token::Int(31), 2)));
        assert!(found.contains(&(Token::Mark('-'), 1)));
    }

    #[test]
    fn directives_need_no_blank_between_them() {
        let words = |text| tokens(text).unwrap().into_iter().map(|t| t.0).collect::<Vec<_>>();
        assert_eq!(words("{.reg.b32 f, C;"), words("{ .reg .b32 f, C;"));
        assert_eq!(words(".shared.align 4 .b8 s[8];"), words(".shared .align 4 .b8 s[8];"));
        assert_eq!(words("cvt.f32.f16 f,h;")[0], Token::Word("cvt.f32.f16"));
    }

    #[test]
    fn a_bad_number_names_its_line() {
        assert_eq!(tokens("mov\n 0x1G").unwrap_err().line, 2);
    }
}
