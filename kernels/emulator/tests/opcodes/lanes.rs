//! Instructions between lanes, memory of all kinds, branches and calls.

use super::bench::execute;
use brenier_emulator::{unsupported, Kind, Order, Report, Settings};

const HEAD: &str = ".version 8.1\n.target sm_90\n.address_size 64\n";
const REGS: &str = ".reg .pred %p<9>; .reg .b32 %r<30>; .reg .f32 %f<9>; .reg .b64 %q<20>;\n\
                    mov.u32 %r0, %tid.x; mul.wide.u32 %q0, %r0, 4;\n\
                    ld.param.u64 %q1, [out]; add.s64 %q1, %q1, %q0;\n";

/// Runs `body` with `%r0` the thread; gives back what each thread left in `%r1`.
fn threads(body: &str, n: u32, order: Order) -> Result<Vec<u32>, Box<Report>> {
    let text = format!(
        "{HEAD}.entry f(.param .u64 out)\n{{\n{REGS}{body}\nst.global.u32 [%q1], %r1;\nret;\n}}\n"
    );
    with_text(&text, n, order)
}

fn with_text(text: &str, n: u32, order: Order) -> Result<Vec<u32>, Box<Report>> {
    let settings = Settings { order, limit: 10_000_000, ..Settings::default() };
    let bytes = execute(text, &[vec![0; 4 * n as usize]], n, &settings)?;
    Ok(bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect())
}

fn check(body: &str, n: u32, expected: impl Fn(u32) -> u32) {
    for order in [Order::Ascending, Order::Descending, Order::Random(4)] {
        let found = threads(body, n, order).unwrap_or_else(|r| panic!("{body}: {r}"));
        let wanted: Vec<u32> = (0..n).map(&expected).collect();
        assert_eq!(found, wanted, "{body}");
    }
}

fn fails(body: &str, n: u32, kind: Kind) {
    for order in [Order::Ascending, Order::Descending, Order::Random(4)] {
        let report = threads(body, n, order).expect_err(body);
        assert_eq!(report.kind, kind, "{body}: {report}");
    }
}

#[test]
fn shuffles_of_every_mode_and_segment() {
    let full = "0xffffffff";
    check(&format!("shfl.sync.bfly.b32 %r1, %r0, 5, 0x1f, {full};"), 64, |t| t ^ 5);
    check(&format!("shfl.sync.down.b32 %r1, %r0, 3, 0x1f, {full};"), 32, |t| {
        if t + 3 < 32 {
            t + 3
        } else {
            t
        }
    });
    check(
        &format!("shfl.sync.up.b32 %r1|%p1, %r0, 4, 0, {full}; @!%p1 mov.u32 %r1, 99;"),
        32,
        |t| {
            if t < 4 {
                99
            } else {
                t - 4
            }
        },
    );
    check(&format!("shfl.sync.idx.b32 %r1, %r0, 7, 0x1f, {full};"), 32, |_| 7);
    // segments of 8 lanes: mask 0x18 in the upper part, clamp 7
    check(&format!("shfl.sync.down.b32 %r1, %r0, 1, 0x1807, {full};"), 32, |t| {
        if t % 8 == 7 {
            t
        } else {
            t + 1
        }
    });
    check(&format!("shfl.sync.idx.b32 %r1, %r0, 2, 0x181f, {full};"), 32, |t| t / 8 * 8 + 2);
    // half a warp by itself
    check("setp.lt.u32 %p1, %r0, 16; mov.u32 %r1, 0;\n@%p1 shfl.sync.bfly.b32 %r1, %r0, 1, 0x1f, 0xffff;",
        32, |t| if t < 16 { t ^ 1 } else { 0 });
}

#[test]
fn votes_matches_and_masks() {
    let odd = "and.b32 %r2, %r0, 1; setp.ne.u32 %p1, %r2, 0;";
    check(&format!("{odd} vote.sync.ballot.b32 %r1, %p1, 0xffffffff;"), 32, |_| 0xaaaa_aaaa);
    check(&format!("{odd} vote.sync.any.pred %p2, %p1, -1; selp.u32 %r1, 1, 0, %p2;"), 32, |_| 1);
    check(&format!("{odd} vote.sync.all.pred %p2, %p1, -1; selp.u32 %r1, 1, 0, %p2;"), 32, |_| 0);
    check(&format!("{odd} vote.sync.all.pred %p2, !%p1, -1; selp.u32 %r1, 1, 0, %p2;"), 32, |_| 0);
    check("and.b32 %r2, %r0, 3; match.any.sync.b32 %r1, %r2, 0xffffffff;", 32, |t| {
        0x1111_1111 << (t % 4)
    });
    check(&format!("{odd} mov.u32 %r1, 0; @%p1 activemask.b32 %r1;"), 32, |t| {
        if t % 2 == 1 {
            0xaaaa_aaaa
        } else {
            0
        }
    });
    check("mov.u32 %r1, %lanemask_lt; mov.u32 %r2, %laneid; add.u32 %r1, %r1, %r2;", 32, |t| {
        ((1u64 << t) - 1) as u32 + t
    });
    check(&format!("{odd} barrier.sync 0; bar.red.popc.u32 %r1, 0, %p1;"), 96, |_| 48);
    check(&format!("{odd} bar.red.or.pred %p2, 0, %p1; selp.u32 %r1, 1, 0, %p2;"), 96, |_| 1);
}

