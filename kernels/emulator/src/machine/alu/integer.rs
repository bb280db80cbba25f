//! Integers and bits.

use super::fields::{extract, funnel_left, funnel_right, permute};
use super::{compare, kernel, Compare, Kernel};
use crate::ptx::Type;

/// An integer instruction without its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integer<'a> {
    /// An operation whose operands all have the type.
    Same(&'a str),
    /// `mul.hi` and `mad.hi`.
    High,
    /// `mul.wide` and `mad.wide`: the result has twice the bits.
    Wide,
}

macro_rules! k16 {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<u32, u32, u32, u32> |$a, $b, $c| {
            let ($a, $b, $c) = ($a as u16, $b as u16, $c as u16);
            let _ = ($b, $c);
            u32::from($value as u16)
        })
    };
}
macro_rules! k16s {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        k16!(|$a, $b, $c| {
            let ($a, $b, $c) = ($a as i16, $b as i16, $c as i16);
            let _ = ($b, $c);
            $value
        })
    };
}
macro_rules! k32 {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<u32, u32, u32, u32> |$a, $b, $c| { let _ = ($b, $c); $value })
    };
}
macro_rules! k32s {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<i32, i32, i32, i32> |$a, $b, $c| { let _ = ($b, $c); $value })
    };
}
macro_rules! k64 {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<u64, u64, u64, u64> |$a, $b, $c| { let _ = ($b, $c); $value })
    };
}
macro_rules! k64s {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<i64, i64, i64, i64> |$a, $b, $c| { let _ = ($b, $c); $value })
    };
}
/// 64-bit data with a 32-bit count in `b` and `c`.
macro_rules! k64n {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<u64, u64, u32, u32> |$a, $b, $c| { let _ = ($b, $c); $value })
    };
}

/// The function of an integer instruction with up to three operands.
pub(crate) fn integer(op: Integer, ty: Type) -> Option<Kernel> {
    match (ty.bytes(), ty.signed()) {
        (2, _) => short(op, ty),
        (4, signed) => word(op, signed),
        (8, signed) => long(op, signed),
        _ => None,
    }
}

fn short(op: Integer, ty: Type) -> Option<Kernel> {
    let signed = ty.signed();
    Some(match op {
        Integer::Wide if signed => kernel!(<u32, u32, u32, u32> |a, b, c| {
            (i32::from(a as i16) * i32::from(b as i16)).wrapping_add(c as i32) as u32
        }),
        Integer::Wide => kernel!(<u32, u32, u32, u32> |a, b, c| {
            ((a & 0xffff) * (b & 0xffff)).wrapping_add(c)
        }),
        Integer::High => return None,
        Integer::Same(name) => match (name, signed) {
            ("add", _) => k16!(|a, b, c| a.wrapping_add(b)),
            ("sub", _) => k16!(|a, b, c| a.wrapping_sub(b)),
            ("mul" | "mad", _) => k16!(|a, b, c| a.wrapping_mul(b).wrapping_add(c)),
            ("and", _) => k16!(|a, b, c| a & b),
            ("or", _) => k16!(|a, b, c| a | b),
            ("xor", _) => k16!(|a, b, c| a ^ b),
            ("not", _) => k16!(|a, b, c| !a),
            ("neg", _) => k16!(|a, b, c| a.wrapping_neg()),
            ("abs", true) => k16s!(|a, b, c| a.wrapping_abs()),
            ("min", true) => k16s!(|a, b, c| a.min(b)),
            ("max", true) => k16s!(|a, b, c| a.max(b)),
            ("min", false) => k16!(|a, b, c| a.min(b)),
            ("max", false) => k16!(|a, b, c| a.max(b)),
            ("div", true) => k16s!(|a, b, c| a.checked_div(b).unwrap_or(-1)),
            ("div", false) => k16!(|a, b, c| a.checked_div(b).unwrap_or(0xffff)),
            ("rem", true) => k16s!(|a, b, c| if b == 0 { -1 } else { a.wrapping_rem(b) }),
            ("rem", false) => k16!(|a, b, c| if b == 0 { 0xffff } else { a % b }),
            ("shl", _) => kernel!(<u32, u32, u32, u32> |a, b, c| {
                let _ = c;
                if b > 15 { 0 } else { (a << b) & 0xffff }
            }),
            ("shr", false) => kernel!(<u32, u32, u32, u32> |a, b, c| {
                let _ = c;
                if b > 15 { 0 } else { (a & 0xffff) >> b }
            }),
            ("shr", true) => kernel!(<u32, u32, u32, u32> |a, b, c| {
                let _ = c;
                (((a as i16) >> b.min(15)) as u32) & 0xffff
            }),
            _ => return None,
        },
    })
}

