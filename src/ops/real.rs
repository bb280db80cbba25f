//! The number types of the library, `f32` and `f64`, with transcendental functions that vectorise.

use super::device::CpuGradient;
use super::registers::Registers;

/// A floating-point number type of the library.
///
/// `f32` is what trains; `f64` checks it. The transcendental functions of `f32` are polynomials
/// without branches, so that loops over them vectorise; their relative error is below 3e-7. Those of
/// `f64` are the standard library's.
pub trait Real:
    CpuGradient + Registers + num_traits::Float + rand_distr::uniform::SampleUniform
{
    /// From a constant.
    fn of(value: f64) -> Self;
    /// To double precision.
    fn double(self) -> f64;
    /// Appends the little-endian bytes.
    fn append_bytes(self, to: &mut Vec<u8>);
    /// From little-endian bytes, of which there must be as many as the type has.
    fn from_bytes(bytes: &[u8]) -> Self;
    /// eˣ; saturates at the largest and smallest normal numbers.
    fn fast_exp(self) -> Self;
    /// 2ˣ; saturates where the result would not be a normal number, NaN counts as −∞. With `FMA`, sums
    /// of products are rounded once: for loops compiled for processors that have the instruction.
    fn fast_exp2<const FMA: bool>(self) -> Self;
    /// Coefficients of 2ʳ for |r| ≤ ½, the highest first.
    #[doc(hidden)]
    const EXP2: &'static [Self];
    /// Adding it rounds to the nearest integer, which is then in the low bits.
    #[doc(hidden)]
    const ROUND: Self;
    /// Exponents of two whose powers are normal numbers.
    #[doc(hidden)]
    const EXPONENTS: [Self; 2];
    /// log₂ of a positive normal number.
    fn fast_log2(self) -> Self;
    /// ln(1 + y) for y in [0, 1].
    fn ln_1p_unit(self) -> Self;
    /// The distribution function of the standard normal law.
    fn normal_cdf(self) -> Self;
}

/// a b + c, rounded once if `FMA`.
#[inline(always)]
pub(crate) fn fused<E: num_traits::Float, const FMA: bool>(a: E, b: E, c: E) -> E {
    if FMA {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

impl Real for f64 {
    // ln(2)ᵏ / k! for k = 13, …, 0.
    const EXP2: &'static [Self] = &[
        1.369_148_885_390_412e-12,
        2.567_843_599_348_819_6e-11,
        4.445_538_271_870_811e-10,
        7.054_911_620_801_121e-9,
        1.017_808_600_923_969_9e-7,
        1.321_548_679_014_430_8e-6,
        1.525_273_380_405_983_8e-5,
        1.540_353_039_339_338e-4,
        1.333_355_814_642_844_1e-3,
        9.618_129_107_628_477e-3,
        5.550_410_866_482_158e-2,
        0.240_226_506_959_100_7,
        std::f64::consts::LN_2,
        1.0,
    ];
    const ROUND: Self = 6_755_399_441_055_744.0;
    const EXPONENTS: [Self; 2] = [-1021.0, 1022.0];

    fn append_bytes(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut own = [0; size_of::<Self>()];
        own.copy_from_slice(bytes);
        Self::from_le_bytes(own)
    }
    fn of(value: f64) -> Self {
        value
    }
    fn double(self) -> f64 {
        self
    }
    fn fast_exp(self) -> Self {
        self.exp()
    }
    /// x = n + r with |r| ≤ ½; 2^r by its Taylor polynomial of degree 13 (the rest is below 5e-18), 2ⁿ
    /// by the exponent bits.
    #[inline(always)]
    fn fast_exp2<const FMA: bool>(self) -> Self {
        let [low, high] = Self::EXPONENTS;
        let x = if self > low { self } else { low };
        let x = if x < high { x } else { high };
        let n = x + Self::ROUND;
        let r = x - (n - Self::ROUND);
        let mut p = Self::EXP2[0];
        let mut k = 1;
        while k < Self::EXP2.len() {
            p = fused::<_, FMA>(p, r, Self::EXP2[k]);
            k += 1;
        }
        f64::from_bits(p.to_bits().wrapping_add(n.to_bits() << 52))
    }
    #[inline(always)]
    fn fast_log2(self) -> Self {
        self.log2()
    }
    fn ln_1p_unit(self) -> Self {
        self.ln_1p()
    }
    fn normal_cdf(self) -> Self {
        0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2)
    }
}

impl Real for f32 {
    const EXP2: &'static [Self] =
        &[1.339_081_9e-3, 9.676_04e-3, 5.550_328e-2, 2.402_208_2e-1, 6.931_472e-1, 1.000_000_1];
    const ROUND: Self = 12_582_912.0;
    const EXPONENTS: [Self; 2] = [-125.0, 126.0];

    fn append_bytes(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut own = [0; size_of::<Self>()];
        own.copy_from_slice(bytes);
        Self::from_le_bytes(own)
    }
    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn double(self) -> f64 {
        f64::from(self)
    }

    /// x = n ln 2 + r with |r| ≤ ½ ln 2; e^r by a polynomial of degree 7 (Cephes `expf`), 2ⁿ by the
    /// exponent bits.
    #[inline(always)]
    fn fast_exp(self) -> Self {
        let x = self.clamp(-87.0, 88.0);
        let rounded = x * std::f32::consts::LOG2_E + Self::ROUND;
        let n = rounded - Self::ROUND;
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let mut p = 1.987_569_1e-4;
        p = p * r + 1.398_199_9e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 1.666_666_5e-1;
        p = p * r + 0.5;
        // The integer is in the low bits: shifting drops the others.
        let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
        (p * r * r + r + 1.0) * power
    }

