//! The coefficients of the methods.
//!
//! A step of length h from (t, x): kₛ = v(t + cₛ h, x + h Σ aₛⱼ kⱼ), x' = x + h Σ bⱼ kⱼ. The estimate of
//! the error is h Σ eⱼ kⱼ, and inside of the step x(t + θh) = x + h Σ bⱼ(θ) kⱼ with polynomials bⱼ(θ)
//! that start at 0. Where the last row of a is b, the last stage is the first of the next step.

use super::config::OdeMethod;

/// One method.
pub(super) struct Tableau {
    /// Order of the estimate.
    pub(super) estimate: u32,
    /// c.
    pub(super) nodes: &'static [f64],
    /// Rows of a from the second stage on.
    pub(super) stages: &'static [&'static [f64]],
    /// b.
    pub(super) weights: &'static [f64],
    /// e; empty for a method without an estimate.
    pub(super) error: &'static [f64],
    /// Coefficients of θ, θ², … of bⱼ(θ), for each j.
    pub(super) dense: &'static [&'static [f64]],
}

impl Tableau {
    pub(super) fn of(method: OdeMethod) -> &'static Self {
        match method {
            OdeMethod::Euler => &EULER,
            OdeMethod::Heun => &HEUN,
            OdeMethod::RungeKutta4 => &RUNGE_KUTTA_4,
            OdeMethod::DormandPrince => &DORMAND_PRINCE,
            OdeMethod::Tsitouras => &TSITOURAS,
        }
    }

    /// Whether the last stage is the field at the end of the step.
    pub(super) fn ends_with_field(&self) -> bool {
        self.stages.last().is_some_and(|row| *row == self.weights)
    }

    /// bⱼ(θ).
    pub(super) fn dense_weights(&self, theta: f64) -> Vec<f64> {
        let value = |row: &&[f64]| theta * row.iter().rev().fold(0.0, |sum, c| sum * theta + c);
        self.dense.iter().map(value).collect()
    }
}

const EULER: Tableau = Tableau {
    estimate: 0,
    nodes: &[0.0],
    stages: &[],
    weights: &[1.0],
    error: &[],
    dense: &[&[1.0]],
};

const HEUN: Tableau = Tableau {
    estimate: 1,
    nodes: &[0.0, 1.0],
    stages: &[&[1.0]],
    weights: &[0.5, 0.5],
    error: &[-0.5, 0.5],
    dense: &[&[1.0, -0.5], &[0.0, 0.5]],
};

/// The interpolation is of order 3 (Hairer, Nørsett and Wanner, II.6).
const RUNGE_KUTTA_4: Tableau = Tableau {
    estimate: 3,
    nodes: &[0.0, 0.5, 0.5, 1.0],
    stages: &[&[0.5], &[0.0, 0.5], &[0.0, 0.0, 1.0]],
    weights: &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
    error: &[],
    dense: &[
        &[1.0, -1.5, 2.0 / 3.0],
        &[0.0, 1.0, -2.0 / 3.0],
        &[0.0, 1.0, -2.0 / 3.0],
        &[0.0, -0.5, 2.0 / 3.0],
    ],
};

/// The interpolation, of order 4, is Shampine's (Math. Comp. 46, 1986).
const DORMAND_PRINCE: Tableau = Tableau {
    estimate: 4,
    nodes: &[0.0, 0.2, 0.3, 0.8, 8.0 / 9.0, 1.0, 1.0],
    stages: &[
        &[0.2],
        &[3.0 / 40.0, 9.0 / 40.0],
        &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
        &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
        &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
        DORMAND_PRINCE_WEIGHTS,
    ],
    weights: DORMAND_PRINCE_WEIGHTS,
    error: &[
        -71.0 / 57600.0,
        0.0,
        71.0 / 16695.0,
        -71.0 / 1920.0,
        17253.0 / 339_200.0,
        -22.0 / 525.0,
        1.0 / 40.0,
    ],
    dense: &[
        &[
            1.0,
            -8_048_581_381.0 / 2_820_520_608.0,
            8_663_915_743.0 / 2_820_520_608.0,
            -12_715_105_075.0 / 11_282_082_432.0,
        ],
        &[],
        &[
            0.0,
            131_558_114_200.0 / 32_700_410_799.0,
            -68_118_460_800.0 / 10_900_136_933.0,
            87_487_479_700.0 / 32_700_410_799.0,
        ],
        &[
            0.0,
            -1_754_552_775.0 / 470_086_768.0,
            14_199_869_525.0 / 1_410_260_304.0,
            -10_690_763_975.0 / 1_880_347_072.0,
        ],
        &[
            0.0,
            127_303_824_393.0 / 49_829_197_408.0,
            -318_862_633_887.0 / 49_829_197_408.0,
            701_980_252_875.0 / 199_316_789_632.0,
        ],
        &[
            0.0,
            -282_668_133.0 / 205_662_961.0,
            2_019_193_451.0 / 616_988_883.0,
            -1_453_857_185.0 / 822_651_844.0,
        ],
        &[
            0.0,
            40_617_522.0 / 29_380_423.0,
            -110_615_467.0 / 29_380_423.0,
            69_997_945.0 / 29_380_423.0,
        ],
    ],
};

const DORMAND_PRINCE_WEIGHTS: &[f64] =
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0];

/// The interpolation, of order 4, is Tsitouras' own.
const TSITOURAS: Tableau = Tableau {
    estimate: 4,
    nodes: &[0.0, 0.161, 0.327, 0.9, 0.980_025_540_904_509_7, 1.0, 1.0],
    stages: &[
        &[0.161],
        &[-0.008_480_655_492_356_989, 0.335_480_655_492_357],
        &[2.897_153_057_105_493_5, -6.359_448_489_975_075, 4.362_295_432_869_581_5],
        &[
            5.325_864_828_439_257,
            -11.748_883_564_062_828,
            7.495_539_342_889_836_5,
            -0.092_495_066_361_755_25,
        ],
        &[
            5.861_455_442_946_42,
            -12.920_969_317_847_11,
            8.159_367_898_576_159,
            -0.071_584_973_281_401,
            -0.028_269_050_394_068_383,
        ],
        TSITOURAS_WEIGHTS,
    ],
    weights: TSITOURAS_WEIGHTS,
    error: &[
        0.001_780_011_052_225_777,
        0.000_816_434_459_656_746_9,
        -0.007_880_878_010_261_995,
        0.144_711_007_173_262_9,
        -0.582_357_165_452_555_2,
        0.458_082_105_929_186_97,
        -1.0 / 66.0,
    ],
    dense: &[
        &[1.0, -2.763_706_197_274_826, 2.913_255_461_821_912_6, -1.053_088_497_729_021_6],
        &[0.0, 0.1317, -0.2234, 0.1017],
        &[0.0, 3.930_296_236_894_751_6, -5.941_033_872_131_505, 2.490_627_285_651_253],
        &[0.0, -12.411_077_166_933_676, 30.338_188_630_282_32, -16.548_102_889_244_902],
        &[0.0, 37.509_313_416_511_04, -88.178_904_894_766_4, 47.379_521_962_819_28],
        &[0.0, -27.896_526_289_197_286, 65.091_894_674_793_66, -34.870_657_861_496_61],
        &[0.0, 1.5, -4.0, 2.5],
    ],
};

const TSITOURAS_WEIGHTS: &[f64] = &[
    0.096_460_766_818_065_23,
    0.01,
    0.479_889_650_414_499_6,
    1.379_008_574_103_742,
    -3.290_069_515_436_081,
    2.324_710_524_099_774,
];
