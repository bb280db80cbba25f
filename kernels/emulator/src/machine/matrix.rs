//! `mma.sync`: products of small matrices that are spread over the registers of a warp.

use super::alu::{bf16_value, f16_value};
use super::block::{Block, Fault, Outcome};
use super::program::{Matrix, MatrixKind};
use super::warp::Warp;
use crate::check::Kind;

impl Block<'_> {
    /// `d = a b + c` with a of 16 x k, b of k x 8, c and d of 16 x 8 in single precision.
    ///
    /// The products are exact, their sum with `c` is taken in double precision and rounded once:
    /// hardware adds in an order and with a rounding that are not documented.
    pub(crate) fn matrix(
        &mut self,
        warp: &mut Warp,
        matrix: &Matrix,
        lanes: u32,
        pc: u32,
    ) -> Outcome<()> {
        if lanes != u32::MAX {
            return Err(Fault::at(Kind::Shuffle, pc, "mma.sync needs all lanes of the warp"));
        }
        for slot in matrix.a.iter().chain(&matrix.b).chain(&matrix.c) {
            let unknown = !warp.known[*slot as usize];
            if unknown != 0 {
                return Err(self.unknown(warp, pc, unknown.trailing_zeros(), "an element"));
            }
        }
        let (k, packed) = match matrix.kind {
            MatrixKind::Tf32 { k } => (k as usize, 1),
            MatrixKind::Bf16 { k } | MatrixKind::F16 { k } => (k as usize, 2),
        };
        let value = |bits: u32, half: usize| match matrix.kind {
            // the low 13 bits are ignored
            MatrixKind::Tf32 { .. } => f32::from_bits(bits & 0xffff_e000),
            MatrixKind::Bf16 { .. } => bf16_value(bits >> (16 * half) & 0xffff),
            MatrixKind::F16 { .. } => f16_value(bits >> (16 * half) & 0xffff),
        };
        let (mut a, mut b) = (vec![0f32; 16 * k], vec![0f32; k * 8]);
        for lane in 0..32 {
            let (group, within) = (lane / 4, lane % 4);
            // rows alternate between group and group + 8, then the columns move on
            for (i, slot) in matrix.a.iter().enumerate() {
                for half in 0..packed {
                    let row = group + 8 * (i % 2);
                    let column = within * packed + half + 4 * packed * (i / 2);
                    a[row * k + column] = value(warp.regs[*slot as usize].0[lane], half);
                }
            }
            for (i, slot) in matrix.b.iter().enumerate() {
                for half in 0..packed {
                    let row = within * packed + half + 4 * packed * i;
                    b[row * 8 + group] = value(warp.regs[*slot as usize].0[lane], half);
                }
            }
        }
        let mut out = [[0u32; 32]; 4];
        for lane in 0..32 {
            for (i, out) in out.iter_mut().enumerate() {
                let (row, column) = (lane / 4 + 8 * (i / 2), lane % 4 * 2 + i % 2);
                let c = f32::from_bits(warp.regs[matrix.c[i] as usize].0[lane]);
                let sum = (0..k).fold(f64::from(c), |s, j| {
                    s + f64::from(a[row * k + j]) * f64::from(b[j * 8 + column])
                });
                out[lane] = (sum as f32).to_bits();
            }
        }
        for (i, slot) in matrix.d.iter().enumerate() {
            warp.regs[*slot as usize].0 = out[i];
            warp.known[*slot as usize] = u32::MAX;
        }
        Ok(())
    }
}
