//! Runs one instruction on many operands.

use brenier_emulator::machine::{lower, run, Launch, Memory};
use brenier_emulator::{Report, Settings, Stats};
use std::collections::HashMap;
use std::sync::Arc;

/// Runs a text with one kernel on buffers; gives back the last of them.
pub fn execute(
    text: &str,
    buffers: &[Vec<u8>],
    threads: u32,
    settings: &Settings,
) -> Result<Vec<u8>, Box<Report>> {
    let module = brenier_emulator::ptx::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let lines = Arc::new(text.lines().map(str::to_string).collect::<Vec<_>>());
    let entry = module.functions.iter().find(|f| f.entry).expect("a kernel");
    let program = lower(&module, entry, &HashMap::new(), lines);
    let mut memory = Memory::default();
    let mut args = Vec::new();
    let mut last = 0;
    for bytes in buffers {
        last = memory.allocate(bytes.len());
        memory.write(last, bytes).unwrap();
        args.extend_from_slice(&last.to_le_bytes());
    }
    let block = threads.min(128);
    let launch =
        Launch { grid: [threads.div_ceil(block), 1, 1], block: [block, 1, 1], shared: 0, args };
    run(&program, &launch, &mut memory, settings, &mut 0, &mut Stats::default())?;
    Ok(memory.read(last, buffers[buffers.len() - 1].len()).unwrap().0.to_vec())
}

/// The kernel around `body`: `%q1`, `%q2`, `%q3` hold 64-bit operands, `%r1…`, `%f1…`, `%d1…` the same
/// bits; `result` is what is stored.
fn kernel(body: &str, result: &str) -> String {
    let out = match &result[..2] {
        "%q" => format!("mov.b64 %q0, {result};"),
        "%d" => format!("mov.b64 %q0, {result};"),
        "%f" => format!("mov.b32 %r9, {result}; cvt.u64.u32 %q0, %r9;"),
        "%p" => format!("selp.b64 %q0, 1, 0, {result};"),
        "%h" => format!("cvt.u64.u16 %q0, {result};"),
        _ => format!("cvt.u64.u32 %q0, {result};"),
    };
    format!(
        ".version 8.1\n.target sm_90\n.address_size 64\n\
         .visible .entry f(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 out)\n{{\n\
         .reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<12>; .reg .f32 %f<9>;\n\
         .reg .b64 %q<20>; .reg .f64 %d<9>;\n\
         mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;\n\
         mad.lo.s32 %r0, %r1, %r2, %r3; mul.wide.u32 %q9, %r0, 8;\n\
         ld.param.u64 %q1, [a]; add.s64 %q1, %q1, %q9; ld.global.u64 %q1, [%q1];\n\
         ld.param.u64 %q2, [b]; add.s64 %q2, %q2, %q9; ld.global.u64 %q2, [%q2];\n\
         ld.param.u64 %q3, [c]; add.s64 %q3, %q3, %q9; ld.global.u64 %q3, [%q3];\n\
         cvt.u32.u64 %r1, %q1; cvt.u32.u64 %r2, %q2; cvt.u32.u64 %r3, %q3;\n\
         cvt.u16.u64 %h1, %q1; cvt.u16.u64 %h2, %q2; cvt.u16.u64 %h3, %q3;\n\
         mov.b32 %f1, %r1; mov.b32 %f2, %r2; mov.b32 %f3, %r3;\n\
         mov.b64 %d1, %q1; mov.b64 %d2, %q2; mov.b64 %d3, %q3;\n\
         {body}\n{out}\n\
         ld.param.u64 %q10, [out]; add.s64 %q10, %q10, %q9; st.global.u64 [%q10], %q0;\nret;\n}}\n"
    )
}

/// All triples of `values`, thinned out to at most about 20000.
fn triples(values: &[u64]) -> Vec<[u64; 3]> {
    let n = values.len();
    let step = (n * n * n).div_ceil(20_000).max(1) | 1;
    (0..n * n * n)
        .step_by(step)
        .map(|i| [values[i % n], values[i / n % n], values[i / (n * n)]])
        .collect()
}

/// Runs `body` on triples of `values` and compares `result` with `expected`, bit by bit where `same` does
/// not say otherwise.
fn compare(
    body: &str,
    result: &str,
    values: &[u64],
    expected: impl Fn(u64, u64, u64) -> u64,
    same: impl Fn(u64, u64) -> bool,
) {
    let all = triples(values);
    let column = |k: usize| all.iter().flat_map(|t| t[k].to_le_bytes()).collect::<Vec<u8>>();
    let out = vec![0; 8 * all.len()];
    let mut threads = all.len() as u32;
    // whole blocks: the rest of the last one would run past the buffers
    threads -= if threads > 128 { threads % 128 } else { 0 };
    let text = kernel(body, result);
    let found =
        execute(&text, &[column(0), column(1), column(2), out], threads, &Settings::default())
            .unwrap_or_else(|report| panic!("{body}: {report}"));
    for (i, [a, b, c]) in all.iter().take(threads as usize).enumerate() {
        let got = u64::from_le_bytes(found[8 * i..8 * i + 8].try_into().unwrap());
        let wanted = expected(*a, *b, *c);
        assert!(same(got, wanted), "{body} of {a:#x}, {b:#x}, {c:#x}: {got:#x}, not {wanted:#x}");
    }
}

