//! The number types of the library, `f32` and `f64`, with transcendental functions that vectorise.

use super::device::CpuGradient;

/// A floating-point number type of the library.
///
/// `f32` is what trains; `f64` checks it. The transcendental functions of `f32` are polynomials
/// without branches, so that loops over them vectorise; their relative error is below 3e-7. Those of
/// `f64` are the standard library's.
pub trait Real: CpuGradient + num_traits::Float + rand_distr::uniform::SampleUniform {
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
    /// ln(1 + y) for y in [0, 1].
    fn ln_1p_unit(self) -> Self;
    /// The distribution function of the standard normal law.
    fn normal_cdf(self) -> Self;
}

impl Real for f64 {
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
    fn ln_1p_unit(self) -> Self {
        self.ln_1p()
    }
    fn normal_cdf(self) -> Self {
        0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2)
    }
}

impl Real for f32 {
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
        // Adding 1.5·2²³ rounds to the nearest integer.
        const ROUND: f32 = 12_582_912.0;
        let x = self.clamp(-87.0, 88.0);
        let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let mut p = 1.987_569_1e-4;
        p = p * r + 1.398_199_9e-3;
        p = p * r + 8.333_452e-3;
        p = p * r + 4.166_579_6e-2;
        p = p * r + 1.666_666_5e-1;
        p = p * r + 0.5;
        let power = f32::from_bits(((n as i32 + 127) as u32) << 23);
        (p * r * r + r + 1.0) * power
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
    fn exp_saturates() {
        assert!((-1e9f32).fast_exp() > 0.0 && 1e9f32.fast_exp().is_finite());
        assert_eq!(0f32.fast_exp(), 1.0);
    }
}
