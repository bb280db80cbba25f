//! Functions that the hardware only approximates, exactly or off by as much as is documented.

use super::alu::flush;
use super::program::Lanes;

/// An approximate instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Approximate {
    pub(crate) function: Function,
    pub(crate) ftz: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Exp2,
    Log2,
    Reciprocal,
    Divide,
    SquareRoot,
    ReciprocalRoot,
    Sine,
    Cosine,
    Tanh,
    /// `rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64`: good to about 20 bits
    Reciprocal64,
    ReciprocalRoot64,
}

impl Approximate {
    /// The largest error, as (relative, absolute), of the PTX manual's tables.
    fn bound(self, x: f64) -> (f64, f64) {
        let two = |e: f64| e.exp2();
        match self.function {
            Function::Exp2 => (two(-22.0), 0.0),
            // absolute near 1, relative elsewhere
            Function::Log2 if x > 0.5 && x < 2.0 => (0.0, two(-22.0)),
            Function::Log2 => (two(-22.0), 0.0),
            Function::Reciprocal => (two(-23.0), 0.0),
            Function::Divide => (two(-22.0), 0.0),
            Function::SquareRoot => (two(-23.0), 0.0),
            Function::ReciprocalRoot => (two(-22.9), 0.0),
            Function::Sine | Function::Cosine => (0.0, two(-20.5)),
            Function::Tanh => (two(-11.0), 0.0),
            Function::Reciprocal64 | Function::ReciprocalRoot64 => (two(-20.0), 0.0),
        }
    }

    /// Writes the lanes of `mask`.
    ///
    /// # Safety
    /// The pointers lead to registers of the width of the function.
    pub(crate) unsafe fn run(
        self,
        d: *mut Lanes,
        a: *const Lanes,
        b: *const Lanes,
        mask: u32,
        seed: Option<u64>,
    ) {
        if matches!(self.function, Function::Reciprocal64 | Function::ReciprocalRoot64) {
            // SAFETY: as promised.
            return unsafe { self.run_wide(d, a, mask, seed) };
        }
        // SAFETY: as promised; all reads come before the write.
        let (a, b) = unsafe { ((*a).0, (*b).0) };
        let mut out = [0; 32];
        if self.function == Function::Exp2 && seed.is_none() {
            exp2_lanes(&a, self.ftz, &mut out);
        } else {
            for i in 0..32 {
                if mask >> i & 1 != 0 {
                    out[i] = self.single(f32::from_bits(a[i]), f32::from_bits(b[i]), seed);
                }
            }
        }
        // SAFETY: as promised.
        let d = unsafe { &mut (*d).0 };
        for i in 0..32 {
            d[i] = if mask >> i & 1 != 0 { out[i] } else { d[i] };
        }
    }

    fn single(self, a: f32, b: f32, seed: Option<u64>) -> u32 {
        let (a, b) = if self.ftz { (flush(a), flush(b)) } else { (a, b) };
        let (x, y) = (f64::from(a), f64::from(b));
        let exact = match self.function {
            Function::Exp2 => exp2(x),
            Function::Log2 => x.log2(),
            Function::Reciprocal => 1.0 / x,
            Function::Divide => x / y,
            Function::SquareRoot => x.sqrt(),
            Function::ReciprocalRoot => 1.0 / x.sqrt(),
            Function::Sine => x.sin(),
            Function::Cosine => x.cos(),
            _ => x.tanh(),
        };
        let off = match seed {
            Some(seed) => self.perturbed(
                exact,
                x,
                u64::from(a.to_bits()) << 32 | u64::from(b.to_bits()),
                seed,
            ),
            None => exact,
        };
        let value = off as f32;
        (if self.ftz { flush(value) } else { value }).to_bits()
    }

    /// Off by up to the bound: a function of the operands, as in hardware, so that equal operands
    /// give equal results in any order of the threads.
    fn perturbed(self, exact: f64, x: f64, key: u64, seed: u64) -> f64 {
        // 0, 1, powers of two and infinities come out right in hardware
        if !exact.is_finite() || exact == 0.0 || x == 0.0 || exact.log2().fract() == 0.0 {
            return exact;
        }
        let (relative, absolute) = self.bound(x);
        let mixed = mix(key ^ mix(seed ^ (self.function as u64) << 56));
        let unit = (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
        // half a unit in the last place is left for the rounding that follows
        let room = 1.0 - if relative > 0.0 { 2f64.powi(-24) / relative } else { 0.0 };
        exact + unit * room * (relative * exact.abs() + absolute)
    }

    unsafe fn run_wide(self, d: *mut Lanes, a: *const Lanes, mask: u32, seed: Option<u64>) {
        // SAFETY: registers of 64 bits, as promised.
        let (d, a) = unsafe { (&mut *d.cast::<[u64; 32]>(), *a.cast::<[u64; 32]>()) };
        for i in 0..32 {
            if mask >> i & 1 != 0 {
                let x = f64::from_bits(a[i]);
                let exact = match self.function {
                    Function::Reciprocal64 => 1.0 / x,
                    _ => 1.0 / x.sqrt(),
                };
                let off = seed.map_or(exact, |s| self.perturbed(exact, x, a[i], s));
                d[i] = off.to_bits() & 0xffff_ffff_0000_0000;
            }
        }
    }
}

pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// `2^x` for `x` of single precision, to about 1e-14: rounded once more it is right to the last bit
/// in all but a few of 10^6 arguments.
#[inline(always)]
fn exp2(x: f64) -> f64 {
    let x = x.clamp(-1000.0, 1000.0); // a NaN stays
    let whole = x.round_ties_even();
    let t = (x - whole) * std::f64::consts::LN_2;
    // Taylor to degree 11 on |t| < 0.35: the rest is below 0.35^12 / 12! < 1e-14
    let mut sum = 1.0f64 / 39_916_800.0;
    for factor in [
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = sum.mul_add(t, factor);
    }
    // adding 1.5 * 2^52 leaves the integer in the low bits; a NaN is carried along by `sum`
    let exponent = (whole + 1023.0 + 6_755_399_441_055_744.0).to_bits();
    sum * f64::from_bits(exponent << 52)
}

fn exp2_lanes(a: &[u32; 32], ftz: bool, out: &mut [u32; 32]) {
    #[inline(always)]
    fn body(a: &[u32; 32], ftz: bool, out: &mut [u32; 32]) {
        for i in 0..32 {
            let x = f32::from_bits(a[i]);
            let x = if ftz { flush(x) } else { x };
            let y = exp2(f64::from(x)) as f32;
            out[i] = (if ftz { flush(y) } else { y }).to_bits();
        }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx(a: &[u32; 32], ftz: bool, out: &mut [u32; 32]) {
        body(a, ftz, out);
    }
    #[cfg(target_arch = "x86_64")]
    if super::alu::wide_cpu() {
        // SAFETY: the features have just been detected.
        return unsafe { avx(a, ftz, out) };
    }
    body(a, ftz, out);
}
