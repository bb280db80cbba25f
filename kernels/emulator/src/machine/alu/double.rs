//! Double precision.

use super::round::{add_directed_f64, mul_directed_f64, Direction};
use super::{compare, kernel, Compare, Kernel};

#[inline(always)]
fn of(bits: u64) -> f64 {
    f64::from_bits(bits)
}

#[inline(always)]
fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() {
        b
    } else if b.is_nan() || a > b || (a == b && a.is_sign_positive()) {
        a
    } else {
        b
    }
}

#[inline(always)]
fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() {
        b
    } else if b.is_nan() || a < b || (a == b && a.is_sign_negative()) {
        a
    } else {
        b
    }
}

macro_rules! full {
    (|$a:ident, $b:ident, $c:ident| $value:expr) => {
        kernel!(<u64, u64, u64, u64> |$a, $b, $c| {
            let ($a, $b, $c) = (of($a), of($b), of($c));
            let _ = ($b, $c);
            let r: f64 = $value;
            r.to_bits()
        })
    };
}

/// The function of an f64 instruction with up to three operands.
pub(crate) fn double(name: &str, direction: Option<Direction>) -> Option<Kernel> {
    use Direction::{Down, Up, Zero};
    Some(match (name, direction) {
        ("add", None) => full!(|a, b, c| a + b),
        ("sub", None) => full!(|a, b, c| a - b),
        ("mul", None) => full!(|a, b, c| a * b),
        ("fma" | "mad", None) => full!(|a, b, c| a.mul_add(b, c)),
        ("div", None) => full!(|a, b, c| a / b),
        ("rcp", None) => full!(|a, b, c| 1.0 / a),
        ("sqrt", None) => full!(|a, b, c| a.sqrt()),
        ("neg", None) => full!(|a, b, c| -a),
        ("abs", None) => full!(|a, b, c| a.abs()),
        ("max", None) => full!(|a, b, c| max(a, b)),
        ("min", None) => full!(|a, b, c| min(a, b)),
        ("copysign", None) => full!(|a, b, c| b.copysign(a)),
        ("add", Some(Zero)) => full!(|a, b, c| add_directed_f64(a, b, Zero)),
        ("add", Some(Down)) => full!(|a, b, c| add_directed_f64(a, b, Down)),
        ("add", Some(Up)) => full!(|a, b, c| add_directed_f64(a, b, Up)),
        ("sub", Some(Zero)) => full!(|a, b, c| add_directed_f64(a, -b, Zero)),
        ("sub", Some(Down)) => full!(|a, b, c| add_directed_f64(a, -b, Down)),
        ("sub", Some(Up)) => full!(|a, b, c| add_directed_f64(a, -b, Up)),
        ("mul", Some(Zero)) => full!(|a, b, c| mul_directed_f64(a, b, Zero)),
        ("mul", Some(Down)) => full!(|a, b, c| mul_directed_f64(a, b, Down)),
        ("mul", Some(Up)) => full!(|a, b, c| mul_directed_f64(a, b, Up)),
        _ => return None,
    })
}

#[inline(always)]
fn unordered(a: f64, b: f64) -> bool {
    a.is_nan() || b.is_nan()
}

macro_rules! relation {
    (|$a:ident, $b:ident| $value:expr) => {
        compare!(<u64> |$a, $b| { let ($a, $b) = (of($a), of($b)); $value })
    };
}

/// The comparison of an f64 `setp`.
pub(crate) fn double_relation(name: &str) -> Option<Compare> {
    Some(match name {
        "eq" => relation!(|a, b| a == b),
        "ne" => relation!(|a, b| a != b && !unordered(a, b)),
        "lt" => relation!(|a, b| a < b),
        "le" => relation!(|a, b| a <= b),
        "gt" => relation!(|a, b| a > b),
        "ge" => relation!(|a, b| a >= b),
        "equ" => relation!(|a, b| a == b || unordered(a, b)),
        "neu" => relation!(|a, b| a != b),
        "ltu" => relation!(|a, b| a < b || unordered(a, b)),
        "leu" => relation!(|a, b| a <= b || unordered(a, b)),
        "gtu" => relation!(|a, b| a > b || unordered(a, b)),
        "geu" => relation!(|a, b| a >= b || unordered(a, b)),
        "num" => relation!(|a, b| !unordered(a, b)),
        "nan" => relation!(|a, b| unordered(a, b)),
        _ => return None,
    })
}

/// The test of an f64 `testp`.
pub(crate) fn double_class(name: &str) -> Option<Compare> {
    Some(match name {
        "finite" => relation!(|a, _b| a.is_finite()),
        "infinite" => relation!(|a, _b| a.is_infinite()),
        "number" => relation!(|a, _b| !a.is_nan()),
        "notanumber" => relation!(|a, _b| a.is_nan()),
        "normal" => relation!(|a, _b| a.is_normal()),
        "subnormal" => relation!(|a, _b| a.is_subnormal()),
        _ => return None,
    })
}