fn word(op: Integer, signed: bool) -> Option<Kernel> {
    Some(match (op, signed) {
        (Integer::Wide, true) => kernel!(<i64, i32, i32, i64> |a, b, c| {
            (i64::from(a) * i64::from(b)).wrapping_add(c)
        }),
        (Integer::Wide, false) => kernel!(<u64, u32, u32, u64> |a, b, c| {
            (u64::from(a) * u64::from(b)).wrapping_add(c)
        }),
        (Integer::High, true) => {
            k32s!(|a, b, c| ((i64::from(a) * i64::from(b)) >> 32).wrapping_add(i64::from(c)) as i32)
        }
        (Integer::High, false) => {
            k32!(|a, b, c| ((u64::from(a) * u64::from(b)) >> 32).wrapping_add(u64::from(c)) as u32)
        }
        (Integer::Same(name), _) => match (name, signed) {
            ("add", _) => k32!(|a, b, c| a.wrapping_add(b)),
            ("sub", _) => k32!(|a, b, c| a.wrapping_sub(b)),
            ("mul" | "mad", _) => k32!(|a, b, c| a.wrapping_mul(b).wrapping_add(c)),
            ("mul24", true) => {
                k32s!(|a, b, c| ((a << 8) >> 8).wrapping_mul((b << 8) >> 8).wrapping_add(c))
            }
            ("mul24", false) => {
                k32!(|a, b, c| (a & 0xff_ffff).wrapping_mul(b & 0xff_ffff).wrapping_add(c))
            }
            ("sad", true) => k32s!(|a, b, c| c.wrapping_add(a.abs_diff(b) as i32)),
            ("sad", false) => k32!(|a, b, c| c.wrapping_add(a.abs_diff(b))),
            ("and", _) => k32!(|a, b, c| a & b),
            ("or", _) => k32!(|a, b, c| a | b),
            ("xor", _) => k32!(|a, b, c| a ^ b),
            ("not", _) => k32!(|a, b, c| !a),
            ("cnot", _) => k32!(|a, b, c| u32::from(a == 0)),
            ("neg", _) => k32!(|a, b, c| a.wrapping_neg()),
            ("abs", _) => k32s!(|a, b, c| a.wrapping_abs()),
            ("min", true) => k32s!(|a, b, c| a.min(b)),
            ("max", true) => k32s!(|a, b, c| a.max(b)),
            ("min", false) => k32!(|a, b, c| a.min(b)),
            ("max", false) => k32!(|a, b, c| a.max(b)),
            ("div", true) => {
                k32s!(|a, b, c| if b == 0 { -1 } else { a.wrapping_div(b) })
            }
            ("div", false) => k32!(|a, b, c| a.checked_div(b).unwrap_or(u32::MAX)),
            ("rem", true) => k32s!(|a, b, c| if b == 0 { -1 } else { a.wrapping_rem(b) }),
            ("rem", false) => k32!(|a, b, c| if b == 0 { u32::MAX } else { a % b }),
            ("shl", _) => k32!(|a, b, c| if b > 31 { 0 } else { a << (b & 31) }),
            ("shr", true) => k32s!(|a, b, c| a >> (b as u32).min(31)),
            ("shr", false) => k32!(|a, b, c| if b > 31 { 0 } else { a >> (b & 31) }),
            ("popc", _) => k32!(|a, b, c| a.count_ones()),
            ("clz", _) => k32!(|a, b, c| a.leading_zeros()),
            ("brev", _) => k32!(|a, b, c| a.reverse_bits()),
            ("bfind", false) => k32!(|a, b, c| 31u32.wrapping_sub(a.leading_zeros())),
            ("bfind", true) => {
                k32s!(|a, b, c| 31 - (if a < 0 { !a } else { a }).leading_zeros() as i32)
            }
            ("bfind.shiftamt", false) => {
                k32!(|a, b, c| if a == 0 { u32::MAX } else { a.leading_zeros() })
            }
            ("bfind.shiftamt", true) => k32!(|a, b, c| {
                let a = if (a as i32) < 0 { !a } else { a };
                if a == 0 {
                    u32::MAX
                } else {
                    a.leading_zeros()
                }
            }),
            ("bfe", signed) => match signed {
                true => k32!(|a, b, c| extract(u64::from(a), b, c, 32, true) as u32),
                false => k32!(|a, b, c| extract(u64::from(a), b, c, 32, false) as u32),
            },
            ("bmsk", _) => k32!(|a, b, c| (((1u64 << b.min(32)) - 1) << a.min(32)) as u32),
            ("prmt", _) => k32!(|a, b, c| permute(a, b, c)),
            ("shf.l.wrap", _) => k32!(|a, b, c| funnel_left(a, b, c & 31)),
            ("shf.l.clamp", _) => k32!(|a, b, c| funnel_left(a, b, c.min(32))),
            ("shf.r.wrap", _) => k32!(|a, b, c| funnel_right(a, b, c & 31)),
            ("shf.r.clamp", _) => k32!(|a, b, c| funnel_right(a, b, c.min(32))),
            ("slct", _) => k32!(|a, b, c| if (c as i32) >= 0 { a } else { b }),
            ("dp4a", false) => k32!(|a, b, c| {
                let (x, y) = (a.to_le_bytes(), b.to_le_bytes());
                (0..4).fold(c, |s, i| s.wrapping_add(u32::from(x[i]) * u32::from(y[i])))
            }),
            _ => return None,
        },
    })
}

