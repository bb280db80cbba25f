//! Integers, bits and predicates.

use super::bench::{bits, longs, u16s, u32s, u64s, words};

#[test]
fn sums_and_products() {
    u32s("add.s32 %r9, %r1, %r2", |a, b, _| a.wrapping_add(b));
    u32s("sub.u32 %r9, %r1, %r2", |a, b, _| a.wrapping_sub(b));
    u32s("mul.lo.s32 %r9, %r1, %r2", |a, b, _| a.wrapping_mul(b));
    u32s("mad.lo.s32 %r9, %r1, %r2, %r3", |a, b, c| a.wrapping_mul(b).wrapping_add(c));
    u32s("mul.hi.u32 %r9, %r1, %r2", |a, b, _| ((a as u128 * b as u128) >> 32) as u32);
    u32s("mul.hi.s32 %r9, %r1, %r2", |a, b, _| {
        ((a as i32 as i128 * b as i32 as i128) >> 32) as u32
    });
    u32s("mad.hi.u32 %r9, %r1, %r2, %r3", |a, b, c| {
        (((a as u128 * b as u128) >> 32) as u32).wrapping_add(c)
    });
    u32s("mul24.lo.u32 %r9, %r1, %r2", |a, b, _| {
        ((a as u64 % (1 << 24)) * (b as u64 % (1 << 24))) as u32
    });
    u32s("sad.u32 %r9, %r1, %r2, %r3", |a, b, c| c.wrapping_add(a.max(b) - a.min(b)));
    u64s("add.s64 %q11, %q1, %q2", |a, b, _| a.wrapping_add(b));
    u64s("sub.s64 %q11, %q1, %q2", |a, b, _| a.wrapping_sub(b));
    u64s("mul.lo.s64 %q11, %q1, %q2", |a, b, _| a.wrapping_mul(b));
    u64s("mad.lo.s64 %q11, %q1, %q2, %q3", |a, b, c| a.wrapping_mul(b).wrapping_add(c));
    u64s("mul.hi.u64 %q11, %q1, %q2", |a, b, _| ((a as u128 * b as u128) >> 64) as u64);
    u64s("mul.hi.s64 %q11, %q1, %q2", |a, b, _| {
        ((a as i64 as i128 * b as i64 as i128) >> 64) as u64
    });
    u64s("mul.wide.s32 %q11, %r1, %r2", |a, b, _| (a as i32 as i64 * b as i32 as i64) as u64);
    u64s("mul.wide.u32 %q11, %r1, %r2", |a, b, _| a as u32 as u64 * b as u32 as u64);
    u64s("mad.wide.s32 %q11, %r1, %r2, %q3", |a, b, c| {
        (a as i32 as i64 * b as i32 as i64).wrapping_add(c as i64) as u64
    });
    u32s("mul.wide.u16 %r9, %h1, %h2", |a, b, _| a as u16 as u32 * b as u16 as u32);
    u32s("mul.wide.s16 %r9, %h1, %h2", |a, b, _| (a as i16 as i32 * b as i16 as i32) as u32);
    u16s("add.s16 %h8, %h1, %h2", |a, b, _| a.wrapping_add(b));
    u16s("mul.lo.u16 %h8, %h1, %h2", |a, b, _| a.wrapping_mul(b));
}

#[test]
fn quotients_follow_the_sign_of_the_type() {
    let i = |a: u32| a as i32;
    u32s("div.u32 %r9, %r1, %r2", |a, b, _| a.checked_div(b).unwrap_or(u32::MAX));
    u32s("rem.u32 %r9, %r1, %r2", |a, b, _| a.checked_rem(b).unwrap_or(u32::MAX));
    u32s(
        "div.s32 %r9, %r1, %r2",
        |a, b, _| {
            if b == 0 {
                u32::MAX
            } else {
                i(a).wrapping_div(i(b)) as u32
            }
        },
    );
    u32s(
        "rem.s32 %r9, %r1, %r2",
        |a, b, _| {
            if b == 0 {
                u32::MAX
            } else {
                i(a).wrapping_rem(i(b)) as u32
            }
        },
    );
    u64s("div.u64 %q11, %q1, %q2", |a, b, _| a.checked_div(b).unwrap_or(u64::MAX));
    u64s("rem.s64 %q11, %q1, %q2", |a, b, _| {
        if b == 0 {
            u64::MAX
        } else {
            (a as i64).wrapping_rem(b as i64) as u64
        }
    });
    u32s("min.s32 %r9, %r1, %r2", |a, b, _| i(a).min(i(b)) as u32);
    u32s("max.u32 %r9, %r1, %r2", |a, b, _| a.max(b));
    u64s("max.s64 %q11, %q1, %q2", |a, b, _| (a as i64).max(b as i64) as u64);
    u16s("min.s16 %h8, %h1, %h2", |a, b, _| (a as i16).min(b as i16) as u16);
    u32s("abs.s32 %r9, %r1", |a, _, _| i(a).wrapping_abs() as u32);
    u32s("neg.s32 %r9, %r1", |a, _, _| 0u32.wrapping_sub(a));
}

