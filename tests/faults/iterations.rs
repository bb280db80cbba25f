//! Flows, conjugates and barycentres with hostile input: what is said to be reached is finite and an end comes.

use brenier::ops::Real;
use brenier::solver::{
    bures_barycentre, conjugates, integrate, BarycentreConfig, ConjugateConfig, ConjugateMethod,
    ConjugateStatus, Gaussian, OdeConfig, OdeMethod, OdeStatus, StepControl, Steps,
};
use nalgebra::{DMatrix, DVector};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

use crate::hostile::{clouds, points};
use crate::solvers::{finite, of, quiet, typed};

/// Functions of one coordinate with their slopes: smooth, with a kink, concave, overflowing, undefined far
/// away, constant.
const FUNCTIONS: [fn(f64) -> [f64; 2]; 6] = [
    |x| [x * x, 2.0 * x],
    |x| [x.abs(), x.signum()],
    |x| [-x * x, -2.0 * x],
    |x| [x.exp(), x.exp()],
    |x| if x.abs() < 2.0 { [x * x, 2.0 * x] } else { [f64::NAN; 2] },
    |_| [0.0; 2],
];

fn conjugate<E: Real>(
    (x, y, d): (&[f64], &[f64], usize),
    f: fn(f64) -> [f64; 2],
    config: &ConjugateConfig,
) -> TestCaseResult {
    let slopes = |x: &[E]| {
        let all: Vec<[f64; 2]> = x.iter().map(|x| f(x.double())).collect();
        let sum = |row: &[[f64; 2]]| E::of(row.iter().map(|v| v[0]).sum());
        (all.chunks(d).map(sum).collect(), all.iter().map(|v| E::of(v[1])).collect())
    };
    match conjugates(slopes, &of::<E>(y), &of::<E>(x), d, config) {
        Err(e) => typed(&e),
        Ok(found) => {
            prop_assert!(finite(&found.points), "{found:?}");
            for (i, status) in found.status.iter().enumerate() {
                let (value, residual) = (found.values[i], found.residuals[i]);
                prop_assert!(!value.is_nan() && !residual.is_nan(), "{found:?}");
                if *status == ConjugateStatus::Converged {
                    prop_assert!(value.is_finite() && residual <= config.tolerance, "{found:?}");
                }
            }
            Ok(())
        }
    }
}

/// Fields of time and one coordinate: decay, stiff decay, an explosion, a jump, undefined from the middle on, and
/// infinite.
const FIELDS: [fn(f64, f64) -> f64; 6] = [
    |_, x| -x,
    |_, x| -1e6 * x,
    |_, x| x * x,
    |t, _| if t < 0.3 { 1e3 } else { -1e3 },
    |t, x| if t < 0.5 { x } else { f64::NAN },
    |_, _| f64::INFINITY,
];

fn flow<E: Real>(
    (x, d): (&[f64], usize),
    times: &[f64],
    v: fn(f64, f64) -> f64,
    config: &OdeConfig,
) -> TestCaseResult {
    let field = |t: &[f64], x: &[E], out: &mut [E]| {
        for (k, (out, x)) in out.iter_mut().zip(x).enumerate() {
            *out = E::of(v(t[k / d], x.double()));
        }
    };
    match integrate(config, field, &of::<E>(x), d, times) {
        Err(e) => typed(&e),
        Ok(path) => {
            prop_assert_eq!(path.states.len(), times.len());
            let points = x.len() / d / path.reports.len();
            for (i, report) in path.reports.iter().enumerate() {
                let end = &path.end()[i * points * d..][..points * d];
                prop_assert!(report.time.is_finite(), "{report:?}");
                if report.status == OdeStatus::Reached {
                    prop_assert!(finite(end) && Some(&report.time) == times.last(), "{path:?}");
                } else {
                    prop_assert!(end.iter().all(|v| v.is_nan()), "{path:?}");
                }
            }
            path.into_reached().map_or_else(|e| typed(&e), |_| Ok(()))
        }
    }
}