fn long(op: Integer, signed: bool) -> Option<Kernel> {
    Some(match (op, signed) {
        (Integer::Wide, _) => return None,
        (Integer::High, true) => {
            k64s!(|a, b, c| (((i128::from(a) * i128::from(b)) >> 64) as i64).wrapping_add(c))
        }
        (Integer::High, false) => {
            k64!(|a, b, c| (((u128::from(a) * u128::from(b)) >> 64) as u64).wrapping_add(c))
        }
        (Integer::Same(name), _) => match (name, signed) {
            ("add", _) => k64!(|a, b, c| a.wrapping_add(b)),
            ("sub", _) => k64!(|a, b, c| a.wrapping_sub(b)),
            ("mul" | "mad", _) => k64!(|a, b, c| a.wrapping_mul(b).wrapping_add(c)),
            ("and", _) => k64!(|a, b, c| a & b),
            ("or", _) => k64!(|a, b, c| a | b),
            ("xor", _) => k64!(|a, b, c| a ^ b),
            ("not", _) => k64!(|a, b, c| !a),
            ("neg", _) => k64!(|a, b, c| a.wrapping_neg()),
            ("abs", _) => k64s!(|a, b, c| a.wrapping_abs()),
            ("min", true) => k64s!(|a, b, c| a.min(b)),
            ("max", true) => k64s!(|a, b, c| a.max(b)),
            ("min", false) => k64!(|a, b, c| a.min(b)),
            ("max", false) => k64!(|a, b, c| a.max(b)),
            ("div", true) => k64s!(|a, b, c| if b == 0 { -1 } else { a.wrapping_div(b) }),
            ("div", false) => k64!(|a, b, c| a.checked_div(b).unwrap_or(u64::MAX)),
            ("rem", true) => k64s!(|a, b, c| if b == 0 { -1 } else { a.wrapping_rem(b) }),
            ("rem", false) => k64!(|a, b, c| if b == 0 { u64::MAX } else { a % b }),
            ("shl", _) => k64n!(|a, b, c| if b > 63 { 0 } else { a << (b & 63) }),
            ("shr", true) => k64n!(|a, b, c| ((a as i64) >> b.min(63)) as u64),
            ("shr", false) => k64n!(|a, b, c| if b > 63 { 0 } else { a >> (b & 63) }),
            ("popc", _) => kernel!(<u32, u64, u32, u32> |a, b, c| {
                let _ = (b, c);
                a.count_ones()
            }),
            ("clz", _) => kernel!(<u32, u64, u32, u32> |a, b, c| {
                let _ = (b, c);
                a.leading_zeros()
            }),
            ("bfind", false) => kernel!(<u32, u64, u32, u32> |a, b, c| {
                let _ = (b, c);
                63u32.wrapping_sub(a.leading_zeros())
            }),
            ("bfind.shiftamt", false) => kernel!(<u32, u64, u32, u32> |a, b, c| {
                let _ = (b, c);
                if a == 0 { u32::MAX } else { a.leading_zeros() }
            }),
            ("brev", _) => k64!(|a, b, c| a.reverse_bits()),
            ("bfe", true) => k64n!(|a, b, c| extract(a, b, c, 64, true)),
            ("bfe", false) => k64n!(|a, b, c| extract(a, b, c, 64, false)),
            ("slct", _) => kernel!(<u64, u64, u64, u32> |a, b, c| {
                if (c as i32) >= 0 { a } else { b }
            }),
            _ => return None,
        },
    })
}

macro_rules! relations {
    ($name:expr, $t:ty, $cast:ty) => {
        match $name {
            "eq" => compare!(<$t> |a, b| a as $cast == b as $cast),
            "ne" => compare!(<$t> |a, b| a as $cast != b as $cast),
            "lt" | "lo" => compare!(<$t> |a, b| (a as $cast) < b as $cast),
            "le" | "ls" => compare!(<$t> |a, b| a as $cast <= b as $cast),
            "gt" | "hi" => compare!(<$t> |a, b| a as $cast > b as $cast),
            "ge" | "hs" => compare!(<$t> |a, b| a as $cast >= b as $cast),
            _ => return None,
        }
    };
}

/// The comparison of an integer `setp`.
pub(crate) fn integer_relation(name: &str, ty: Type) -> Option<Compare> {
    Some(match (ty.bytes(), ty.signed()) {
        (2, true) => relations!(name, u32, i16),
        (2, false) => relations!(name, u32, u16),
        (4, true) => relations!(name, u32, i32),
        (4, false) => relations!(name, u32, u32),
        (8, true) => relations!(name, u64, i64),
        (8, false) => relations!(name, u64, u64),
        _ => return None,
    })
}
