//! `cvt`: between widths, between integers and floating-point numbers, and to integral values.

use super::round::{bf16, bf16_value, f16, f16_value, narrow_directed, tf32, Direction};
use super::{flush, kernel, Kernel};
use crate::ptx::Type;

/// How a conversion rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// The value is exact, or the nearest.
    Near,
    /// To the nearest with ties away from zero.
    Away,
    Directed(Direction),
    /// To an integral value.
    Integral(Option<Direction>),
}

macro_rules! into {
    (<$d:ty, $a:ty> |$x:ident| $value:expr) => {
        kernel!(<$d, $a, u32, u32> |$x, b, c| { let _ = (b, c); $value })
    };
}

/// The function of `cvt.….to.from`.
pub(crate) fn convert(
    to: Type,
    from: Type,
    rounding: Rounding,
    ftz: bool,
    sat: bool,
) -> Option<Kernel> {
    match (to.float(), from.float()) {
        (false, false) => Some(between_integers(to, from, sat)),
        (false, true) => to_integer(to, from, rounding, ftz),
        (true, false) => to_float(to, from, rounding),
        (true, true) => between_floats(to, from, rounding, ftz, sat),
    }
}

fn between_integers(to: Type, from: Type, sat: bool) -> Kernel {
    if sat {
        return saturating(to, from);
    }
    // extend by the type of the source, cut or extend by the type of the destination
    match (to.wide(), from.bytes(), from.signed()) {
        (true, 1, true) => into!(<u64, u32> |a| a as i8 as i64 as u64),
        (true, 2, true) => into!(<u64, u32> |a| a as i16 as i64 as u64),
        (true, 4, true) => into!(<u64, u32> |a| a as i32 as i64 as u64),
        (true, 1, false) => into!(<u64, u32> |a| u64::from(a as u8)),
        (true, 2, false) => into!(<u64, u32> |a| u64::from(a as u16)),
        (true, 4, false) => into!(<u64, u32> |a| u64::from(a)),
        (true, _, _) => into!(<u64, u64> |a| a),
        (false, 8, _) => match (to.bytes(), to.signed()) {
            (1, true) => into!(<u32, u64> |a| a as i8 as i32 as u32),
            (1, false) => into!(<u32, u64> |a| u32::from(a as u8)),
            (2, true) => into!(<u32, u64> |a| a as i16 as i32 as u32),
            (2, false) => into!(<u32, u64> |a| u32::from(a as u16)),
            _ => into!(<u32, u64> |a| a as u32),
        },
        (false, bytes, signed) => {
            let narrowest = bytes.min(to.bytes());
            let signed = if to.bytes() < bytes { to.signed() } else { signed };
            match (narrowest, signed) {
                (1, true) => into!(<u32, u32> |a| a as i8 as i32 as u32),
                (1, false) => into!(<u32, u32> |a| u32::from(a as u8)),
                (2, true) => into!(<u32, u32> |a| a as i16 as i32 as u32),
                (2, false) => into!(<u32, u32> |a| u32::from(a as u16)),
                _ => into!(<u32, u32> |a| a),
            }
        }
    }
}

fn saturating(to: Type, from: Type) -> Kernel {
    macro_rules! clamp {
        ($a:ty, $as:ty) => {
            match (to.bytes(), to.signed()) {
                (1, true) => into!(<u32, $a> |a| i128::from(a as $as).clamp(-128, 127) as u32),
                (1, false) => into!(<u32, $a> |a| i128::from(a as $as).clamp(0, 255) as u32),
                (2, true) => into!(<u32, $a> |a| i128::from(a as $as).clamp(-32768, 32767) as u32),
                (2, false) => into!(<u32, $a> |a| i128::from(a as $as).clamp(0, 65535) as u32),
                (4, true) => into!(<u32, $a> |a| {
                    i128::from(a as $as).clamp(i32::MIN.into(), i32::MAX.into()) as u32
                }),
                (4, false) => into!(<u32, $a> |a| {
                    i128::from(a as $as).clamp(0, u32::MAX.into()) as u32
                }),
                (_, true) => into!(<u64, $a> |a| {
                    i128::from(a as $as).clamp(i64::MIN.into(), i64::MAX.into()) as u64
                }),
                (_, false) => into!(<u64, $a> |a| {
                    i128::from(a as $as).clamp(0, u64::MAX.into()) as u64
                }),
            }
        };
    }
    match (from.bytes(), from.signed()) {
        (1, true) => clamp!(u32, i8),
        (1, false) => clamp!(u32, u8),
        (2, true) => clamp!(u32, i16),
        (2, false) => clamp!(u32, u16),
        (4, true) => clamp!(u32, i32),
        (4, false) => clamp!(u32, u32),
        (_, true) => clamp!(u64, i64),
        (_, false) => clamp!(u64, u64),
    }
}

