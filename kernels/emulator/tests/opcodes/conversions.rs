//! `cvt` between all kinds of types.

use super::bench::{bits, doubles, f32s, f64s, longs, singles, u32s, u64s, words};

fn of(x: u64) -> f32 {
    f32::from_bits(x as u32)
}

#[test]
fn between_integers() {
    u64s("cvt.s64.s32 %q11, %r1", |a, _, _| a as i32 as i64 as u64);
    u64s("cvt.u64.u32 %q11, %r1", |a, _, _| a as u32 as u64);
    u64s("cvt.s64.s16 %q11, %h1", |a, _, _| a as i16 as i64 as u64);
    u32s("cvt.u32.u16 %r9, %h1", |a, _, _| a as u16 as u32);
    u32s("cvt.s32.s16 %r9, %h1", |a, _, _| a as i16 as i32 as u32);
    u32s("cvt.s32.s8 %r9, %r1", |a, _, _| a as i8 as i32 as u32);
    u32s("cvt.u32.u8 %r9, %r1", |a, _, _| a as u8 as u32);
    bits("cvt.u32.u64 %r9, %q1", "%r9", &longs(), |a, _, _| a & 0xffff_ffff);
    u32s("cvt.sat.s8.s32 %r9, %r1", |a, _, _| (a as i32).clamp(-128, 127) as u32);
    u32s("cvt.sat.u16.s32 %r9, %r1", |a, _, _| (a as i32).clamp(0, 65535) as u32);
    u64s("cvta.shared.u64 %q12, %q1; cvta.to.shared.u64 %q11, %q12", |a, _, _| a);
}

/// Values out of range go to the ends of the range, NaN to zero: the rule of `as` in Rust.
#[test]
fn to_integers() {
    let single = |body: &str, f: &dyn Fn(f32) -> u32| {
        bits(body, "%r9", &singles(), |a, _, _| u64::from(f(of(a))));
    };
    single("cvt.rzi.s32.f32 %r9, %f1", &|x| x as i32 as u32);
    single("cvt.rzi.u32.f32 %r9, %f1", &|x| x as u32);
    single("cvt.rni.s32.f32 %r9, %f1", &|x| x.round_ties_even() as i32 as u32);
    single("cvt.rmi.s32.f32 %r9, %f1", &|x| x.floor() as i32 as u32);
    single("cvt.rpi.s32.f32 %r9, %f1", &|x| x.ceil() as i32 as u32);
    bits("cvt.rzi.s64.f32 %q11, %f1", "%q11", &singles(), |a, _, _| of(a) as i64 as u64);
    bits("cvt.rzi.s32.f64 %r9, %d1", "%r9", &doubles(), |a, _, _| {
        f64::from_bits(a) as i32 as u32 as u64
    });
    bits("cvt.rni.u64.f64 %q11, %d1", "%q11", &doubles(), |a, _, _| {
        f64::from_bits(a).round_ties_even() as u64
    });
}

#[test]
fn from_integers() {
    let single = |body: &str, values: &[u64], f: &dyn Fn(u64) -> f32| {
        bits(body, "%f8", values, |a, _, _| u64::from(f(a).to_bits()));
    };
    single("cvt.rn.f32.s32 %f8, %r1", &words(), &|a| a as i32 as f32);
    single("cvt.rn.f32.u32 %f8, %r1", &words(), &|a| a as u32 as f32);
    single("cvt.rn.f32.u64 %f8, %q1", &longs(), &|a| a as f32);
    single("cvt.rn.f32.s64 %f8, %q1", &longs(), &|a| a as i64 as f32);
    single("cvt.rn.f32.u16 %f8, %h1", &words(), &|a| a as u16 as f32);
    single("cvt.rz.f32.u32 %f8, %r1", &words(), &|a| {
        // the leading 24 bits
        let a = a as u32;
        let extra = 8u32.saturating_sub(a.leading_zeros());
        (a >> extra << extra) as f32
    });
    bits("cvt.rn.f64.s32 %d8, %r1", "%d8", &words(), |a, _, _| (a as i32 as f64).to_bits());
    bits("cvt.rn.f64.u64 %d8, %q1", "%d8", &longs(), |a, _, _| (a as f64).to_bits());
}