#[test]
fn shifts_beyond_the_width_clamp() {
    u32s("shl.b32 %r9, %r1, %r2", |a, b, _| a.checked_shl(b).unwrap_or(0));
    u32s("shr.u32 %r9, %r1, %r2", |a, b, _| a.checked_shr(b).unwrap_or(0));
    u32s("shr.s32 %r9, %r1, %r2", |a, b, _| (i64::from(a as i32) >> b.min(40)) as u32);
    u64s("shl.b64 %q11, %q1, %r2", |a, b, _| a.checked_shl(b as u32).unwrap_or(0));
    u64s("shr.u64 %q11, %q1, %r2", |a, b, _| a.checked_shr(b as u32).unwrap_or(0));
    u64s("shr.s64 %q11, %q1, %r2", |a, b, _| (i128::from(a as i64) >> (b as u32).min(100)) as u64);
    u32s("shf.l.wrap.b32 %r9, %r1, %r2, %r3", |a, b, c| {
        let c = c % 32;
        if c == 0 {
            b
        } else {
            b << c | a >> (32 - c)
        }
    });
    u32s("shf.r.clamp.b32 %r9, %r1, %r2, %r3", |a, b, c| match c.min(32) {
        0 => a,
        32 => b,
        c => a >> c | b << (32 - c),
    });
}

#[test]
fn bits_and_bytes() {
    u32s("and.b32 %r9, %r1, %r2", |a, b, _| a & b);
    u64s("or.b64 %q11, %q1, %q2", |a, b, _| a | b);
    u32s("xor.b32 %r9, %r1, %r2", |a, b, _| a ^ b);
    u32s("not.b32 %r9, %r1", |a, _, _| !a);
    u32s("cnot.b32 %r9, %r1", |a, _, _| (a == 0) as u32);
    u32s("popc.b32 %r9, %r1", |a, _, _| (0..32).filter(|i| a >> i & 1 == 1).count() as u32);
    u32s("clz.b32 %r9, %r1", |a, _, _| a.leading_zeros());
    u32s("brev.b32 %r9, %r1", |a, _, _| a.reverse_bits());
    u32s("bfind.u32 %r9, %r1", |a, _, _| a.checked_ilog2().unwrap_or(u32::MAX));
    let amount = |a: u32| (0..32).find(|i| a << i >> 31 == 1).unwrap_or(u32::MAX);
    u32s("bfind.shiftamt.u32 %r9, %r1", |a, _, _| amount(a));
    u32s("bfind.shiftamt.s32 %r9, %r1", |a, _, _| amount(if a >> 31 == 1 { !a } else { a }));
    u32s("bfind.s32 %r9, %r1", |a, _, _| {
        (if a >> 31 == 1 { !a } else { a }).checked_ilog2().unwrap_or(u32::MAX)
    });
    bits("bfind.shiftamt.u64 %r9, %q1", "%r9", &longs(), |a, _, _| match a {
        0 => 0xffff_ffff,
        a => u64::from(a.leading_zeros()),
    });
    bits("popc.b64 %r9, %q1", "%r9", &longs(), |a, _, _| u64::from(a.count_ones()));
    bits("clz.b64 %r9, %q1", "%r9", &longs(), |a, _, _| u64::from(a.leading_zeros()));
    u32s("bfe.u32 %r9, %r1, %r2, %r3", |a, b, c| {
        let (pos, len) = (b & 255, c & 255);
        if pos > 31 || len == 0 {
            0
        } else {
            ((a as u64 >> pos) & ((1u64 << len.min(32)) - 1)) as u32
        }
    });
    u32s("bfe.s32 %r9, %r1, %r2, %r3", |a, b, c| {
        // the field of a sign-extended number, itself extended from its top bit
        let (pos, len) = ((b & 255).min(63), (c & 255).min(32));
        let field = (a as i32 as i64 >> pos.min(31)) as u32;
        let field = if pos > 31 { (a as i32 >> 31) as u32 } else { field };
        match len {
            0 => 0,
            len => ((field << (32 - len)) as i32 >> (32 - len)) as u32,
        }
    });
    u32s("bfi.b32 %r9, %r1, %r2, %r3, 5", |a, b, c| {
        let pos = c & 255;
        let mask = (31u64 << pos.min(40)) as u32;
        b & !mask | (((a & 31) as u64) << pos.min(40)) as u32 & mask
    });
    u32s("prmt.b32 %r9, %r1, %r2, 0x3715", |a, b, _| {
        let bytes = [a.to_le_bytes(), b.to_le_bytes()].concat();
        u32::from_le_bytes([bytes[5], bytes[1], bytes[7], bytes[3]])
    });
    u32s("prmt.b32 %r9, %r1, %r2, 0x9810", |a, b, _| {
        let _ = b;
        let sign = |x: u8| if x > 127 { 255 } else { 0 };
        let bytes = a.to_le_bytes();
        u32::from_le_bytes([bytes[0], bytes[1], sign(bytes[0]), sign(bytes[1])])
    });
    u32s("lop3.b32 %r9, %r1, %r2, %r3, 0x96", |a, b, c| a ^ b ^ c);
    u32s("lop3.b32 %r9, %r1, %r2, %r3, 0xca", |a, b, c| a & b | !a & c);
    u64s("mov.b64 {%r5, %r6}, %q1; mov.b64 %q11, {%r6, %r5}", |a, _, _| a.rotate_left(32));
    u32s("mov.b32 {%h4, %h5}, %r1; mov.b32 %r9, {%h5, %h4}", |a, _, _| a.rotate_left(16));
}

