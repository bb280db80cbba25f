//! Single and double precision.

use super::bench::{bits, doubles, execute, f32s, f32s_near, f64s, singles};
use brenier_emulator::Settings;

type Relation = fn(f64, f64) -> bool;
type Exact = fn(f64) -> f64;

fn flushed(x: f32) -> f32 {
    if x.is_subnormal() {
        0f32.copysign(x)
    } else {
        x
    }
}

#[test]
fn single_precision() {
    f32s("add.f32 %f8, %f1, %f2", |a, b, _| a + b);
    f32s("sub.rn.f32 %f8, %f1, %f2", |a, b, _| a - b);
    f32s("mul.f32 %f8, %f1, %f2", |a, b, _| a * b);
    f32s("fma.rn.f32 %f8, %f1, %f2, %f3", |a, b, c| a.mul_add(b, c));
    f32s("div.rn.f32 %f8, %f1, %f2", |a, b, _| a / b);
    f32s("rcp.rn.f32 %f8, %f1", |a, _, _| 1.0 / a);
    f32s("sqrt.rn.f32 %f8, %f1", |a, _, _| a.sqrt());
    f32s("neg.f32 %f8, %f1", |a, _, _| -a);
    f32s("abs.f32 %f8, %f1", |a, _, _| a.abs());
    f32s("copysign.f32 %f8, %f1, %f2", |a, b, _| b.copysign(a));
    f32s("add.sat.f32 %f8, %f1, %f2", |a, b, _| {
        // a NaN saturates to zero
        if (a + b).is_nan() {
            0.0
        } else {
            (a + b).clamp(0.0, 1.0) + 0.0
        }
    });
}

#[test]
fn subnormals_are_flushed_only_where_asked() {
    f32s("add.ftz.f32 %f8, %f1, %f2", |a, b, _| flushed(flushed(a) + flushed(b)));
    f32s("mul.ftz.f32 %f8, %f1, %f2", |a, b, _| flushed(flushed(a) * flushed(b)));
    f32s("fma.rn.ftz.f32 %f8, %f1, %f2, %f3", |a, b, c| {
        flushed(flushed(a).mul_add(flushed(b), flushed(c)))
    });
    f32s("cvt.ftz.f32.f32 %f8, %f1", |a, _, _| flushed(a));
}

/// The larger and the smaller; a NaN gives way to a number, and zero with a plus sign is the larger.
#[test]
fn extremes() {
    let max = |a: f32, b: f32| match (a.is_nan(), b.is_nan()) {
        (true, _) => b,
        (_, true) => a,
        _ if a == b => f32::from_bits(a.to_bits() & b.to_bits()),
        _ => {
            if a > b {
                a
            } else {
                b
            }
        }
    };
    let min = |a: f32, b: f32| -max(-a, -b);
    f32s("max.f32 %f8, %f1, %f2", |a, b, _| max(a, b));
    f32s("min.f32 %f8, %f1, %f2", |a, b, _| min(a, b));
    f32s(
        "max.NaN.f32 %f8, %f1, %f2",
        |a, b, _| {
            if a.is_nan() || b.is_nan() {
                f32::NAN
            } else {
                max(a, b)
            }
        },
    );
    f64s("max.f64 %d8, %d1, %d2", |a, b, _| match (a.is_nan(), b.is_nan()) {
        (true, _) => b,
        (_, true) => a,
        _ if a == b => f64::from_bits(a.to_bits() & b.to_bits()),
        _ => {
            if a > b {
                a
            } else {
                b
            }
        }
    });
}

/// Directed rounding against the neighbours of the nearest result, by exact comparison in double
/// precision: products of singles are exact there.
#[test]
fn directed_rounding() {
    let toward = |exact: f64, down: bool| {
        let near = exact as f32;
        let wrong = if down { f64::from(near) > exact } else { f64::from(near) < exact };
        match (wrong, down) {
            (false, _) => near,
            (true, true) => near.next_down(),
            (true, false) => near.next_up(),
        }
    };
    let product = |a: f32, b: f32| f64::from(a) * f64::from(b);
    f32s("mul.rm.f32 %f8, %f1, %f2", |a, b, _| toward(product(a, b), true));
    f32s("mul.rp.f32 %f8, %f1, %f2", |a, b, _| toward(product(a, b), false));
    f32s("mul.rz.f32 %f8, %f1, %f2", |a, b, _| toward(product(a, b), product(a, b) > 0.0));
    // a product whose exact value needs 48 bits, and an addend far below it: only the direction tells
    let text = "fma.rm.f32 %f8, %f1, %f2, 0f80000001";
    f32s(text, |a, b, _| {
        let p = product(a, b);
        let tiny = f64::from(f32::from_bits(0x8000_0001));
        if p < 0.0 && p > -1e-60 {
            f32::from_bits(0x8000_0002)
        } else if p.abs() > 1e-20 && p.is_finite() && f64::from(p as f32) == p {
            (p as f32).next_down()
        } else {
            toward(p + tiny, true)
        }
    });
}

#[test]
fn double_precision() {
    f64s("add.f64 %d8, %d1, %d2", |a, b, _| a + b);
    f64s("sub.f64 %d8, %d1, %d2", |a, b, _| a - b);
    f64s("mul.f64 %d8, %d1, %d2", |a, b, _| a * b);
    f64s("fma.rn.f64 %d8, %d1, %d2, %d3", |a, b, c| a.mul_add(b, c));
    f64s("div.rn.f64 %d8, %d1, %d2", |a, b, _| a / b);
    f64s("sqrt.rn.f64 %d8, %d1", |a, _, _| a.sqrt());
    f64s("rcp.rn.f64 %d8, %d1", |a, _, _| 1.0 / a);
    f64s("neg.f64 %d8, %d1", |a, _, _| -a);
    f64s("abs.f64 %d8, %d1", |a, _, _| a.abs());
}

