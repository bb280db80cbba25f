//! Single precision.

use super::round::{add_directed, fma_directed, mul_directed, Direction};
use super::{compare, kernel, Compare, Kernel};

/// Zero of the same sign for a subnormal number.
#[inline(always)]
pub(crate) fn flush(x: f32) -> f32 {
    let small = x.abs() < f32::MIN_POSITIVE;
    if small {
        f32::from_bits(x.to_bits() & 0x8000_0000)
    } else {
        x
    }
}

#[inline(always)]
fn max(a: f32, b: f32) -> f32 {
    // a NaN gives way; +0 is above -0
    if a.is_nan() {
        b
    } else if b.is_nan() || a > b || (a == b && a.is_sign_positive()) {
        a
    } else {
        b
    }
}

#[inline(always)]
fn min(a: f32, b: f32) -> f32 {
    if a.is_nan() {
        b
    } else if b.is_nan() || a < b || (a == b && a.is_sign_negative()) {
        a
    } else {
        b
    }
}

#[inline(always)]
fn saturate(x: f32) -> f32 {
    // a NaN becomes 0
    if x > 0.0 {
        x.min(1.0)
    } else {
        0.0
    }
}

#[inline(always)]
fn of(bits: u32) -> f32 {
    f32::from_bits(bits)
}

macro_rules! single {
    ($ftz:expr, $sat:expr, |$a:ident, $b:ident, $c:ident| $value:expr) => {
        match ($ftz, $sat) {
            (false, false) => kernel!(<u32, u32, u32, u32> |$a, $b, $c| {
                let ($a, $b, $c) = (of($a), of($b), of($c));
                let _ = ($b, $c);
                let r: f32 = $value;
                r.to_bits()
            }),
            (true, false) => kernel!(<u32, u32, u32, u32> |$a, $b, $c| {
                let ($a, $b, $c) = (flush(of($a)), flush(of($b)), flush(of($c)));
                let _ = ($b, $c);
                let r: f32 = $value;
                flush(r).to_bits()
            }),
            (false, true) => kernel!(<u32, u32, u32, u32> |$a, $b, $c| {
                let ($a, $b, $c) = (of($a), of($b), of($c));
                let _ = ($b, $c);
                let r: f32 = $value;
                saturate(r).to_bits()
            }),
            (true, true) => kernel!(<u32, u32, u32, u32> |$a, $b, $c| {
                let ($a, $b, $c) = (flush(of($a)), flush(of($b)), flush(of($c)));
                let _ = ($b, $c);
                let r: f32 = $value;
                saturate(flush(r)).to_bits()
            }),
        }
    };
}

/// Modifiers of a floating-point instruction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    pub(crate) ftz: bool,
    pub(crate) sat: bool,
    pub(crate) nan: bool,
    pub(crate) direction: Option<Direction>,
}

/// The function of an f32 instruction with up to three operands.
pub(crate) fn float(name: &str, mode: Mode) -> Option<Kernel> {
    let (ftz, sat) = (mode.ftz, mode.sat);
    if let Some(direction) = mode.direction {
        return directed(name, ftz, direction);
    }
    Some(match name {
        "add" => single!(ftz, sat, |a, b, c| a + b),
        "sub" => single!(ftz, sat, |a, b, c| a - b),
        "mul" => single!(ftz, sat, |a, b, c| a * b),
        "fma" | "mad" => single!(ftz, sat, |a, b, c| a.mul_add(b, c)),
        "div" => single!(ftz, false, |a, b, c| a / b),
        "rcp" => single!(ftz, false, |a, b, c| 1.0 / a),
        "sqrt" => single!(ftz, false, |a, b, c| a.sqrt()),
        "neg" => single!(ftz, false, |a, b, c| -a),
        "abs" => single!(ftz, false, |a, b, c| a.abs()),
        "max" if mode.nan => {
            single!(ftz, false, |a, b, c| if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                max(a, b)
            })
        }
        "min" if mode.nan => {
            single!(ftz, false, |a, b, c| if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                min(a, b)
            })
        }
        "max" => single!(ftz, false, |a, b, c| max(a, b)),
        "min" => single!(ftz, false, |a, b, c| min(a, b)),
        // the sign of the first operand with the value of the second
        "copysign" => single!(false, false, |a, b, c| b.copysign(a)),
        "slct" => {
            single!(ftz, false, |a, b, c| if c >= 0.0 { a } else { b })
        }
        _ => return None,
    })
}