fn drawn(n: usize) -> impl Iterator<Item = u64> {
    let mut state = 88_172_645_463_325_252u64;
    (0..n).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

pub fn words() -> Vec<u64> {
    let edges = [0, 1, 2, 5, 15, 16, 31, 32, 33, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000];
    let more = [0xffff_fffe, 0xffff_ffff];
    edges.into_iter().chain(more).chain(drawn(12).map(|v| v >> 32)).collect()
}

pub fn longs() -> Vec<u64> {
    let edges = [0, 1, 7, 31, 32, 63, 64, 65, 1 << 32, i64::MAX as u64, 1 << 63, u64::MAX];
    edges.into_iter().chain(drawn(14)).collect()
}

pub fn singles() -> Vec<u64> {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        2.5,
        -2.5,
        3.999_999_8,
        1e-40,
        -1e-40,
        1e-38,
        1e38,
        -1e38,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        2.147_483_6e9,
        -3e9,
        65_504.0,
    ];
    let random = drawn(8).map(|v| ((v >> 40) as f32 / 1e5 - 80.0).to_bits());
    edges.into_iter().map(f32::to_bits).chain(random).map(u64::from).collect()
}

pub fn doubles() -> Vec<u64> {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        1.5,
        2.5,
        -2.5,
        1e-310,
        1e300,
        -1e300,
        1e-300,
        f64::MAX,
        4e18,
        -1e19,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        2_147_483_648.5,
        0.1,
        1.0 + f64::EPSILON,
    ];
    let random = drawn(8).map(|v| ((v >> 11) as f64 / 1e13 - 400.0).to_bits());
    edges.into_iter().map(f64::to_bits).chain(random).collect()
}

pub fn u32s(body: &str, f: impl Fn(u32, u32, u32) -> u32) {
    let f = |a: u64, b: u64, c: u64| u64::from(f(a as u32, b as u32, c as u32));
    compare(&format!("{body};"), "%r9", &words(), f, |x, y| x == y);
}

pub fn u64s(body: &str, f: impl Fn(u64, u64, u64) -> u64) {
    compare(&format!("{body};"), "%q11", &longs(), f, |x, y| x == y);
}

pub fn u16s(body: &str, f: impl Fn(u16, u16, u16) -> u16) {
    let f = |a: u64, b: u64, c: u64| u64::from(f(a as u16, b as u16, c as u16));
    compare(&format!("{body};"), "%h8", &words(), f, |x, y| x == y);
}

/// A general comparison: the values, where the result is, and bits in and out.
pub fn bits(body: &str, result: &str, values: &[u64], f: impl Fn(u64, u64, u64) -> u64) {
    compare(&format!("{body};"), result, values, f, |x, y| x == y);
}

fn same_single(x: u64, y: u64) -> bool {
    let (a, b) = (f32::from_bits(x as u32), f32::from_bits(y as u32));
    x == y || a.is_nan() && b.is_nan()
}

pub fn f32s(body: &str, f: impl Fn(f32, f32, f32) -> f32) {
    let of = |x: u64| f32::from_bits(x as u32);
    let f = |a, b, c| u64::from(f(of(a), of(b), of(c)).to_bits());
    compare(&format!("{body};"), "%f8", &singles(), f, same_single);
}

/// Like [`f32s`], for functions that are right only to `ulp` units in the last place.
pub fn f32s_near(body: &str, ulp: u64, f: impl Fn(f64, f64, f64) -> f64) {
    let of = |x: u64| f64::from(f32::from_bits(x as u32));
    let f = |a, b, c| u64::from((f(of(a), of(b), of(c)) as f32).to_bits());
    let near =
        move |x: u64, y: u64| same_single(x, y) || (x >> 31 == y >> 31 && x.abs_diff(y) <= ulp);
    compare(&format!("{body};"), "%f8", &singles(), f, near);
}

pub fn f64s(body: &str, f: impl Fn(f64, f64, f64) -> f64) {
    let of = f64::from_bits;
    let f = |a, b, c| f(of(a), of(b), of(c)).to_bits();
    let same = |x: u64, y: u64| x == y || of(x).is_nan() && of(y).is_nan();
    compare(&format!("{body};"), "%d8", &doubles(), f, same);
}