    /// x = n + r with |r| ≤ ½; 2^r by a minimax polynomial of degree 5 (2.4e-7), 2ⁿ by the exponent
    /// bits.
    #[inline(always)]
    fn fast_exp2<const FMA: bool>(self) -> Self {
        let [low, high] = Self::EXPONENTS;
        let x = if self > low { self } else { low };
        let x = if x < high { x } else { high };
        let n = x + Self::ROUND;
        let r = x - (n - Self::ROUND);
        let mut p = Self::EXP2[0];
        let mut k = 1;
        while k < Self::EXP2.len() {
            p = fused::<_, FMA>(p, r, Self::EXP2[k]);
            k += 1;
        }
        f32::from_bits(p.to_bits().wrapping_add(n.to_bits() << 23))
    }

    /// x = 2ⁿ y with y in [√½, √2); log₂ y = 2 artanh(s) / ln 2 with s = (y − 1) / (y + 1), by its
    /// series to s⁹.
    #[inline(always)]
    fn fast_log2(self) -> Self {
        const ROOT_HALF: u32 = 0x3f35_04f3;
        let n = (self.to_bits().wrapping_sub(ROOT_HALF) as i32) >> 23;
        let y = f32::from_bits(self.to_bits().wrapping_sub((n << 23) as u32));
        let s = (y - 1.0) / (y + 1.0);
        let q = s * s;
        let mut p = 1.0 / 9.0;
        p = p * q + 1.0 / 7.0;
        p = p * q + 1.0 / 5.0;
        p = p * q + 1.0 / 3.0;
        p = p * q + 1.0;
        n as f32 + 2.0 * std::f32::consts::LOG2_E * s * p
    }

    /// 2 artanh(s) with s = y / (2 + y) ≤ 1/3, by its series to s¹³.
    #[inline(always)]
    fn ln_1p_unit(self) -> Self {
        let s = self / (2.0 + self);
        let q = s * s;
        let mut p = 1.0 / 13.0;
        p = p * q + 1.0 / 11.0;
        p = p * q + 1.0 / 9.0;
        p = p * q + 1.0 / 7.0;
        p = p * q + 1.0 / 5.0;
        p = p * q + 1.0 / 3.0;
        2.0 * s * (1.0 + q * p)
    }

    /// Abramowitz and Stegun 7.1.26: absolute error below 3e-7, of which 8e-8 are the formula's and
    /// the rest is rounding.
    #[inline(always)]
    fn normal_cdf(self) -> Self {
        let x = self.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * x);
        let mut p = 1.061_405_4;
        p = p * t - 1.453_152;
        p = p * t + 1.421_413_7;
        p = p * t - 0.284_496_72;
        p = p * t + 0.254_829_6;
        let tail = 0.5 * p * t * (-x * x).fast_exp();
        if self < 0.0 {
            tail
        } else {
            1.0 - tail
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(points: impl Iterator<Item = f32>, error: impl Fn(f32) -> f64) -> f64 {
        points.map(error).fold(0.0, f64::max)
    }

    #[test]
    fn f32_functions_against_f64() {
        let grid = |a: f32, b: f32| (0..=20_000).map(move |i| a + (b - a) * i as f32 / 20_000.0);
        let exp =
            worst(grid(-87.0, 88.0), |x| (x.fast_exp().double() / f64::from(x).exp() - 1.0).abs());
        let ln = worst(grid(1e-6, 1.0), |y| {
            (y.ln_1p_unit().double() / f64::from(y).ln_1p() - 1.0).abs()
        });
        let cdf =
            worst(grid(-6.0, 6.0), |x| (x.normal_cdf().double() - f64::from(x).normal_cdf()).abs());
        // Two to three units in the last place of f32 (1.2e-7 each); for the distribution function,
        // 7.5e-8 of 7.1.26 and two units in the last place of 1 for its alternating polynomial.
        assert!(exp < 3e-7 && ln < 3e-7 && cdf < 3e-7, "{exp:e} {ln:e} {cdf:e}");
    }

    #[test]
    fn powers_and_logarithms_of_two() {
        let (mut single, mut double, mut log) = (0f64, 0f64, 0f64);
        for i in 0..=100_000 {
            let t = f64::from(i) / 100_000.0;
            let x = (249.0 * t - 124.5) as f32;
            for y in [x.fast_exp2::<false>(), x.fast_exp2::<true>()] {
                single = single.max((y.double() / f64::from(x).exp2() - 1.0).abs());
            }
            let x = 2040.0 * t - 1020.5;
            for y in [x.fast_exp2::<false>(), x.fast_exp2::<true>()] {
                double = double.max((y / x.exp2() - 1.0).abs());
            }
            let x = (f64::from(240.0f32) * t - 120.0).exp2() as f32;
            let exact = f64::from(x).log2();
            log = log.max((x.fast_log2().double() - exact).abs() / exact.abs().max(1.0));
        }
        // The minimax polynomial's 2.4e-7 and one rounding; four roundings; two roundings.
        assert!(single < 3.5e-7 && double < 5e-16 && log < 3e-7, "{single:e} {double:e} {log:e}");
        for extreme in [f32::NAN, f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY] {
            let y = extreme.fast_exp2::<false>();
            assert!(y > 0.0 && y.is_finite());
        }
        assert_eq!(1f32.fast_log2(), 0.0);
    }

    #[test]
    fn exp_saturates() {
        assert!((-1e9f32).fast_exp() > 0.0 && 1e9f32.fast_exp().is_finite());
        assert_eq!(0f32.fast_exp(), 1.0);
    }
}