#[inline(always)]
fn integral(x: f64, direction: Option<Direction>) -> f64 {
    match direction {
        None => x.round_ties_even(),
        Some(Direction::Zero) => x.trunc(),
        Some(Direction::Down) => x.floor(),
        Some(Direction::Up) => x.ceil(),
    }
}

/// Out-of-range values go to the ends of the range and NaN to 0, as the manual says for `cvt`.
fn to_integer(to: Type, from: Type, rounding: Rounding, ftz: bool) -> Option<Kernel> {
    let Rounding::Integral(direction) = rounding else { return None };
    macro_rules! cases {
        ($d:ty, $r:ty) => {
            match (from, direction) {
                (Type::F32, None) => cases!(f32, $d, $r, None),
                (Type::F32, Some(Direction::Zero)) => cases!(f32, $d, $r, Some(Direction::Zero)),
                (Type::F32, Some(Direction::Down)) => cases!(f32, $d, $r, Some(Direction::Down)),
                (Type::F32, Some(Direction::Up)) => cases!(f32, $d, $r, Some(Direction::Up)),
                (Type::F64, None) => cases!(f64, $d, $r, None),
                (Type::F64, Some(Direction::Zero)) => cases!(f64, $d, $r, Some(Direction::Zero)),
                (Type::F64, Some(Direction::Down)) => cases!(f64, $d, $r, Some(Direction::Down)),
                (Type::F64, Some(Direction::Up)) => cases!(f64, $d, $r, Some(Direction::Up)),
                _ => return None,
            }
        };
        (f32, $d:ty, $r:ty, $direction:expr) => {
            match ftz {
                true => into!(<$d, u32> |a| {
                    integral(f64::from(flush(f32::from_bits(a))), $direction) as $r as $d
                }),
                false => into!(<$d, u32> |a| {
                    integral(f64::from(f32::from_bits(a)), $direction) as $r as $d
                }),
            }
        };
        (f64, $d:ty, $r:ty, $direction:expr) => {
            into!(<$d, u64> |a| integral(f64::from_bits(a), $direction) as $r as $d)
        };
    }
    Some(match (to.bytes(), to.signed()) {
        (1, true) => cases!(u32, i8),
        (1, false) => cases!(u32, u8),
        (2, true) => cases!(u32, i16),
        (2, false) => cases!(u32, u16),
        (4, true) => cases!(u32, i32),
        (4, false) => cases!(u32, u32),
        (_, true) => cases!(u64, i64),
        (_, false) => cases!(u64, u64),
    })
}

fn to_float(to: Type, from: Type, rounding: Rounding) -> Option<Kernel> {
    macro_rules! from_integer {
        (|$x:ident: $r:ty| $d:ty, $value:expr) => {
            match (from.bytes(), from.signed()) {
                (1, true) => into!(<$d, u32> |a| { let $x = <$r>::from(a as i8); $value }),
                (1, false) => into!(<$d, u32> |a| { let $x = <$r>::from(a as u8); $value }),
                (2, true) => into!(<$d, u32> |a| { let $x = <$r>::from(a as i16); $value }),
                (2, false) => into!(<$d, u32> |a| { let $x = <$r>::from(a as u16); $value }),
                (4, true) => into!(<$d, u32> |a| { let $x = <$r>::from(a as i32); $value }),
                (4, false) => into!(<$d, u32> |a| { let $x = <$r>::from(a); $value }),
                _ => return None,
            }
        };
    }
    Some(match (to, rounding, from.wide()) {
        (Type::F32, Rounding::Near, false) => {
            from_integer!(|x: f64| u32, (x as f32).to_bits())
        }
        (Type::F64, _, false) => from_integer!(|x: f64| u64, x.to_bits()),
        (Type::F16, Rounding::Near, false) => from_integer!(|x: f64| u32, f16(x as f32)),
        (Type::F32, Rounding::Directed(Direction::Zero), false) => {
            from_integer!(|x: f64| u32, narrow_directed(x, 0.0, Direction::Zero).to_bits())
        }
        (Type::F32, Rounding::Directed(Direction::Up), false) => {
            from_integer!(|x: f64| u32, narrow_directed(x, 0.0, Direction::Up).to_bits())
        }
        (Type::F32, Rounding::Directed(Direction::Down), false) => {
            from_integer!(|x: f64| u32, narrow_directed(x, 0.0, Direction::Down).to_bits())
        }
        (Type::F32, Rounding::Near, true) => match from.signed() {
            true => into!(<u32, u64> |a| (a as i64 as f32).to_bits()),
            false => into!(<u32, u64> |a| (a as f32).to_bits()),
        },
        (Type::F64, Rounding::Near, true) => match from.signed() {
            true => into!(<u64, u64> |a| (a as i64 as f64).to_bits()),
            false => into!(<u64, u64> |a| (a as f64).to_bits()),
        },
        _ => return None,
    })
}

#[inline(always)]
fn of(a: u32) -> f32 {
    f32::from_bits(a)
}