#[test]
fn meetings_that_cannot_be() {
    let half = "setp.lt.u32 %p1, %r0, 16; mov.u32 %r1, 0;";
    fails(&format!("{half} @%p1 shfl.sync.bfly.b32 %r1, %r0, 1, 0x1f, -1;"), 32, Kind::Shuffle);
    fails("shfl.sync.bfly.b32 %r1, %r0, 1, 0x1f, 0xffff;", 32, Kind::Shuffle);
    fails(&format!("{half} @%p1 ret; bar.sync 0;"), 32, Kind::Barrier);
    fails(&format!("{half} @%p1 bar.sync 0;"), 32, Kind::Barrier);
    fails(
        &format!("{half} @%p1 bra $A; bar.sync 0; bra $B;\n$A: bar.sync 0;\n$B:"),
        32,
        Kind::Barrier,
    );
    fails(&format!("{half} @%p1 bar.warp.sync 0xffffffff;"), 32, Kind::Shuffle);
    // a lane that is not there gives nothing
    fails("shfl.sync.idx.b32 %r1, %r0, 20, 0x1f, -1;", 16, Kind::Shuffle);
    fails("$A: bra $A; mov.u32 %r1, 0;", 32, Kind::Endless);
    fails("add.u32 %r1, %r5, 1;", 32, Kind::Uninitialised);
    fails(
        "setp.eq.u32 %p1, %r0, 3; @%p1 mov.u32 %r5, 1; mov.u32 %r6, %r5; add.u32 %r1, %r6, 1;",
        32,
        Kind::Uninitialised,
    );
    fails("selp.u32 %r1, 1, 0, %p7;", 32, Kind::Uninitialised);
    // copies of what was never written are no use of it
    check("mov.u32 %r6, %r5; mov.u32 %r1, 7;", 32, |_| 7);
}

/// What is not known is said to be so, and never taken for its nearest relative.
#[test]
fn unknown_modifiers_and_types_are_refused() {
    let refused = |line: &str| {
        let regs = ".reg .pred %p<3>; .reg .b16 %h<4>; .reg .b32 %r<4>; .reg .f32 %f<4>;";
        let text = format!("{HEAD}.entry f()\n{{\n{regs}\n{line}\nret;\n}}\n");
        assert_eq!(unsupported(&text).unwrap().len(), 1, "{line}");
    };
    for line in [
        "min.xorsign.abs.f32 %f1, %f2, %f3;",
        "fma.rn.relu.f16 %h1, %h2, %h3, %h1;",
        "add.f16x2 %r1, %r2, %r3;",
        "add.u16x2 %r1, %r2, %r3;",
        "setp.lt.f16 %p1, %h1, %h2;",
        "cvt.rn.relu.bf16.f32 %h1, %f1;",
        "madc.hi.s32 %r1, %r2, %r3, %r1;",
        "shfl.down.b32 %r1, %r2, 1, 31;",
    ] {
        refused(line);
    }
}

#[test]
fn branches_that_divide_the_warp_come_together_again() {
    let text = "mov.u32 %r1, 0; and.b32 %r2, %r0, 7;\n$L: setp.eq.u32 %p1, %r2, 0; @%p1 bra $E;\n\
                sub.u32 %r2, %r2, 1; add.u32 %r1, %r1, %r2; bra $L;\n$E: bar.warp.sync -1;\n\
                shfl.sync.bfly.b32 %r3, %r1, 1, 0x1f, -1; add.u32 %r1, %r1, %r3;";
    let triangle = |t: u32| (t % 8) * (t % 8).saturating_sub(1) / 2;
    check(text, 64, |t| triangle(t) + triangle(t ^ 1));
    let switch = "and.b32 %r2, %r0, 3;\n$T: .branchtargets $A, $B, $C, $B;\nbrx.idx %r2, $T;\n\
                  $A: mov.u32 %r1, 10; bra $E;\n$B: mov.u32 %r1, 20; bra $E;\n$C: mov.u32 %r1, 30;\n$E:";
    check(switch, 32, |t| [10, 20, 30, 20][t as usize % 4]);
}

