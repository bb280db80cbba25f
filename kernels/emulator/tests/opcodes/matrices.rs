//! `mma.sync` against a product of full matrices.

use super::bench::execute;
use brenier_emulator::Settings;

/// Values that every format holds exactly.
fn small(i: usize) -> f32 {
    ((i * 7 + i / 5) % 13) as f32 - 6.0
}

/// The kernel: lane by lane the registers of a, b and c from three buffers, d to the last.
fn kernel(shape: &str, factor: &str, a: usize, b: usize) -> String {
    let list =
        |name: &str, n: usize| (0..n).map(|i| format!("{name}{i}")).collect::<Vec<_>>().join(", ");
    let load = |param: &str, name: &str, n: usize| {
        let each: String =
            (0..n).map(|i| format!("ld.global.b32 {name}{i}, [%q2+{}];\n", 4 * i)).collect();
        format!("ld.param.u64 %q1, [{param}]; mul.wide.u32 %q2, %r0, {}; add.s64 %q2, %q2, %q1;\n{each}", 4 * n)
    };
    let store: String =
        (0..4).map(|i| format!("st.global.f32 [%q2+{}], %d{i};\n", 4 * i)).collect();
    format!(
        ".version 8.1\n.target sm_80\n.address_size 64\n\
         .entry f(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 d)\n{{\n\
         .reg .b32 %r<2>; .reg .b32 %a<4>; .reg .b32 %b<4>; .reg .f32 %c<4>; .reg .f32 %d<4>; .reg .b64 %q<4>;\n\
         mov.u32 %r0, %tid.x;\n{}{}{}\
         mma.sync.aligned.{shape}.row.col.f32.{factor}.{factor}.f32 {{{}}}, {{{}}}, {{{}}}, {{{}}};\n\
         ld.param.u64 %q1, [d]; mul.wide.u32 %q2, %r0, 16; add.s64 %q2, %q2, %q1;\n{store}ret;\n}}\n",
        load("a", "%a", a), load("b", "%b", b), load("c", "%c", 4),
        list("%d", 4), list("%a", a), list("%b", b), list("%c", 4),
    )
}

/// Where element (row, column) of a fragment is, by the tables of the PTX manual: for 16-bit factors two
/// neighbours share a register.
fn product(k: usize, packed: usize, encode: fn(f32) -> u32) {
    let a: Vec<Vec<f32>> = (0..16).map(|r| (0..k).map(|c| small(r * k + c)).collect()).collect();
    let b: Vec<Vec<f32>> = (0..k).map(|r| (0..8).map(|c| small(r * 8 + c + 3)).collect()).collect();
    let c: Vec<Vec<f32>> = (0..16).map(|r| (0..8).map(|c| small(r + 2 * c)).collect()).collect();
    let (na, nb) = (16 * k / 32 / packed, 8 * k / 32 / packed);
    let (mut fa, mut fb, mut fc) = (vec![0u32; 32 * na], vec![0u32; 32 * nb], vec![0u32; 32 * 4]);
    for row in 0..16 {
        for (column, value) in a[row].iter().enumerate() {
            let lane = row % 8 * 4 + column / packed % 4;
            let register = row / 8 + 2 * (column / (4 * packed));
            let bits = encode(*value) << (16 * (column % packed));
            fa[lane * na + register] |= bits;
        }
        for column in 0..8 {
            let lane = row % 8 * 4 + column / 2;
            fc[lane * 4 + row / 8 * 2 + column % 2] = c[row][column].to_bits();
        }
    }
    for (row, values) in b.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            let lane = column * 4 + row / packed % 4;
            let bits = encode(*value) << (16 * (row % packed));
            fb[lane * nb + row / (4 * packed)] |= bits;
        }
    }
    let bytes = |v: &[u32]| v.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let factor = if packed == 1 {
        "tf32"
    } else if encode(1.0) == 0x3f80 {
        "bf16"
    } else {
        "f16"
    };
    let text = kernel(&format!("m16n8k{k}"), factor, na, nb);
    let buffers = [bytes(&fa), bytes(&fb), bytes(&fc), vec![0; 512]];
    let out = execute(&text, &buffers, 32, &Settings::default()).unwrap_or_else(|r| panic!("{r}"));
    for row in 0..16 {
        for column in 0..8 {
            let exact = c[row][column] + (0..k).map(|j| a[row][j] * b[j][column]).sum::<f32>();
            let at = 4 * ((row % 8 * 4 + column / 2) * 4 + row / 8 * 2 + column % 2);
            let found = f32::from_le_bytes(out[at..at + 4].try_into().unwrap());
            assert_eq!(found, exact, "{factor} k {k} at ({row}, {column})");
        }
    }
}

fn half(x: f32) -> u32 {
    // exact for the small integers of this test
    match x == 0.0 {
        true => 0,
        false => (x.to_bits() >> 16 & 0x8000) | ((x.abs().to_bits() - 0x3800_0000) >> 13),
    }
}

#[test]
fn products_of_every_format() {
    product(8, 1, f32::to_bits);
    product(4, 1, f32::to_bits);
    product(16, 2, |x| x.to_bits() >> 16);
    product(8, 2, |x| x.to_bits() >> 16);
    product(16, 2, half);
}

/// The low 13 bits of a tf32 factor do not count.
#[test]
fn tf32_ignores_what_it_cannot_hold() {
    product(8, 1, |x| if x == 0.0 { 0 } else { x.to_bits() | 0x1fff });
}