fn between_floats(
    to: Type,
    from: Type,
    rounding: Rounding,
    ftz: bool,
    sat: bool,
) -> Option<Kernel> {
    use Rounding::{Away, Directed, Integral, Near};
    macro_rules! integral_f32 {
        ($direction:expr) => {
            match ftz {
                true => into!(<u32, u32> |a| {
                    (integral(f64::from(flush(of(a))), $direction) as f32).to_bits()
                }),
                false => into!(<u32, u32> |a| {
                    (integral(f64::from(of(a)), $direction) as f32).to_bits()
                }),
            }
        };
    }
    macro_rules! narrow {
        ($direction:expr) => {
            into!(<u32, u64> |a| narrow_directed(f64::from_bits(a), 0.0, $direction).to_bits())
        };
    }
    Some(match (to, from, rounding) {
        (Type::F32, Type::F32, Near) if sat => into!(<u32, u32> |a| {
            let x = of(a);
            if x > 0.0 { x.min(1.0).to_bits() } else { 0 }
        }),
        (Type::F32, Type::F32, Near) if ftz => into!(<u32, u32> |a| flush(of(a)).to_bits()),
        (Type::F32, Type::F32, Near) => into!(<u32, u32> |a| a),
        (Type::F64, Type::F64, Near) => into!(<u64, u64> |a| a),
        (Type::F32, Type::F32, Integral(None)) => integral_f32!(None),
        (Type::F32, Type::F32, Integral(Some(Direction::Zero))) => {
            integral_f32!(Some(Direction::Zero))
        }
        (Type::F32, Type::F32, Integral(Some(Direction::Down))) => {
            integral_f32!(Some(Direction::Down))
        }
        (Type::F32, Type::F32, Integral(Some(Direction::Up))) => integral_f32!(Some(Direction::Up)),
        (Type::F64, Type::F64, Integral(None)) => {
            into!(<u64, u64> |a| integral(f64::from_bits(a), None).to_bits())
        }
        (Type::F64, Type::F64, Integral(Some(Direction::Zero))) => {
            into!(<u64, u64> |a| f64::from_bits(a).trunc().to_bits())
        }
        (Type::F64, Type::F64, Integral(Some(Direction::Down))) => {
            into!(<u64, u64> |a| f64::from_bits(a).floor().to_bits())
        }
        (Type::F64, Type::F64, Integral(Some(Direction::Up))) => {
            into!(<u64, u64> |a| f64::from_bits(a).ceil().to_bits())
        }
        (Type::F64, Type::F32, _) if ftz => {
            into!(<u64, u32> |a| f64::from(flush(of(a))).to_bits())
        }
        (Type::F64, Type::F32, _) => into!(<u64, u32> |a| f64::from(of(a)).to_bits()),
        (Type::F32, Type::F64, Near) if ftz => {
            into!(<u32, u64> |a| flush(f64::from_bits(a) as f32).to_bits())
        }
        (Type::F32, Type::F64, Near) => into!(<u32, u64> |a| (f64::from_bits(a) as f32).to_bits()),
        (Type::F32, Type::F64, Directed(Direction::Zero)) => narrow!(Direction::Zero),
        (Type::F32, Type::F64, Directed(Direction::Down)) => narrow!(Direction::Down),
        (Type::F32, Type::F64, Directed(Direction::Up)) => narrow!(Direction::Up),
        (Type::F16, Type::F32, Near) => into!(<u32, u32> |a| f16(of(a))),
        (Type::F32, Type::F16, _) => into!(<u32, u32> |a| f16_value(a & 0xffff).to_bits()),
        (Type::F64, Type::F16, _) => {
            into!(<u64, u32> |a| f64::from(f16_value(a & 0xffff)).to_bits())
        }
        (Type::BF16, Type::F32, Near) => into!(<u32, u32> |a| bf16(of(a))),
        (Type::BF16, Type::F32, Directed(Direction::Zero)) => into!(<u32, u32> |a| a >> 16),
        (Type::F32, Type::BF16, _) => into!(<u32, u32> |a| bf16_value(a & 0xffff).to_bits()),
        (Type::TF32, Type::F32, Away | Near) => into!(<u32, u32> |a| tf32(of(a))),
        _ => return None,
    })
}

/// `cvt.rn.bf16x2.f32` and `cvt.rn.f16x2.f32`: the first operand goes to the upper half.
pub(crate) fn pack(to: Type) -> Option<Kernel> {
    Some(match to {
        Type::BF16x2 => kernel!(<u32, u32, u32, u32> |a, b, c| {
            let _ = c;
            bf16(of(a)) << 16 | bf16(of(b))
        }),
        Type::F16x2 => kernel!(<u32, u32, u32, u32> |a, b, c| {
            let _ = c;
            f16(of(a)) << 16 | f16(of(b))
        }),
        _ => return None,
    })
}
