//! Transport between Gaussian measures against golden values and closed forms.

use crate::common::{distance, golden, normals, numbers};
use brenier::error::Error;
use brenier::solver::*;
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

fn matrix(value: &Value) -> DMatrix<f64> {
    let rows: Vec<f64> = value.as_array().unwrap().iter().flat_map(numbers).collect();
    let d = (rows.len() as f64).sqrt() as usize;
    DMatrix::from_row_slice(d, d, &rows)
}

fn normal(mean: &Value, covariance: &Value) -> Gaussian {
    Gaussian { mean: DVector::from_vec(numbers(mean)), covariance: matrix(covariance) }
}

/// A random covariance with eigenvalues above 0.2.
fn random(seed: u64, d: usize) -> Gaussian {
    let a = DMatrix::from_vec(d, d, normals::<f64>(seed, d * d));
    let covariance = &a * a.transpose() / d as f64 + DMatrix::identity(d, d) * 0.2;
    Gaussian { mean: DVector::from_vec(normals(seed + 1000, d)), covariance }
}

#[test]
fn golden_maps_and_distances() {
    for case in golden("bures.json")["cases"].as_array().unwrap() {
        let p = normal(&case["m0"], &case["s0"]);
        let q = normal(&case["m1"], &case["s1"]);
        let map = p.optimal_map(&q).unwrap();
        assert!((&map.matrix - matrix(&case["a"])).amax() < 1e-11);
        assert!(distance(map.offset.as_slice(), &numbers(&case["b"])) < 1e-11);
        let expected = case["squared_distance"].as_f64().unwrap();
        assert!((p.squared_distance(&q).unwrap() - expected).abs() < 1e-11);
        assert!((q.squared_distance(&p).unwrap() - expected).abs() < 1e-11);
    }
}

#[test]
fn barycentres_that_are_known() {
    let config = BarycentreConfig::default();
    // Covariances that commute: square roots are averaged.
    let diagonal = |m: [f64; 2], v: [f64; 2]| Gaussian {
        mean: DVector::from_row_slice(&m),
        covariance: DMatrix::from_diagonal(&DVector::from_row_slice(&v)),
    };
    let measures = [diagonal([0.0, 3.0], [1.0, 16.0]), diagonal([4.0, -1.0], [9.0, 0.04])];
    let found = bures_barycentre(&measures, &[3.0, 1.0], &config).unwrap();
    let expected = diagonal([1.0, 2.0], [1.5f64.powi(2), 3.05f64.powi(2)]);
    assert!(found.converged);
    assert!((&found.gaussian.mean - &expected.mean).amax() < 1e-14);
    assert!((&found.gaussian.covariance - &expected.covariance).amax() < 1e-8);
    // Of two measures it is the displacement interpolation (1 − t) I + t A.
    let (p, q, t) = (random(1, 4), random(2, 4), 0.3);
    let found = bures_barycentre(&[p.clone(), q.clone()], &[1.0 - t, t], &config).unwrap();
    let a = p.optimal_map(&q).unwrap().matrix * t + DMatrix::identity(4, 4) * (1.0 - t);
    assert!((&found.gaussian.covariance - &a * &p.covariance * &a).amax() < 1e-8);
    // Of one measure, and of equal ones, it is that measure.
    let found = bures_barycentre(&[p.clone(), p.clone()], &[0.2, 0.8], &config).unwrap();
    assert!(found.iterations <= 1 && (&found.gaussian.covariance - &p.covariance).amax() < 1e-12);
}

#[test]
fn barycentres_minimise() {
    let measures: Vec<Gaussian> = (0..5).map(|k| random(10 + k, 6)).collect();
    let weights = [0.1, 0.3, 0.2, 0.25, 0.15];
    let found = bures_barycentre(&measures, &weights, &Default::default()).unwrap();
    assert!(found.converged && found.iterations < 100);
    let objective = |g: &Gaussian| -> f64 {
        measures.iter().zip(weights).map(|(m, w)| w * g.squared_distance(m).unwrap()).sum()
    };
    let least = objective(&found.gaussian);
    for k in 0..10 {
        let noise = DMatrix::from_vec(6, 6, normals(50 + k, 36)) * 0.02;
        let covariance = &found.gaussian.covariance + &noise + noise.transpose();
        assert!(objective(&Gaussian { covariance, ..found.gaussian.clone() }) > least);
    }
    let few = BarycentreConfig { max_iterations: 1, ..Default::default() };
    let found = bures_barycentre(&measures, &weights, &few).unwrap();
    assert!(!found.converged && found.residual > 1e-10 && found.iterations == 1);
}

#[test]
fn bad_barycentres_are_errors() {
    let (p, config) = (random(1, 3), BarycentreConfig::default());
    let run = |g: &[Gaussian], w: &[f64]| bures_barycentre(g, w, &config).unwrap_err();
    let two = [p.clone(), p.clone()];
    assert!(matches!(run(&[], &[]), Error::Shape { .. }));
    assert!(matches!(run(&two, &[1.0]), Error::Shape { .. }));
    assert!(matches!(run(&[p.clone(), random(1, 2)], &[1.0, 1.0]), Error::Shape { .. }));
    assert!(matches!(run(&two, &[1.0, -1.0]), Error::InvalidConfig { .. }));
    assert!(matches!(run(&two, &[0.0, 0.0]), Error::InvalidConfig { .. }));
    let mut nan = p.clone();
    nan.covariance[(0, 0)] = f64::NAN;
    assert!(matches!(run(&[nan, p.clone()], &[1.0, 1.0]), Error::NonFinite { .. }));
    let flat = Gaussian { covariance: DMatrix::zeros(3, 3), ..p };
    assert!(matches!(run(&[flat], &[1.0]), Error::InvalidConfig { .. }));
}