fn directed(name: &str, ftz: bool, direction: Direction) -> Option<Kernel> {
    use Direction::{Down, Up, Zero};
    Some(match (name, direction) {
        ("add", Zero) => single!(ftz, false, |a, b, c| add_directed(a, b, Zero)),
        ("add", Down) => single!(ftz, false, |a, b, c| add_directed(a, b, Down)),
        ("add", Up) => single!(ftz, false, |a, b, c| add_directed(a, b, Up)),
        ("sub", Zero) => single!(ftz, false, |a, b, c| add_directed(a, -b, Zero)),
        ("sub", Down) => single!(ftz, false, |a, b, c| add_directed(a, -b, Down)),
        ("sub", Up) => single!(ftz, false, |a, b, c| add_directed(a, -b, Up)),
        ("mul", Zero) => single!(ftz, false, |a, b, c| mul_directed(a, b, Zero)),
        ("mul", Down) => single!(ftz, false, |a, b, c| mul_directed(a, b, Down)),
        ("mul", Up) => single!(ftz, false, |a, b, c| mul_directed(a, b, Up)),
        ("fma" | "mad", Zero) => single!(ftz, false, |a, b, c| fma_directed(a, b, c, Zero)),
        ("fma" | "mad", Down) => single!(ftz, false, |a, b, c| fma_directed(a, b, c, Down)),
        ("fma" | "mad", Up) => single!(ftz, false, |a, b, c| fma_directed(a, b, c, Up)),
        _ => return None,
    })
}

#[inline(always)]
fn unordered(a: f32, b: f32) -> bool {
    a.is_nan() || b.is_nan()
}

macro_rules! relation {
    ($ftz:expr, |$a:ident, $b:ident| $value:expr) => {
        if $ftz {
            compare!(<u32> |$a, $b| { let ($a, $b) = (flush(of($a)), flush(of($b))); $value })
        } else {
            compare!(<u32> |$a, $b| { let ($a, $b) = (of($a), of($b)); $value })
        }
    };
}

/// The comparison of an f32 `setp`.
pub(crate) fn float_relation(name: &str, ftz: bool) -> Option<Compare> {
    Some(match name {
        "eq" => relation!(ftz, |a, b| a == b),
        "ne" => relation!(ftz, |a, b| a != b && !unordered(a, b)),
        "lt" => relation!(ftz, |a, b| a < b),
        "le" => relation!(ftz, |a, b| a <= b),
        "gt" => relation!(ftz, |a, b| a > b),
        "ge" => relation!(ftz, |a, b| a >= b),
        "equ" => relation!(ftz, |a, b| a == b || unordered(a, b)),
        "neu" => relation!(ftz, |a, b| a != b),
        "ltu" => relation!(ftz, |a, b| a < b || unordered(a, b)),
        "leu" => relation!(ftz, |a, b| a <= b || unordered(a, b)),
        "gtu" => relation!(ftz, |a, b| a > b || unordered(a, b)),
        "geu" => relation!(ftz, |a, b| a >= b || unordered(a, b)),
        "num" => relation!(ftz, |a, b| !unordered(a, b)),
        "nan" => relation!(ftz, |a, b| unordered(a, b)),
        _ => return None,
    })
}

/// The test of an f32 `testp`.
pub(crate) fn float_class(name: &str) -> Option<Compare> {
    Some(match name {
        "finite" => relation!(false, |a, _b| a.is_finite()),
        "infinite" => relation!(false, |a, _b| a.is_infinite()),
        "number" => relation!(false, |a, _b| !a.is_nan()),
        "notanumber" => relation!(false, |a, _b| a.is_nan()),
        "normal" => relation!(false, |a, _b| a.is_normal()),
        "subnormal" => relation!(false, |a, _b| a.is_subnormal()),
        _ => return None,
    })
}