#[test]
fn carries_pass_from_word_to_word() {
    let text = "add.cc.u32 %r4, %r1, %r2; mov.b64 {%r5, %r6}, %q1; mov.b64 {%r5, %r7}, %q2; \
                addc.u32 %r8, %r6, %r7; mov.b64 %q11, {%r4, %r8}";
    u64s(text, |a, b, _| a.wrapping_add(b));
    let text = "sub.cc.u32 %r4, %r1, %r2; mov.b64 {%r5, %r6}, %q1; mov.b64 {%r5, %r7}, %q2; \
                subc.u32 %r8, %r6, %r7; mov.b64 %q11, {%r4, %r8}";
    u64s(text, |a, b, _| a.wrapping_sub(b));
    let text = "mad.lo.cc.u32 %r4, %r1, %r2, %r3; madc.hi.u32 %r8, %r1, %r2, 0; \
                mov.b64 %q11, {%r4, %r8}";
    u64s(text, |a, b, c| (a as u32 as u64 * b as u32 as u64) + c as u32 as u64);
}

#[test]
fn comparisons_and_choices() {
    let truth = |b: bool| u64::from(b);
    for (name, f) in [
        ("eq", (|a, b| a == b) as fn(i64, i64) -> bool),
        ("ne", |a, b| a != b),
        ("lt", |a, b| a < b),
        ("le", |a, b| a <= b),
        ("gt", |a, b| a > b),
        ("ge", |a, b| a >= b),
    ] {
        bits(&format!("setp.{name}.s32 %p1, %r1, %r2"), "%p1", &words(), |a, b, _| {
            truth(f(a as i32 as i64, b as i32 as i64))
        });
        bits(&format!("setp.{name}.u32 %p1, %r1, %r2"), "%p1", &words(), |a, b, _| {
            truth(f(a as u32 as i64, b as u32 as i64))
        });
        bits(&format!("setp.{name}.s64 %p1, %q1, %q2"), "%p1", &longs(), |a, b, _| {
            truth(f(a as i64, b as i64))
        });
        bits(&format!("setp.{name}.s16 %p1, %h1, %h2"), "%p1", &words(), |a, b, _| {
            truth(f(a as i16 as i64, b as i16 as i64))
        });
    }
    u32s(
        "setp.lt.u32 %p1, %r1, %r2; setp.gt.and.u32 %p2|%p3, %r1, %r3, %p1; \
          selp.u32 %r5, 1, 0, %p2; selp.u32 %r6, 2, 0, %p3; or.b32 %r9, %r5, %r6",
        |a, b, c| u32::from(a > c && a < b) + 2 * u32::from(a <= c && a < b),
    );
    u32s("setp.lt.u32 %p1, %r1, %r2; @%p1 mov.u32 %r9, %r1; @!%p1 mov.u32 %r9, %r2", |a, b, _| {
        a.min(b)
    });
    u32s("set.gt.u32.s32 %r9, %r1, %r2", |a, b, _| if a as i32 > b as i32 { !0 } else { 0 });
    u32s("slct.b32.s32 %r9, %r1, %r2, %r3", |a, b, c| if c as i32 >= 0 { a } else { b });
    bits("setp.eq.u32 %p1, %r1, %r2; setp.gt.u32 %p2, %r1, %r3; xor.pred %p4, %p1, %p2; not.pred %p3, %p4",
        "%p3", &words(), |a, b, c| truth((a as u32 == b as u32) == (a as u32 > c as u32)));
    bits("mov.pred %p1, 0; setp.ne.or.u32 %p2, %r1, %r2, %p1", "%p2", &words(), |a, b, _| {
        truth(a as u32 != b as u32)
    });
}