#[test]
fn comparisons_know_nan() {
    let of = |x: u64| f32::from_bits(x as u32);
    let cases: [(&str, Relation); 14] = [
        ("eq", |a, b| a == b),
        ("ne", |a, b| a != b && !a.is_nan() && !b.is_nan()),
        ("lt", |a, b| a < b),
        ("le", |a, b| a <= b),
        ("gt", |a, b| a > b),
        ("ge", |a, b| a >= b),
        ("equ", |a, b| a == b || a.is_nan() || b.is_nan()),
        ("neu", |a, b| a != b),
        ("ltu", |a, b| a < b || a.is_nan() || b.is_nan()),
        ("leu", |a, b| a <= b || a.is_nan() || b.is_nan()),
        ("gtu", |a, b| a > b || a.is_nan() || b.is_nan()),
        ("geu", |a, b| a >= b || a.is_nan() || b.is_nan()),
        ("num", |a, b| !a.is_nan() && !b.is_nan()),
        ("nan", |a, b| a.is_nan() || b.is_nan()),
    ];
    for (name, f) in cases {
        bits(&format!("setp.{name}.f32 %p1, %f1, %f2"), "%p1", &singles(), |a, b, _| {
            u64::from(f(f64::from(of(a)), f64::from(of(b))))
        });
        bits(&format!("setp.{name}.f64 %p1, %d1, %d2"), "%p1", &doubles(), |a, b, _| {
            u64::from(f(f64::from_bits(a), f64::from_bits(b)))
        });
    }
    bits("testp.subnormal.f32 %p1, %f1", "%p1", &singles(), |a, _, _| {
        u64::from(of(a).is_subnormal())
    });
    bits("setp.lt.ftz.f32 %p1, %f1, %f2", "%p1", &singles(), |a, b, _| {
        u64::from(flushed(of(a)) < flushed(of(b)))
    });
}

/// Without perturbation these are the exact values, rounded once (the exponential to 1 unit).
#[test]
fn approximate_functions() {
    f32s_near("ex2.approx.f32 %f8, %f1", 1, |a, _, _| a.exp2());
    f32s_near("lg2.approx.f32 %f8, %f1", 1, |a, _, _| a.log2());
    f32s_near("rcp.approx.f32 %f8, %f1", 1, |a, _, _| 1.0 / a);
    f32s_near("div.full.f32 %f8, %f1, %f2", 1, |a, b, _| a / b);
    f32s_near("sqrt.approx.f32 %f8, %f1", 1, |a, _, _| a.sqrt());
    f32s_near("rsqrt.approx.f32 %f8, %f1", 1, |a, _, _| 1.0 / a.sqrt());
    f32s_near("sin.approx.f32 %f8, %f1", 1, |a, _, _| a.sin());
    f32s_near("cos.approx.f32 %f8, %f1", 1, |a, _, _| a.cos());
    f32s_near("tanh.approx.f32 %f8, %f1", 1, |a, _, _| a.tanh());
}

/// Perturbed values are off, by no more than is documented, and the same for the same seed.
#[test]
fn perturbations_stay_within_the_documented_error() {
    let text = |op: &str| {
        format!(
            ".version 8.1\n.target sm_70\n.entry f(.param .u64 a, .param .u64 b) {{\n\
             .reg .b32 %r<3>; .reg .f32 %f<3>; .reg .b64 %q<5>;\n\
             mov.u32 %r1, %tid.x; mul.wide.u32 %q1, %r1, 4;\n\
             ld.param.u64 %q2, [a]; add.s64 %q2, %q2, %q1; ld.global.f32 %f1, [%q2];\n\
             {op} %f2, %f1;\n\
             ld.param.u64 %q3, [b]; add.s64 %q3, %q3, %q1; st.global.f32 [%q3], %f2; ret; }}\n"
        )
    };
    let values: Vec<f32> = (0..128).map(|i| 0.3 + 0.37 * i as f32).collect();
    let input: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let cases: [(&str, Exact, f64); 5] = [
        ("ex2.approx.f32", f64::exp2, -22.0),
        ("lg2.approx.f32", f64::log2, -22.0),
        ("rcp.approx.f32", |x| 1.0 / x, -23.0),
        ("sqrt.approx.f32", f64::sqrt, -23.0),
        ("rsqrt.approx.f32", |x| 1.0 / x.sqrt(), -22.9),
    ];
    for (op, exact, bound) in cases {
        let read = |seed| {
            let settings = Settings { perturb: seed, ..Settings::default() };
            let bytes = execute(&text(op), &[input.clone(), vec![0; 512]], 128, &settings).unwrap();
            bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
        };
        let (plain, first, again, second) =
            (read(None), read(Some(1)), read(Some(1)), read(Some(2)));
        assert_eq!(first, again);
        assert_ne!(first, second);
        let off = first.iter().zip(&plain).filter(|(a, b)| a != b).count();
        assert!(off > 30, "{op}: only {off} of 128 are off");
        for (x, found) in values.iter().zip(first.iter().chain(&second)) {
            let exact = exact(f64::from(*x));
            // a logarithm near zero has an absolute error
            let scale = if op == "lg2.approx.f32" { exact.abs().max(1.0) } else { exact.abs() };
            let error = (f64::from(*found) - exact).abs() / scale;
            assert!(error <= bound.exp2() * 1.0001 + 2f64.powi(-26), "{op} {x}: {error:e}");
        }
    }
}
