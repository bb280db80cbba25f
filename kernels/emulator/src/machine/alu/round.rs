//! Rounding that the CPU does not do by itself: directed, and to short formats.

/// A rounding direction other than to the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Zero,
    Down,
    Up,
}

/// Rounds `value + rest` to single precision, where `rest` is far below one unit of `value`.
#[inline(always)]
pub(crate) fn narrow_directed(value: f64, rest: f64, direction: Direction) -> f32 {
    let near = value as f32;
    if !near.is_finite() && !value.is_finite() {
        return near;
    }
    let wide = f64::from(near);
    // the exact value lies above or below `near`
    let above = value > wide || (value == wide && rest > 0.0);
    let below = value < wide || (value == wide && rest < 0.0);
    match direction {
        Direction::Up if above => near.next_up(),
        Direction::Down if below => near.next_down(),
        Direction::Zero if below && wide > 0.0 => near.next_down(),
        Direction::Zero if above && wide < 0.0 => near.next_up(),
        _ => near,
    }
}

/// The sum and its rounding error.
#[inline(always)]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

#[inline(always)]
pub(crate) fn add_directed(a: f32, b: f32, direction: Direction) -> f32 {
    let (sum, rest) = two_sum(f64::from(a), f64::from(b));
    narrow_directed(sum, rest, direction)
}

#[inline(always)]
pub(crate) fn mul_directed(a: f32, b: f32, direction: Direction) -> f32 {
    narrow_directed(f64::from(a) * f64::from(b), 0.0, direction)
}

#[inline(always)]
pub(crate) fn fma_directed(a: f32, b: f32, c: f32, direction: Direction) -> f32 {
    // the product of two single-precision numbers is exact in double precision
    let (sum, rest) = two_sum(f64::from(a) * f64::from(b), f64::from(c));
    narrow_directed(sum, rest, direction)
}

#[inline(always)]
fn step(near: f64, rest: f64, direction: Direction) -> f64 {
    if !near.is_finite() {
        return near;
    }
    match direction {
        Direction::Up if rest > 0.0 => near.next_up(),
        Direction::Down if rest < 0.0 => near.next_down(),
        Direction::Zero if rest < 0.0 && near > 0.0 => near.next_down(),
        Direction::Zero if rest > 0.0 && near < 0.0 => near.next_up(),
        _ => near,
    }
}

#[inline(always)]
pub(crate) fn add_directed_f64(a: f64, b: f64, direction: Direction) -> f64 {
    let (sum, rest) = two_sum(a, b);
    step(sum, rest, direction)
}

#[inline(always)]
pub(crate) fn mul_directed_f64(a: f64, b: f64, direction: Direction) -> f64 {
    let product = a * b;
    step(product, a.mul_add(b, -product), direction)
}

/// Rounds to bfloat16, nearest even.
#[inline(always)]
pub(crate) fn bf16(x: f32) -> u32 {
    if x.is_nan() {
        return 0x7fff;
    }
    let bits = x.to_bits();
    bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16
}

/// The value of a bfloat16.
#[inline(always)]
pub(crate) fn bf16_value(bits: u32) -> f32 {
    f32::from_bits(bits << 16)
}

/// Rounds to half precision, nearest even.
#[inline(always)]
pub(crate) fn f16(x: f32) -> u32 {
    let bits = x.to_bits();
    let sign = bits >> 16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return 0x7fff;
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // below the normal numbers: units of 2^-24
        let units = (f32::from_bits(magnitude) * 16_777_216.0).round_ties_even();
        return sign | units as u32;
    }
    // an overflow of the fraction moves on into the exponent, up to infinity
    sign | ((magnitude - 0x3800_0000 + 0xfff + (magnitude >> 13 & 1)) >> 13)
}

/// The value of a half-precision number.
#[inline(always)]
pub(crate) fn f16_value(bits: u32) -> f32 {
    let sign = (bits & 0x8000) << 16;
    let (exponent, fraction) = (bits >> 10 & 31, bits & 0x3ff);
    let magnitude = match exponent {
        0 => (fraction as f32 / 16_777_216.0).to_bits(),
        31 => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// Rounds to 10 bits of fraction, nearest with ties away from zero (`cvt.rna.tf32.f32`).
#[inline(always)]
pub(crate) fn tf32(x: f32) -> u32 {
    let bits = x.to_bits();
    if x.is_nan() {
        return 0x7fff_ffff;
    }
    bits.wrapping_add(0x1000) & 0xffff_e000
}