#[test]
fn between_floats() {
    bits("cvt.f64.f32 %d8, %f1; abs.f64 %d8, %d8", "%d8", &singles(), |a, _, _| {
        f64::from(of(a)).abs().to_bits()
    });
    bits("cvt.rn.f32.f64 %f8, %d1; abs.f32 %f8, %f8", "%f8", &doubles(), |a, _, _| {
        u64::from((f64::from_bits(a) as f32).abs().to_bits())
    });
    f32s("cvt.rni.f32.f32 %f8, %f1", |a, _, _| a.round_ties_even());
    f32s("cvt.rzi.f32.f32 %f8, %f1", |a, _, _| a.trunc());
    f32s("cvt.rmi.f32.f32 %f8, %f1", |a, _, _| a.floor());
    f32s("cvt.rpi.f32.f32 %f8, %f1", |a, _, _| a.ceil());
    f64s("cvt.rni.f64.f64 %d8, %d1", |a, _, _| a.round_ties_even());
    f64s("cvt.rmi.f64.f64 %d8, %d1", |a, _, _| a.floor());
    f32s(
        "cvt.sat.f32.f32 %f8, %f1",
        |a, _, _| if a.is_nan() { 0.0 } else { a.clamp(0.0, 1.0) + 0.0 },
    );
    // toward zero from double precision: never larger in magnitude
    bits(
        "cvt.rz.f32.f64 %f8, %d1",
        "%f8",
        &doubles().into_iter().filter(|d| !f64::from_bits(*d).is_nan()).collect::<Vec<_>>(),
        |a, _, _| {
            let x = f64::from_bits(a);
            let near = x as f32;
            let past = f64::from(near).abs() > x.abs();
            u64::from(if past { f32::from_bits(near.to_bits() - 1) } else { near }.to_bits())
        },
    );
}

/// Short formats, against their definition: the nearest of all values of the format.
#[test]
fn short_formats() {
    let nearest = |x: f32, fraction: i32, least: i32| {
        // a multiple of the unit in the last place at the size of x
        let unit = 2f64.powi((f64::from(x).abs().log2().floor() as i32).max(least) - fraction);
        ((f64::from(x) / unit).round_ties_even() * unit) as f32
    };
    let plain: Vec<u64> = singles()
        .into_iter()
        .filter(|v| of(*v).is_finite() && of(*v).abs() < 60_000.0 && of(*v).abs() > 1e-30)
        .chain([1e-7f32, 6.1e-5, 3.3e-6, 65_000.0].map(|v| u64::from(v.to_bits())))
        .collect();
    bits("cvt.rn.f16.f32 %h4, %f1; cvt.f32.f16 %f8, %h4", "%f8", &plain, |a, _, _| {
        let x = nearest(of(a), 10, -14);
        u64::from(if x == 0.0 { 0f32.copysign(of(a)) } else { x }.to_bits())
    });
    bits("cvt.rn.bf16.f32 %h4, %f1; cvt.f32.bf16 %f8, %h4", "%f8", &plain, |a, _, _| {
        u64::from(nearest(of(a), 7, -126).to_bits())
    });
    bits(
        "cvt.rn.bf16x2.f32 %r9, %f1, %f2; and.b32 %r9, %r9, 0xffff0000",
        "%r9",
        &plain,
        |a, _, _| u64::from(nearest(of(a), 7, -126).to_bits()),
    );
    bits("cvt.rna.tf32.f32 %r9, %f1", "%r9", &plain, |a, _, _| {
        let unit = 2f64.powi(f64::from(of(a)).abs().log2().floor() as i32 - 10);
        u64::from((((f64::from(of(a)) / unit).round() * unit) as f32).to_bits())
    });
}