#[test]
fn device_functions_take_and_return() {
    let text = format!(
        "{HEAD}.func (.param .b32 back) twice(.param .b32 x, .param .b32 y)\n{{\n\
         .reg .b32 %r<5>; .reg .pred %p<2>;\nld.param.u32 %r1, [x]; ld.param.u32 %r2, [y];\n\
         setp.gt.u32 %p1, %r1, 10; @%p1 bra $big;\n\
         mad.lo.s32 %r3, %r1, 2, %r2; st.param.b32 [back], %r3; ret;\n\
         $big: st.param.b32 [back], %r2; ret;\n}}\n\
         .entry f(.param .u64 out)\n{{\n{REGS}\
         {{ .param .b32 a; .param .b32 b; .param .b32 c;\n st.param.b32 [a], %r0; st.param.b32 [b], 5;\n\
         call.uni (c), twice, (a, b); ld.param.b32 %r2, [c]; }}\n\
         {{ .param .b32 a; .param .b32 b; .param .b32 c;\n st.param.b32 [a], %r2; st.param.b32 [b], 100;\n\
         call (c), twice, (a, b); ld.param.b32 %r1, [c]; }}\n\
         st.global.u32 [%q1], %r1; ret;\n}}\n"
    );
    let twice = |x: u32, y: u32| if x > 10 { y } else { 2 * x + y };
    let found = with_text(&text, 32, Order::Ascending).unwrap();
    assert_eq!(found, (0..32).map(|t| twice(twice(t, 5), 100)).collect::<Vec<_>>());
}

#[test]
fn vectors_bytes_and_generic_addresses() {
    let body = ".shared .align 16 .b8 s[512]; .local .align 8 .b8 l[16];\n\
        mov.u32 %r2, s; shl.b32 %r3, %r0, 4; add.u32 %r2, %r2, %r3;\n\
        add.u32 %r4, %r0, 1; add.u32 %r5, %r0, 2; add.u32 %r6, %r0, 3;\n\
        st.shared.v4.u32 [%r2], {%r0, %r4, %r5, %r6}; bar.sync 0;\n\
        xor.b32 %r7, %r3, 16; mov.u32 %r8, s; add.u32 %r7, %r7, %r8;\n\
        ld.shared.v2.u32 {%r9, %r10}, [%r7+8]; ld.shared.u8 %r11, [%r7+4];\n\
        mov.u64 %q3, l; cvta.local.u64 %q4, %q3; st.u32 [%q4], %r9; st.local.v2.u8 [%q3+4], {%r10, %r11};\n\
        ld.local.u32 %r12, [l]; ld.u8 %r13, [%q4+5];\n\
        cvt.u64.u32 %q5, %r2; cvta.shared.u64 %q5, %q5; ld.s8 %r14, [%q5];\n\
        mad.lo.u32 %r1, %r12, 1000, %r13; mad.lo.u32 %r1, %r14, 100000, %r1;";
    check(body, 32, |t| 1000 * ((t ^ 1) + 2) + (t ^ 1) + 1 + 100_000 * t);
}

#[test]
fn atomics_count_every_thread() {
    let body = ".shared .align 8 .b8 s[16];\nsetp.eq.u32 %p1, %r0, 0; mov.u32 %r2, 0;\n\
        @%p1 st.shared.u32 [s], %r2; @%p1 st.shared.u64 [s+8], 0; bar.sync 0;\n\
        red.shared.add.u32 [s], %r0; atom.shared.max.u64 %q5, [s+8], %q0; bar.sync 0;\n\
        ld.shared.u32 %r1, [s]; ld.shared.u64 %q6, [s+8]; cvt.u32.u64 %r3, %q6; add.u32 %r1, %r1, %r3;";
    check(body, 96, |_| 95 * 96 / 2 + 4 * 95);
    let body = "mov.u32 %r1, 0; ld.param.u64 %q4, [out];\n\
        setp.eq.u32 %p1, %r0, 3; @%p1 atom.global.cas.b32 %r1, [%q4+12], 0, 8;\n\
        @%p1 atom.global.exch.b32 %r1, [%q4+12], 5;";
    check(body, 32, |t| if t == 3 { 8 } else { 0 });
}