fn steps() -> impl Strategy<Value = Steps> {
    let tolerance = || select(std::vec![1e-3, 1e-6, 1e-12, 1e-300, 1e300, 0.0, f64::NAN]);
    let first =
        prop_oneof![3 => Just(None), 1 => select(std::vec![1e-30, 0.1, 1e30, 0.0]).prop_map(Some)];
    let control = (tolerance(), tolerance(), first, 0..300u64);
    prop_oneof![
        2 => (0..20usize).prop_map(Steps::Fixed),
        5 => (control, any::<bool>()).prop_map(|((rtol, atol, first, limit), shared)| {
            let control = StepControl { rtol, atol, first, limit, ..StepControl::default() };
            if shared { Steps::Shared(control) } else { Steps::PerSample(control) }
        }),
    ]
}

fn method() -> impl Strategy<Value = ConjugateMethod> {
    prop_oneof![
        3 => Just(ConjugateMethod::default()),
        1 => select(std::vec![1e-3, 1.0, 1e30, f64::NAN]).prop_map(|rate| ConjugateMethod::Adam { rate }),
    ]
}

proptest! {
    #![proptest_config(quiet())]

    #[test]
    fn conjugate_points(
        (x, y, d) in points(), f in select(&FUNCTIONS[..]), method in method(),
        tolerance in select(std::vec![0.1, 1e-9, 1e-300, 1e300, 0.0]), limit in 0..40usize,
    ) {
        let config = ConjugateConfig { tolerance, limit, method };
        conjugate::<f32>((&x, &y, d), f, &config)?;
        conjugate::<f64>((&x, &y, d), f, &config)?;
    }

    #[test]
    fn flows(
        (x, _, d) in points(), v in select(&FIELDS[..]), steps in steps(),
        method in select(std::vec![
            OdeMethod::Euler, OdeMethod::Heun, OdeMethod::RungeKutta4, OdeMethod::DormandPrince,
            OdeMethod::Tsitouras,
        ]),
        times in select(std::vec![
            std::vec![0.0, 1.0], std::vec![1.0, 0.4, 0.0], std::vec![], std::vec![0.0],
            std::vec![0.0, 0.0], std::vec![0.0, f64::NAN], std::vec![-1e300, 1e300],
            std::vec![0.0, 5e-324],
        ]),
    ) {
        let config = OdeConfig { method, steps };
        flow::<f32>((&x, d), &times, v, &config)?;
        flow::<f64>((&x, d), &times, v, &config)?;
    }

    #[test]
    fn barycentres(
        clouds in clouds(), scales in vec(select(std::vec![1.0, 1e-12, 1e30, 1e150, f64::NAN]), 3),
        weights in vec(select(std::vec![1.0, 0.3, 0.0, 1e300, -1.0, f64::NAN]), 0..4),
        iterations in 0..30usize,
    ) {
        let d = clouds.d;
        let measure = |k: usize| {
            let rows: Vec<f64> = clouds.x.iter().map(|v| scales[k % 3] * v).collect();
            let covariance = DMatrix::from_fn(d, d, |i, j| {
                rows[i] * rows[j] + if i == j { scales[k % 3] } else { 0.0 }
            });
            Gaussian { mean: DVector::from_column_slice(&rows[..d]), covariance }
        };
        let measures: Vec<Gaussian> = (0..weights.len()).map(measure).collect();
        let config = BarycentreConfig { max_iterations: iterations, ..Default::default() };
        match bures_barycentre(&measures, &weights, &config) {
            Err(e) => typed(&e)?,
            Ok(found) => {
                let Gaussian { mean, covariance } = &found.gaussian;
                prop_assert!(finite(mean.as_slice()) && finite(covariance.as_slice()), "{found:?}");
                prop_assert!(!found.converged || found.residual <= config.tolerance, "{found:?}");
            }
        }
    }
}
